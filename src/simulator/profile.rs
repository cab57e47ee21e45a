//! What the broker knows before the first request.

use super::{
    address::Base,
    arithmetic::{Group, RsaPublic},
    availability::Availability,
};
use crate::consumer::QueryPolicy;

/// What the broker knows of its one consumer, and where it listens.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "the settings do not depend on each other")]
pub(super) struct Profile {
    pub(super) consumer_key: String,
    pub(super) realm: String,
    pub(super) signature_key: RsaPublic,
    pub(super) encryption_key: RsaPublic,
    pub(super) group: Group,
    pub(super) base: Base,
    /// Those that query and form may be signed under; at least one.
    pub(super) query_policies: Vec<QueryPolicy>,
    /// Whether it refuses what deviates from the written contract.
    pub(super) is_strict: bool,
    pub(super) paper: bool,
    /// Whether the broker has activated the consumer.
    pub(super) is_active: bool,
    pub(super) first_party_only: bool,
    pub(super) accounts: Vec<String>,
    pub(super) callback: String,
    pub(super) consent_page: Option<String>,
    pub(super) availability: Availability,
}
