//! Sending with [`ureq`](https://docs.rs/ureq/3) 3, which blocks the thread. Needs the feature `ureq`.
//!
//! The agent is the caller's, with its connections, proxy and TLS: for `https` turn on one of `ureq`'s TLS features. For
//! each call, whatever the agent's configuration says otherwise:
//!
//! - no redirect is followed, since it would carry `Authorization` elsewhere; the reply is handed back as it is;
//! - a status of 4xx or 5xx is a reply, not an error;
//! - the whole call, the reply's body included, takes at most 30 seconds, or less where the agent says so;
//! - nothing is sent twice.

use std::{io::Read, time::Duration};

use ::ureq::{Agent, AsSendBody, RequestExt};
use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Response,
    header::{CONTENT_LENGTH, USER_AGENT},
};

use crate::{
    context::Context,
    error::{Error, ErrorKind, Stage},
    exchange::Exchange,
    oauth1, reply,
    signer::Signer,
};

/// The longest time that a call may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The longest reply of [`sign_and_send`], in bytes: 16 MiB.
const LONGEST_REPLY: usize = 16 << 20;

/// Sends the exchange's request, and reads the reply to it.
///
/// # Errors
/// An error of [`Stage::Transport`] and [`ErrorKind::Unavailable`] if there is no whole reply; otherwise as
/// [`Exchange::complete`].
pub fn send<T>(agent: &Agent, exchange: Exchange<T>) -> Result<T, Error> {
    let (request, pending) = exchange.into_parts();
    pending.complete(transmit(agent, request, reply::LONGEST_REPLY)?)
}

/// Signs a request, as a form if its media type is that of one, and sends it. The reply is handed back whatever its
/// status.
///
/// Adds the consumer's `User-Agent` where there is none, and `Content-Length: 0` to a `POST` or `PUT` without a body:
/// the broker refuses requests without them.
///
/// # Errors
/// As [`Signer::sign`] and [`Signer::sign_form`]; an error of [`Stage::Transport`] and [`ErrorKind::Unavailable`] if
/// there is no whole reply, and of [`ErrorKind::Malformed`] if it has more than 16 MiB.
pub fn sign_and_send(
    agent: &Agent,
    signer: &Signer,
    cx: &mut Context<'_>,
    request: Request<impl Into<Bytes>>,
) -> Result<Response<Bytes>, Error> {
    let mut request = request.map(Into::into);
    if !request.headers().contains_key(USER_AGENT) {
        let user_agent = signer.consumer().user_agent().clone();
        request.headers_mut().insert(USER_AGENT, user_agent);
    }
    if request.body().is_empty() && [Method::POST, Method::PUT].contains(request.method()) {
        request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    if oauth1::is_form(request.headers()) {
        signer.sign_form(cx, &mut request)?;
    } else {
        signer.sign(cx, &mut request)?;
    }
    let response = transmit(agent, request, LONGEST_REPLY)?;
    if response.body().len() > LONGEST_REPLY {
        return Err(Error::malformed(Stage::Transport, "the reply has more than 16 MiB")
            .with_remedy("ask for less at a time, or send the signed request with an HTTP client of your own"));
    }
    Ok(response)
}

/// Reads at most one byte more than `limit`, by which a longer reply is known.
fn transmit(agent: &Agent, request: Request<Bytes>, limit: usize) -> Result<Response<Bytes>, Error> {
    let host = request.uri().host().unwrap_or_default().to_owned();
    let (head, body) = request.into_parts();
    // An empty slice would be sent with a `Content-Length`, which no `GET` has.
    let response = if body.is_empty() {
        run(agent, Request::from_parts(head, ()))
    } else {
        run(agent, Request::from_parts(head, &*body))
    };
    let (head, body) = response.map_err(|error| unavailable(&host, error))?.into_parts();
    let mut bytes = Vec::new();
    let limit = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let read = body.into_reader().take(limit).read_to_end(&mut bytes);
    read.map_err(|error| unavailable(&host, error.into()))?;
    Ok(Response::from_parts(head, Bytes::from(bytes)))
}

fn run(agent: &Agent, request: Request<impl AsSendBody>) -> Result<Response<::ureq::Body>, ::ureq::Error> {
    let timeout = agent.config().timeouts().global.map_or(TIMEOUT, |global| global.min(TIMEOUT));
    let call = request.with_agent(agent).configure();
    let call = call.max_redirects(0).max_redirects_will_error(false).http_status_as_error(false);
    call.allow_non_standard_methods(true).timeout_global(Some(timeout)).run()
}

fn unavailable(host: &str, error: ::ureq::Error) -> Error {
    use ::ureq::Error as Failure;
    let remedy = match &error {
        Failure::TlsRequired => "turn on a TLS feature of `ureq`, such as `rustls`: this crate's feature does not",
        Failure::HostNotFound => "check the base URL and the name resolution; nothing was sent",
        Failure::Tls(_) => "check the clock, the trusted certificates, and whether a proxy stands between",
        _ => "check network and base URL; the request may have arrived, so look before you send an order again",
    };
    Error::new(ErrorKind::Unavailable, Stage::Transport, format!("no reply from {host}: {error}"))
        .with_remedy(remedy)
        .with_source(error)
}
