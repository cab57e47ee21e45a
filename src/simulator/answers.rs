//! The broker's answers, as the real one words them where that is known.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};

use super::{endpoint::Endpoint, reason::Reason, refusal::Objection};
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
    Empty,
    Json(Value),
    Problem(Value),
    Html(String),
    Other { content_type: HeaderValue, content: Bytes },
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

    /// An error of the three OAuth endpoints, with the number that changes at every request.
    pub(super) fn traced_error(trace: u64, text: &str) -> Self {
        Self::error(StatusCode::UNAUTHORIZED, &format!("id: {trace}, error: {text}"))
    }

    pub(super) fn html(status: StatusCode, heading: &str) -> Self {
        Self::new(status, Body::Html(format!("<html><body><h1>{heading}</h1></body></html>")))
    }

    pub(super) fn refusing(objection: &Objection, endpoint: Endpoint, token: &str, trace: u64) -> Self {
        match objection.reason {
            Reason::UserAgentMissing => Self::html(StatusCode::FORBIDDEN, "Access Denied"),
            Reason::ContentLengthMissing => Self::html(StatusCode::LENGTH_REQUIRED, "Length Required"),
            Reason::ContentLengthDiffers | Reason::UriNotAbsolute | Reason::UserinfoPresent => {
                Self::html(StatusCode::BAD_REQUEST, "Bad Request")
            }
            Reason::SchemeDiffers | Reason::HostDiffers | Reason::PortDiffers => {
                Self::html(StatusCode::MISDIRECTED_REQUEST, "Misdirected Request")
            }
            Reason::PathOutsideBase | Reason::PathNotNormal | Reason::ResourceUnknown | Reason::AccountUnknown => {
                Self::error(StatusCode::NOT_FOUND, "Resource not found")
            }
            Reason::AccountsNotQueried => {
                Self::error(StatusCode::INTERNAL_SERVER_ERROR, "Please query /accounts first")
            }
            Reason::MethodNotAllowed => Self::html(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed"),
            Reason::ConsumerUnknown | Reason::ConsumerInactive => Self::traced_error(trace, "invalid consumer"),
            Reason::ParameterMissing
            | Reason::ParameterUnknown
            | Reason::ParameterRepeated
            | Reason::ParameterMisplaced => Self::traced_error(trace, &objection.detail),
            Reason::TokenUnknown if endpoint == Endpoint::LiveSessionToken => Self::no_access_secret(trace, token),
            Reason::SignatureMalformed | Reason::SignatureDiffers if endpoint == Endpoint::LiveSessionToken => {
                Self::live_session_token_failed(trace)
            }
            Reason::ChallengeMalformed | Reason::ChallengeOutOfRange => Self::live_session_token_failed(trace),
            Reason::SignatureMalformed | Reason::SignatureDiffers => {
                Self::error(StatusCode::UNAUTHORIZED, "Invalid signature")
            }
            Reason::TokenUnknown
            | Reason::LiveSessionTokenMissing
            | Reason::LiveSessionTokenExpired
            | Reason::SessionValueDiffers => Self::error(StatusCode::UNAUTHORIZED, "not authenticated"),
            Reason::BrokerageSessionClosed => Self::error(StatusCode::BAD_REQUEST, "Bad Request: no bridge"),
            Reason::BodyMalformed
            | Reason::BodyUnexpected
            | Reason::ParametersMalformed
            | Reason::SubscribedTooEarly
            | Reason::TopicUnknown
            | Reason::MarketDataLinesExceeded
            | Reason::HistoriesExceeded => Self::error(StatusCode::BAD_REQUEST, "Bad Request"),
            Reason::PublishNotTrue => Self::error(StatusCode::INTERNAL_SERVER_ERROR, "publish must be true"),
            Reason::RateExceeded | Reason::PenaltyBox => Self::too_many_requests(),
            Reason::EntropyFailed => Self::error(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"),
            Reason::FirstPartyOnly => Self::traced_error(trace, "request not available to this consumer"),
            Reason::RealmDiffers => Self::traced_error(trace, "invalid realm"),
            Reason::TimestampMalformed | Reason::TimestampOutsideWindow | Reason::TimestampOutOfOrder => {
                Self::traced_error(trace, "invalid oauth_timestamp")
            }
            Reason::NonceRepeated => Self::traced_error(trace, "invalid oauth_nonce"),
            Reason::CallbackMalformed => Self::traced_error(trace, "invalid oauth_callback"),
            Reason::VerifierDiffers => Self::traced_error(trace, "invalid oauth_verifier"),
            Reason::SignatureMethodDiffers => Self::traced_error(trace, "invalid oauth_signature_method"),
            Reason::VersionUnsupported => Self::traced_error(trace, "invalid oauth_version"),
            Reason::RequestTokenUnknown | Reason::RequestTokenUsed | Reason::ConsentMissing => {
                Self::traced_error(trace, "invalid oauth_token")
            }
            Reason::AuthorizationMissing => Self::traced_error(trace, "missing Authorization"),
            Reason::AuthorizationRepeated
            | Reason::AuthorizationSchemeUnknown
            | Reason::AuthorizationMalformed
            | Reason::ConsentPageUnknown
            | Reason::RedirectMalformed => Self::traced_error(trace, "invalid Authorization"),
        }
    }

    pub(super) fn too_many_requests() -> Self {
        Self::error(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests")
    }

    pub(super) fn no_access_secret(trace: u64, token: &str) -> Self {
        Self::traced_error(trace, &format!("LST failed, error: No access secret key found for {token}"))
    }

    fn live_session_token_failed(trace: u64) -> Self {
        Self::traced_error(trace, "LST failed, error: ")
    }

    pub(super) fn into_response(self, now: Timestamp) -> Response<Bytes> {
        let (content_type, content) = match self.body {
            Body::Empty => (None, Bytes::new()),
            Body::Json(value) => {
                (Some(HeaderValue::from_static("application/json; charset=utf-8")), Bytes::from(value.to_string()))
            }
            Body::Problem(value) => {
                (Some(HeaderValue::from_static("application/problem+json")), Bytes::from(value.to_string()))
            }
            Body::Html(text) => (Some(HeaderValue::from_static("text/html; charset=utf-8")), Bytes::from(text)),
            Body::Other { content_type, content } => (Some(content_type), content),
        };
        let length = HeaderValue::from(content.len());
        let mut response = Response::new(content);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_LENGTH, length);
        if let Some(content_type) = content_type {
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
