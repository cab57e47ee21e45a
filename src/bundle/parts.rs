//! A bundle's parts, to be looked at one by one.

use super::{CredentialBundle, key_source::KeySource};
use crate::{
    diagnose::{Finding, Key, Parts, Subject},
    error::Error,
    secret::Secret,
};

impl CredentialBundle {
    /// The parts as they were given, and a finding for each that is not there to be looked at.
    pub(crate) fn parts(&self) -> (Parts<'_>, Vec<Finding>) {
        let mut findings = Vec::new();
        let token = self.access_token.as_ref();
        if token.is_none() {
            let message = "there is none: the user has not consented yet".to_owned();
            let remedy = "get the user's consent and with it an access token, or copy both from the portal".to_owned();
            findings.push(Finding::missing(Subject::AccessToken, message, remedy));
        }
        let mut key = |subject, source| key(source).map_err(|error| findings.push(unread(subject, &error))).ok();
        let signature_key = key(Subject::SignatureKey, &self.signature_key);
        let encryption_key = key(Subject::EncryptionKey, &self.encryption_key);
        let dh_params = self.dh_params.content().map(Secret::expose);
        let dh_params = dh_params.map_err(|error| findings.push(unread(Subject::DhParams, &error))).ok();
        let parts = Parts {
            consumer_key: Some(&self.consumer_key),
            realm: self.realm.as_ref().map(crate::consumer::Realm::as_str),
            base_url: self.base_url.as_deref(),
            query_policy: self.query_policy.unwrap_or_default(),
            access_token: token.map(|(token, _)| token.as_str()),
            access_token_secret: token.and_then(|(_, secret)| std::str::from_utf8(secret.expose()).ok()),
            signature_key,
            encryption_key,
            dh_params,
        };
        (parts, findings)
    }
}

fn key(source: &KeySource) -> Result<Key<'_>, Error> {
    Ok(Key { content: source.content()?.expose(), passphrase: source.passphrase()?.map(Secret::expose) })
}

fn unread(subject: Subject, error: &Error) -> Finding {
    Finding::unread(subject, error.message().to_owned(), error.remedy().to_owned())
}
