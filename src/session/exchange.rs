//! The one exchange that a session has under way: started, answered, or given up.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};

use super::{ExchangeId, Failure, FailureKind, Output, Session, SessionEvent, State, clock_skew};
use crate::{
    brokerage::{BrokerageStatus, Logout, Tickle},
    context::{Context, Timestamp},
    error::{Error, ErrorKind, Stage},
    exchange::{Exchange, PendingResponse, Unsigned},
    flow::LiveSessionToken,
    key::KeyError,
    response::retry_after,
};

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

/// What is under way: sent and not answered, or given to be signed and not signed.
pub(super) struct Outstanding {
    id: ExchangeId,
    since: Timestamp,
    awaited: Awaited,
}

enum Awaited {
    Signature(Unsent),
    Reply(Pending),
}

/// A request for a live session token that waits for its signature, and the timestamp that it is dated by.
struct Unsent {
    unsigned: Box<Unsigned<LiveSessionToken>>,
    timestamp: u64,
}

/// The only thing that may read the reply.
enum Pending {
    Negotiate(PendingResponse<LiveSessionToken>),
    Open(PendingResponse<BrokerageStatus>),
    Status(PendingResponse<BrokerageStatus>),
    Tickle(PendingResponse<Tickle>),
    LogOut(PendingResponse<Logout>),
}

/// What came of an exchange that succeeded.
pub(super) enum Reply {
    Negotiated(LiveSessionToken),
    Brokerage(BrokerageStatus),
    Tickled(Tickle),
    LoggedOut(bool),
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
            Awaited::Reply(pending) => pending.task(),
        }
    }

    /// What a failure outside means for this exchange.
    pub(super) fn failure(&self, failure: Failure) -> Error {
        let stage = self.task().stage();
        match (&self.awaited, failure.kind) {
            (Awaited::Signature(_), FailureKind::Refused) => Error::key(stage, KeyError::refused(failure)),
            (_, FailureKind::TooLarge) => Error::malformed(stage, failure.to_string()),
            (_, kind) => {
                let error = Error::new(ErrorKind::Unavailable, stage, failure.to_string()).with_source(failure);
                if kind == FailureKind::NotSent { error.with_nothing_sent() } else { error }
            }
        }
    }
}

impl Pending {
    fn task(&self) -> Task {
        match self {
            Self::Negotiate(_) => Task::Negotiate,
            Self::Open(_) => Task::Open,
            Self::Status(_) => Task::Status,
            Self::Tickle(_) => Task::Tickle,
            Self::LogOut(_) => Task::LogOut,
        }
    }

    fn complete(self, response: Response<Bytes>) -> Result<Reply, Error> {
        match self {
            Self::Negotiate(reply) => reply.complete(response).map(Reply::Negotiated),
            Self::Open(reply) | Self::Status(reply) => reply.complete(response).map(Reply::Brokerage),
            Self::Tickle(reply) => reply.complete(response).map(Reply::Tickled),
            Self::LogOut(reply) => reply.complete(response).map(|logout| Reply::LoggedOut(logout.status)),
        }
    }
}

/// What a task begins with.
#[expect(
    clippy::large_enum_variant,
    reason = "it is taken apart at once, and a box would cost an allocation each time"
)]
enum First {
    Sign(Unsent),
    Send(Request<Bytes>, Pending),
}

