//! The broker's end of the programs' requests: an HTTP client that waits for no more of a response than has to be looked at.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper_util::client::legacy::{Client, Error};
use ibkr_oauth::{
    bytes::{Bytes, BytesMut},
    http::{Request, Response},
    session::{Failure, FailureKind},
    transport::{AsyncTransport, Limits},
};
use tokio::time;

use crate::{among_sources, connector::Connector, http_client};

/// The longest body of a refusal: the words of a longer one are not looked at, so that it can pass while it still comes.
const LONGEST_REFUSAL: usize = 64 << 10;
/// The longest body of a refusal that is read at all.
const LONGEST_READ: usize = 1 << 20;

const LOOK_FIRST: &str =
    "check network, base URL and certificates; the request may have arrived: look before you send an order again";
const CHECK_CONNECTION: &str = "check network, base URL, proxy and certificates; nothing was sent";

/// The HTTP client of the programs' requests. The session has one of its own, so that neither ends with the other.
#[derive(Clone)]
pub(super) struct Upstream {
    client: Client<Connector, Full<Bytes>>,
}

impl Upstream {
    pub(super) fn new(connector: Connector) -> Self {
        Self { client: http_client::client(connector) }
    }

    /// Sends a request once, and returns the head of the response when it is there.
    pub(super) fn head(
        &self,
        request: Request<Bytes>,
    ) -> impl Future<Output = Result<Response<Incoming>, Failure>> + use<> {
        let responding = self.client.request(request.map(Full::new));
        async { responding.await.map_err(no_response) }
    }
}

impl AsyncTransport for Upstream {
    /// A response whose words are not looked at comes with an empty body: the [`Passing`] of its extensions has it.
    async fn send(&self, request: Request<Bytes>, limits: Limits) -> Result<Response<Bytes>, Failure> {
        let receiving = receive(self.head(request));
        time::timeout(limits.timeout, receiving).await.unwrap_or_else(|_| Err(late(limits.timeout)))
    }

    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send {
        time::sleep(time)
    }
}

async fn receive(
    responding: impl Future<Output = Result<Response<Incoming>, Failure>>,
) -> Result<Response<Bytes>, Failure> {
    let (mut head, mut rest) = responding.await?.into_parts();
    let longest = if head.status.is_success() { LONGEST_REFUSAL } else { LONGEST_READ };
    let mut first = Gathered::default();
    while let Some(frame) = rest.frame().await {
        if let Ok(data) = frame.map_err(broke)?.into_data() {
            first.push(data);
        }
        if first.len() > longest {
            head.extensions.insert(Passing::new(AnswerBody { first: Some(first.whole()), rest: Some(rest) }));
            return Ok(Response::from_parts(head, Bytes::new()));
        }
    }
    Ok(Response::from_parts(head, first.whole()))
}

/// A body that is still coming, for the one who takes it.
#[derive(Clone)]
struct Passing(Arc<Mutex<Option<AnswerBody>>>);

impl Passing {
    fn new(body: AnswerBody) -> Self {
        Self(Arc::new(Mutex::new(Some(body))))
    }

    fn take(self) -> Option<AnswerBody> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A body of which the beginning is there, and the rest may be on its way.
pub(super) struct AnswerBody {
    first: Option<Bytes>,
    rest: Option<Incoming>,
}

impl AnswerBody {
    /// The body of a response, wherever it is.
    pub(super) fn of(response: Response<Bytes>) -> Response<Self> {
        let (mut head, whole) = response.into_parts();
        let passing = head.extensions.remove::<Passing>().and_then(Passing::take);
        Response::from_parts(head, passing.unwrap_or(Self { first: Some(whole), rest: None }))
    }

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
        task: &mut Context<'_>,
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

fn no_response(error: Error) -> Failure {
    // Its connection had ended already.
    let was_canceled = among_sources::find(&error).is_some_and(hyper::Error::is_canceled);
    if error.is_connect() || was_canceled {
        return Failure::new(FailureKind::NotSent, error).with_remedy(CHECK_CONNECTION);
    }
    broke(error)
}

/// A connection that broke when the request was on it.
fn broke(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Failure {
    Failure::new(FailureKind::MaybeSent, error).with_remedy(LOOK_FIRST)
}

/// A response that did not come in time.
fn late(timeout: Duration) -> Failure {
    Failure::new(FailureKind::TimedOut, format!("it took more than {} s", timeout.as_secs())).with_remedy(LOOK_FIRST)
}
