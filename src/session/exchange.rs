//! The one exchange that a session has under way: started, answered, or given up.

use std::time::Duration;

use bytes::Bytes;
use http::{
    Request, Response,
    header::{DATE, RETRY_AFTER},
};

use super::{ExchangeId, Failure, FailureKind, Output, Session, SessionEvent, State};
use crate::{
    brokerage::{BrokerageStatus, Logout, Tickle},
    context::{Context, Timestamp},
    error::{Error, ErrorKind, Stage},
    exchange::{Exchange, PendingReply, Unsigned},
    flow::LiveSessionToken,
    key::KeyError,
};

/// More is taken for a mistake: a live session token lives no longer.
pub(super) const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(24 * 3600);

/// The furthest that a handshake is dated ahead of the clock, for a key store that is slow.
const LONGEST_DATED_AHEAD: Duration = Duration::from_secs(60);

/// What an exchange is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    Negotiate,
    Open,
    Status,
    Tickle,
    LogOut,
}

impl Task {
    /// Whether its answer still means something in this state.
    pub(super) fn belongs_to(self, state: State) -> bool {
        match self {
            Self::Negotiate => matches!(state, State::Negotiating | State::Renewing),
            Self::Open => state == State::Opening,
            Self::Status => state == State::Settling,
            Self::Tickle => matches!(state, State::Live | State::Displaced),
            Self::LogOut => state == State::Closing,
        }
    }

    const fn stage(self) -> Stage {
        match self {
            Self::Negotiate => Stage::LiveSessionToken,
            Self::Open => Stage::OpenBrokerage,
            Self::Status => Stage::BrokerageStatus,
            Self::Tickle => Stage::Tickle,
            Self::LogOut => Stage::Logout,
        }
    }
}

/// The only thing that may read the answer.
enum Pending {
    /// The signature of a request that has this timestamp.
    Signature(Box<Unsigned<LiveSessionToken>>, u64),
    Negotiate(PendingReply<LiveSessionToken>),
    Open(PendingReply<BrokerageStatus>),
    Status(PendingReply<BrokerageStatus>),
    Tickle(PendingReply<Tickle>),
    LogOut(PendingReply<Logout>),
}

pub(super) struct Outstanding {
    id: ExchangeId,
    sent_at: Timestamp,
    pending: Pending,
}

/// What came of an exchange that succeeded.
pub(super) enum Reply {
    Negotiated(LiveSessionToken),
    Brokerage(BrokerageStatus),
    Tickled(Tickle),
    LoggedOut(bool),
}

impl Outstanding {
    pub(super) fn task(&self) -> Task {
        match self.pending {
            Pending::Signature(..) | Pending::Negotiate(_) => Task::Negotiate,
            Pending::Open(_) => Task::Open,
            Pending::Status(_) => Task::Status,
            Pending::Tickle(_) => Task::Tickle,
            Pending::LogOut(_) => Task::LogOut,
        }
    }

    pub(super) fn sent_at(&self) -> Timestamp {
        self.sent_at
    }

    /// Whether this is the request of that id, sent already.
    pub(super) fn is_request(&self, id: ExchangeId) -> bool {
        self.id == id && !self.awaits_signature()
    }

    /// Whether this is the request of that id, not yet signed.
    pub(super) fn is_signature(&self, id: ExchangeId) -> bool {
        self.id == id && self.awaits_signature()
    }

    pub(super) fn awaits_signature(&self) -> bool {
        matches!(self.pending, Pending::Signature(..))
    }

    pub(super) fn is(&self, id: ExchangeId) -> bool {
        self.id == id
    }

    pub(super) fn complete(self, response: Response<Bytes>) -> Result<Reply, Error> {
        match self.pending {
            Pending::Signature(..) => {
                Err(Error::config(Stage::LiveSessionToken, "a signature was awaited, not a reply"))
            }
            Pending::Negotiate(reply) => reply.complete(response).map(Reply::Negotiated),
            Pending::Open(reply) | Pending::Status(reply) => reply.complete(response).map(Reply::Brokerage),
            Pending::Tickle(reply) => reply.complete(response).map(Reply::Tickled),
            Pending::LogOut(reply) => reply.complete(response).map(|logout| Reply::LoggedOut(logout.status)),
        }
    }

    /// What a failure outside means for this exchange.
    pub(super) fn failure(&self, failure: Failure) -> Error {
        let stage = self.task().stage();
        match (&self.pending, failure.kind) {
            (Pending::Signature(..), FailureKind::Refused) => Error::key(stage, KeyError::refused(failure)),
            (_, FailureKind::TooLarge) => Error::malformed(stage, failure.to_string()),
            (_, _) => Error::new(ErrorKind::Unavailable, stage, failure.to_string()).with_source(failure),
        }
    }
}

/// How long the reply asks to be left alone (RFC 9110 section 10.2.3), at least a second and at most a day.
pub(super) fn retry_after(response: &Response<Bytes>, now: Timestamp) -> Option<Duration> {
    let text = |name| response.headers().get(name)?.to_str().ok().map(str::trim);
    let moment = |text: &str| httpdate::parse_http_date(text).ok().map(Timestamp::from);
    let wanted = text(RETRY_AFTER)?;
    let wait = match wanted.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        // By the broker's clock, which stands beside it.
        Err(_) => moment(wanted)?.saturating_duration_since(text(DATE).and_then(moment).unwrap_or(now)),
    };
    Some(wait.clamp(Duration::from_secs(1), LONGEST_RETRY_AFTER))
}

