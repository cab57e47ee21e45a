//! A request under examination, and what it is held against.

use bytes::Bytes;
use http::Request;

use super::{
    address::Address, canonical::Signed, content::form_of, endpoint::Endpoint, parameters::Parameters,
    profile::Profile, registry::Registry,
};
use crate::{consumer::QueryPolicy, context::Timestamp, diagnose::mistakes};

/// A request under examination, and what it is held against.
pub(super) struct Examination<'a> {
    pub(super) profile: &'a Profile,
    pub(super) registry: &'a Registry,
    pub(super) request: &'a Request<Bytes>,
    pub(super) address: &'a Address,
    pub(super) endpoint: Endpoint,
    pub(super) parameters: &'a Parameters,
    /// The parameters that are signed.
    pub(super) protocol: Vec<(String, String)>,
    pub(super) now: Timestamp,
}

impl Examination<'_> {
    pub(super) fn query(&self) -> Option<&str> {
        self.request.uri().query()
    }

    pub(super) fn form(&self) -> Option<&[u8]> {
        form_of(self.request)
    }

    /// What the broker makes its base strings of.
    pub(super) fn signed(&self) -> Signed<'_> {
        Signed {
            method: self.request.method().as_str(),
            base_uri: &self.address.base_uri,
            query: self.query(),
            form: self.form(),
            protocol: &self.protocol,
        }
    }

    /// The same for the search for mistakes.
    pub(super) fn to_diagnose(&self, policy: QueryPolicy) -> mistakes::Signed<'_> {
        mistakes::Signed {
            method: self.request.method(),
            uri: self.request.uri(),
            form: self.form(),
            oauth: &self.protocol,
            realm: self.parameters.realm.as_deref(),
            policy,
        }
    }
}
