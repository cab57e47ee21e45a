//! What the rest of a program holds of a session that is driven elsewhere.

use std::{
    collections::BTreeMap,
    fmt,
    future::poll_fn,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    task::{Context as TaskContext, Poll, Waker},
    time::Duration,
};

use http::{Method, StatusCode};

use crate::{
    error::{Error, ErrorKind, Stage},
    session::{Advice, Input, SessionView, State},
    signer::{Epoch, Signer},
};

/// Where the handles leave word for the driver, and the driver the view for the handles.
pub(super) struct Mailbox {
    content: Mutex<Content>,
    mail: Condvar,
    news: Condvar,
}

struct Content {
    mail: Mail,
    view: Arc<SessionView>,
    driver: Option<Waker>,
    waiting: Waiting,
    /// How many requests of the session's were sent.
    sent: u64,
    /// Which of them was the newest by whose answer the broker confirmed the present signer.
    confirmed: u64,
    doubt: Option<Doubt>,
    /// Nobody drives the session any more.
    closed: bool,
}

/// The refusal that was reported last.
struct Doubt {
    epoch: Epoch,
    /// How many requests of the session's had been sent by then: their answers may be from before the refusal.
    sent: u64,
}

/// What the handles said: each thing once, however many said it, so that it stays small while the driver is busy.
#[derive(Default)]
struct Mail {
    observed: Vec<(Epoch, StatusCode)>,
    shutdown: bool,
}

impl Mail {
    fn is_empty(&self) -> bool {
        self.observed.is_empty() && !self.shutdown
    }

    fn into_inputs(self) -> impl Iterator<Item = Input> {
        let observed = self.observed.into_iter().map(|(epoch, status)| Input::Observed { epoch, status });
        observed.chain(self.shutdown.then_some(Input::Shutdown))
    }
}

/// Who waits for news; each has one place, and leaves it when it goes.
#[derive(Default)]
struct Waiting {
    wakers: BTreeMap<u64, Waker>,
    places: u64,
}

impl Mailbox {
    pub(super) fn new(view: SessionView) -> Self {
        let content = Content {
            mail: Mail::default(),
            view: Arc::new(view),
            driver: None,
            waiting: Waiting::default(),
            sent: 0,
            confirmed: 0,
            doubt: None,
            closed: false,
        };
        Self { content: Mutex::new(content), mail: Condvar::new(), news: Condvar::new() }
    }

    /// A panic elsewhere leaves the content whole: each change of it is one assignment.
    ///
    /// Wakers, and the keys behind a view, are other people's code, which may use the handle: none is cloned, woken or
    /// dropped while this is locked.
    fn lock(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn leave(&self, write: impl FnOnce(&mut Content)) {
        let mut content = self.lock();
        if content.closed {
            return;
        }
        write(&mut content);
        let driver = content.driver.take();
        drop(content);
        self.mail.notify_all();
        if let Some(driver) = driver {
            driver.wake();
        }
    }

    pub(super) fn take(&self) -> impl Iterator<Item = Input> + use<> {
        std::mem::take(&mut self.lock().mail).into_inputs()
    }

    /// Blocks until there is word, at most so long.
    pub(super) fn wait(&self, at_most: Duration) {
        let content = self.lock();
        drop(self.mail.wait_timeout_while(content, at_most, |content| content.mail.is_empty()));
    }

    pub(super) fn poll_mail(&self, task: &mut TaskContext<'_>) -> Poll<()> {
        let waker = task.waker().clone();
        let mut content = self.lock();
        if !content.mail.is_empty() {
            return Poll::Ready(());
        }
        let before = content.driver.replace(waker);
        drop(content);
        drop(before);
        Poll::Pending
    }

    pub(super) fn publish(&self, view: &SessionView) {
        let mut content = self.lock();
        if content.view.is_same(view) {
            return;
        }
        if content.view.confirmations() != view.confirmations() {
            content.confirmed = content.sent;
        }
        let before = std::mem::replace(&mut content.view, Arc::new(view.clone()));
        self.wake_waiting(content);
        drop(before);
    }

    /// A request of the session's is about to be sent.
    pub(super) fn sends(&self) {
        self.lock().sent += 1;
    }

    pub(super) fn close(&self) {
        let mut content = self.lock();
        content.closed = true;
        self.wake_waiting(content);
    }

    fn wake_waiting(&self, mut content: MutexGuard<'_, Content>) {
        let wakers = std::mem::take(&mut content.waiting.wakers);
        drop(content);
        self.news.notify_all();
        wakers.into_values().for_each(Waker::wake);
    }
}

/// The place of one who waits for news.
struct Place<'a> {
    mailbox: &'a Mailbox,
    number: Option<u64>,
}

impl Place<'_> {
    /// Returns the waker that was here before.
    fn keep(&mut self, content: &mut Content, waker: Waker) -> Option<Waker> {
        let number = *self.number.get_or_insert_with(|| {
            content.waiting.places += 1;
            content.waiting.places
        });
        content.waiting.wakers.insert(number, waker)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            let waker = self.mailbox.lock().waiting.wakers.remove(&number);
            drop(waker);
        }
    }
}