impl Session {
    /// The exchange whose answer is awaited.
    pub(crate) fn awaited(&self) -> Option<ExchangeId> {
        self.outstanding.as_ref().map(|outstanding| outstanding.id)
    }

    /// Takes what waits for an answer out, if it is this that was answered.
    pub(super) fn take_outstanding(
        &mut self,
        is_answered: impl FnOnce(&mut Outstanding) -> bool,
    ) -> Option<Outstanding> {
        let outstanding = self.outstanding.take_if(is_answered)?;
        self.schedule.answer = None;
        Some(outstanding)
    }

    /// Takes back a request that nobody has fetched to send.
    pub(super) fn withdraw(&mut self) {
        let outputs = self.outputs.len();
        self.outputs.retain(|output| !matches!(output, Output::Transmit { .. }));
        if self.outputs.len() < outputs {
            self.take_outstanding(|_| true);
        }
    }

    /// Makes a request, freshly signed, and has it sent.
    pub(super) fn start(&mut self, cx: &mut Context<'_>, task: Task) {
        match self.make(cx, task) {
            Ok((Some(request), pending)) => {
                let (id, give_up_at) = self.expect(pending);
                self.outputs.push_back(Output::Transmit { id, request, give_up_at });
            }
            Ok((None, pending)) => {
                let input = match &pending {
                    Pending::Signature(unsigned, _) => unsigned.input().clone(),
                    _ => return,
                };
                let (id, give_up_at) = self.expect(pending);
                self.outputs.push_back(Output::Sign { id, input, give_up_at });
            }
            Err(error) => self.fail(cx, task, error, None),
        }
    }

    fn make(&self, cx: &mut Context<'_>, task: Task) -> Result<(Option<Request<Bytes>>, Pending), Error> {
        fn parts<T>(
            exchange: Exchange<T>,
            pending: fn(PendingReply<T>) -> Pending,
        ) -> (Option<Request<Bytes>>, Pending) {
            let (request, reply) = exchange.into_parts();
            (Some(request), pending(reply))
        }
        if task == Task::Negotiate {
            let (unsigned, timestamp) = self.token.prepare_dated_ahead(&self.consumer, cx, self.signing_takes)?;
            return if self.consumer.has_signing_key() {
                unsigned.sign(cx).map(|exchange| parts(exchange, Pending::Negotiate))
            } else {
                Ok((None, Pending::Signature(Box::new(unsigned), timestamp)))
            };
        }
        let signer = self
            .view
            .signer
            .as_ref()
            .ok_or_else(|| Error::config(task.stage(), "there is no live session token to sign with"))?;
        let brokerage = signer.brokerage();
        match task {
            Task::Negotiate | Task::Open => {
                brokerage.open(cx, self.compete()).map(|exchange| parts(exchange, Pending::Open))
            }
            Task::Status => brokerage.status(cx).map(|exchange| parts(exchange, Pending::Status)),
            Task::Tickle => brokerage.tickle(cx).map(|exchange| parts(exchange, Pending::Tickle)),
            Task::LogOut => brokerage.logout(cx).map(|exchange| parts(exchange, Pending::LogOut)),
        }
    }

    fn expect(&mut self, pending: Pending) -> (ExchangeId, Timestamp) {
        let id = ExchangeId(self.next_id);
        self.next_id += 1;
        let sent_at = self.schedule.now();
        let patience = if self.shutting_down { super::SHUTDOWN_PATIENCE } else { self.config.reply_timeout };
        let give_up_at = self.schedule.after(patience);
        self.schedule.answer = Some(give_up_at);
        self.outstanding = Some(Outstanding { id, sent_at, pending });
        (id, give_up_at)
    }

    /// Completes the request whose signature came, and has it sent.
    pub(super) fn attach(&mut self, cx: &mut Context<'_>, id: ExchangeId, signature: &[u8]) {
        let outstanding = self.take_outstanding(|outstanding| outstanding.is_signature(id));
        let Some(Outstanding { pending: Pending::Signature(unsigned, timestamp), sent_at, .. }) = outstanding else {
            return self.tell(SessionEvent::UnexpectedAnswer { id });
        };
        // Its timestamp would be old when the penalty box ends; and who leaves needs no live session token.
        if self.schedule.in_penalty_box() || self.shutting_down {
            return;
        }
        // Asked for anew, dated so that a key store as slow as this is not overtaken again.
        if !self.token.floor().is_current(timestamp, cx.now()) {
            self.signing_takes = (2 * self.schedule.since(Some(sent_at))).min(LONGEST_DATED_AHEAD);
            return;
        }
        self.signing_takes = Duration::ZERO;
        match unsigned.attach(signature) {
            Ok(exchange) => {
                let (request, reply) = exchange.into_parts();
                let (id, give_up_at) = self.expect(Pending::Negotiate(reply));
                self.outputs.push_back(Output::Transmit { id, request, give_up_at });
            }
            // A signature of the wrong length is the key store's fault, and may be right the next time.
            Err(error) => {
                let error = Error::key(Stage::LiveSessionToken, KeyError::refused(error));
                self.fail(cx, Task::Negotiate, error, None);
            }
        }
    }
}
