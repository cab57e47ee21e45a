//! One request of a program's, from the wait for the session to the broker's response: the loop around a `Call`.

use std::{
    pin::Pin,
    task::{Context as TaskContext, Poll},
    time::Duration,
};

use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use ibkr_oauth::{
    Context, Error, Timestamp,
    bytes::{Bytes, BytesMut},
    call::{Call, CallPolicy, Step},
    driver::SessionHandle,
    http::{Request, Response, StatusCode, header::RETRY_AFTER, response::Parts},
    pacing::Admission,
    session::{Failure, SessionView, State},
};
use tokio::time;

use super::{
    random,
    upstream::{Pace, Upstream, broke, late},
};

/// The longest body of a refusal: the words of a longer one are not looked at, so that it can pass while it still comes.
const LONGEST_REFUSAL: usize = 64 << 10;
/// The longest body of a refusal that is read at all.
const LONGEST_READ: usize = 1 << 20;

/// Where requests are sent, and by whom they are counted.
#[derive(Clone)]
pub(super) struct Exchanges {
    pub(super) handle: SessionHandle,
    pub(super) upstream: Upstream,
    pub(super) pace: Pace,
}

/// How long a program may have to wait.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    /// For the session, before anything is sent.
    pub(super) session: Duration,
    /// In all.
    pub(super) whole: Duration,
}

/// Why there is no response.
pub(super) enum Trouble {
    /// The session cannot serve the request now. Nothing was sent.
    Session,
    /// It would be too many requests for the broker until then. Nothing was sent.
    Pace(Timestamp),
    Call(Error),
}

/// What the broker answered.
pub(super) struct Answer {
    pub(super) head: Parts,
    pub(super) body: AnswerBody,
}

/// A body of which the beginning is there, and the rest may be on its way.
pub(super) struct AnswerBody {
    first: Option<Bytes>,
    rest: Option<Incoming>,
}

impl Exchanges {
    /// Sends a request that is not signed yet, `path` being the part of its path that follows the base URL.
    pub(super) async fn send(
        &self,
        request: Request<Bytes>,
        path: &str,
        patience: Patience,
    ) -> Result<Answer, Trouble> {
        let start = self.handle.now();
        let deadline = start.saturating_add(patience.whole);
        let now = self.served(path, start, start.saturating_add(patience.session)).await?;
        let (_admitted, mut now) = self.admitted(path, now, deadline).await?;
        let mut policy = CallPolicy::default();
        policy.deadline = deadline.saturating_duration_since(now);
        let mut call = Call::new(request, policy, now);
        let mut repeats = false;
        let mut passing = None;
        loop {
            let view = self.handle.view();
            let step = random::with(|random| call.poll(&mut Context::new(now, random), &view));
            match step {
                Step::Send { request, mut timeout } => {
                    if std::mem::replace(&mut repeats, true) {
                        timeout = timeout.saturating_sub(self.pace.go_first(now, path, timeout).await);
                    }
                    passing = None;
                    let receiving = self.receive(self.upstream.send(request), path, &mut passing);
                    let result = time::timeout(timeout, receiving).await.unwrap_or_else(|_| Err(late(timeout)));
                    now = self.handle.now();
                    random::with(|random| call.handle_result(&mut Context::new(now, random), result));
                }
                // The call asks for the advice itself.
                Step::Report(report) => drop(self.handle.report(&report)),
                Step::Done(result) => {
                    let (head, whole) = result.map_err(Trouble::Call)?.into_parts();
                    let whole = AnswerBody { first: Some(whole), rest: None };
                    return Ok(Answer { head, body: passing.take().unwrap_or(whole) });
                }
                Step::Wait(until) => {
                    self.news(&view, until).await;
                    now = self.handle.now();
                }
                _ => {}
            }
        }
    }

    /// Waits until the session can serve a path, and returns when that is.
    pub(super) async fn served(&self, path: &str, mut now: Timestamp, until: Timestamp) -> Result<Timestamp, Trouble> {
        let needs_brokerage = path.as_bytes().split(|byte| *byte == b'/').any(|segment| segment == b"iserver");
        loop {
            let view = self.handle.view();
            let is_served = if needs_brokerage { view.is_live() } else { view.signer().is_some() };
            let closed = view.wait_until().filter(|until| *until > now);
            if is_served && closed.is_none() {
                return Ok(now);
            }
            let date = closed.or(view.next_attempt());
            let is_over = matches!(view.state(), State::Closing | State::Closed);
            if is_over || now >= until || date.is_some_and(|date| date >= until) {
                return Err(Trouble::Session);
            }
            self.news(&view, closed.unwrap_or(until)).await;
            now = self.handle.now();
        }
    }

