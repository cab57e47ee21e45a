//! Sending with [`reqwest`](https://docs.rs/reqwest/0.13) 0.13. Needs the feature `reqwest`.
//!
//! `reqwest` can be told only when a client is built to follow no redirect and to retry nothing: build it with
//! [`client_builder`]. A reply from another URL than the request's is a failure. `reqwest` also rewrites some URLs (`'`
//! becomes `%27`): [`sign_and_send`] signs what it will send, and [`send`] refuses what it would change.

use std::{future::Future, time::Duration};

use ::reqwest::{Client, ClientBuilder, Error as ReqwestError, Url, redirect, retry};
use bytes::Bytes;
use http::{Request, Response, Uri};

use super::{CHECK_CONNECTION, LONGEST_REPLY, LOOK_FIRST, NoReply, TIMEOUT, complete_head, host, sign};
use crate::{
    context::{Context, Entropy},
    driver::Driver,
    error::Error,
    exchange::Exchange,
    oauth1::BaseUri,
    reply,
    session::{Failure, FailureKind, SessionEvent},
    signer::Signer,
};

pub mod blocking;

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
    let reply = transmit(client, request, reply::LONGEST_REPLY).await;
    pending.complete(reply.map_err(|no_reply| no_reply.error(&host))?)
}

/// Signs a request at once, as a form if its media type is that of one; the future sends it. The reply is handed back
/// whatever its status.
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
    Ok(async move { transmit(client, request, LONGEST_REPLY).await.map_err(|no_reply| no_reply.error(&host)) })
}

/// Drives a session until it finishes. `sleep` returns after so long, as `tokio::time::sleep` does.
pub async fn drive<E: Entropy, S: Future<Output = ()>>(
    client: &Client,
    driver: Driver<E>,
    sleep: impl FnMut(Duration) -> S,
    on_event: impl FnMut(SessionEvent),
) {
    let send = async |request| transmit(client, request, reply::LONGEST_REPLY).await.map_err(Failure::from);
    driver.run(send, sleep, on_event).await;
}

async fn transmit(client: &Client, request: Request<Bytes>, limit: usize) -> Result<Response<Bytes>, NoReply> {
    crate::trace::sending(&request);
    let url = unchanged(request.uri())?;
    let mut request = ::reqwest::Request::try_from(request).map_err(no_reply)?;
    *request.timeout_mut() = Some(TIMEOUT);
    let mut response = client.execute(request).await.map_err(no_reply)?;
    check_origin(&url, response.url())?;
    let mut reply = Response::new(Vec::new());
    (*reply.status_mut(), *reply.version_mut()) = (response.status(), response.version());
    *reply.headers_mut() = std::mem::take(response.headers_mut());
    while let Some(chunk) = response.chunk().await.map_err(no_reply)? {
        if reply.body().len() + chunk.len() > limit {
            return Err(NoReply::too_large(limit));
        }
        reply.body_mut().extend_from_slice(&chunk);
    }
    Ok(reply.map(Bytes::from))
}

/// Signs the request to the URL that `reqwest` will make of it.
fn sign_as_sent(
    signer: &Signer,
    cx: &mut Context<'_>,
    request: Request<impl Into<Bytes>>,
) -> Result<Request<Bytes>, Error> {
    let mut request = complete_head(signer, request);
    BaseUri::new(request.uri()).map_err(|error| crate::consumer::uri_error(crate::Stage::Sign, error))?;
    if let Some(uri) = Url::parse(&request.uri().to_string()).ok().and_then(|url| url.as_str().parse().ok()) {
        *request.uri_mut() = uri;
    }
    sign(signer, cx, &mut request)?;
    Ok(request)
}

/// The URL, if `reqwest` sends it as it is.
fn unchanged(uri: &Uri) -> Result<Url, NoReply> {
    let url = Url::parse(&uri.to_string()).ok();
    let sent = url.as_ref().and_then(|url| url.as_str().parse::<Uri>().ok());
    let same =
        sent.is_some_and(|sent| BaseUri::new(&sent).ok() == BaseUri::new(uri).ok() && sent.query() == uri.query());
    let changed = || {
        NoReply::new(
            FailureKind::NotSent,
            "write the URL as `reqwest` would",
            "`reqwest` would send another URL than the one that was signed",
        )
    };
    url.filter(|_| same).ok_or_else(changed)
}

fn check_origin(asked: &Url, answered: &Url) -> Result<(), NoReply> {
    let remedy = "build the client with `adapter::reqwest::client_builder`, which follows no redirect";
    let other = || NoReply::new(FailureKind::MaybeSent, remedy, "the client followed a redirect to another URL");
    if asked == answered { Ok(()) } else { Err(other()) }
}

fn no_reply(error: ReqwestError) -> NoReply {
    let (kind, remedy) = match &error {
        error if error.is_connect() || error.is_builder() => (FailureKind::NotSent, CHECK_CONNECTION),
        error if error.is_timeout() => (FailureKind::TimedOut, LOOK_FIRST),
        _ => (FailureKind::MaybeSent, LOOK_FIRST),
    };
    NoReply::new(kind, remedy, error.without_url())
}
