//! RSA private keys.

use super::{Made, PrivateNumbers, check, wrapping};
use crate::{
    error::Error,
    key::encoding::{self, Algorithm, Content, Wanted, text_of},
};

/// Reads a private key as a file has it: in PEM or DER. The passphrase is for one that is encrypted.
pub(in crate::key) fn private_key<K>(
    content: &[u8],
    passphrase: Option<&[u8]>,
    make: impl FnOnce(&PrivateNumbers<'_>) -> Made<K>,
) -> Made<K> {
    let of_text = text_of(content).map(|text| encoding::read(&text, Wanted::PrivateKey)).transpose()?;
    let der = of_text.as_deref().map_or(content, Vec::as_slice);
    match (passphrase, Content::from_der(der, Wanted::PrivateKey)?) {
        (Some(passphrase), Content::EncryptedPkcs8) => plain_key(&decrypted(der, passphrase)?, make),
        _ => plain_key(der, make),
    }
}

fn plain_key<K>(der: &[u8], make: impl FnOnce(&PrivateNumbers<'_>) -> Made<K>) -> Made<K> {
    let pkcs1 = match Content::from_der(der, Wanted::PrivateKey)? {
        Content::RsaPrivateKey => der,
        Content::Pkcs8(Algorithm::RSA) => wrapping::private_key_within(der).ok_or_else(damaged_private)?,
        Content::EncryptedPkcs8 => return Err(passphrase_missing()),
        other => return Err(other.refuse(Wanted::PrivateKey)),
    };
    let numbers = PrivateNumbers::read(pkcs1).ok_or_else(damaged_private)?;
    // Before the key is checked, because the time that takes grows with the third power of the length.
    check(&numbers.public, "private")?;
    make(&numbers)
}

#[cfg(feature = "encrypted-keys")]
use super::encrypted::decrypt as decrypted;

#[cfg(not(feature = "encrypted-keys"))]
fn decrypted(_: &[u8], _: &[u8]) -> Result<Vec<u8>, Error> {
    Err(Error::key("the private key is encrypted, and this program was built without support for that")
        .with_remedy("turn on the feature `encrypted-keys` of the crate `ibkr-oauth`"))
}

fn damaged_private() -> Error {
    Error::key("the RSA private key is damaged: its DER cannot be read").with_remedy(LOOK_CLOSER)
}

/// A private key whose numbers do not fit together.
pub(in crate::key) fn unfit() -> Error {
    Error::key("the RSA private key is damaged: its numbers do not fit together").with_remedy(LOOK_CLOSER)
}

/// Remedy where a private key cannot be what it says.
pub(in crate::key) const LOOK_CLOSER: &str = "`openssl rsa -in private.pem -check -noout` looks at it more closely";

fn passphrase_missing() -> Error {
    let error = Error::key("the private key is encrypted, and no passphrase was given");
    if cfg!(feature = "encrypted-keys") {
        error.with_remedy("give its passphrase to `RsaKey::read`")
    } else {
        error.with_remedy(
            "turn on the feature `encrypted-keys`, or write it without passphrase: `openssl pkey -in old.pem -out new.pem`",
        )
    }
}
