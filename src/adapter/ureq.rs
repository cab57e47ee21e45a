//! [`ureq`](https://docs.rs/ureq/3) 3 as a transport, which blocks the thread.
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

use super::{
    CHECK_CONNECTION, LOOK_FIRST, failure, read_body, too_large,
    unsent::{WatchedBody, is_before_sending},
};
use crate::{
    session::{Failure, FailureKind},
    trace,
    transport::{Limits, Transport},
};

impl Transport for Agent {
    fn send(&self, request: Request<Bytes>, limits: Limits) -> Result<Response<Bytes>, Failure> {
        trace::sending(&request);
        let (mut head, body) = request.into_parts();
        // An empty body would be sent with a `Content-Length`, which no `GET` has.
        let response = if body.is_empty() {
            run(self, Request::from_parts(head, ()), limits.timeout).map_err(no_response)
        } else {
            if !head.headers.contains_key(TRANSFER_ENCODING) && !head.headers.contains_key(CONTENT_LENGTH) {
                head.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
            }
            let mut watched = WatchedBody::new(&body);
            let response = run(self, Request::from_parts(head, SendBody::from_reader(&mut watched)), limits.timeout);
            response.map_err(|error| if watched.was_read() { no_response(error) } else { not_sent(error) })
        };
        let (head, body) = response?.into_parts();
        let bytes = read_body(body.into_reader(), limits.longest_body).map_err(|error| no_response(error.into()))?;
        Ok(Response::from_parts(head, bytes.ok_or_else(|| too_large(limits.longest_body))?))
    }
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

fn no_response(error: UreqError) -> Failure {
    match &error {
        known if is_before_sending(known) => not_sent(error),
        UreqError::Timeout(_) => failure(FailureKind::TimedOut, LOOK_FIRST, error),
        _ => failure(FailureKind::MaybeSent, LOOK_FIRST, error),
    }
}

fn not_sent(error: UreqError) -> Failure {
    let remedy = match &error {
        // Its text is the whole URL.
        UreqError::BadUri(_) | UreqError::RequireHttpsOnly(_) => {
            let reason = "the agent takes no such URL (is it allowed `https` only?)";
            return failure(FailureKind::NotSent, CHECK_CONNECTION, reason);
        }
        UreqError::TlsRequired => "turn on a TLS feature of `ureq`, such as `rustls`",
        _ => CHECK_CONNECTION,
    };
    failure(FailureKind::NotSent, remedy, error)
}
