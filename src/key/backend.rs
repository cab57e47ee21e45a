//! What computes with RSA keys. All else of a key is the same with each.

use super::reading::PrivateNumbers;
use crate::{context::Entropy, error::Error, secret::Secret};

/// Makes the key that has these numbers, if they fit together.
pub(crate) type Backend = fn(&PrivateNumbers<'_>) -> Result<Box<dyn PrivateKey>, Error>;

/// A private key as its backend holds it.
pub(crate) trait PrivateKey: Send + Sync {
    /// Signs, for a modulus of `modulus_bytes` bytes.
    fn sign(&self, modulus_bytes: usize, digest: &[u8; 32], entropy: &mut dyn Entropy) -> Result<Vec<u8>, Error>;

    /// Decrypts what is as long as the modulus.
    fn decrypt(&self, ciphertext: &[u8], entropy: &mut dyn Entropy) -> Result<Secret, Error>;
}

pub(super) const CANNOT_SIGN: &str = "the key could not sign";
pub(super) const CANNOT_OPEN: &str = "the secret cannot have been encrypted for this key";
pub(super) const WHICH_KEY_OPENS: &str =
    "check that this is the encryption key, not the signature key, and that IBKR has its half";
