//! Checking credentials offline: does each part do what it is for, and do they fit together?

use super::{findings::Findings, mask};
use crate::{bundle::CredentialBundle, context::Context};

mod address;
mod group;
mod keys;
mod names;

/// Looks at a credential bundle that has been [resolved](CredentialBundle::resolve). What has not been is a finding.
///
/// Nothing is sent, and nothing secret is shown. A group that is not well known is tested for primality, which takes some
/// tenths of a second for 2048 bits and many seconds for 8192.
#[must_use]
pub fn check(bundle: &CredentialBundle, cx: &mut Context<'_>) -> Findings {
    let contents = bundle.contents();
    let (consumer_key, query_policy) = (mask::beginning(contents.consumer_key), contents.query_policy);
    let mut list = Vec::new();
    names::check(&contents, &mut list);
    address::check(contents.base_url, &mut list);
    group::check(&contents.dh_params, &mut list);
    keys::check(contents, cx, &mut list);
    list.sort_by_key(|finding| finding.subject);
    Findings { consumer_key, query_policy, list }
}
