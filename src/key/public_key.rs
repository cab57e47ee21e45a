//! RSA public keys, whatever computes with the private ones.

use std::sync::Arc;

use num_bigint::BigUint;
use sha2::{Digest, Sha256};

use super::reading::{self, PublicNumbers, damaged_public, significant_bits, subject_public_key_info};
use crate::{
    encoding::{hexadecimal, pem},
    error::Error,
};

/// An RSA public key of 2048 to 8192 bits, with an odd public exponent of 2 to 33 bits.
///
/// Two are equal where modulus and exponent are. A clone shares the same key.
#[derive(Clone, PartialEq, Eq)]
pub struct RsaPublicKey(Arc<Inner>);

debug_fields!(self: RsaPublicKey { bits: self.modulus_bits(), fingerprint: self.fingerprint() });

#[derive(PartialEq, Eq)]
struct Inner {
    modulus: BigUint,
    exponent: BigUint,
    /// `SubjectPublicKeyInfo` in DER.
    info: Vec<u8>,
    modulus_bits: usize,
}

impl RsaPublicKey {
    /// Reads a public key as its file has it: PEM (`PUBLIC KEY`, as `openssl pkey -pubout` writes it, or `RSA PUBLIC
    /// KEY`), in UTF-8 or UTF-16, or DER, both `SubjectPublicKeyInfo` (RFC 5280) or PKCS#1. The text may be as mangled as
    /// a private one's.
    ///
    /// # Errors
    /// When the text is damaged or holds something else, or when the key is not as described [above](RsaPublicKey).
    pub fn read(content: impl AsRef<[u8]>) -> Result<Self, Error> {
        reading::public_key(content.as_ref(), Self::new)
    }

    pub(super) fn new(numbers: &PublicNumbers<'_>) -> Result<Self, Error> {
        if numbers.modulus.last().is_none_or(|last| last % 2 == 0) {
            return Err(damaged_public());
        }
        Ok(Self(Arc::new(Inner {
            modulus: BigUint::from_bytes_be(numbers.modulus),
            exponent: BigUint::from_bytes_be(numbers.exponent),
            info: subject_public_key_info(numbers),
            modulus_bits: significant_bits(numbers.modulus),
        })))
    }

    /// The key in PEM (`PUBLIC KEY`), byte for byte as OpenSSL writes it.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem("PUBLIC KEY", &self.0.info)
    }

    /// The SHA-256 of the key's `SubjectPublicKeyInfo` in DER, in 64 lower-case hexadecimal digits: the same as
    /// `openssl pkey -pubin -in public.pem -outform der | sha256sum`.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        hexadecimal(&Sha256::digest(&self.0.info)).to_string()
    }

    /// The length of the modulus in bits: 2048 to 8192. Each signature and each ciphertext is as long, in whole bytes.
    #[must_use]
    pub fn modulus_bits(&self) -> usize {
        self.0.modulus_bits
    }

    pub(super) fn modulus_bytes(&self) -> usize {
        self.0.modulus_bits.div_ceil(8)
    }

    /// Verifies an RSASSA-PKCS1-v1_5 signature over the SHA-256 `digest` (RFC 8017 section 8.2.2).
    ///
    /// # Errors
    /// When the signature was not made over this digest by the private half of this key, or is not as long as the
    /// modulus.
    pub fn verify(&self, digest: &[u8; 32], signature: &[u8]) -> Result<(), Error> {
        let (given, needed) = (signature.len(), self.modulus_bytes());
        if given != needed {
            return Err(Error::key(format!("the signature has {given} bytes, the key makes {needed}"))
                .with_remedy("check that the public key belongs to the key that signed, and that both are RSA"));
        }
        let signature = BigUint::from_bytes_be(signature);
        let is_reduced = signature < self.0.modulus;
        if is_reduced && signature.modpow(&self.0.exponent, &self.0.modulus) == encoded_digest(digest, needed) {
            return Ok(());
        }
        Err(Error::key("the signature was not made over this text by the private half of this public key")
            .with_remedy("check that the public key belongs to the key that signed, with PKCS#1 v1.5 and SHA-256"))
    }
}

/// The number that is signed for a digest (RFC 8017 section 9.2), for a modulus of this length in bytes. It is compared as
/// a whole, so that there is no padding to be read.
fn encoded_digest(digest: &[u8; 32], modulus_bytes: usize) -> BigUint {
    /// What a `DigestInfo` of SHA-256 has before the digest.
    const DIGEST_INFO: &[u8] = b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20";

    let padding = modulus_bytes.saturating_sub(DIGEST_INFO.len() + digest.len() + 3);
    BigUint::from_bytes_be(&[&[0, 1], vec![0xff; padding].as_slice(), &[0], DIGEST_INFO, digest].concat())
}
