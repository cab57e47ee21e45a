//! The broker's answers, as the real one words them where that is known.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};

use crate::context::Timestamp;

/// An answer before it becomes bytes, so that a fault can still change it.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Body,
    /// Beside those that every answer has.
    pub(super) headers: Vec<(&'static str, HeaderValue)>,
}

#[derive(Clone, Debug)]
pub(super) enum Body {
    Json(Value),
    /// Without a `Content-Type` where that is empty.
    Other {
        content_type: HeaderValue,
        content: Bytes,
    },
}

impl Answer {
    pub(super) const fn new(status: StatusCode, body: Body) -> Self {
        Self { status, body, headers: Vec::new() }
    }

    /// With one more header, unless no header can hold `value`.
    pub(super) fn with_header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.extend(HeaderValue::from_bytes(value.as_bytes()).ok().map(|value| (name, value)));
        self
    }

    pub(super) const fn ok(body: Value) -> Self {
        Self::new(StatusCode::OK, Body::Json(body))
    }

    pub(super) fn error(status: StatusCode, text: &str) -> Self {
        Self::new(status, Body::Json(json!({ "error": text, "statusCode": status.as_u16() })))
    }

    /// Without a body.
    pub(super) const fn empty(status: StatusCode) -> Self {
        Self::new(status, Body::Other { content_type: HeaderValue::from_static(""), content: Bytes::new() })
    }

    pub(super) fn page(status: StatusCode, html: String) -> Self {
        let content_type = HeaderValue::from_static("text/html; charset=utf-8");
        Self::new(status, Body::Other { content_type, content: html.into() })
    }

    pub(super) fn too_many_requests() -> Self {
        Self::error(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests")
    }

    pub(super) fn into_response(self, now: Timestamp) -> Response<Bytes> {
        let (content_type, content) = match self.body {
            Body::Json(value) => {
                (HeaderValue::from_static("application/json; charset=utf-8"), Bytes::from(value.to_string()))
            }
            Body::Other { content_type, content } => (content_type, content),
        };
        let length = HeaderValue::from(content.len());
        let mut response = Response::new(content);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_LENGTH, length);
        if !content_type.is_empty() {
            headers.insert(header::CONTENT_TYPE, content_type);
        }
        for (name, value) in self.headers {
            headers.append(HeaderName::from_static(name), value);
        }
        if let Some(date) = http_date(now) {
            headers.insert(header::DATE, date);
        }
        response
    }
}

/// `None` where the year has more than four digits.
fn http_date(now: Timestamp) -> Option<HeaderValue> {
    const YEAR_10_000: u64 = 253_402_300_800;
    let since_epoch = Some(now.as_secs()).filter(|seconds| *seconds < YEAR_10_000).map(Duration::from_secs)?;
    HeaderValue::try_from(httpdate::fmt_http_date(SystemTime::UNIX_EPOCH.checked_add(since_epoch)?)).ok()
}
