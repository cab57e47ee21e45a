//! The public half of an RSA key.

use std::{fmt, sync::Arc};

use ::rsa::{PublicKey, sha2::Sha256};

use super::components::public_key;
use crate::key::{KeyError, VerifyingKey, public_half::PublicHalf, reading, refusal};

/// An RSA public key of 2048 to 8192 bits, with an odd public exponent of 2 to 33 bits.
///
/// Two are equal where modulus and exponent are. A clone shares the same key.
#[derive(Clone, PartialEq, Eq)]
pub struct RsaPublicKey(Arc<Inner>);

#[derive(PartialEq, Eq)]
struct Inner {
    key: PublicKey,
    half: PublicHalf,
}

impl RsaPublicKey {
    /// Reads a public key in PEM: `PUBLIC KEY`, as `openssl pkey -pubout` writes it, or `RSA PUBLIC KEY`. The text may
    /// be as mangled as for [`RsaKey::from_pem`](super::RsaKey::from_pem).
    ///
    /// # Errors
    /// When the text is damaged or holds something else, or when the key is not as described [above](RsaPublicKey).
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        reading::public_pem(text, |numbers| Ok(Self::new(public_key(numbers)?, PublicHalf::new(numbers))))
    }

    /// Reads a public key in DER: `SubjectPublicKeyInfo` (RFC 5280) or PKCS#1.
    ///
    /// # Errors
    /// As [`from_pem`](Self::from_pem).
    pub fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        reading::public_der(der, |numbers| Ok(Self::new(public_key(numbers)?, PublicHalf::new(numbers))))
    }

    pub(super) fn new(key: PublicKey, half: PublicHalf) -> Self {
        Self(Arc::new(Inner { key, half }))
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
        self.0.key.pkcs1v15_verify_prehash::<Sha256>(digest, signature).map_err(refusal::not_verified)
    }
}

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
