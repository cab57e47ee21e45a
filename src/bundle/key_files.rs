//! What the files of a bundle hold, read.

use crate::{
    dh::DhGroup,
    error::{Error, Stage},
    key::{
        Backend, RsaKey,
        encoding::{plain, text_of},
    },
};

/// Reads a key in every form that [`RsaKey`] reads, with the passphrase that opens it.
pub(super) fn read_key(backend: Backend, content: &[u8], passphrase: Option<&[u8]>) -> Result<RsaKey, Error> {
    RsaKey::read_by(backend, content, passphrase).map_err(|error| {
        let error = error.at(Stage::Bundle);
        let is_encrypted = || text_of(content).is_some_and(|text| plain(&text).contains("BEGIN ENCRYPTED PRIVATE KEY"));
        if passphrase.is_none() && is_encrypted() { error.with_remedy(PASSPHRASE_WANTED) } else { error }
    })
}

/// Reads a Diffie-Hellman prime in digits, which has the generator 2.
pub(crate) fn read_dh_prime(content: &[u8]) -> Result<DhGroup, Error> {
    let text = text_of(content).ok_or_else(|| Error::key("is no text").with_remedy(PRIME_WANTED))?;
    let is_pem = plain(&text).contains("-----BEGIN");
    DhGroup::from_digits(&text).map_err(|error| if is_pem { error.with_remedy(PRIME_WANTED) } else { error })
}

const PRIME_WANTED: &str = "write the prime's hexadecimal digits there, or give the PEM file as `dh_params`";

const PASSPHRASE_WANTED: &str = "put the passphrase into an environment variable, and write \
                                 `{\"file\": \"…\", \"passphrase\": {\"env\": \"…\"}}`";