/// A session that is driven elsewhere: what signs requests now, and where to report their fate.
///
/// A call of an application's own, which is not sent without end to a server that is down:
///
/// ```no_run
/// # #[cfg(feature = "getrandom")] mod call {
/// # use ibkr_oauth::{Context, Error, OsEntropy, Timestamp, driver::SessionHandle, http, session::Advice};
/// # fn now() -> Timestamp { Timestamp::from(std::time::SystemTime::now()) }
/// # fn send(_: &http::Request<String>) -> http::Response<String> { unimplemented!() }
/// # fn call(handle: &SessionHandle, build: impl Fn() -> http::Request<String>) -> Result<String, Error> {
/// let (mut refused, mut attempts) = (None, 1);
/// loop {
///     let (signer, mut request) = (handle.signer_blocking(refused)?, build());
///     # let sign = |request: &mut http::Request<String>| signer.sign(&mut Context::new(now(), &mut OsEntropy), request);
///     let epoch = sign(&mut request)?;
///     let response = send(&request);
///     match handle.observe(epoch, response.status(), request.method()) {
///         Advice::Resend if attempts < 3 => (refused, attempts) = (None, attempts + 1),
///         Advice::AwaitAuthentication => refused = Some(epoch),
///         _ => break Ok(response.into_body()),
///     }
/// }
/// # }
/// # }
/// ```
#[derive(Clone)]
pub struct SessionHandle(Arc<Mailbox>);

impl SessionHandle {
    pub(super) fn new(mailbox: Arc<Mailbox>) -> Self {
        Self(mailbox)
    }

    /// How the session is, as its driver last knew.
    #[must_use]
    pub fn view(&self) -> Arc<SessionView> {
        Arc::clone(&self.0.lock().view)
    }

    /// Reports the fate of a request, signed in `epoch`, to the session, and says what to do about it.
    #[must_use]
    pub fn observe(&self, epoch: Epoch, status: StatusCode, method: &Method) -> Advice {
        // Only these change anything; the others would wake the driver for nothing.
        let refused = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::GONE);
        if refused || status == StatusCode::TOO_MANY_REQUESTS {
            self.0.leave(|content| {
                if refused {
                    content.doubt = Some(Doubt { epoch, sent: content.sent });
                }
                if !content.mail.observed.contains(&(epoch, status)) {
                    content.mail.observed.push((epoch, status));
                }
            });
        }
        self.view().advise(epoch, status, method)
    }

    /// Asks the session to end. Returns at once; the driver returns when it has.
    pub fn shutdown(&self) {
        self.0.leave(|content| content.mail.shutdown = true);
    }

    /// Waits for a signer, or, where `refused` is the epoch of a request that the broker refused and that was reported
    /// to [`observe`](Self::observe), for one of another epoch. Dropping the future is safe.
    ///
    /// It waits as long as it takes, which may be hours where the broker is down: put a timeout of your runtime around it,
    /// or take what [`view`](Self::view) has at once.
    ///
    /// # Errors
    /// One of [`Stage::Sign`]: [`ErrorKind::Rejected`] if the broker accepted another request of that epoch, sent after
    /// the refusal was reported: it was about the request, not about the session. [`ErrorKind::Unavailable`] if the
    /// session has ended.
    pub async fn signer(&self, refused: Option<Epoch>) -> Result<Signer, Error> {
        let sent_before = self.0.lock().sent_before(refused);
        let mut place = Place { mailbox: &self.0, number: None };
        poll_fn(|task| {
            let waker = task.waker().clone();
            let mut content = self.0.lock();
            if let Some(result) = found(&content, refused, sent_before) {
                return Poll::Ready(result);
            }
            let before = place.keep(&mut content, waker);
            drop(content);
            drop(before);
            Poll::Pending
        })
        .await
    }

    /// As [`signer`](Self::signer), blocking the thread, without a limit in time. Never call it from the functions that the
    /// driver calls: it would wait for itself.
    ///
    /// # Errors
    /// As there.
    pub fn signer_blocking(&self, refused: Option<Epoch>) -> Result<Signer, Error> {
        let mut content = self.0.lock();
        let sent_before = content.sent_before(refused);
        loop {
            if let Some(result) = found(&content, refused, sent_before) {
                return result;
            }
            content = self.0.news.wait(content).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Content {
    /// How many requests had been sent when the broker refused one of this epoch. What it accepted between the refusal
    /// and the wait for a signer answers the doubt too.
    fn sent_before(&self, refused: Option<Epoch>) -> u64 {
        match &self.doubt {
            Some(doubt) if Some(doubt.epoch) == refused => doubt.sent,
            _ => self.sent,
        }
    }
}

fn found(content: &Content, refused: Option<Epoch>, sent_before: u64) -> Option<Result<Signer, Error>> {
    let view = &content.view;
    if content.closed || view.state() == State::Closed {
        let error = Error::new(ErrorKind::Unavailable, Stage::Sign, "the session has ended");
        return Some(Err(error.with_remedy("start another session; the last events of this one say why it ended")));
    }
    let signer = view.signer()?;
    if Some(signer.epoch()) != refused {
        return Some(Ok(signer.clone()));
    }
    (content.confirmed > sent_before).then(|| {
        let message = "the broker refuses this request, and accepts others that are signed with the same token";
        let remedy = "look at the request: its URL and query policy, and whether this user may make it";
        Err(Error::new(ErrorKind::Rejected, Stage::Sign, message).with_remedy(remedy))
    })
}

impl fmt::Debug for SessionHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionHandle").field("view", &self.view()).finish()
    }
}
