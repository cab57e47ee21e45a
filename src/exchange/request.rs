//! One request, and the only thing that may read the response to it.

use bytes::Bytes;
use http::{Request, Response};

use super::pending_response::{PendingResponse, ReadResponse};
use crate::{
    error::{Error, Stage},
    trace,
};

/// A request that is ready to be sent, and what its response leads to.
///
/// Send [`request`](Self::request) as it is, with any HTTP client that follows no redirect, and give the whole response
/// to [`complete`](Self::complete), whatever its status. An exchange is good for one attempt: to try again, make a new
/// one, which has a new nonce, timestamp and signature.
///
/// ```
/// # #[cfg(all(feature = "simulator", feature = "getrandom"))] {
/// # use ibkr_oauth::{Callback, Consent, Context, Error, Exchange, OsEntropy, Timestamp, bytes::Bytes, http};
/// # use ibkr_oauth::simulator::{Broker, test_keys};
/// /// Whatever the step, with whatever client.
/// fn complete<T>(
///     send: impl FnOnce(http::Request<Bytes>) -> http::Response<Bytes>,
///     exchange: Exchange<T>,
/// ) -> Result<T, Error> {
///     let (request, pending) = exchange.into_parts();
///     pending.complete(send(request))
/// }
/// # let mut entropy = OsEntropy;
/// # let mut cx = Context::new(Timestamp::from_secs(1_700_000_000), &mut entropy);
/// # let mut broker = Broker::default();
/// # let exchange = test_keys::consumer()?.request_token(&mut cx, Callback::OutOfBand)?;
/// # let _: Consent = complete(|request| broker.handle(&mut cx, &request), exchange)?;
/// # }
/// # Ok::<(), ibkr_oauth::Error>(())
/// ```
#[must_use = "nothing happens until the request is sent and its response is given to `complete`"]
pub struct Exchange<T> {
    request: Request<Bytes>,
    response: PendingResponse<T>,
}

debug_fields!(self: Exchange<T> { method: self.request.method(), uri: self.request.uri() });

impl<T> Exchange<T> {
    pub(crate) fn new(
        stage: Stage,
        request: Request<Bytes>,
        read: impl FnOnce(Response<Bytes>) -> Result<T, Error> + Send + Sync + 'static,
    ) -> Self {
        Self::boxed(stage, request, Box::new(read))
    }

    pub(super) fn boxed(stage: Stage, request: Request<Bytes>, read: Box<ReadResponse<T>>) -> Self {
        trace::made(stage, &request);
        Self { request, response: PendingResponse::new(stage, read) }
    }

    /// The same with what it leads to as something else.
    pub(crate) fn map<U: 'static>(self, into: fn(T) -> U) -> Exchange<U>
    where
        T: 'static,
    {
        Exchange { request: self.request, response: self.response.map(into) }
    }

    /// The request, with an absolute URI.
    #[must_use]
    pub fn request(&self) -> &Request<Bytes> {
        &self.request
    }

    /// Takes the exchange apart, for HTTP clients that want to own the request.
    pub fn into_parts(self) -> (Request<Bytes>, PendingResponse<T>) {
        (self.request, self.response)
    }

    /// Reads the response.
    ///
    /// # Errors
    /// See [`ErrorKind`](crate::ErrorKind): what the broker refused, cannot do now, or answered in a way that is not to
    /// be understood or trusted.
    pub fn complete(self, response: Response<Bytes>) -> Result<T, Error> {
        self.response.complete(response)
    }
}
