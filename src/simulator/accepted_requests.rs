//! The log of what the broker accepted.

use std::collections::VecDeque;

use http::{Method, StatusCode};

use super::{judge::Judge, newest::REMEMBERED, verify::Verified};
use crate::{consumer::QueryPolicy, context::Timestamp};

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
    query_policies: Vec<QueryPolicy>,
    deviations: Vec<&'static str>,
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

    /// The query policies under which its query and form are signed so: more than one where they come to the same text,
    /// and none where the request has neither, or belongs to the sign-in.
    #[must_use]
    pub fn query_policies(&self) -> &[QueryPolicy] {
        &self.query_policies
    }

    /// Where it deviates from the written contract, by name: lower case, with underscores, such as
    /// `header_value_unquoted`. A [strict](super::BrokerBuilder::strict) broker would have refused it.
    ///
    /// As those of [reasons](super::Refusal::reason), the names are **not under semantic versioning**.
    #[must_use]
    pub fn deviations(&self) -> &[&'static str] {
        &self.deviations
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
            query_policies: verified.query_policies.clone(),
            deviations: Vec::new(),
        }
    }

    pub(super) fn answered(mut self, status: StatusCode, judge: &Judge) -> Self {
        self.status = status;
        self.deviations = judge.names();
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
