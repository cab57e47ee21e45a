//! RSA keys out of every encoding, as numbers for whatever then works with them.
//!
//! What is read, and what is said of what is not, is the same whichever backend computes.

use super::encoding::{self, Algorithm, Content, Wanted};
use crate::error::Error;

#[cfg(all(feature = "encrypted-keys", any(feature = "rsa", feature = "aws-lc-rs")))]
mod encrypted;
mod limits;
mod numbers;
#[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
mod private;
mod wrapping;

use self::limits::{check_bits, check_exponent};
#[cfg(feature = "rsa")]
pub(super) use self::private::LOOK_CLOSER;
#[cfg(feature = "aws-lc-rs")]
pub(super) use self::wrapping::private_key_info;
pub(super) use self::{limits::significant_bits, numbers::PublicNumbers, wrapping::subject_public_key_info};
#[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
pub(super) use self::{
    numbers::PrivateNumbers,
    private::{private_key, unfit},
};

/// What becomes of the numbers of a key.
type Made<K> = Result<K, Error>;

/// Reads a public key as a file has it: in PEM or DER.
pub(super) fn public_key<K>(content: &[u8], make: impl FnOnce(&PublicNumbers<'_>) -> Made<K>) -> Made<K> {
    let of_text = encoding::text_of(content).map(|text| encoding::read(&text, Wanted::PublicKey)).transpose()?;
    let der = of_text.as_deref().map_or(content, Vec::as_slice);
    let pkcs1 = match Content::from_der(der, Wanted::PublicKey)? {
        Content::RsaPublicKey => der,
        Content::PublicKey(Algorithm::RSA) => wrapping::public_key_within(der).ok_or_else(damaged_public)?,
        other => return Err(other.refuse(Wanted::PublicKey)),
    };
    let numbers = PublicNumbers::read(pkcs1).ok_or_else(damaged_public)?;
    check(&numbers, "public")?;
    make(&numbers)
}

fn check(numbers: &PublicNumbers<'_>, half: &str) -> Result<(), Error> {
    check_bits(significant_bits(numbers.modulus), half)?;
    check_exponent(numbers.exponent, half)
}

/// A public key that cannot be read, or be one.
pub(super) fn damaged_public() -> Error {
    Error::key("the RSA public key is damaged: its DER cannot be read, or its numbers cannot be a key")
        .with_remedy("`openssl pkey -in private.pem -pubout -out public.pem` writes it anew")
}