    /// Waits until the request is within the broker's limits, and returns when that is.
    async fn admitted<'a>(
        &'a self,
        path: &'a str,
        mut now: Timestamp,
        deadline: Timestamp,
    ) -> Result<(Admitted<'a>, Timestamp), Trouble> {
        loop {
            let admission = self.pace.lock().admit(now, path);
            match admission {
                Admission::Now => return Ok((Admitted { pace: &self.pace, path }, now)),
                Admission::NotBefore(at) if at < deadline => {
                    time::sleep(at.saturating_duration_since(now)).await;
                    now = self.handle.now();
                }
                Admission::NotBefore(at) | Admission::Refused(at) => return Err(Trouble::Pace(at)),
                _ => return Err(Trouble::Pace(deadline)),
            }
        }
    }

    /// Waits for the response to a request that is on its way. One whose words are not looked at is left in `passing`, with
    /// its body still coming, and the call gets its head alone.
    async fn receive(
        &self,
        responding: impl Future<Output = Result<Response<Incoming>, Failure>>,
        path: &str,
        passing: &mut Option<AnswerBody>,
    ) -> Result<Response<Bytes>, Failure> {
        let (head, mut rest) = responding.await?.into_parts();
        if head.status == StatusCode::TOO_MANY_REQUESTS {
            let seconds = head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
            self.pace.lock().too_many(self.handle.now(), path, seconds.map(Duration::from_secs));
        }
        let longest = if head.status.is_success() { LONGEST_REFUSAL } else { LONGEST_READ };
        let mut first = Gathered::default();
        while let Some(frame) = rest.frame().await {
            if let Ok(data) = frame.map_err(broke)?.into_data() {
                first.push(data);
            }
            if first.len() > longest {
                *passing = Some(AnswerBody { first: Some(first.whole()), rest: Some(rest) });
                return Ok(Response::from_parts(head, Bytes::new()));
            }
        }
        Ok(Response::from_parts(head, first.whole()))
    }

    /// Waits for news of the session, at most until a moment.
    async fn news(&self, seen: &SessionView, until: Timestamp) {
        let left = until.saturating_duration_since(self.handle.now());
        let _ = time::timeout(left, self.handle.news(seen)).await;
    }
}

/// A request that was counted. Its end is reported whatever becomes of it.
struct Admitted<'a> {
    pace: &'a Pace,
    path: &'a str,
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        self.pace.lock().finish(self.path);
    }
}

/// What has come of a body. The first piece, which most often is all, is not copied.
#[derive(Default)]
struct Gathered {
    first: Bytes,
    /// Everything, once there is more than that.
    all: BytesMut,
}

impl Gathered {
    fn push(&mut self, data: Bytes) {
        if self.first.is_empty() {
            self.first = data;
            return;
        }
        if self.all.is_empty() {
            self.all.extend_from_slice(&self.first);
        }
        self.all.extend_from_slice(&data);
    }

    fn len(&self) -> usize {
        self.first.len().max(self.all.len())
    }

    fn whole(self) -> Bytes {
        if self.all.is_empty() { self.first } else { self.all.freeze() }
    }
}

impl AnswerBody {
    /// All of it, where that is known to be short.
    pub(super) fn whole(self) -> Option<Bytes> {
        if self.rest.is_some() { None } else { Some(self.first.unwrap_or_default()) }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if let Some(first) = self.first.take().filter(|first| !first.is_empty()) {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        match &mut self.rest {
            Some(rest) => Pin::new(rest).poll_frame(task),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.as_ref().is_none_or(Bytes::is_empty) && self.rest.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let first = self.first.as_ref().map_or(0, |first| u64::try_from(first.len()).unwrap_or(u64::MAX));
        let rest = self.rest.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint);
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(first));
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(first));
        }
        hint
    }
}
