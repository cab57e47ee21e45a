//! Checking credentials offline: does each part do what it is for, and do they fit together?

use super::finding::Finding;
use crate::{bundle::CredentialBundle, context::Context};

mod address;
mod group;
mod keys;
mod names;
mod token;

/// Looks at a credential bundle that has been [resolved](CredentialBundle::resolve). What has not been is a finding.
///
/// Where something is wrong, begin with the first of the worst: what comes after it may well follow from it. Where nothing
/// is, and the broker still says `invalid consumer`, only waiting is left: a weekend reset activates new consumer keys.
///
/// Nothing is sent, and nothing secret is shown. A group that is not well known is tested for primality, which takes some
/// tenths of a second for 2048 bits and many seconds for 8192.
#[must_use]
pub fn check(bundle: &CredentialBundle, cx: &mut Context<'_>) -> Vec<Finding> {
    let mut list = Vec::new();
    names::check(&bundle.consumer_key, bundle.realm.as_deref(), &mut list);
    address::check(bundle.base_url.as_deref(), &mut list);
    let keys = keys::check(bundle, address::is_here(bundle.base_url.as_deref()), &mut list);
    token::check(bundle.access_token.as_ref(), &keys, cx, &mut list);
    group::check(bundle, &mut list);
    list
}
