//! RSA keys that AWS-LC computes with. Needs the feature `aws-lc-rs`.
//!
//! For those whose audit refuses the crate `rsa` for RUSTSEC-2023-0071: with `default-features = false` and this feature it is
//! not in the tree. It needs a C compiler (neither `CMake` nor `bindgen` where AWS-LC has bindings made already, as for Linux,
//! macOS and Windows on x86-64 and aarch64; nor `NASM` on Windows). What is used is AWS-LC as it is, not its FIPS module:
//! *this makes no program FIPS-validated*.
//!
//! ```
//! # #[cfg(feature = "simulator")] {
//! use ibkr_oauth::{CredentialBundle, key::aws_lc};
//!
//! # let json = serde_json::json!({
//! #     "consumer_key": "MYCONSKEY",
//! #     "signature_key": ibkr_oauth::simulator::test_keys::SIGNATURE_KEY,
//! #     "encryption_key": ibkr_oauth::simulator::test_keys::ENCRYPTION_KEY,
//! #     "dh_params": ibkr_oauth::simulator::test_keys::DH_PARAMETERS,
//! # }).to_string();
//! let bundle = CredentialBundle::from_json(&json)?.with_keys_of::<aws_lc::RsaKey>();
//! let consumer = bundle.consumer()?;
//! # }
//! # Ok::<(), ibkr_oauth::Error>(())
//! ```

use std::{fmt, sync::Arc};

use aws_lc_rs::{
    rsa::{KeyPair, Pkcs1PrivateDecryptingKey, PrivateDecryptingKey},
    signature::RSA_PKCS1_SHA256,
};
use zeroize::Zeroizing;

use super::{
    DecryptionKey, KeyError, SigningInput, SigningKey,
    public_half::PublicHalf,
    reading::{self, PrivateNumbers, private_key_info, unfit},
    refusal,
};
use crate::{context::Entropy, secret::Secret};

mod public;
#[cfg(test)]
mod tests;

pub use self::public::RsaPublicKey;
use self::public::digest;

/// An RSA private key in this process's memory: a signature key or an encryption key, of 2048 to 8192 bits, with two
/// primes and an odd public exponent of 2 to 33 bits.
///
/// It is checked when it is read: a key whose numbers do not fit together is refused, also where a wrong one only speeds
/// decryption up. Its work is blinded against timing with random bytes of AWS-LC's own; the [`Entropy`] of a call is not
/// asked. A clone shares the same key. The key is wiped when the last clone is dropped, and never printed.
#[derive(Clone)]
pub struct RsaKey(Arc<Inner>);

struct Inner {
    signing: KeyPair,
    decryption: Pkcs1PrivateDecryptingKey,
    public: RsaPublicKey,
}

impl RsaKey {
    /// Reads a private key in PEM: PKCS#1 (`RSA PRIVATE KEY`) or PKCS#8 (`PRIVATE KEY`), as mangled as the other backend's
    /// `RsaKey::from_pem` takes it.
    ///
    /// # Errors
    /// When the text is damaged, holds something else or more than one key, is encrypted, or when the key is not as
    /// described [above](RsaKey) or its numbers do not fit together. The error says what was found.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        reading::private_pem(text, Self::new)
    }

    /// Reads a private key in DER: PKCS#1 or PKCS#8.
    ///
    /// # Errors
    /// As [`from_pem`](Self::from_pem).
    pub fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        reading::private_der(der, Self::new)
    }

    /// Reads a private key in PEM that is encrypted with a passphrase: PKCS#8 (`ENCRYPTED PRIVATE KEY`) with PBES2. Needs
    /// the feature `encrypted-keys`.
    ///
    /// A key that is not encrypted is read too, and the passphrase then not looked at.
    ///
    /// # Errors
    /// As [`from_pem`](Self::from_pem); also when the passphrase is wrong, when the key is encrypted in an older way
    /// (PBES1, triple DES, or a hash with SHA-1), or when it asks for an unreasonable effort (more than ten million
    /// rounds, or 256 MiB).
    #[cfg(feature = "encrypted-keys")]
    pub fn from_encrypted_pem(text: &str, passphrase: &[u8]) -> Result<Self, KeyError> {
        reading::encrypted_pem(text, passphrase, Self::new)
    }

    /// Reads a private key in DER that is encrypted with a passphrase. Needs the feature `encrypted-keys`.
    ///
    /// # Errors
    /// As [`from_encrypted_pem`](Self::from_encrypted_pem).
    #[cfg(feature = "encrypted-keys")]
    pub fn from_encrypted_der(der: &[u8], passphrase: &[u8]) -> Result<Self, KeyError> {
        reading::encrypted_der(der, passphrase, Self::new)
    }

    fn new(numbers: &PrivateNumbers<'_>) -> Result<Self, KeyError> {
        let count = numbers.primes.len();
        if count > 2 {
            let message = format!("the RSA private key has {count} primes; 2 are accepted by the backend `aws-lc-rs`");
            return Err(KeyError::new(message).with_remedy(TWO_PRIMES));
        }
        let info = private_key_info(numbers.der);
        let signing = KeyPair::from_pkcs8(&info).map_err(|error| unfit().with_source(error))?;
        let decryption = PrivateDecryptingKey::from_pkcs8(&info).map_err(|error| unfit().with_source(error))?;
        let decryption = Pkcs1PrivateDecryptingKey::new(decryption).map_err(|error| unfit().with_source(error))?;
        // Last, for an error of its would be about a public key.
        let public = RsaPublicKey::new(PublicHalf::new(&numbers.public))?;
        Ok(Self(Arc::new(Inner { signing, decryption, public })))
    }

    /// The public half.
    #[must_use]
    pub fn public_key(&self) -> RsaPublicKey {
        self.0.public.clone()
    }

    /// The SHA-256 of the public half's DER, in 64 lower-case hexadecimal digits: the same as
    /// `openssl pkey -in private.pem -pubout -outform der | sha256sum`.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.0.public.fingerprint()
    }
}

const TWO_PRIMES: &str = "turn on the feature `rsa`, which takes up to five, or make a key of two with `openssl genrsa -out \
                          private.pem 2048`, whose public half IBKR must be given";

impl fmt::Debug for RsaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RsaKey([redacted], {} bits)", self.0.public.modulus_bits())
    }
}

impl SigningKey for RsaKey {
    fn sign(&self, input: &SigningInput, _: &mut dyn Entropy) -> Result<Vec<u8>, KeyError> {
        let mut signature = vec![0; self.0.public.modulus_bytes()];
        let digest = digest(&input.digest());
        let signed = digest.and_then(|digest| self.0.signing.sign_digest(&RSA_PKCS1_SHA256, &digest, &mut signature));
        signed.map_err(|error| KeyError::new(refusal::CANNOT_SIGN).with_source(error))?;
        Ok(signature)
    }
}

impl DecryptionKey for RsaKey {
    fn decrypt(&self, ciphertext: &[u8], _: &mut dyn Entropy) -> Result<Secret, KeyError> {
        let length = self.0.public.modulus_bytes();
        refusal::check_secret(ciphertext.len(), length)?;
        let mut opened = Zeroizing::new(vec![0; length]);
        match self.0.decryption.decrypt(ciphertext, &mut opened) {
            Ok(opened) => Ok(Secret::from(&*opened)),
            Err(error) => {
                Err(KeyError::new(refusal::CANNOT_OPEN).with_remedy(refusal::WHICH_KEY_OPENS).with_source(error))
            }
        }
    }
}
