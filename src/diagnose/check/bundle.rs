//! The parts of a bundle, and findings about those that are not there to be looked at.

use super::parts::CredentialParts;
use crate::{
    bundle::CredentialBundle,
    diagnose::findings::{Finding, Severity, Subject},
    error::Error,
};

/// The parts that can be looked at, and a finding for each that cannot.
pub(super) fn parts(bundle: &CredentialBundle) -> (CredentialParts<'_>, Vec<Finding>) {
    let contents = bundle.contents();
    let mut findings = Vec::new();
    if contents.access_token.is_none() {
        let message = "there is none: the user has not consented yet".to_owned();
        let remedy = "get the user's consent and with it an access token, or copy both from the portal".to_owned();
        let (subject, severity) = (Subject::AccessToken, Severity::Warning);
        findings.push(Finding { subject, severity, message, remedy: Some(remedy) });
    }
    let mut unread = |subject, error: Error| {
        let (message, remedy) = (error.message().to_owned(), Some(error.remedy().to_owned()));
        findings.push(Finding { subject, severity: Severity::Error, message, remedy });
    };
    let parts = CredentialParts {
        consumer_key: Some(contents.consumer_key),
        realm: contents.realm,
        base_url: contents.base_url,
        query_policy: contents.query_policy,
        access_token: contents.access_token.map(|(token, _)| token),
        access_token_secret: contents.access_token.and_then(|(_, secret)| secret),
        signature_key: contents.signature_key.map_err(|error| unread(Subject::SignatureKey, error)).ok(),
        encryption_key: contents.encryption_key.map_err(|error| unread(Subject::EncryptionKey, error)).ok(),
        dh_params: contents.dh_params.map_err(|error| unread(Subject::DhParams, error)).ok(),
    };
    (parts, findings)
}
