//! What the rest of a program holds of a session that is driven elsewhere.

use std::{
    collections::VecDeque,
    fmt,
    future::poll_fn,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    task::{Context as TaskContext, Poll, Waker},
    time::Duration,
};

use http::{Method, StatusCode};

use crate::{
    error::ErrorKind,
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
    inputs: VecDeque<Input>,
    view: Arc<SessionView>,
    driver: Option<Waker>,
    waiting: Vec<Waker>,
    /// Nobody drives the session any more.
    closed: bool,
}

impl Mailbox {
    pub(super) fn new(view: SessionView) -> Self {
        let content =
            Content { inputs: VecDeque::new(), view: Arc::new(view), driver: None, waiting: Vec::new(), closed: false };
        Self { content: Mutex::new(content), mail: Condvar::new(), news: Condvar::new() }
    }

    /// A panic elsewhere leaves the content whole: each change of it is one assignment.
    fn lock(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn leave(&self, input: Input) {
        let mut content = self.lock();
        if content.closed {
            return;
        }
        content.inputs.push_back(input);
        let driver = content.driver.take();
        drop(content);
        self.mail.notify_all();
        if let Some(driver) = driver {
            driver.wake();
        }
    }

    pub(super) fn take(&self) -> VecDeque<Input> {
        std::mem::take(&mut self.lock().inputs)
    }

    /// Blocks until there is word, at most so long.
    pub(super) fn wait(&self, at_most: Duration) {
        let content = self.lock();
        drop(self.mail.wait_timeout_while(content, at_most, |content| content.inputs.is_empty()));
    }

    pub(super) fn poll_mail(&self, task: &mut TaskContext<'_>) -> Poll<()> {
        let mut content = self.lock();
        if !content.inputs.is_empty() {
            return Poll::Ready(());
        }
        content.driver = Some(task.waker().clone());
        Poll::Pending
    }

    pub(super) fn publish(&self, view: &SessionView) {
        let mut content = self.lock();
        if content.view.is_same(view) {
            return;
        }
        content.view = Arc::new(view.clone());
        self.wake_waiting(content);
    }

    pub(super) fn close(&self) {
        let mut content = self.lock();
        content.closed = true;
        self.wake_waiting(content);
    }

    fn wake_waiting(&self, mut content: MutexGuard<'_, Content>) {
        let waiting = std::mem::take(&mut content.waiting);
        drop(content);
        self.news.notify_all();
        waiting.into_iter().for_each(Waker::wake);
    }
}

/// A session that is driven elsewhere: what signs requests now, and where to report their fate.
///
/// A call of an application's own, in five lines:
///
/// ```no_run
/// # #[cfg(feature = "getrandom")] mod call {
/// # use ibkr_oauth::{Context, Error, ErrorKind, OsEntropy, Timestamp, driver::SessionHandle, http, session::Advice};
/// # fn now() -> Timestamp { Timestamp::from(std::time::SystemTime::now()) }
/// # fn send(_: &http::Request<String>) -> http::Response<String> { unimplemented!() }
/// # fn call(handle: &SessionHandle, build: impl Fn() -> http::Request<String>) -> Result<String, ErrorKind> {
/// let mut refused = None;
/// loop {
///     let (signer, mut request) = (handle.signer_blocking(refused)?, build());
///     # let sign = |request: &mut http::Request<String>| signer.sign(&mut Context::new(now(), &mut OsEntropy), request);
///     let epoch = sign(&mut request).map_err(|error| error.kind())?;
///     let response = send(&request);
///     match handle.observe(epoch, response.status(), request.method()) {
///         Advice::Resend => refused = None,
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

    /// How the session is.
    #[must_use]
    pub fn view(&self) -> Arc<SessionView> {
        Arc::clone(&self.0.lock().view)
    }

    /// Reports the fate of a request, signed in `epoch`, to the session, and says what to do about it.
    #[must_use]
    pub fn observe(&self, epoch: Epoch, status: StatusCode, method: &Method) -> Advice {
        // Only these change anything; the others would wake the driver for nothing.
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::GONE | StatusCode::TOO_MANY_REQUESTS) {
            self.0.leave(Input::Observed { epoch, status });
        }
        self.view().advise(epoch, status, method)
    }

    /// Asks the session to end. Returns at once; the driver returns when it has.
    pub fn shutdown(&self) {
        self.0.leave(Input::Shutdown);
    }

    /// Waits for a signer, or, where `refused` is the epoch in which the broker refused a request, for one of another
    /// epoch.
    ///
    /// # Errors
    /// [`ErrorKind::Rejected`] if the broker meanwhile accepted another request of that epoch: the refusal was about the
    /// request, not about the session. [`ErrorKind::Unavailable`] if the session has ended.
    pub async fn signer(&self, refused: Option<Epoch>) -> Result<Signer, ErrorKind> {
        let confirmations = self.view().confirmations();
        poll_fn(|task| {
            let mut content = self.0.lock();
            if let Some(result) = found(&content, refused, confirmations) {
                return Poll::Ready(result);
            }
            content.waiting.push(task.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// As [`signer`](Self::signer), blocking the thread.
    ///
    /// # Errors
    /// As there.
    pub fn signer_blocking(&self, refused: Option<Epoch>) -> Result<Signer, ErrorKind> {
        let mut content = self.0.lock();
        let confirmations = content.view.confirmations();
        loop {
            if let Some(result) = found(&content, refused, confirmations) {
                return result;
            }
            content = self.0.news.wait(content).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn found(content: &Content, refused: Option<Epoch>, confirmations: u64) -> Option<Result<Signer, ErrorKind>> {
    let view = &content.view;
    if content.closed || view.state() == State::Closed {
        return Some(Err(ErrorKind::Unavailable));
    }
    let signer = view.signer()?;
    if Some(signer.epoch()) != refused {
        return Some(Ok(signer.clone()));
    }
    (view.confirmations() != confirmations).then_some(Err(ErrorKind::Rejected))
}

impl fmt::Debug for SessionHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionHandle").field("view", &self.view()).finish()
    }
}
