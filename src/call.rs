//! One request of an application's own, from the wait for the session to the answer.
//!
//! A [`Call`] waits until the session can serve its request, signs, says what to send, judges what came of it, and repeats
//! or stops. It is a machine without clock, socket and thread, as the session is; [`Client`](crate::client::Client) is a
//! loop over it.
//!
//! **Nothing that the broker may have acted on is sent twice**, unless twice is once: `GET` and `HEAD` (and `OPTIONS` and
//! `TRACE`), and `PUT` and `DELETE` where no segment of the path is `order`, `orders` or `reply`. What certainly came to
//! nothing may be repeated whatever its method.
//!
//! # Contract
//!
//! 1. Call [`poll`](Call::poll) with the present view of the session.
//! 2. On [`Step::Wait`], wait until that moment, or until the session has news; on [`Step::Send`], send the request and hand
//!    what came of it to [`handle_result`](Call::handle_result); on [`Step::Report`], hand it to the session.
//! 3. Poll again, until [`Step::Done`].
//!
//! ```
//! # #[cfg(all(feature = "simulator", feature = "getrandom"))] {
//! # use ibkr_oauth::{Context, OsEntropy, Timestamp, http, bytes::Bytes, simulator::{Broker, test_keys}};
//! # use ibkr_oauth::session::{Input, Output, Session, SessionConfig};
//! use ibkr_oauth::call::{Call, CallPolicy, Step};
//!
//! # let mut broker = Broker::default();
//! # let now = Timestamp::from_secs(1_700_000_000);
//! # let mut entropy = OsEntropy;
//! # let mut cx = Context::new(now, &mut entropy);
//! # let token = test_keys::unlocked_token(&mut broker, &mut cx)?;
//! # let mut session = Session::new(test_keys::consumer()?, token, SessionConfig::default());
//! let request = http::Request::get("https://api.ibkr.com/v1/api/portfolio/accounts").body(Bytes::new())?;
//! let mut call = Call::new(request, CallPolicy::default(), now);
//! let response = loop {
//!     match call.poll(&mut cx, session.view()) {
//!         Step::Send { request, .. } => {
//!             let response = broker.handle(&mut cx, &request); // in production: the network
//!             call.handle_result(&mut cx, Ok(response));
//!         }
//!         Step::Report(report) => session.handle_input(&mut cx, Input::Reported(report)),
//!         Step::Done(result) => break result?,
//!         _ => match session.poll_output(&mut cx) {
//!             Output::Transmit { id, request, .. } => {
//!                 let response = broker.handle(&mut cx, &request);
//!                 session.handle_input(&mut cx, Input::Response { id, response });
//!             }
//!             _ => {} // in production: wait
//!         },
//!     }
//! };
//! assert_eq!(response.status(), 200);
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::{fmt, time::Duration};

use bytes::Bytes;
use http::{Request, Response};

use crate::{
    context::{Context, Timestamp},
    error::{Cause, Error, ErrorKind, Stage},
    pacing::Admission,
    session::{Advice, Failure, FailureKind, Report, SessionView, State, Ticket, is_iserver, is_repeatable},
    signer::TokenId,
};

mod outgoing;
mod policy;

pub(crate) use self::outgoing::{complete_head, sign};
pub use self::policy::CallPolicy;

/// The longest pause before the second attempt, where the broker or the network is in trouble; it doubles with each.
const PAUSE: Duration = Duration::from_secs(1);

/// What a call wants. From [`Call::poll`].
#[non_exhaustive]
#[must_use = "a step that is dropped is a request never sent"]
pub enum Step {
    /// Poll again at this moment, or when the view of the session has changed.
    Wait(Timestamp),
    /// Send this request, and hand what came of it to [`Call::handle_result`].
    Send {
        /// The request, signed.
        request: Request<Bytes>,
        /// How long an answer is worth waiting for.
        timeout: Duration,
    },
    /// Hand this to the session, by [`Input::Reported`](crate::session::Input::Reported) or
    /// [`SessionHandle::report`](crate::driver::SessionHandle::report).
    Report(Report),
    /// The call is over: the broker's response, whatever its status, or why there is none. Of several attempts it is the
    /// result of the last one that may have had an effect, and of the last where none may. Poll no more.
    Done(Result<Response<Bytes>, Error>),
}

/// One request of the application's own. See the [module](self) for its contract.
pub struct Call {
    request: Request<Bytes>,
    policy: CallPolicy,
    deadline: Timestamp,
    attempt: u32,
    /// The token that signed last, and how often it has signed this request.
    signed_by: Option<(TokenId, u32)>,
    phase: Phase,
    /// What came of the last attempt that may have had an effect, or of the last where none may.
    last: Option<Result<Response<Bytes>, Error>>,
    may_have_acted: bool,
}

// Without the path, which may name an account.
debug_fields!(self: Call { method: self.request.method(), attempt: self.attempt, deadline: self.deadline });

