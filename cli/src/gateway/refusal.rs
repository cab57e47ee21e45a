//! What the gateway says no with, in the broker's shape, which clients read.

use ibkr_oauth::http::StatusCode;
use serde_json::json;

/// A refusal of the gateway's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    /// What is the matter, and what to do.
    pub(crate) words: String,
    /// After how many seconds to ask again.
    pub(crate) retry_after: Option<u64>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, words: impl Into<String>) -> Self {
        Self { status, words: words.into(), retry_after: None }
    }

    pub(crate) fn bad(words: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, words)
    }

    pub(crate) fn unauthorized(words: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, words)
    }

    pub(crate) fn forbidden(words: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, words)
    }

    pub(crate) fn unknown(words: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, words)
    }

    pub(crate) fn method() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "this path does not take this method")
    }

    pub(crate) fn upgrade() -> Self {
        Self::new(StatusCode::UPGRADE_REQUIRED, "this is a WebSocket: ask for an upgrade")
    }

    pub(crate) fn after(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds.max(1)), ..self }
    }

    /// As clients of the broker's read it.
    pub(crate) fn body(&self) -> String {
        json!({ "error": self.words, "statusCode": self.status.as_u16() }).to_string()
    }
}
