//! [`hyper`](https://docs.rs/hyper/1) 1 as a transport, by the client of `hyper-util`. Needs the feature `hyper`.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_util::client::legacy::{Client, connect::Connect};

use super::{CHECK_CONNECTION, LOOK_FIRST, canceled::was_canceled, failure, too_large};
use crate::{
    session::{Failure, FailureKind},
    trace,
    transport::{AsyncTransport, Limits, within},
};

/// The client of `hyper-util`, with the timer that it has not: `sleep` returns after the given time, as
/// `tokio::time::sleep` does.
///
/// The client brings the connector, and so the TLS. It follows no redirect. Its `retry_canceled_requests` sends a request
/// again only if nothing of it was sent.
#[derive(Clone)]
pub struct HyperTransport<C> {
    pub(super) client: Client<C, Full<Bytes>>,
    sleep: Arc<dyn Fn(Duration) -> Sleep + Send + Sync>,
}

type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

debug_fields!(self: HyperTransport<C> {});

impl<C> HyperTransport<C> {
    /// This client with this timer.
    pub fn new<W>(client: Client<C, Full<Bytes>>, sleep: impl Fn(Duration) -> W + Send + Sync + 'static) -> Self
    where
        W: Future<Output = ()> + Send + 'static,
    {
        Self { client, sleep: Arc::new(move |time| Box::pin(sleep(time))) }
    }
}

impl<C: Connect + Clone + Send + Sync + 'static> AsyncTransport for HyperTransport<C> {
    async fn send(&self, request: Request<Bytes>, limits: Limits) -> Result<Response<Bytes>, Failure> {
        let late = |failure: Failure| match failure.kind() {
            FailureKind::TimedOut => failure.with_remedy(LOOK_FIRST),
            _ => failure,
        };
        let work = transmit(&self.client, request, limits.longest_body);
        within(limits.timeout, (self.sleep)(limits.timeout), work).await.map_err(late)
    }

    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send {
        (self.sleep)(time)
    }
}

async fn transmit<C: Connect + Clone + Send + Sync + 'static>(
    client: &Client<C, Full<Bytes>>,
    request: Request<Bytes>,
    limit: usize,
) -> Result<Response<Bytes>, Failure> {
    trace::sending(&request);
    let (head, body) = client.request(request.map(Full::new)).await.map_err(no_response)?.into_parts();
    match Limited::new(body, limit).collect().await {
        Ok(body) => Ok(Response::from_parts(head, body.to_bytes())),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large(limit)),
        Err(error) => Err(failure(FailureKind::MaybeSent, LOOK_FIRST, error)),
    }
}

pub(super) fn no_response(error: hyper_util::client::legacy::Error) -> Failure {
    if error.is_connect() || was_canceled(&error) {
        return failure(FailureKind::NotSent, CHECK_CONNECTION, error);
    }
    failure(FailureKind::MaybeSent, LOOK_FIRST, error)
}