enum Phase {
    /// Nothing is under way, and nothing is sent before a moment.
    Waiting(Timestamp),
    Sent(Timestamp),
    /// There is an answer, of which the session has not heard yet.
    Answered(Report),
    /// It has, and may have to find out.
    Reported(Report, Option<Ticket>),
    Done,
}

impl Call {
    /// A call that starts `now`. `request` has an absolute URL at the consumer's host and is not signed; a `User-Agent` and
    /// a `Content-Length` that the broker demands are added.
    #[must_use]
    pub fn new(request: Request<Bytes>, policy: CallPolicy, now: Timestamp) -> Self {
        let deadline = now.saturating_add(policy.deadline);
        Self {
            request,
            policy,
            deadline,
            attempt: 0,
            signed_by: None,
            phase: Phase::Waiting(now),
            last: None,
            may_have_acted: false,
        }
    }

    /// What to do next, as `view` shows the session at this moment.
    pub fn poll(&mut self, cx: &mut Context<'_>, view: &SessionView) -> Step {
        self.poll_paced(cx, view, |_| Admission::Now)
    }

    /// As [`poll`](Self::poll), where each attempt is first asked for. One that does not get its turn before the deadline is
    /// not made.
    pub(crate) fn poll_paced(
        &mut self,
        cx: &mut Context<'_>,
        view: &SessionView,
        admit: impl FnOnce(Timestamp) -> Admission,
    ) -> Step {
        loop {
            match std::mem::replace(&mut self.phase, Phase::Done) {
                Phase::Waiting(not_before) => return self.wait_or_send(cx, view, not_before, admit),
                Phase::Answered(report) => {
                    self.phase = Phase::Reported(report.clone(), None);
                    return Step::Report(report);
                }
                Phase::Reported(report, ticket) => {
                    let advice = ticket.map_or_else(|| view.advise(&report), |ticket| view.resolve(&ticket));
                    if let Some(step) = self.follow(cx, report, advice) {
                        return step;
                    }
                }
                sent @ Phase::Sent(_) => {
                    self.phase = sent;
                    return Step::Wait(self.deadline);
                }
                Phase::Done => return self.done(|| view.not_in_time()),
            }
        }
    }

    /// What came of a [`Step::Send`]: the whole response, whatever its status, or why there is none.
    pub fn handle_result(&mut self, cx: &mut Context<'_>, result: Result<Response<Bytes>, Failure>) {
        let (Phase::Sent(signed_at), Some((token_id, attempt))) = (&self.phase, self.signed_by) else { return };
        match result {
            Ok(response) => {
                let (method, uri) = (self.request.method(), self.request.uri());
                let report = Report::new(token_id, *signed_at, method, uri, &response).attempt(attempt);
                let may_have_acted = report.error().is_none_or(Error::may_have_been_sent);
                self.phase = Phase::Answered(report);
                self.keep(Ok(response), may_have_acted);
            }
            Err(failure) => {
                let may_help = failure.kind() != FailureKind::TooLarge;
                let error = no_response(failure, self.request.uri().host());
                self.phase = if may_help { self.again(&error, self.after_pause(cx)) } else { Phase::Done };
                let may_have_acted = error.may_have_been_sent();
                self.keep(Err(error), may_have_acted);
            }
        }
    }

    /// Takes the result of an attempt for that of the call, unless an earlier one says more.
    fn keep(&mut self, result: Result<Response<Bytes>, Error>, may_have_acted: bool) {
        // What certainly came to nothing says nothing about an attempt before it.
        if may_have_acted || !self.may_have_acted {
            self.last = Some(result);
        }
        self.may_have_acted |= may_have_acted;
    }

    fn wait_or_send(
        &mut self,
        cx: &mut Context<'_>,
        view: &SessionView,
        not_before: Timestamp,
        admit: impl FnOnce(Timestamp) -> Admission,
    ) -> Step {
        let now = cx.now();
        let not_before = view.wait_until().map_or(not_before, |until| until.max(not_before));
        if matches!(view.state(), State::Closing | State::Closed) {
            return self.done(|| view.end_error());
        }
        if now >= self.deadline || not_before >= self.deadline {
            return self.done(|| view.not_in_time());
        }
        let is_served = view.is_live() || !is_iserver(self.request.uri().path());
        let Some(signer) = view.signer().filter(|_| is_served && not_before <= now) else {
            self.phase = Phase::Waiting(not_before);
            return Step::Wait(if not_before > now { not_before } else { self.deadline });
        };
        match admit(now) {
            Admission::Now => {}
            Admission::NotBefore(turn) if turn < self.deadline => {
                self.phase = Phase::Waiting(not_before);
                return Step::Wait(turn);
            }
            Admission::NotBefore(turn) | Admission::Refused(turn) => return self.done(|| too_early(turn)),
        }
        let mut request = self.request.clone();
        complete_head(signer, &mut request);
        match sign(signer, cx, &mut request) {
            Ok(token_id) => {
                self.attempt = self.attempt.saturating_add(1);
                let before =
                    self.signed_by.filter(|(signed_by, _)| *signed_by == token_id).map_or(0, |(_, count)| count);
                self.signed_by = Some((token_id, before.saturating_add(1)));
                self.phase = Phase::Sent(now);
                Step::Send { request, timeout: self.timeout(now) }
            }
            Err(error) => self.done(|| error),
        }
    }

