//! The parts of credentials, as they are given to be checked.

use std::fmt;

use crate::{bundle::KeyContent, consumer::QueryPolicy};

/// The parts of the credentials, as they were given: to be checked without a [`CredentialBundle`](crate::CredentialBundle).
///
/// What is left out is not checked.
#[derive(Clone, Copy, Default)]
pub struct CredentialParts<'a> {
    pub(super) consumer_key: Option<&'a str>,
    pub(super) realm: Option<&'a str>,
    pub(super) base_url: Option<&'a str>,
    pub(super) query_policy: QueryPolicy,
    pub(super) access_token: Option<&'a str>,
    pub(super) access_token_secret: Option<&'a str>,
    pub(super) signature_key: Option<KeyContent<'a>>,
    pub(super) encryption_key: Option<KeyContent<'a>>,
    pub(super) dh_params: Option<&'a [u8]>,
}

impl<'a> CredentialParts<'a> {
    /// No parts at all.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The consumer key.
    #[must_use]
    pub fn consumer_key(self, consumer_key: &'a str) -> Self {
        Self { consumer_key: Some(consumer_key), ..self }
    }

    /// The realm, if it was set.
    #[must_use]
    pub fn realm(self, realm: &'a str) -> Self {
        Self { realm: Some(realm), ..self }
    }

    /// The base URL, if it was set.
    #[must_use]
    pub fn base_url(self, base_url: &'a str) -> Self {
        Self { base_url: Some(base_url), ..self }
    }

    /// The access token.
    #[must_use]
    pub fn access_token(self, token: &'a str) -> Self {
        Self { access_token: Some(token), ..self }
    }

    /// The access token's secret in Base64, as the portal shows it.
    #[must_use]
    pub fn access_token_secret(self, secret: &'a str) -> Self {
        Self { access_token_secret: Some(secret), ..self }
    }

    /// The private key that signs: the content of its file, PEM or DER.
    #[must_use]
    pub fn signature_key(self, content: &'a [u8]) -> Self {
        Self { signature_key: Some(KeyContent { content, passphrase: None }), ..self }
    }

    /// The private key that opens the secret: the content of its file, PEM or DER.
    #[must_use]
    pub fn encryption_key(self, content: &'a [u8]) -> Self {
        Self { encryption_key: Some(KeyContent { content, passphrase: None }), ..self }
    }

    /// The Diffie-Hellman parameters: PEM, DER, or a prime in digits.
    #[must_use]
    pub fn dh_params(self, content: &'a [u8]) -> Self {
        Self { dh_params: Some(content), ..self }
    }
}

impl fmt::Debug for CredentialParts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialParts").finish_non_exhaustive()
    }
}
