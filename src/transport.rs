//! What carries requests: your HTTP client, or whatever stands in for it.
//!
//! A [`Transport`] blocks its thread; an [`AsyncTransport`] does not, and can wait. With the feature of its name, these are
//! ready made: a `ureq` agent, both clients of `reqwest`, and the client of `hyper-util`; see the
//! [adapters](crate#features). A closure that sends is a [`Transport`], and [`from_fn`] makes an [`AsyncTransport`] of two.
//!
//! ```
//! # #[cfg(all(feature = "simulator", feature = "getrandom"))] {
//! # use std::sync::Mutex;
//! # use ibkr_oauth::{Context, OsEntropy, Timestamp, bytes::Bytes, http::Request, simulator::{Broker, test_keys}};
//! # let broker = Mutex::new(Broker::default());
//! # let now = Timestamp::from_secs(1_700_000_000);
//! # let mut entropy = OsEntropy;
//! # let cx = &mut Context::new(now, &mut entropy);
//! # let signer = test_keys::sign_in(&mut broker.lock().unwrap(), cx)?.signer();
//! use ibkr_oauth::transport::Limits;
//!
//! // Instead of the network: a test double.
//! let transport = |request: Request<Bytes>, _: Limits| {
//!     Ok(broker.lock().unwrap().handle(&mut Context::new(now, &mut OsEntropy), &request))
//! };
//! let tickle = signer.brokerage().tickle(cx)?.send(&transport)?;
//! assert!(tickle.session().is_some());
//! # }
//! # Ok::<(), ibkr_oauth::Error>(())
//! ```

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, Uri};

use crate::{
    call::{complete_head, no_response, sign},
    consumer::uri_error,
    context::{Context, Timestamp},
    error::{Error, Stage},
    exchange::Exchange,
    local,
    oauth1::base_uri,
    response::LONGEST_RESPONSE,
    session::{Failure, FailureKind},
    signer::Signer,
};

/// How far a transport goes for one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The longest time until the whole response is there.
    pub timeout: Duration,
    /// The longest body of a response, in bytes. A longer one is [`FailureKind::TooLarge`], and not read to its end.
    pub longest_body: usize,
}

impl Limits {
    /// For the requests of the protocol itself: 30 s and 256 KiB.
    pub(crate) const PROTOCOL: Self = Self { timeout: Duration::from_secs(30), longest_body: LONGEST_RESPONSE };

    pub(crate) const fn within(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }
}

impl Default for Limits {
    /// For the application's own requests: 30 s and 16 MiB.
    fn default() -> Self {
        Self { timeout: Duration::from_secs(30), longest_body: 16 << 20 }
    }
}

/// An HTTP client that blocks the thread.
///
/// Closures `Fn(Request<Bytes>, Limits) -> Result<Response<Bytes>, Failure>` are transports.
pub trait Transport {
    /// Sends a request as it is, once, following no redirect, and returns the whole response, whatever its status.
    ///
    /// # Errors
    /// A [`Failure`] where there is no whole response; its kind says what is certain.
    fn send(&self, request: Request<Bytes>, limits: Limits) -> Result<Response<Bytes>, Failure>;

    /// The URL that is sent for this one, where the client changes URLs: what is signed must be what is sent.
    fn rewritten(&self, uri: &Uri) -> Option<Uri> {
        let _ = uri;
        None
    }
}

impl<F: Fn(Request<Bytes>, Limits) -> Result<Response<Bytes>, Failure>> Transport for F {
    fn send(&self, request: Request<Bytes>, limits: Limits) -> Result<Response<Bytes>, Failure> {
        self(request, limits)
    }
}

/// An HTTP client that does not block, and the timer that goes with it.
///
/// Its futures are `Send`, so that a session can be driven on any executor's pool.
pub trait AsyncTransport: Send + Sync {
    /// Sends a request as it is, once, following no redirect, and returns the whole response, whatever its status.
    /// Dropping the future gives the request up.
    ///
    /// # Errors
    /// A [`Failure`] where there is no whole response; its kind says what is certain.
    fn send(
        &self,
        request: Request<Bytes>,
        limits: Limits,
    ) -> impl Future<Output = Result<Response<Bytes>, Failure>> + Send;

    /// Returns after that time, as `tokio::time::sleep` does.
    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send;

    /// The time. Default: [`local::now`].
    fn now(&self) -> Timestamp {
        local::now()
    }

    /// The URL that is sent for this one, where the client changes URLs: what is signed must be what is sent.
    fn rewritten(&self, uri: &Uri) -> Option<Uri> {
        let _ = uri;
        None
    }
}

/// A transport of two functions.
struct FromFn<F, S> {
    send: F,
    sleep: S,
}

/// Makes a transport of a function that sends and one that waits, as `tokio::time::sleep` does. What takes too long is
/// dropped.
///
/// ```
/// # use std::future::ready;
/// # use ibkr_oauth::{bytes::Bytes, http::{Request, Response}, transport::from_fn};
/// let double = from_fn(|_: Request<Bytes>| ready(Ok(Response::new(Bytes::from_static(b"{}")))), |_| ready(()));
/// ```
pub fn from_fn<F, R, S, W>(send: F, sleep: S) -> impl AsyncTransport
where
    F: Fn(Request<Bytes>) -> R + Send + Sync,
    R: Future<Output = Result<Response<Bytes>, Failure>> + Send,
    S: Fn(Duration) -> W + Send + Sync,
    W: Future<Output = ()> + Send,
{
    FromFn { send, sleep }
}

