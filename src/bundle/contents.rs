//! What a bundle holds, part by part, each as it was given.

use super::{CredentialBundle, key_files::ReadKey, key_source::KeySource};
use crate::{error::Error, secret::Secret};

/// The parts of a bundle; an error where one has not been [resolved](CredentialBundle::resolve).
pub(crate) struct Contents<'a> {
    pub(crate) consumer_key: &'a str,
    pub(crate) realm: Option<&'a str>,
    pub(crate) base_url: Option<&'a str>,
    /// With its secret, if that is text.
    pub(crate) access_token: Option<(&'a str, Option<&'a str>)>,
    pub(crate) read_key: ReadKey,
    pub(crate) signature_key: Result<KeyContent<'a>, Error>,
    pub(crate) encryption_key: Result<KeyContent<'a>, Error>,
    pub(crate) dh_params: Option<Result<&'a [u8], Error>>,
    pub(crate) dh_prime: Option<Result<&'a [u8], Error>>,
}

/// A key as its file has it, and the passphrase that opens it.
pub(crate) struct KeyContent<'a> {
    pub(crate) content: &'a [u8],
    pub(crate) passphrase: Option<&'a [u8]>,
}

impl CredentialBundle {
    pub(crate) fn contents(&self) -> Contents<'_> {
        let token = self.access_token.as_ref();
        Contents {
            consumer_key: &self.consumer_key,
            realm: self.realm.as_deref(),
            base_url: self.base_url.as_deref(),
            access_token: token.map(|(token, secret)| (token.as_str(), std::str::from_utf8(secret.expose()).ok())),
            read_key: self.read_key,
            signature_key: key(&self.signature_key),
            encryption_key: key(&self.encryption_key),
            dh_params: self.dh_params.as_ref().map(|source| source.content().map(Secret::expose)),
            dh_prime: self.dh_prime.as_ref().map(|source| source.content().map(Secret::expose)),
        }
    }
}

fn key(source: &KeySource) -> Result<KeyContent<'_>, Error> {
    Ok(KeyContent { content: source.content()?.expose(), passphrase: source.passphrase()?.map(Secret::expose) })
}
