//! The public half of an RSA key.

use std::{fmt, sync::Arc};

use aws_lc_rs::{
    digest::{Digest, SHA256},
    error::Unspecified,
    signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256},
};

use crate::key::{
    KeyError, VerifyingKey,
    public_half::PublicHalf,
    reading::{self, damaged_public},
    refusal,
};

/// An RSA public key of 2048 to 8192 bits, with an odd public exponent of 2 to 33 bits.
///
/// Two are equal where modulus and exponent are. A clone shares the same key.
#[derive(Clone)]
pub struct RsaPublicKey(Arc<Inner>);

struct Inner {
    key: ParsedPublicKey,
    half: PublicHalf,
}

impl RsaPublicKey {
    /// Reads a public key in PEM: `PUBLIC KEY`, as `openssl pkey -pubout` writes it, or `RSA PUBLIC KEY`. The text may
    /// be as mangled as for [`RsaKey::from_pem`](super::RsaKey::from_pem).
    ///
    /// # Errors
    /// When the text is damaged or holds something else, or when the key is not as described [above](RsaPublicKey).
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        reading::public_pem(text, |numbers| Self::new(PublicHalf::new(numbers)))
    }

    /// Reads a public key in DER: `SubjectPublicKeyInfo` (RFC 5280) or PKCS#1.
    ///
    /// # Errors
    /// As [`from_pem`](Self::from_pem).
    pub fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        reading::public_der(der, |numbers| Self::new(PublicHalf::new(numbers)))
    }

    pub(super) fn new(half: PublicHalf) -> Result<Self, KeyError> {
        let key = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, half.info());
        let key = key.map_err(|error| damaged_public().with_source(error))?;
        Ok(Self(Arc::new(Inner { key, half })))
    }

    /// The key in PEM (`PUBLIC KEY`), byte for byte as OpenSSL writes it.
    #[must_use]
    pub fn to_pem(&self) -> String {
        self.0.half.to_pem()
    }

    /// The SHA-256 of the key's `SubjectPublicKeyInfo` in DER, in 64 lower-case hexadecimal digits: the same as
    /// `openssl pkey -pubin -in public.pem -outform der | sha256sum`.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.0.half.fingerprint()
    }

    /// The length of the modulus in bits: 2048 to 8192.
    #[must_use]
    pub fn modulus_bits(&self) -> usize {
        self.0.half.modulus_bits()
    }

    /// The length of the modulus in bytes, which is that of each signature and each ciphertext: 256 to 1024.
    #[must_use]
    pub fn modulus_bytes(&self) -> usize {
        self.0.half.modulus_bytes()
    }

    /// Verifies an RSASSA-PKCS1-v1_5 signature over the SHA-256 `digest`.
    ///
    /// # Errors
    /// When the signature was not made over this digest by the private half of this key, or is not as long as the
    /// modulus.
    pub fn verify(&self, digest: &[u8; 32], signature: &[u8]) -> Result<(), KeyError> {
        refusal::check_signature(signature.len(), self.modulus_bytes())?;
        let verified = self::digest(digest).and_then(|digest| self.0.key.verify_digest_sig(&digest, signature));
        verified.map_err(refusal::not_verified)
    }
}

impl PartialEq for RsaPublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.half == other.0.half
    }
}

impl Eq for RsaPublicKey {}

impl VerifyingKey for RsaPublicKey {
    fn verify(&self, digest: &[u8; 32], signature: &[u8]) -> Result<(), KeyError> {
        Self::verify(self, digest, signature)
    }
}

impl fmt::Debug for RsaPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.half.fmt(f)
    }
}

/// A digest of SHA-256 in the type of AWS-LC's.
pub(super) fn digest(digest: &[u8; 32]) -> Result<Digest, Unspecified> {
    Digest::import_less_safe(digest, &SHA256)
}
