//! What may come of a request, with what is known of each by its nature: whether the broker may have acted on it.

use bytes::Bytes;
use http::Response;
use ibkr_oauth::session::{Failure, FailureKind};

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Response { status: u16, body: &'static str, retry_after: Option<&'static str> },
    Failure(FailureKind),
}

/// An outcome, and whether the broker may have acted on the request.
pub(crate) struct Row {
    pub(crate) outcome: Outcome,
    pub(crate) may_have_acted: bool,
}

const fn response(status: u16, body: &'static str, may_have_acted: bool) -> Row {
    Row { outcome: Outcome::Response { status, body, retry_after: None }, may_have_acted }
}

const fn paced(retry_after: Option<&'static str>) -> Row {
    Row { outcome: Outcome::Response { status: 429, body: "", retry_after }, may_have_acted: false }
}

const fn failure(kind: FailureKind, may_have_acted: bool) -> Row {
    Row { outcome: Outcome::Failure(kind), may_have_acted }
}

/// Written down by hand, from what the statuses (RFC 9110) and the broker's words mean.
pub(crate) const ROWS: [Row; 30] = [
    response(200, "{}", true),
    response(200, r#"{"error":"something went wrong"}"#, true),
    response(200, r#"{"error":"no bridge","statusCode":400}"#, false),
    response(302, "", true),
    response(400, r#"{"error":"Bad Request: no bridge"}"#, false),
    response(400, r#"{"error":"Please query /accounts first"}"#, false),
    response(400, "", false),
    response(401, "", false),
    response(401, r#"{"error":"not authenticated"}"#, false),
    response(403, "", false),
    response(404, "", true),
    response(408, "", true),
    response(409, "", true),
    response(410, "", false),
    response(418, "", true),
    paced(None),
    paced(Some("1")),
    paced(Some("86400")),
    response(500, "", true),
    response(500, r#"{"error":"Please query /accounts first"}"#, false),
    response(500, r#"{"error":"no bridge"}"#, false),
    response(502, "<html>", true),
    response(503, "", true),
    response(503, r#"{"error":"Order 12 is not found"}"#, true),
    response(504, "", true),
    failure(FailureKind::NotSent, false),
    failure(FailureKind::MaybeSent, true),
    failure(FailureKind::TimedOut, true),
    failure(FailureKind::TooLarge, true),
    failure(FailureKind::Refused, true),
];

impl Outcome {
    pub(crate) fn result(self) -> Result<Response<Bytes>, Failure> {
        match self {
            Self::Response { status, body, retry_after } => {
                let mut response = Response::builder().status(status);
                if let Some(wait) = retry_after {
                    response = response.header("retry-after", wait);
                }
                Ok(response.body(Bytes::from_static(body.as_bytes())).unwrap())
            }
            Self::Failure(kind) => Err(Failure::new(kind, "the test says so")),
        }
    }
}
