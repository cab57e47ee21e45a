//! RSA keys out of every encoding, as numbers for whatever then works with them.
//!
//! What is read, and what is said of what is not, is the same whichever backend computes.

use super::{
    KeyError,
    encoding::{self, Algorithm, Content, Wanted},
};

#[cfg(feature = "encrypted-keys")]
mod encrypted;
mod limits;
mod numbers;
mod wrapping;

use self::limits::{check_bits, check_exponent};
#[cfg(feature = "aws-lc-rs")]
pub(super) use self::wrapping::private_key_info;
pub(super) use self::{
    limits::significant_bits,
    numbers::{PrivateNumbers, PublicNumbers},
    wrapping::subject_public_key_info,
};

/// Reads a private key in PEM.
pub(super) fn private_pem<K>(text: &str, make: impl FnOnce(&PrivateNumbers<'_>) -> Made<K>) -> Made<K> {
    private_der(&encoding::read(text, Wanted::PrivateKey)?, make)
}

/// Reads a private key in DER.
pub(super) fn private_der<K>(der: &[u8], make: impl FnOnce(&PrivateNumbers<'_>) -> Made<K>) -> Made<K> {
    match Content::from_der(der, Wanted::PrivateKey)? {
        Content::RsaPrivateKey => private_pkcs1(der, make),
        Content::Pkcs8(Algorithm::Rsa) => {
            private_pkcs1(wrapping::private_key_within(der).ok_or_else(damaged_private)?, make)
        }
        Content::EncryptedPkcs8 => Err(passphrase_missing()),
        other => Err(other.refuse(Wanted::PrivateKey)),
    }
}

/// What a backend makes of a key.
type Made<K> = Result<K, KeyError>;

/// Reads a private key in PEM that may be encrypted with a passphrase.
#[cfg(feature = "encrypted-keys")]
pub(super) fn encrypted_pem<K>(
    text: &str,
    passphrase: &[u8],
    make: impl FnOnce(&PrivateNumbers<'_>) -> Made<K>,
) -> Made<K> {
    encrypted_der(&encoding::read(text, Wanted::PrivateKey)?, passphrase, make)
}

/// Reads a private key in DER that may be encrypted with a passphrase.
#[cfg(feature = "encrypted-keys")]
pub(super) fn encrypted_der<K>(
    der: &[u8],
    passphrase: &[u8],
    make: impl FnOnce(&PrivateNumbers<'_>) -> Made<K>,
) -> Made<K> {
    match Content::from_der(der, Wanted::PrivateKey)? {
        Content::EncryptedPkcs8 => private_der(&encrypted::decrypt(der, passphrase)?, make),
        _ => private_der(der, make),
    }
}

fn private_pkcs1<K>(der: &[u8], make: impl FnOnce(&PrivateNumbers<'_>) -> Made<K>) -> Made<K> {
    let numbers = PrivateNumbers::read(der).ok_or_else(damaged_private)?;
    // Before the key is checked, because the time that takes grows with the third power of the length.
    check(&numbers.public, "private")?;
    make(&numbers)
}

/// Reads a public key in PEM.
pub(super) fn public_pem<K>(text: &str, make: impl FnOnce(&PublicNumbers<'_>) -> Made<K>) -> Made<K> {
    public_der(&encoding::read(text, Wanted::PublicKey)?, make)
}

/// Reads a public key in DER.
pub(super) fn public_der<K>(der: &[u8], make: impl FnOnce(&PublicNumbers<'_>) -> Made<K>) -> Made<K> {
    let pkcs1 = match Content::from_der(der, Wanted::PublicKey)? {
        Content::RsaPublicKey => der,
        Content::PublicKey(Algorithm::Rsa) => wrapping::public_key_within(der).ok_or_else(damaged_public)?,
        other => return Err(other.refuse(Wanted::PublicKey)),
    };
    let numbers = PublicNumbers::read(pkcs1).ok_or_else(damaged_public)?;
    check(&numbers, "public")?;
    make(&numbers)
}

fn check(numbers: &PublicNumbers<'_>, half: &str) -> Result<(), KeyError> {
    check_bits(significant_bits(numbers.modulus), half)?;
    check_exponent(numbers.exponent, half)
}

fn damaged_private() -> KeyError {
    KeyError::new("the RSA private key is damaged: its DER cannot be read").with_remedy(LOOK_CLOSER)
}

/// A private key whose numbers do not fit together.
pub(super) fn unfit() -> KeyError {
    KeyError::new("the RSA private key is damaged: its numbers do not fit together").with_remedy(LOOK_CLOSER)
}

/// Remedy where a private key cannot be what it says.
pub(super) const LOOK_CLOSER: &str = "`openssl rsa -in private.pem -check -noout` looks at it more closely";

/// A public key that cannot be read, or be one.
pub(super) fn damaged_public() -> KeyError {
    KeyError::new("the RSA public key is damaged: its DER cannot be read, or its numbers cannot be a key")
        .with_remedy("`openssl pkey -in private.pem -pubout -out public.pem` writes it anew")
}

fn passphrase_missing() -> KeyError {
    let error = KeyError::new("the private key is encrypted, and no passphrase was given");
    if cfg!(feature = "encrypted-keys") {
        error.with_remedy("read it with `RsaKey::from_encrypted_pem` or `RsaKey::from_encrypted_der`")
    } else {
        error.with_remedy(
            "turn on the feature `encrypted-keys`, or write it without passphrase: `openssl pkey -in old.pem -out new.pem`",
        )
    }
}
