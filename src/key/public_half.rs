//! What there is to show of a public key, whichever backend computes with it.

use std::fmt;

use sha2::{Digest, Sha256};

use super::reading::{PublicNumbers, significant_bits, subject_public_key_info};
use crate::encoding::{hexadecimal, pem};

#[derive(Clone, PartialEq, Eq)]
pub(super) struct PublicHalf {
    /// `SubjectPublicKeyInfo` in DER.
    info: Vec<u8>,
    modulus_bits: usize,
}

impl PublicHalf {
    pub(super) fn new(numbers: &PublicNumbers<'_>) -> Self {
        Self { info: subject_public_key_info(numbers), modulus_bits: significant_bits(numbers.modulus) }
    }

    /// `SubjectPublicKeyInfo` in DER.
    #[cfg(feature = "aws-lc-rs")]
    pub(super) fn info(&self) -> &[u8] {
        &self.info
    }

    pub(super) fn to_pem(&self) -> String {
        pem("PUBLIC KEY", &self.info)
    }

    pub(super) fn fingerprint(&self) -> String {
        hexadecimal(&Sha256::digest(&self.info)).to_string()
    }

    pub(super) fn modulus_bits(&self) -> usize {
        self.modulus_bits
    }

    pub(super) fn modulus_bytes(&self) -> usize {
        self.modulus_bits.div_ceil(8)
    }
}

/// As a public key is shown.
impl fmt::Debug for PublicHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RsaPublicKey({} bits, {})", self.modulus_bits(), self.fingerprint())
    }
}
