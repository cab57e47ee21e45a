//! Sending with [`ureq`](https://docs.rs/ureq/3) 3, which blocks the thread. Needs the feature `ureq`.
//!
//! For `https` turn on one of `ureq`'s TLS features. Redirects, retries and status errors are off in each call, whatever
//! the agent's configuration says; a shorter `timeout_global` of the agent's is kept.

use std::time::Duration;

use ::ureq::{Agent, AsSendBody, Error as UreqError, RequestExt, Timeout};
use bytes::Bytes;
use http::{Request, Response};

use super::{CHECK_CONNECTION, LONGEST_REPLY, LOOK_FIRST, NoReply, TIMEOUT, complete_head, host, read_body, sign};
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
pub fn send<T>(agent: &Agent, exchange: Exchange<T>) -> Result<T, Error> {
    let (request, pending) = exchange.into_parts();
    let host = host(&request);
    let reply = transmit(agent, request, response::LONGEST_RESPONSE, TIMEOUT);
    pending.complete(reply.map_err(|no_reply| no_reply.error(&host))?)
}

/// Signs a request, as a form if its media type is that of one, and sends it. The reply is handed back whatever its
/// status. Its token id is [`Signer::token_id`].
///
/// Adds the consumer's `User-Agent` where there is none, and `Content-Length: 0` to a `POST` or `PUT` without a body:
/// the broker refuses requests without them.
///
/// # Errors
/// As [`Signer::sign`] and [`Signer::sign_form`]; an error of [`Stage::Transport`](crate::Stage::Transport) if there is
/// no whole reply.
pub fn sign_and_send(
    agent: &Agent,
    signer: &Signer,
    cx: &mut Context<'_>,
    request: Request<impl Into<Bytes>>,
) -> Result<Response<Bytes>, Error> {
    let mut request = complete_head(signer, request);
    sign(signer, cx, &mut request)?;
    let host = host(&request);
    transmit(agent, request, LONGEST_REPLY, TIMEOUT).map_err(|no_reply| no_reply.error(&host))
}

/// Drives a session on this thread until it finishes.
pub fn drive<E: Entropy>(agent: &Agent, driver: Driver<E>, on_event: impl FnMut(SessionEvent)) {
    let send = |request, timeout| transmit(agent, request, response::LONGEST_RESPONSE, timeout).map_err(Failure::from);
    driver.run_blocking(send, on_event);
}

fn transmit(
    agent: &Agent,
    request: Request<Bytes>,
    limit: usize,
    timeout: Duration,
) -> Result<Response<Bytes>, NoReply> {
    trace::sending(&request);
    let (head, body) = request.into_parts();
    // An empty slice would be sent with a `Content-Length`, which no `GET` has.
    let response = if body.is_empty() {
        run(agent, Request::from_parts(head, ()), timeout)
    } else {
        run(agent, Request::from_parts(head, &*body), timeout)
    };
    let (head, body) = response.map_err(no_reply)?.into_parts();
    let bytes = read_body(body.into_reader(), limit).map_err(|error| no_reply(error.into()))?;
    Ok(Response::from_parts(head, bytes.ok_or_else(|| NoReply::too_large(limit))?))
}

fn run(agent: &Agent, request: Request<impl AsSendBody>, most: Duration) -> Result<Response<::ureq::Body>, UreqError> {
    let timeout = agent.config().timeouts().global.map_or(most, |global| global.min(most));
    let call = request.with_agent(agent).configure();
    let call = call.max_redirects(0).max_redirects_will_error(false).http_status_as_error(false);
    call.allow_non_standard_methods(true).timeout_global(Some(timeout)).run()
}

fn no_reply(error: UreqError) -> NoReply {
    let (kind, remedy) = match &error {
        // Its text is the whole URL.
        UreqError::BadUri(_) | UreqError::RequireHttpsOnly(_) => {
            let reason = "the agent takes no such URL (is it allowed `https` only?)";
            return NoReply::new(FailureKind::NotSent, CHECK_CONNECTION, reason);
        }
        UreqError::TlsRequired => (FailureKind::NotSent, "turn on a TLS feature of `ureq`, such as `rustls`"),
        UreqError::HostNotFound
        | UreqError::ConnectionFailed
        | UreqError::InvalidProxyUrl
        | UreqError::ConnectProxyFailed(_)
        | UreqError::Tls(_)
        | UreqError::Timeout(Timeout::Resolve | Timeout::Connect) => (FailureKind::NotSent, CHECK_CONNECTION),
        UreqError::Timeout(_) => (FailureKind::TimedOut, LOOK_FIRST),
        UreqError::Io(io) if io.kind() == std::io::ErrorKind::ConnectionRefused => {
            (FailureKind::NotSent, CHECK_CONNECTION)
        }
        error if is_of_handshake(error) => (FailureKind::NotSent, CHECK_CONNECTION),
        _ => (FailureKind::MaybeSent, LOOK_FIRST),
    };
    NoReply::new(kind, remedy, error)
}

/// Whether TLS failed before the request could be sent.
///
/// The TLS is the application's choice, and not known here: its errors are told by how `ureq` names them.
fn is_of_handshake(error: &UreqError) -> bool {
    let text = error.to_string();
    ["rustls: ", "native-tls: ", "io: invalid peer certificate: "].iter().any(|start| text.starts_with(start))
}
