//! Checking credentials offline: does each part do what it is for, and do they fit together?

use self::parts::CredentialParts;
use super::{findings::Findings, mask};
use crate::{bundle::CredentialBundle, context::Context};

mod address;
mod bundle;
mod group;
mod keys;
mod names;
pub(super) mod parts;

impl CredentialParts<'_> {
    /// Looks at the parts. Nothing is sent, and no part is shown.
    ///
    /// A group that is not well known is tested for primality, which takes some tenths of a second.
    #[must_use]
    pub fn check(&self, cx: &mut Context<'_>) -> Findings {
        let mut list = Vec::new();
        names::check(self, &mut list);
        address::check(self.base_url, &mut list);
        keys::check(self, cx, &mut list);
        group::check(self.dh_params, &mut list);
        list.sort_by_key(|finding| finding.subject);
        Findings { consumer_key: self.consumer_key.map(mask::beginning), query_policy: self.query_policy, list }
    }
}

/// Looks at a credential bundle that has been [resolved](CredentialBundle::resolve). What has not been is a finding.
///
/// Nothing is sent. See [`CredentialParts::check`] for the parts without a bundle.
#[must_use]
pub fn check(bundle: &CredentialBundle, cx: &mut Context<'_>) -> Findings {
    let (parts, unread) = bundle::parts(bundle);
    let mut findings = parts.check(cx);
    findings.list.extend(unread);
    findings.list.sort_by_key(|finding| finding.subject);
    findings
}