impl First {
    fn send<T>(exchange: Exchange<T>, pending: fn(PendingResponse<T>) -> Pending) -> Self {
        let (request, reply) = exchange.into_parts();
        Self::Send(request, pending(reply))
    }
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
            Ok(First::Send(request, pending)) => self.transmit(request, pending),
            Ok(First::Sign(unsent)) => {
                let input = unsent.unsigned.input().clone();
                let (id, give_up_at) = self.expect(Awaited::Signature(unsent));
                self.outputs.push_back(Output::Sign { id, input, give_up_at });
            }
            Err(error) => self.fail(cx, task, error, None),
        }
    }

    fn make(&self, cx: &mut Context<'_>, task: Task) -> Result<First, Error> {
        let signer = || {
            let none = || Error::config(task.stage(), "there is no live session token to sign with");
            self.view.signer.as_ref().ok_or_else(none)
        };
        Ok(match task {
            Task::Negotiate => {
                let (unsigned, timestamp) = self.token.prepare_dated_ahead(&self.consumer, cx, self.signing_takes)?;
                if !self.consumer.has_signing_key() {
                    return Ok(First::Sign(Unsent { unsigned: Box::new(unsigned), timestamp }));
                }
                First::send(unsigned.sign(cx)?, Pending::Negotiate)
            }
            Task::Open => First::send(signer()?.brokerage().open(cx, self.compete())?, Pending::Open),
            Task::Status => First::send(signer()?.brokerage().status(cx)?, Pending::Status),
            Task::Tickle => First::send(signer()?.brokerage().tickle(cx)?, Pending::Tickle),
            Task::LogOut => First::send(signer()?.brokerage().logout(cx)?, Pending::LogOut),
        })
    }

    fn transmit(&mut self, request: Request<Bytes>, pending: Pending) {
        let (id, give_up_at) = self.expect(Awaited::Reply(pending));
        self.outputs.push_back(Output::Transmit { id, request, give_up_at });
    }

    fn expect(&mut self, awaited: Awaited) -> (ExchangeId, Timestamp) {
        let id = ExchangeId(self.next_id);
        self.next_id += 1;
        let patience = if self.shutting_down { super::SHUTDOWN_PATIENCE } else { self.config.response_timeout };
        let give_up_at = self.schedule.after(patience);
        self.schedule.answer = Some(give_up_at);
        self.outstanding = Some(Outstanding { id, since: self.schedule.now(), awaited });
        (id, give_up_at)
    }

    /// Reads a reply, and acts on it if it still means something.
    pub(super) fn receive(&mut self, cx: &mut Context<'_>, id: ExchangeId, response: Response<Bytes>) {
        let answered = self.take_outstanding(|outstanding| outstanding.is(id) && !outstanding.awaits_signature());
        let Some(Outstanding { awaited: Awaited::Reply(pending), since, .. }) = answered else {
            return self.tell(SessionEvent::UnexpectedAnswer { id });
        };
        let now = self.schedule.now();
        if let Some(seconds) = clock_skew::estimate(response.headers(), since, now) {
            self.judge_skew(seconds);
        }
        let (task, wait) = (pending.task(), retry_after(response.headers(), now));
        match pending.complete(response) {
            Ok(reply) if task.belongs_to(self.view.state) => self.succeed(cx, reply),
            Ok(_) => {}
            Err(error) => self.fail(cx, task, error, wait),
        }
    }

    /// Completes the request whose signature came, and has it sent.
    pub(super) fn attach(&mut self, cx: &mut Context<'_>, id: ExchangeId, signature: &[u8]) {
        let signed = self.take_outstanding(|outstanding| outstanding.is(id) && outstanding.awaits_signature());
        let Some(Outstanding { awaited: Awaited::Signature(unsent), since, .. }) = signed else {
            return self.tell(SessionEvent::UnexpectedAnswer { id });
        };
        // Its timestamp would be old when the penalty box ends; and who leaves needs no live session token.
        if self.schedule.in_penalty_box() || self.shutting_down {
            return;
        }
        // Asked for anew, dated so that a key store as slow as this is not overtaken again.
        if !self.token.floor().is_current(unsent.timestamp, cx.now()) {
            self.signing_takes = (2 * self.schedule.since(Some(since))).min(LONGEST_DATED_AHEAD);
            return;
        }
        self.signing_takes = Duration::ZERO;
        match unsent.unsigned.attach(signature) {
            Ok(exchange) => {
                let (request, reply) = exchange.into_parts();
                self.transmit(request, Pending::Negotiate(reply));
            }
            // A signature of the wrong length is the key store's fault, and may be right the next time.
            Err(error) => {
                let error = Error::key(Stage::LiveSessionToken, KeyError::refused(error));
                self.fail(cx, Task::Negotiate, error, None);
            }
        }
    }
}
