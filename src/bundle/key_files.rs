//! What the files of a bundle hold, read.

use std::sync::Arc;

use crate::{
    dh::DhGroup,
    error::{Error, Stage},
    key::{
        KeyError, PrivateKey,
        encoding::{plain, text_of},
    },
};

/// Reads the content of a key's file, with the passphrase that opens it.
pub(crate) type ReadKey = fn(&[u8], Option<&[u8]>) -> Result<Arc<dyn PrivateKey>, Error>;

/// Reads a key in every form that its type reads.
pub(super) fn read_key<K: PrivateKey>(content: &[u8], passphrase: Option<&[u8]>) -> Result<Arc<dyn PrivateKey>, Error> {
    let key = K::read(content, passphrase).map_err(|error| {
        let error = Error::key(Stage::Bundle, error);
        let is_encrypted = || text_of(content).is_some_and(|text| plain(&text).contains("BEGIN ENCRYPTED PRIVATE KEY"));
        if passphrase.is_none() && is_encrypted() { error.with_remedy(PASSPHRASE_WANTED) } else { error }
    })?;
    Ok(Arc::new(key))
}

/// Reads Diffie-Hellman parameters in every form that [`DhGroup`] reads.
pub(crate) fn read_dh_params(content: &[u8]) -> Result<DhGroup, KeyError> {
    text_of(content).map_or_else(|| DhGroup::from_der(content), |text| DhGroup::from_text(&text))
}

/// Reads a Diffie-Hellman prime in digits, which has the generator 2.
pub(crate) fn read_dh_prime(content: &[u8]) -> Result<DhGroup, KeyError> {
    let text = text_of(content).ok_or_else(|| KeyError::new("is no text").with_remedy(PRIME_WANTED))?;
    let is_pem = plain(&text).contains("-----BEGIN");
    DhGroup::from_hex(&text).map_err(|error| if is_pem { error.with_remedy(PRIME_WANTED) } else { error })
}

const PRIME_WANTED: &str = "write the prime's hexadecimal digits there, or give the PEM file as `dh_params`";

const PASSPHRASE_WANTED: &str = "put the passphrase into an environment variable, and write \
                                 `{\"file\": \"…\", \"passphrase\": {\"env\": \"…\"}}`";
