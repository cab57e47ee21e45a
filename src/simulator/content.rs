//! The body of a request, by its `Content-Type`.

use bytes::Bytes;
use http::{Request, header};
use serde_json::Value;

use super::{
    reason::Reason,
    refusal::{Objection, ensure, refuse},
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
    let is_json = is_media_type(request, "application/json");
    ensure(is_json, Reason::BodyMalformed, "Content-Type is not application/json")?;
    serde_json::from_slice(request.body())
        .or_else(|error| refuse(Reason::BodyMalformed, format_args!("the body is not JSON: {error}")))
}

/// Sets a field of a JSON object.
pub(super) fn set_field(object: &mut Value, name: &str, value: impl Into<Value>) {
    if let Some(fields) = object.as_object_mut() {
        fields.insert(name.to_owned(), value.into());
    }
}
