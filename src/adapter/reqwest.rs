//! Sending with [`reqwest`](https://docs.rs/reqwest/0.13) 0.13. Needs the feature `reqwest`.
//!
//! `reqwest` can be told only when a client is built to follow no redirect and to retry nothing: build it with
//! [`client_builder`]. A reply from another URL than the request's is a failure. `reqwest` also rewrites some URLs (`'`
//! becomes `%27`): [`sign_and_send`] signs what it will send, and [`send`] refuses what it would change. The 30 seconds
//! take the place of the client's own `timeout`; its `read_timeout` and `connect_timeout` are kept.

use std::{future::Future, time::Duration};

use ::reqwest::{Client, ClientBuilder, Error as ReqwestError, redirect, retry};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, Version};

use super::{CHECK_CONNECTION, LONGEST_REPLY, LOOK_FIRST, NoReply, TIMEOUT, canceled::was_canceled, host};
use crate::{
    context::{Context, Entropy},
    driver::Driver,
    error::Error,
    exchange::Exchange,
    response::LONGEST_RESPONSE as LONGEST_OF_PROTOCOL,
    session::{Failure, FailureKind, SessionEvent},
    signer::Signer,
    trace,
};

pub mod blocking;
mod url;

use self::url::{check_origin, sign_as_sent, unchanged};

/// Starts a client that follows no redirect and sends nothing twice.
pub fn client_builder() -> ClientBuilder {
    Client::builder().redirect(redirect::Policy::none()).retry(retry::never())
}

/// Sends the exchange's request, and reads the reply to it.
///
/// # Errors
/// An error of [`Stage::Transport`](crate::Stage::Transport) if there is no whole reply; otherwise as
/// [`Exchange::complete`].
pub async fn send<T>(client: &Client, exchange: Exchange<T>) -> Result<T, Error> {
    let (request, pending) = exchange.into_parts();
    let host = host(&request);
    let reply = transmit(client, request, LONGEST_OF_PROTOCOL).await;
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
pub fn sign_and_send<'a, B: Into<Bytes>>(
    client: &'a Client,
    signer: &Signer,
    cx: &mut Context<'_>,
    request: Request<B>,
) -> Result<impl Future<Output = Result<Response<Bytes>, Error>> + Send + use<'a, B>, Error> {
    let request = sign_as_sent(signer, cx, request)?;
    let host = host(&request);
    Ok(async move {
        let reply = transmit(client, request, LONGEST_REPLY).await;
        reply.map_err(|no_reply| no_reply.error(&host))
    })
}

/// Drives a session until it finishes. `sleep` returns after the given time, as `tokio::time::sleep` does.
pub async fn drive<E: Entropy, S: Future<Output = ()>>(
    client: &Client,
    driver: Driver<E>,
    sleep: impl FnMut(Duration) -> S,
    on_event: impl FnMut(SessionEvent),
) {
    let send = async |request| transmit(client, request, LONGEST_OF_PROTOCOL).await.map_err(Failure::from);
    driver.run(send, sleep, on_event).await;
}

async fn transmit(client: &Client, request: Request<Bytes>, limit: usize) -> Result<Response<Bytes>, NoReply> {
    trace::sending(&request);
    let (url, is_empty) = (unchanged(request.uri())?, request.body().is_empty());
    let mut request = ::reqwest::Request::try_from(request).map_err(no_reply)?;
    if is_empty {
        // An empty body would be sent with a `Content-Length`, which no `GET` has.
        *request.body_mut() = None;
    }
    *request.timeout_mut() = Some(TIMEOUT);
    let mut response = client.execute(request).await.map_err(no_reply)?;
    check_origin(&url, response.url())?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(no_reply)? {
        if chunk.len() > limit - body.len() {
            return Err(NoReply::too_large(limit));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(reply(response.status(), response.version(), std::mem::take(response.headers_mut()), body.into()))
}

fn reply(status: StatusCode, version: Version, headers: HeaderMap, body: Bytes) -> Response<Bytes> {
    let mut reply = Response::new(body);
    (*reply.status_mut(), *reply.version_mut(), *reply.headers_mut()) = (status, version, headers);
    reply
}

fn no_reply(error: ReqwestError) -> NoReply {
    let (kind, remedy) = match &error {
        error if error.is_connect() || error.is_builder() || was_canceled(error) => {
            (FailureKind::NotSent, CHECK_CONNECTION)
        }
        error if error.is_timeout() => (FailureKind::TimedOut, LOOK_FIRST),
        _ => (FailureKind::MaybeSent, LOOK_FIRST),
    };
    NoReply::new(kind, remedy, error.without_url())
}
