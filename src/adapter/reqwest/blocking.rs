//! The same with `reqwest`'s blocking client.

use std::{io::Read, time::Duration};

use ::reqwest::{
    blocking::{Client, ClientBuilder},
    redirect, retry,
};
use bytes::Bytes;
use http::{Request, Response};

use super::{check_origin, no_reply, sign_as_sent, unchanged};
use crate::{
    adapter::{LONGEST_REPLY, LOOK_FIRST, NoReply, TIMEOUT, host},
    context::{Context, Entropy},
    driver::Driver,
    error::Error,
    exchange::Exchange,
    reply,
    session::{Failure, FailureKind, SessionEvent},
    signer::Signer,
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
    let reply = transmit(client, request, reply::LONGEST_REPLY, TIMEOUT);
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
    let send = |request, timeout| transmit(client, request, reply::LONGEST_REPLY, timeout).map_err(Failure::from);
    driver.run_blocking(send, on_event);
}

fn transmit(
    client: &Client,
    request: Request<Bytes>,
    limit: usize,
    timeout: Duration,
) -> Result<Response<Bytes>, NoReply> {
    crate::trace::sending(&request);
    let url = unchanged(request.uri())?;
    let mut request = ::reqwest::blocking::Request::try_from(request).map_err(no_reply)?;
    *request.timeout_mut() = Some(timeout.min(TIMEOUT));
    let mut response = client.execute(request).map_err(no_reply)?;
    check_origin(&url, response.url())?;
    let mut reply = Response::new(Vec::new());
    (*reply.status_mut(), *reply.version_mut()) = (response.status(), response.version());
    *reply.headers_mut() = std::mem::take(response.headers_mut());
    // One byte more than the limit, by which a longer reply is known.
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let read = response.by_ref().take(most).read_to_end(reply.body_mut());
    read.map_err(|error| NoReply::new(FailureKind::MaybeSent, LOOK_FIRST, error))?;
    if reply.body().len() > limit {
        return Err(NoReply::too_large(limit));
    }
    Ok(reply.map(Bytes::from))
}
