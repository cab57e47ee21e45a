//! The same with `reqwest`'s blocking client.

use std::time::Duration;

use ::reqwest::{
    Error as ReqwestError,
    blocking::{Client, ClientBuilder},
    redirect, retry,
};
use bytes::Bytes;
use http::{Request, Response};

use super::{check_origin, no_reply, reply, sign_as_sent, unchanged};
use crate::{
    adapter::{LONGEST_REPLY, LOOK_FIRST, NoReply, TIMEOUT, host, read_body},
    context::{Context, Entropy},
    driver::Driver,
    error::Error,
    exchange::Exchange,
    response::LONGEST_RESPONSE as LONGEST_OF_PROTOCOL,
    session::{Failure, FailureKind, SessionEvent},
    signer::Signer,
    trace,
};

/// Starts a client that follows no redirect and sends nothing twice.
pub fn client_builder() -> ClientBuilder {
    Client::builder().redirect(redirect::Policy::none()).retry(retry::never())
}

/// Sends the exchange's request, and reads the reply to it.
///
/// # Errors
/// As [`reqwest::send`](super::send).
pub fn send<T>(client: &Client, exchange: Exchange<T>) -> Result<T, Error> {
    let (request, pending) = exchange.into_parts();
    let host = host(&request);
    let reply = transmit(client, request, LONGEST_OF_PROTOCOL, TIMEOUT);
    pending.complete(reply.map_err(|no_reply| no_reply.error(&host))?)
}

/// Signs a request and sends it, as [`reqwest::sign_and_send`](super::sign_and_send) does.
///
/// # Errors
/// As there.
pub fn sign_and_send(
    client: &Client,
    signer: &Signer,
    cx: &mut Context<'_>,
    request: Request<impl Into<Bytes>>,
) -> Result<Response<Bytes>, Error> {
    let request = sign_as_sent(signer, cx, request)?;
    let host = host(&request);
    transmit(client, request, LONGEST_REPLY, TIMEOUT).map_err(|no_reply| no_reply.error(&host))
}

/// Drives a session on this thread until it finishes.
pub fn drive<E: Entropy>(client: &Client, driver: Driver<E>, on_event: impl FnMut(SessionEvent)) {
    let send = |request, timeout| transmit(client, request, LONGEST_OF_PROTOCOL, timeout).map_err(Failure::from);
    driver.run_blocking(send, on_event);
}

fn transmit(
    client: &Client,
    request: Request<Bytes>,
    limit: usize,
    timeout: Duration,
) -> Result<Response<Bytes>, NoReply> {
    trace::sending(&request);
    let (url, is_empty) = (unchanged(request.uri())?, request.body().is_empty());
    let mut request = ::reqwest::blocking::Request::try_from(request).map_err(no_reply)?;
    if is_empty {
        // An empty body would be sent with a `Content-Length`, which no `GET` has.
        *request.body_mut() = None;
    }
    *request.timeout_mut() = Some(timeout.min(TIMEOUT));
    let mut response = client.execute(request).map_err(no_reply)?;
    check_origin(&url, response.url())?;
    let body = read_body(&mut response, limit).map_err(|error| match error.downcast::<ReqwestError>() {
        Ok(error) => no_reply(error),
        Err(error) => NoReply::new(FailureKind::MaybeSent, LOOK_FIRST, error),
    })?;
    let body = body.ok_or_else(|| NoReply::too_large(limit))?;
    Ok(reply(response.status(), response.version(), std::mem::take(response.headers_mut()), body))
}
