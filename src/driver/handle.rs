//! What the rest of a program holds of a session that is driven elsewhere.

use std::{future::poll_fn, sync::Arc, time::Duration};

use super::mailbox::{Content, Mailbox, Place};
use crate::{
    context::Timestamp,
    error::{Error, ErrorKind},
    session::{Advice, Input, Report, SessionView, Snapshot, State, Ticket},
    signer::Signer,
};

/// A session that is driven elsewhere: what signs requests now, and where to report their fate.
///
/// A call of an application's own, which is not sent without end to a server that is down:
///
/// ```no_run
/// # #[cfg(feature = "getrandom")] mod call {
/// # use std::time::Duration;
/// # use ibkr_oauth::{
/// #     Context, Error, OsEntropy, Timestamp, bytes::Bytes, driver::SessionHandle, http,
/// #     session::{Advice, Report},
/// # };
/// # fn now() -> Timestamp { Timestamp::from(std::time::SystemTime::now()) }
/// # fn send(_: &http::Request<Bytes>) -> http::Response<Bytes> { unimplemented!() }
/// # fn call(
/// #     handle: &SessionHandle,
/// #     build: impl Fn() -> http::Request<Bytes>,
/// # ) -> Result<http::Response<Bytes>, Error> {
/// let mut attempt = 1;
/// loop {
///     let (signer, mut request) = (handle.ready_blocking(Duration::from_secs(30))?, build());
///     let at = now();
///     let token_id = signer.sign(&mut Context::new(at, &mut OsEntropy), &mut request)?;
///     let response = send(&request);
///     let report = Report::new(token_id, at, request.method(), request.uri(), &response).attempt(attempt);
///     let mut advice = handle.report(&report);
///     if let Advice::AwaitSession(ticket) = advice {
///         advice = handle.resolve_blocking(ticket);
///     }
///     match advice {
///         Advice::Resend if attempt < 3 => attempt += 1,
///         _ => break Ok(response),
///     }
/// }
/// # }
/// # }
/// ```
#[derive(Clone)]
pub struct SessionHandle(Arc<Mailbox>);

debug_fields!(self: SessionHandle { view: self.view() });

impl SessionHandle {
    pub(super) fn new(mailbox: Arc<Mailbox>) -> Self {
        Self(mailbox)
    }

    /// How the session is, as its driver last knew.
    #[must_use]
    pub fn view(&self) -> Arc<SessionView> {
        Arc::clone(&self.0.lock().view)
    }

    /// Reports what became of a request to the session, and says what to do about it. It returns at once; where the session
    /// has to find out first, [`resolve`](Self::resolve) waits for that.
    #[must_use]
    pub fn report(&self, report: &Report) -> Advice {
        // Others change nothing, and would wake the driver for that.
        if report.concerns_session() {
            self.0.leave_input(Input::Reported(report.clone()));
        }
        self.view().advise(report)
    }

    /// Waits for what has become of [`Advice::AwaitSession`]: any other advice, in bounded time. Dropping the future is
    /// safe.
    pub async fn resolve(&self, ticket: Ticket) -> Advice {
        let mut place = Place::new(&self.0, None);
        poll_fn(|task| place.poll(task, &|content| resolved(content, &ticket), &too_late)).await
    }

    /// As [`resolve`](Self::resolve), blocking the thread. Never call it from the functions that the driver calls: it would
    /// wait for itself.
    #[must_use]
    pub fn resolve_blocking(&self, ticket: Ticket) -> Advice {
        Place::new(&self.0, None).block(&|content| resolved(content, &ticket), &too_late)
    }

    /// Waits until the session is live, brokerage session included where one is wanted, and returns what signs requests
    /// then. Dropping the future is safe.
    ///
    /// # Errors
    /// What the session met last, with its remedy, if it is not live within `timeout` or has ended;
    /// [`ErrorKind::Unavailable`] if nothing went wrong.
    pub async fn ready(&self, timeout: Duration) -> Result<Signer, Error> {
        let mut place = Place::new(&self.0, Some(timeout));
        poll_fn(|task| place.poll(task, &ready, &not_in_time)).await
    }

