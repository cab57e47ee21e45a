//! Sending with [`hyper`](https://docs.rs/hyper/1) 1, by the client of `hyper-util`. Needs the feature `hyper`.
//!
//! The client brings the connector, and so the TLS. It follows no redirect. Its `retry_canceled_requests` sends a request
//! again only if nothing of it was sent. It has no timer: each function is given `sleep`, which returns after the given time, as
//! `tokio::time::sleep` does.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_util::client::legacy::{Client, connect::Connect};

use super::{
    CHECK_CONNECTION, LONGEST_REPLY, LOOK_FIRST, NoReply, TIMEOUT, canceled::was_canceled, complete_head, host, sign,
};
use crate::{
    context::{Context, Entropy},
    driver::Driver,
    error::Error,
    exchange::Exchange,
    response,
    session::{Failure, FailureKind, SessionEvent},
    signer::Signer,
    trace,
};

/// Sends the exchange's request, and reads the reply to it.
///
/// # Errors
/// An error of [`Stage::Transport`](crate::Stage::Transport) if there is no whole reply; otherwise as
/// [`Exchange::complete`].
pub async fn send<T, C: Connect + Clone + Send + Sync + 'static, S: Future<Output = ()>>(
    client: &Client<C, Full<Bytes>>,
    sleep: impl FnOnce(Duration) -> S,
    exchange: Exchange<T>,
) -> Result<T, Error> {
    let (request, pending) = exchange.into_parts();
    let host = host(&request);
    let reply = within(sleep(TIMEOUT), transmit(client, request, response::LONGEST_RESPONSE)).await;
    pending.complete(reply.map_err(|no_reply| no_reply.error(&host))?)
}

/// Signs a request at once, as a form if its media type is that of one; the future sends it. The reply is handed back
/// whatever its status. The request's token id is [`Signer::token_id`].
///
/// Adds the consumer's `User-Agent` where there is none, and `Content-Length: 0` to a `POST` or `PUT` without a body.
///
/// # Errors
/// As [`Signer::sign`] and [`Signer::sign_form`]. The future's: one of [`Stage::Transport`](crate::Stage::Transport) if
/// there is no whole reply.
pub fn sign_and_send<'a, C, T, S, B>(
    client: &'a Client<C, Full<Bytes>>,
    sleep: T,
    signer: &Signer,
    cx: &mut Context<'_>,
    request: Request<B>,
) -> Result<impl Future<Output = Result<Response<Bytes>, Error>> + use<'a, C, T, S, B>, Error>
where
    C: Connect + Clone + Send + Sync + 'static,
    T: FnOnce(Duration) -> S,
    S: Future<Output = ()>,
    B: Into<Bytes>,
{
    let mut request = complete_head(signer, request);
    sign(signer, cx, &mut request)?;
    let host = host(&request);
    Ok(async move {
        let reply = within(sleep(TIMEOUT), transmit(client, request, LONGEST_REPLY)).await;
        reply.map_err(|no_reply| no_reply.error(&host))
    })
}

/// Drives a session until it finishes.
pub async fn drive<E: Entropy, C: Connect + Clone + Send + Sync + 'static, S: Future<Output = ()>>(
    client: &Client<C, Full<Bytes>>,
    driver: Driver<E>,
    sleep: impl FnMut(Duration) -> S,
    on_event: impl FnMut(SessionEvent),
) {
    let send = async |request| transmit(client, request, response::LONGEST_RESPONSE).await.map_err(Failure::from);
    driver.run(send, sleep, on_event).await;
}

async fn transmit<C: Connect + Clone + Send + Sync + 'static>(
    client: &Client<C, Full<Bytes>>,
    request: Request<Bytes>,
    limit: usize,
) -> Result<Response<Bytes>, NoReply> {
    trace::sending(&request);
    let (head, body) = client.request(request.map(Full::new)).await.map_err(no_reply)?.into_parts();
    match Limited::new(body, limit).collect().await {
        Ok(body) => Ok(Response::from_parts(head, body.to_bytes())),
        Err(error) if error.is::<LengthLimitError>() => Err(NoReply::too_large(limit)),
        Err(error) => Err(NoReply::new(FailureKind::MaybeSent, LOOK_FIRST, error)),
    }
}

async fn within<T>(
    timer: impl Future<Output = ()>,
    work: impl Future<Output = Result<T, NoReply>>,
) -> Result<T, NoReply> {
    let (mut timer, mut work) = (pin!(timer), pin!(work));
    let late = || NoReply::new(FailureKind::TimedOut, LOOK_FIRST, format!("it took more than {} s", TIMEOUT.as_secs()));
    poll_fn(|task| match work.as_mut().poll(task) {
        Poll::Ready(result) => Poll::Ready(result),
        Poll::Pending => timer.as_mut().poll(task).map(|()| Err(late())),
    })
    .await
}

fn no_reply(error: hyper_util::client::legacy::Error) -> NoReply {
    if error.is_connect() || was_canceled(&error) {
        return NoReply::new(FailureKind::NotSent, CHECK_CONNECTION, error);
    }
    NoReply::new(FailureKind::MaybeSent, LOOK_FIRST, error)
}
