//! RSA keys held in memory.

use std::{fmt, sync::Arc};

use ::rsa::{PrivateKey, sha2::Sha256};

use super::{
    DecryptionKey, KeyError, SigningInput, SigningKey,
    public_half::PublicHalf,
    reading::{self, PrivateNumbers},
    refusal,
};
use crate::{
    context::{Entropy, EntropyError, RandCore},
    secret::Secret,
};

mod components;
mod public;
#[cfg(test)]
mod tests;

pub use self::public::RsaPublicKey;

/// An RSA private key in this process's memory: a signature key or an encryption key, of 2048 to 8192 bits, with two to
/// five primes and an odd public exponent of 2 to 33 bits.
///
/// It is checked when it is read: a key whose numbers do not fit together is refused. Its work is blinded against
/// timing, with random bytes from the [`Entropy`] of each call. A clone shares the same key. The key is wiped when the
/// last clone is dropped, and never printed.
///
/// ```
/// # #[cfg(feature = "simulator")] {
/// use ibkr_oauth::key::RsaKey;
///
/// # let text = ibkr_oauth::simulator::test_keys::SIGNATURE_KEY;
/// let key = RsaKey::from_pem(text)?; // from a file, an environment variable, a secret store
/// assert_eq!(key.public_key().modulus_bits(), 2048);
/// assert!(key.public_key().to_pem().starts_with("-----BEGIN PUBLIC KEY-----\n"), "what IBKR is given");
/// # }
/// # Ok::<(), ibkr_oauth::key::KeyError>(())
/// ```
#[derive(Clone)]
pub struct RsaKey(Arc<Inner>);

struct Inner {
    key: PrivateKey,
    public: RsaPublicKey,
}

impl RsaKey {
    /// Reads a private key in PEM, as `openssl genrsa` or `openssl genpkey` writes it: PKCS#1 (`RSA PRIVATE KEY`) or
    /// PKCS#8 (`PRIVATE KEY`).
    ///
    /// What happens to such a text on its way is accepted: other line ends or lost ones, line breaks written as
    /// `\n`, quotes, a byte order mark, text before and behind, and base64 around the whole.
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

    /// Reads a private key in PEM that is encrypted with a passphrase: PKCS#8 (`ENCRYPTED PRIVATE KEY`) with PBES2, as
    /// `openssl genpkey -aes256` and `openssl pkcs8 -topk8` write it. Needs the feature `encrypted-keys`.
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
        let key = components::private_key(numbers)?;
        let public = RsaPublicKey::new(key.to_public_key(), PublicHalf::new(&numbers.public));
        Ok(Self(Arc::new(Inner { key, public })))
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

impl fmt::Debug for RsaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RsaKey([redacted], {} bits)", self.0.public.modulus_bits())
    }
}

impl SigningKey for RsaKey {
    fn sign(&self, input: &SigningInput, entropy: &mut dyn Entropy) -> Result<Vec<u8>, KeyError> {
        let mut rng = CheckedRng::new(entropy, &self.0.public);
        let outcome = self.0.key.pkcs1v15_sign_prehash_with_rng::<Sha256, _>(&mut RandCore(&mut rng), &input.digest());
        outcome.map_err(|error| rng.explain(error, refusal::CANNOT_SIGN))
    }
}

impl DecryptionKey for RsaKey {
    fn decrypt(&self, ciphertext: &[u8], entropy: &mut dyn Entropy) -> Result<Secret, KeyError> {
        refusal::check_secret(ciphertext.len(), self.0.public.modulus_bytes())?;
        let mut rng = CheckedRng::new(entropy, &self.0.public);
        let outcome = self.0.key.pkcs1v15_decrypt_with_rng(&mut RandCore(&mut rng), ciphertext);
        outcome
            .map(Secret::from)
            .map_err(|error| rng.explain(error, refusal::CANNOT_OPEN).with_remedy(refusal::WHICH_KEY_OPENS))
    }
}

/// Keeps the failure of a source of random bytes, of which `rsa` says only that there was one, and stops a source that
/// repeats itself: `rsa` draws until it gets a number that it can use, which from such a source it never does.
struct CheckedRng<'a> {
    entropy: &'a mut dyn Entropy,
    allowance: usize,
    failure: Option<EntropyError>,
}

impl<'a> CheckedRng<'a> {
    fn new(entropy: &'a mut dyn Entropy, key: &RsaPublicKey) -> Self {
        // Each draw is of use in half the cases or more, so that an honest source exceeds this once in 2^128 times.
        let allowance = key.modulus_bytes().saturating_mul(128).saturating_add(1024);
        Self { entropy, allowance, failure: None }
    }

    fn explain(self, error: ::rsa::Error, message: &str) -> KeyError {
        match self.failure {
            Some(failure) => KeyError::new("no random bytes could be had to blind the key's work").with_source(failure),
            None => KeyError::new(message).with_source(error),
        }
    }
}

impl Entropy for CheckedRng<'_> {
    fn fill(&mut self, destination: &mut [u8]) -> Result<(), EntropyError> {
        let drawn = match self.allowance.checked_sub(destination.len()) {
            Some(rest) => {
                self.allowance = rest;
                self.entropy.fill(destination)
            }
            None => Err(EntropyError::with_source("the random bytes are not random: they repeat themselves")),
        };
        drawn.map_err(|failure| {
            self.failure = Some(failure);
            EntropyError::new()
        })
    }
}
