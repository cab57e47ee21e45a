//! The body of a request.

use axum::body::{self, Body, HttpBody as _};
use http_body_util::LengthLimitError;
use ibkr_oauth::{
    bytes::Bytes,
    http::{StatusCode, header::CONTENT_LENGTH, request::Parts},
};
use tokio::time;

use super::connection::Asked;
use crate::among_sources;

/// A request whose body cannot be had. The connection is of no more use.
pub(crate) struct Unreadable {
    pub(crate) status: StatusCode,
    pub(crate) why: String,
}

impl Unreadable {
    fn new(status: StatusCode, why: impl Into<String>) -> Self {
        Self { status, why: why.into() }
    }
}

/// All of a request's body, within the server's limits.
pub(crate) async fn whole(head: &mut Parts, body: Body) -> Result<Bytes, Unreadable> {
    let Some(Asked { limits, place }) = head.extensions.remove() else {
        return Err(Unreadable::new(StatusCode::INTERNAL_SERVER_ERROR, "it came by no connection"));
    };
    if body.is_end_stream() {
        place.answers();
        return Ok(Bytes::new());
    }
    let longest = limits.longest_body;
    let too_long =
        || Unreadable::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is longer than {longest} bytes"));
    let stated = head.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if stated.is_some_and(|length| length > longest) {
        return Err(too_long());
    }
    // Most requests have none, and their future needs no room for this.
    let arriving = Box::pin(time::timeout(limits.body, body::to_bytes(body, longest)));
    let body = match arriving.await {
        Ok(Ok(body)) => body,
        Ok(Err(error)) if among_sources::find::<LengthLimitError>(&error).is_some() => return Err(too_long()),
        Ok(Err(error)) => {
            return Err(Unreadable::new(StatusCode::BAD_REQUEST, format!("the body did not arrive: {error}")));
        }
        Err(_) => {
            let seconds = limits.body.as_secs();
            return Err(Unreadable::new(
                StatusCode::REQUEST_TIMEOUT,
                format!("the body did not arrive within {seconds} s"),
            ));
        }
    };
    place.answers();
    Ok(body)
}
