//! What is under way, and the answer to it.

use std::time::Duration;

use super::{
    exchange_id::ExchangeId,
    failure::{Failure, FailureKind},
    moment::Moment,
    task::{Received, Task},
    verdict::Verdict,
};
use crate::{
    error::{Error, ErrorKind},
    exchange::{PendingResponse, Unsigned},
    flow::LiveSessionToken,
};

/// What is under way: sent and not answered, or given to be signed and not signed.
pub(super) struct Outstanding {
    pub(super) id: ExchangeId,
    pub(super) task: Task,
    pub(super) since: Moment,
    pub(super) give_up_at: Moment,
    /// When something was sent before it.
    pub(super) sent_before: Option<Moment>,
    /// Which of the exchanges that a live session token signed it is; zero where none did.
    pub(super) round: u64,
    pub(super) awaited: Awaited,
}

pub(super) enum Awaited {
    /// The signature of a request for a live session token, which is dated by this timestamp.
    Signature {
        unsigned: Box<Unsigned<LiveSessionToken>>,
        timestamp: u64,
    },
    Response(PendingResponse<Received>),
}

/// An answer, as the session takes it.
pub(super) struct Answer {
    pub(super) task: Task,
    pub(super) round: u64,
    pub(super) verdict: Verdict,
    /// How long the broker asks to be left alone, if it does.
    pub(super) wait: Option<Duration>,
    /// Nothing was sent.
    pub(super) is_unsent: bool,
    /// How long before it nothing had been sent.
    pub(super) silence: Duration,
}

impl Outstanding {
    pub(super) fn is(&self, id: ExchangeId) -> bool {
        self.id == id
    }

    pub(super) fn awaits_signature(&self) -> bool {
        matches!(self.awaited, Awaited::Signature { .. })
    }

    /// Whether it is certain that nothing was sent, where it failed so. A key store that refuses is no network that is
    /// down: it is asked again as seldom as a broker that refuses.
    pub(super) fn is_unsent(&self, kind: FailureKind) -> bool {
        kind == FailureKind::NotSent || self.awaits_signature() && kind != FailureKind::Refused
    }

    /// What a failure outside means for this exchange.
    pub(super) fn error(&self, failure: Failure) -> Error {
        let (stage, kind, remedy) = (self.task.stage(), failure.kind(), failure.remedy());
        let error = match (&self.awaited, kind) {
            (Awaited::Signature { .. }, FailureKind::Refused) => Error::key_refused(failure).at(stage),
            (_, FailureKind::TooLarge) => Error::malformed(stage, failure.to_string()),
            _ => Error::new(ErrorKind::Unavailable, stage, failure.to_string()).with_source(failure),
        };
        let error = if self.is_unsent(kind) { error.with_nothing_sent() } else { error };
        match remedy {
            Some(remedy) => error.with_remedy(remedy),
            None => error,
        }
    }

    pub(super) fn answer(&self, verdict: Verdict) -> Answer {
        Answer {
            task: self.task,
            round: self.round,
            verdict,
            wait: None,
            is_unsent: false,
            silence: self.sent_before.map_or(Duration::MAX, |before| self.since.since(before)),
        }
    }
}