impl<F, R, S, W> AsyncTransport for FromFn<F, S>
where
    F: Fn(Request<Bytes>) -> R + Send + Sync,
    R: Future<Output = Result<Response<Bytes>, Failure>> + Send,
    S: Fn(Duration) -> W + Send + Sync,
    W: Future<Output = ()> + Send,
{
    fn send(
        &self,
        request: Request<Bytes>,
        limits: Limits,
    ) -> impl Future<Output = Result<Response<Bytes>, Failure>> + Send {
        within(limits.timeout, (self.sleep)(limits.timeout), (self.send)(request))
    }

    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send {
        (self.sleep)(time)
    }
}

/// What comes of the work, if it does before the timer.
pub(crate) async fn within<T>(
    time: Duration,
    timer: impl Future<Output = ()>,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let (mut timer, mut work) = (pin!(timer), pin!(work));
    let late = || Failure::new(FailureKind::TimedOut, format!("it took more than {} s", time.as_secs()));
    poll_fn(|task| match work.as_mut().poll(task) {
        Poll::Ready(result) => Poll::Ready(result),
        Poll::Pending => timer.as_mut().poll(task).map(|()| Err(late())),
    })
    .await
}

impl<T> Exchange<T> {
    /// Sends the request, and reads the response to it.
    ///
    /// # Errors
    /// An error of [`Stage::Transport`] if there is no whole response; otherwise as [`complete`](Self::complete).
    pub fn send(self, transport: &impl Transport) -> Result<T, Error> {
        let (request, pending) = self.into_parts();
        let host = host(&request);
        let response = transport.send(request, Limits::PROTOCOL);
        pending.complete(response.map_err(|failure| no_response(failure, host.as_deref()))?)
    }

    /// As [`send`](Self::send), without blocking.
    ///
    /// # Errors
    /// As there.
    pub async fn send_async(self, transport: &impl AsyncTransport) -> Result<T, Error> {
        let (request, pending) = self.into_parts();
        let host = host(&request);
        let response = transport.send(request, Limits::PROTOCOL).await;
        pending.complete(response.map_err(|failure| no_response(failure, host.as_deref()))?)
    }
}

impl Signer {
    /// Signs a request, as a form if its media type is that of one, sends it once, and returns the response whatever its
    /// status. The request's token id is [`Signer::token_id`].
    ///
    /// Adds the consumer's `User-Agent` where there is none, and `Content-Length: 0` to a `POST` or `PUT` without a body: the
    /// broker refuses requests without them.
    ///
    /// # Errors
    /// As [`Signer::sign`] and [`Signer::sign_form`]; an error of [`Stage::Transport`] if there is no whole response.
    pub fn send(
        &self,
        transport: &impl Transport,
        cx: &mut Context<'_>,
        request: Request<impl Into<Bytes>>,
    ) -> Result<Response<Bytes>, Error> {
        let request = self.signed_as_sent(cx, request, |uri| transport.rewritten(uri))?;
        let host = host(&request);
        transport.send(request, Limits::default()).map_err(|failure| no_response(failure, host.as_deref()))
    }

    /// As [`send`](Self::send), without blocking: signs at once, and the future sends.
    ///
    /// # Errors
    /// As [`Signer::sign`] and [`Signer::sign_form`]. The future's: one of [`Stage::Transport`] if there is no whole response.
    pub fn send_async<'a, T: AsyncTransport, B: Into<Bytes>>(
        &self,
        transport: &'a T,
        cx: &mut Context<'_>,
        request: Request<B>,
    ) -> Result<impl Future<Output = Result<Response<Bytes>, Error>> + Send + use<'a, T, B>, Error> {
        let request = self.signed_as_sent(cx, request, |uri| transport.rewritten(uri))?;
        let host = host(&request);
        let response = transport.send(request, Limits::default());
        Ok(async move { response.await.map_err(|failure| no_response(failure, host.as_deref())) })
    }

    pub(crate) fn signed_as_sent(
        &self,
        cx: &mut Context<'_>,
        request: Request<impl Into<Bytes>>,
        rewritten: impl FnOnce(&Uri) -> Option<Uri>,
    ) -> Result<Request<Bytes>, Error> {
        let mut request = request.map(Into::into);
        rewrite(&mut request, rewritten)?;
        complete_head(self, &mut request);
        sign(self, cx, &mut request)?;
        Ok(request)
    }
}

/// Gives a request the URL that will be sent. Where the client changes it, what cannot be signed is refused before.
pub(crate) fn rewrite<B>(request: &mut Request<B>, rewritten: impl FnOnce(&Uri) -> Option<Uri>) -> Result<(), Error> {
    if let Some(uri) = rewritten(request.uri()) {
        base_uri(request.uri()).map_err(|error| uri_error(Stage::Sign, error))?;
        *request.uri_mut() = uri;
    }
    Ok(())
}

fn host(request: &Request<Bytes>) -> Option<String> {
    request.uri().host().map(str::to_owned)
}