    /// How long this attempt may take. One that may be followed by another leaves time for that.
    fn timeout(&self, now: Timestamp) -> Duration {
        let left = self.deadline.saturating_duration_since(now);
        if self.attempt < self.policy.attempts && self.is_repeatable() { left / 2 } else { left }
    }

    /// Does what the session advises; `None` where there is something to do at once.
    fn follow(&mut self, cx: &mut Context<'_>, report: Report, advice: Advice) -> Option<Step> {
        self.phase = match (advice, report.error()) {
            (Advice::Resend | Advice::ResendIfIdempotent, Some(error)) => {
                // The broker in trouble is not asked again at once.
                let is_trouble = error.kind() == ErrorKind::Unavailable;
                self.again(error, if is_trouble { self.after_pause(cx) } else { cx.now() })
            }
            // A token that was refused is not tried again at a date: by then the session knows more.
            (Advice::WaitUntil(moment), Some(_)) if report.is_about_token() && moment < self.deadline => {
                self.phase = Phase::Reported(report, None);
                // A date that is over is one of which there will be news.
                return Some(Step::Wait(if moment > cx.now() { moment } else { self.deadline }));
            }
            (Advice::WaitUntil(moment), Some(error)) => self.again(error, moment),
            (Advice::AwaitSession(ticket), _) if cx.now() < self.deadline => {
                self.phase = Phase::Reported(report, Some(ticket));
                return Some(Step::Wait(self.deadline));
            }
            _ => Phase::Done,
        };
        None
    }

    /// Another attempt after `error`, not before a moment, if there may be one.
    fn again(&self, error: &Error, not_before: Timestamp) -> Phase {
        let is_safe = !error.may_have_been_sent() || self.is_repeatable();
        let is_left = self.attempt < self.policy.attempts && not_before < self.deadline;
        if is_safe && is_left { Phase::Waiting(not_before) } else { Phase::Done }
    }

    fn is_repeatable(&self) -> bool {
        self.policy.repeatable || is_repeatable(self.request.method(), self.request.uri().path())
    }

    /// When the next attempt may be made after trouble: callers that met it at once do not come back at once.
    fn after_pause(&self, cx: &mut Context<'_>) -> Timestamp {
        let longest = PAUSE.saturating_mul(2u32.saturating_pow(self.attempt.saturating_sub(1)));
        let mut byte = [0; 1];
        // Without random numbers the next signature fails, and says so.
        let _ = cx.entropy().fill(&mut byte);
        let jitter = longest.saturating_mul(u32::from(byte[0])) / 510;
        cx.now().saturating_add(longest.saturating_sub(jitter))
    }

    fn done(&mut self, otherwise: impl FnOnce() -> Error) -> Step {
        Step::Done(self.last.take().unwrap_or_else(|| Err(otherwise())))
    }
}

/// The error of a request that would be one too many for the broker before that moment.
fn too_early(turn: Timestamp) -> Error {
    let message = format!("the broker's limits allow this request at {turn}, which is too late for this call");
    Error::new(ErrorKind::Unavailable, Stage::Transport, message)
        .with_cause(Cause::RateLimited)
        .with_remedy(format!("send it again at {turn}, or give it longer; ask for the same less often"))
        .with_retry_at(turn)
        .with_nothing_sent()
}

/// The error of a request that nothing came back for.
pub(crate) fn no_response(failure: Failure, host: Option<&str>) -> Error {
    let kind = if failure.kind() == FailureKind::TooLarge { ErrorKind::Malformed } else { ErrorKind::Unavailable };
    let message = format!("no response from {}: {failure}", host.unwrap_or("the broker"));
    let error = Error::new(kind, Stage::Transport, message);
    let error = if failure.kind() == FailureKind::NotSent { error.with_nothing_sent() } else { error };
    let error = match failure.remedy() {
        Some(remedy) => error.with_remedy(remedy),
        None => error,
    };
    error.with_source(failure)
}

impl fmt::Debug for Step {
    /// Leaves out headers and bodies, which hold signatures and what is the user's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wait(until) => f.debug_tuple("Wait").field(until).finish(),
            Self::Send { request, timeout } => f
                .debug_struct("Send")
                .field("method", request.method())
                .field("timeout", timeout)
                .finish_non_exhaustive(),
            Self::Report(report) => f.debug_tuple("Report").field(report).finish(),
            Self::Done(Ok(response)) => f.debug_tuple("Done").field(&response.status()).finish(),
            Self::Done(Err(error)) => f.debug_tuple("Done").field(error).finish(),
        }
    }
}
