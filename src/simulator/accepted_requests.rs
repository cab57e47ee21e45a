//! What the broker remembers of a request that it accepted.

use http::{Method, StatusCode};

use super::verify::Verified;
use crate::{consumer::QueryPolicy, context::Timestamp};

/// A request that passed every check of its address, parameters and signature.
///
/// Its resource may have refused it all the same: see [`status`](Self::status).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AcceptedRequest {
    /// The broker's time when it answered.
    pub at: Timestamp,
    /// The method.
    pub method: Method,
    /// The path from the end of the base URL on, with its leading slash.
    pub path: String,
    /// `oauth_token`; `None` in the request for a request token.
    pub token: Option<String>,
    /// `oauth_timestamp`, in seconds.
    pub timestamp: u64,
    /// `oauth_nonce`.
    pub nonce: String,
    /// The answer's status.
    pub status: StatusCode,
    /// The query policies under which its query and form are signed so: more than one where they come to the same text,
    /// and none where the request has neither, or belongs to the sign-in.
    pub query_policies: Vec<QueryPolicy>,
    /// Where it deviates from the written contract, by name: lower case, with underscores, such as
    /// `header_value_unquoted`. A [strict](super::BrokerBuilder::strict) broker would have refused it.
    ///
    /// As those of [reasons](super::Refusal::reason), the names are **not under semantic versioning**.
    pub deviations: Vec<&'static str>,
}

impl AcceptedRequest {
    pub(super) fn new(
        method: &Method,
        verified: Verified,
        at: Timestamp,
        status: StatusCode,
        deviations: Vec<&'static str>,
    ) -> Self {
        let Verified { path, parameters, timestamp, query_policies, .. } = verified;
        let parameter = |name| parameters.get(name).map(str::to_owned);
        let (token, nonce) = (parameter("oauth_token"), parameter("oauth_nonce").unwrap_or_default());
        Self { at, method: method.clone(), path, token, timestamp, nonce, status, query_policies, deviations }
    }
}
