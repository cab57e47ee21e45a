//! What is under way, and the answer to it.

use std::time::Duration;

use bytes::Bytes;
use http::Response;

use super::{
    exchange_id::ExchangeId,
    failure::{Failure, FailureKind},
    moment::Moment,
    task::{Received, Task},
    verdict::Verdict,
};
use crate::{
    brokerage::{BrokerageStatus, Logout, Tickle},
    error::{Error, ErrorKind},
    exchange::{PendingResponse, Unsigned},
    flow::LiveSessionToken,
    key::KeyError,
};

/// What is under way: sent and not answered, or given to be signed and not signed.
pub(super) struct Outstanding {
    pub(super) id: ExchangeId,
    pub(super) since: Moment,
    pub(super) give_up_at: Moment,
    /// When something was sent before it.
    pub(super) sent_before: Option<Moment>,
    /// Which of the exchanges that a live session token signed it is; zero where none did.
    pub(super) round: u64,
    pub(super) awaited: Awaited,
}

pub(super) enum Awaited {
    Signature(Unsent),
    Response(Pending),
}

/// A request for a live session token that waits for its signature, and the timestamp that it is dated by.
pub(super) struct Unsent {
    pub(super) unsigned: Box<Unsigned<LiveSessionToken>>,
    pub(super) timestamp: u64,
}

/// The only thing that may read the response.
pub(super) enum Pending {
    Negotiate(PendingResponse<LiveSessionToken>),
    Open(PendingResponse<BrokerageStatus>),
    Status(PendingResponse<BrokerageStatus>),
    Prime(PendingResponse<serde::de::IgnoredAny>),
    Tickle(PendingResponse<Tickle>),
    StartOver(PendingResponse<Logout>),
    LogOut(PendingResponse<Logout>),
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
        matches!(self.awaited, Awaited::Signature(_))
    }

    pub(super) fn task(&self) -> Task {
        match &self.awaited {
            Awaited::Signature(_) => Task::Negotiate,
            Awaited::Response(pending) => pending.task(),
        }
    }

    /// Whether it is certain that nothing was sent, where it failed so. A key store that refuses is no network that is
    /// down: it is asked again as seldom as a broker that refuses.
    pub(super) fn is_unsent(&self, kind: FailureKind) -> bool {
        kind == FailureKind::NotSent || self.awaits_signature() && kind != FailureKind::Refused
    }

    /// What a failure outside means for this exchange.
    pub(super) fn error(&self, failure: Failure) -> Error {
        let (stage, kind, remedy) = (self.task().stage(), failure.kind(), failure.remedy());
        let error = match (&self.awaited, kind) {
            (Awaited::Signature(_), FailureKind::Refused) => Error::key(stage, KeyError::refused(failure)),
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
            task: self.task(),
            round: self.round,
            verdict,
            wait: None,
            is_unsent: false,
            silence: self.sent_before.map_or(Duration::MAX, |before| self.since.since(before)),
        }
    }
}

impl Pending {
    pub(super) fn task(&self) -> Task {
        match self {
            Self::Negotiate(_) => Task::Negotiate,
            Self::Open(_) => Task::Open,
            Self::Status(_) => Task::Status,
            Self::Prime(_) => Task::Prime,
            Self::Tickle(_) => Task::Tickle,
            Self::StartOver(_) => Task::StartOver,
            Self::LogOut(_) => Task::LogOut,
        }
    }

    pub(super) fn complete(self, response: Response<Bytes>) -> Result<Received, Error> {
        match self {
            Self::Negotiate(pending) => pending.complete(response).map(Received::Negotiated),
            Self::Open(pending) | Self::Status(pending) => pending.complete(response).map(Received::Brokerage),
            Self::Prime(pending) => pending.complete(response).map(|_| Received::Accounts),
            Self::Tickle(pending) => pending.complete(response).map(Received::Tickle),
            Self::StartOver(pending) | Self::LogOut(pending) => {
                pending.complete(response).map(|logout| Received::LoggedOut(logout.status))
            }
        }
    }
}
