//! The body of a request, by its `Content-Type`.

use bytes::Bytes;
use http::{Request, header};
use serde_json::Value;

use super::{
    reason::Reason,
    refusal::{Objection, refuse},
};

/// Whether the request's `Content-Type`, its parameters left aside, is `media_type`.
pub(super) fn is_media_type(request: &Request<Bytes>, media_type: &str) -> bool {
    request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|value| value.trim().eq_ignore_ascii_case(media_type))
}

/// The body, where it is form-encoded.
pub(super) fn form_of(request: &Request<Bytes>) -> Option<&[u8]> {
    is_media_type(request, "application/x-www-form-urlencoded").then_some(request.body())
}

/// The body as JSON.
pub(super) fn read_json(request: &Request<Bytes>) -> Result<Value, Objection> {
    if !is_media_type(request, "application/json") {
        return refuse(Reason::BodyMalformed, "Content-Type is not application/json");
    }
    serde_json::from_slice(request.body())
        .or_else(|error| refuse(Reason::BodyMalformed, format!("the body is not JSON: {error}")))
}
