//! Sending with [`ureq`](https://docs.rs/ureq/3) 3, which blocks the thread. Needs the feature `ureq`.
//!
//! For `https` turn on one of `ureq`'s TLS features. Redirects, retries and status errors are off in each call, whatever
//! the agent's configuration says; shorter `timeout_global`, `timeout_resolve` and `timeout_connect` of the agent's are
//! kept. Two thirds of a call's time are for the connection.

use std::time::Duration;

use ::ureq::{Agent, AsSendBody, Error as UreqError, RequestExt, SendBody};
use bytes::Bytes;
use http::{
    HeaderValue, Request, Response,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
};

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

use super::unsent::{WatchedBody, is_before_sending};

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
    let (mut head, body) = request.into_parts();
    // An empty body would be sent with a `Content-Length`, which no `GET` has.
    let response = if body.is_empty() {
        run(agent, Request::from_parts(head, ()), timeout).map_err(no_reply)
    } else {
        if !head.headers.contains_key(TRANSFER_ENCODING) && !head.headers.contains_key(CONTENT_LENGTH) {
            head.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        }
        let mut watched = WatchedBody::new(&body);
        let response = run(agent, Request::from_parts(head, SendBody::from_reader(&mut watched)), timeout);
        response.map_err(|error| if watched.was_read() { no_reply(error) } else { not_sent(error) })
    };
    let (head, body) = response?.into_parts();
    let bytes = read_body(body.into_reader(), limit).map_err(|error| no_reply(error.into()))?;
    Ok(Response::from_parts(head, bytes.ok_or_else(|| NoReply::too_large(limit))?))
}

fn run(agent: &Agent, request: Request<impl AsSendBody>, most: Duration) -> Result<Response<::ureq::Body>, UreqError> {
    let own = agent.config().timeouts();
    let at_most = |own: Option<Duration>, most: Duration| Some(own.map_or(most, |own| own.min(most)));
    let timeout = own.global.map_or(most, |global| global.min(most));
    let call = request.with_agent(agent).configure();
    let call = call.max_redirects(0).max_redirects_will_error(false).http_status_as_error(false);
    let call = call.allow_non_standard_methods(true).timeout_global(Some(timeout));
    // Where the time of these runs out first, it is known that nothing was sent.
    let call = call.timeout_resolve(at_most(own.resolve, timeout));
    call.timeout_connect(at_most(own.connect, timeout.saturating_mul(2) / 3)).run()
}

fn no_reply(error: UreqError) -> NoReply {
    match &error {
        known if is_before_sending(known) => not_sent(error),
        UreqError::Timeout(_) => NoReply::new(FailureKind::TimedOut, LOOK_FIRST, error),
        _ => NoReply::new(FailureKind::MaybeSent, LOOK_FIRST, error),
    }
}

fn not_sent(error: UreqError) -> NoReply {
    let remedy = match &error {
        // Its text is the whole URL.
        UreqError::BadUri(_) | UreqError::RequireHttpsOnly(_) => {
            let reason = "the agent takes no such URL (is it allowed `https` only?)";
            return NoReply::new(FailureKind::NotSent, CHECK_CONNECTION, reason);
        }
        UreqError::TlsRequired => "turn on a TLS feature of `ureq`, such as `rustls`",
        _ => CHECK_CONNECTION,
    };
    NoReply::new(FailureKind::NotSent, remedy, error)
}