    /// As [`ready`](Self::ready), blocking the thread. Never call it from the functions that the driver calls: it would wait
    /// for itself.
    ///
    /// # Errors
    /// As there.
    pub fn ready_blocking(&self, timeout: Duration) -> Result<Signer, Error> {
        Place::new(&self.0, Some(timeout)).block(&ready, &not_in_time)
    }

    /// Waits until the session is in a state, and returns its view then. Dropping the future is safe.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    pub async fn wait_for(&self, state: State, timeout: Duration) -> Result<Arc<SessionView>, Error> {
        let mut place = Place::new(&self.0, Some(timeout));
        poll_fn(|task| place.poll(task, &|content| in_state(content, state), &not_in_time)).await
    }

    /// As [`wait_for`](Self::wait_for), blocking the thread. Never call it from the functions that the driver calls: it would
    /// wait for itself.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    pub fn wait_for_blocking(&self, state: State, timeout: Duration) -> Result<Arc<SessionView>, Error> {
        Place::new(&self.0, Some(timeout)).block(&|content| in_state(content, state), &not_in_time)
    }

    /// Waits for any news of the session after `seen`, also of what no other method shows: what a [`Call`](crate::call::Call)
    /// that waits wants to know. It returns at once when nobody drives the session any more. Dropping the future is safe.
    pub async fn news(&self, seen: &SessionView) {
        let mut place = Place::new(&self.0, None);
        poll_fn(|task| place.poll(task, &|content| news(content, seen), &|_| ())).await;
    }

    /// As [`news`](Self::news), blocking the thread, at most until a moment. Never call it from the functions that the driver
    /// calls: it would wait for itself.
    pub fn news_blocking(&self, seen: &SessionView, until: Timestamp) {
        Place::until(&self.0, Some(until)).block(&|content| news(content, seen), &|_| ());
    }

    /// The time by the clock that the session sees.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.0.now()
    }

    /// A person wants the next attempt now: skips one wait, if the session waits. Granted five times, and once more each 15
    /// minutes. Returns at once.
    pub fn retry_now(&self) {
        self.0.leave_input(Input::RetryNow);
    }

    /// Asks for a tickle before the next is due, for who opens a WebSocket with the session in its response. Granted five
    /// times and once more each ten minutes; beyond that, the next ordinary one has to do. Returns at once.
    pub fn tickle(&self) {
        self.0.leave_input(Input::Tickle);
    }

    /// Asks the session to end. Returns at once; the driver returns when it has.
    pub fn shutdown(&self) {
        self.0.leave_input(Input::Shutdown);
    }

    /// What another process needs to sign beside this one ([`Snapshot::signer`]), or to go on when this one has left the
    /// session open; `None` while there is no live session token that is known to be good.
    #[must_use]
    pub fn snapshot(&self) -> Option<Snapshot> {
        self.0.snapshot()
    }
}

fn resolved(content: &Content, ticket: &Ticket) -> Option<Advice> {
    match content.view.resolve(ticket) {
        Advice::AwaitSession(_) => None,
        advice => Some(advice),
    }
}

fn too_late(_: &Content) -> Advice {
    Advice::GiveUp(ErrorKind::Unavailable)
}

fn ready(content: &Content) -> Option<Result<Signer, Error>> {
    ended(content).or_else(|| content.view.signer().filter(|_| content.view.is_live()).cloned().map(Ok))
}

fn in_state(content: &Content, state: State) -> Option<Result<Arc<SessionView>, Error>> {
    if content.view.state() == state {
        return Some(Ok(Arc::clone(&content.view)));
    }
    ended(content)
}

fn news(content: &Content, seen: &SessionView) -> Option<()> {
    (content.is_closed || !content.view.is_same(seen)).then_some(())
}

/// What callers of a session get that has ended.
fn ended<T>(content: &Content) -> Option<Result<T, Error>> {
    (content.view.state() == State::Closed).then(|| Err(content.view.end_error()))
}

fn not_in_time<T>(content: &Content) -> Result<T, Error> {
    Err(content.view.not_in_time())
}
