//! The log of what the broker accepted.

use std::collections::VecDeque;

use http::{Method, StatusCode};

use super::{newest::REMEMBERED, verify::Verified};
use crate::context::Timestamp;

/// A request that passed every check of its address, parameters and signature.
///
/// Its resource may have refused it all the same: see [`status`](Self::status).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedRequest {
    at: Timestamp,
    method: Method,
    path: String,
    token: Option<String>,
    timestamp: u64,
    nonce: String,
    status: StatusCode,
}

impl AcceptedRequest {
    /// The broker's time when it answered.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        self.at
    }

    /// The method.
    #[must_use]
    pub const fn method(&self) -> &Method {
        &self.method
    }

    /// The path from the end of the base URL on, with its leading slash.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// `oauth_token`; `None` in the request for a request token.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// `oauth_timestamp`, in seconds.
    #[must_use]
    pub const fn timestamp(&self) -> u64 {
        self.timestamp
    }

    /// `oauth_nonce`.
    #[must_use]
    pub fn nonce(&self) -> &str {
        &self.nonce
    }

    /// The answer's status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// What is known before the answer is.
    pub(super) fn new(method: &Method, verified: &Verified, at: Timestamp) -> Self {
        Self {
            at,
            method: method.clone(),
            path: verified.path.clone(),
            token: verified.parameters.get("oauth_token").map(str::to_owned),
            timestamp: verified.timestamp,
            nonce: verified.parameters.get("oauth_nonce").unwrap_or_default().to_owned(),
            status: StatusCode::OK,
        }
    }

    pub(super) const fn answered(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }
}

/// The newest accepted requests, the oldest of them first.
#[derive(Debug, Default)]
pub(super) struct Log(VecDeque<AcceptedRequest>);

impl Log {
    pub(super) fn push(&mut self, accepted: AcceptedRequest) {
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(accepted);
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &AcceptedRequest> + ExactSizeIterator {
        self.0.iter()
    }
}
