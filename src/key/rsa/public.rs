//! The public half of an RSA key.

use std::{fmt, sync::Arc};

use ::rsa::{
    PublicKey,
    pkcs1::RsaPublicKeyRef,
    pkcs8::{EncodePublicKey, SubjectPublicKeyInfoRef},
    sha2::{Digest, Sha256},
    traits::PublicKeyParts,
};

use super::limits::{check_bits, check_exponent, has_no_parameters, significant_bits};
use crate::{
    encoding::{hexadecimal, pem},
    key::{
        KeyError,
        encoding::{self, Algorithm, Content, Wanted},
    },
};

/// An RSA public key of 2048 to 8192 bits, with an odd public exponent of 2 to 33 bits.
///
/// Two are equal where modulus and exponent are. A clone shares the same key.
#[derive(Clone, PartialEq, Eq)]
pub struct RsaPublicKey(Arc<Inner>);

#[derive(PartialEq, Eq)]
struct Inner {
    key: PublicKey,
    /// `SubjectPublicKeyInfo` in DER.
    info: Vec<u8>,
}

impl RsaPublicKey {
    /// Reads a public key in PEM: `PUBLIC KEY`, as `openssl pkey -pubout` writes it, or `RSA PUBLIC KEY`. The text may
    /// be as mangled as for [`RsaKey::from_pem`](super::RsaKey::from_pem).
    ///
    /// # Errors
    /// When the text is damaged or holds something else, or when the key is not as described [above](RsaPublicKey).
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        Self::from_der(&encoding::read(text, Wanted::PublicKey)?)
    }

    /// Reads a public key in DER: `SubjectPublicKeyInfo` (RFC 5280) or PKCS#1.
    ///
    /// # Errors
    /// As [`from_pem`](Self::from_pem).
    pub fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        match Content::from_der(der, Wanted::PublicKey)? {
            Content::RsaPublicKey => Self::from_pkcs1(der),
            Content::PublicKey(Algorithm::Rsa) => {
                let info = SubjectPublicKeyInfoRef::try_from(der).map_err(|error| damaged().with_source(error))?;
                if !has_no_parameters(&info.algorithm) {
                    return Err(damaged());
                }
                Self::from_pkcs1(info.subject_public_key.as_bytes().ok_or_else(damaged)?)
            }
            other => Err(other.refuse(Wanted::PublicKey)),
        }
    }

    fn from_pkcs1(der: &[u8]) -> Result<Self, KeyError> {
        let parts = RsaPublicKeyRef::try_from(der).map_err(|error| damaged().with_source(error))?;
        check_bits(significant_bits(parts.modulus.as_bytes()), "public")?;
        check_exponent(parts.public_exponent.as_bytes(), "public")?;
        Self::new(PublicKey::try_from(parts).map_err(|error| damaged().with_source(error))?)
    }

    pub(super) fn new(key: PublicKey) -> Result<Self, KeyError> {
        let info = key.to_public_key_der().map_err(|error| damaged().with_source(error))?.into_vec();
        Ok(Self(Arc::new(Inner { key, info })))
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

    /// The length of the modulus in bits: 2048 to 8192.
    #[must_use]
    pub fn modulus_bits(&self) -> usize {
        usize::try_from(self.0.key.n().bit_width_vartime()).unwrap_or(usize::MAX)
    }

    /// The length of the modulus in bytes, which is that of each signature and each ciphertext: 256 to 1024.
    #[must_use]
    pub fn modulus_bytes(&self) -> usize {
        self.0.key.size()
    }

    /// Verifies an RSASSA-PKCS1-v1_5 signature over the SHA-256 `digest`.
    ///
    /// # Errors
    /// When the signature was not made over this digest by the private half of this key, or is not as long as the
    /// modulus.
    pub fn verify(&self, digest: &[u8; 32], signature: &[u8]) -> Result<(), KeyError> {
        let (given, needed) = (signature.len(), self.modulus_bytes());
        if given != needed {
            return Err(KeyError::new(format!("the signature has {given} bytes, the key makes {needed}"))
                .with_remedy("check that the public key belongs to the key that signed, and that both are RSA"));
        }
        self.0.key.pkcs1v15_verify_prehash::<Sha256>(digest, signature).map_err(|error| {
            KeyError::new("the signature was not made over this text by the private half of this public key")
                .with_remedy("check that the public key belongs to the key that signed, with PKCS#1 v1.5 and SHA-256")
                .with_source(error)
        })
    }
}

impl fmt::Debug for RsaPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RsaPublicKey({} bits, {})", self.modulus_bits(), self.fingerprint())
    }
}

fn damaged() -> KeyError {
    KeyError::new("the RSA public key is damaged: its DER cannot be read, or its numbers cannot be a key")
        .with_remedy("`openssl pkey -in private.pem -pubout -out public.pem` writes it anew")
}
