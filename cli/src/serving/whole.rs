//! A request with its body.

use std::{error::Error, iter};

use axum::{body, body::HttpBody as _, extract::Request as Incoming};
use http_body_util::LengthLimitError;
use ibkr_oauth::{
    bytes::Bytes,
    http::{Request, StatusCode, header::CONTENT_LENGTH},
};
use tokio::time;

use super::connection::Asked;

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

/// The request with all of its body, within the server's limits.
pub(crate) async fn whole(request: Incoming) -> Result<Request<Bytes>, Unreadable> {
    let (mut head, body) = request.into_parts();
    let Some(Asked { limits, place }) = head.extensions.remove() else {
        return Err(Unreadable::new(StatusCode::INTERNAL_SERVER_ERROR, "it came by no connection"));
    };
    let longest = limits.longest_body;
    let too_long =
        || Unreadable::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is longer than {longest} bytes"));
    let stated = head.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if stated.is_some_and(|length| length > longest) {
        return Err(too_long());
    }
    let arriving = async { if body.is_end_stream() { Ok(Bytes::new()) } else { body::to_bytes(body, longest).await } };
    let body = match time::timeout(limits.body, arriving).await {
        Ok(Ok(body)) => body,
        Ok(Err(error)) if is_about_length(&error) => return Err(too_long()),
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
    Ok(Request::from_parts(head, body))
}

fn is_about_length(error: &(dyn Error + 'static)) -> bool {
    iter::successors(Some(error), |error| (*error).source()).any(<dyn Error>::is::<LengthLimitError>)
}
