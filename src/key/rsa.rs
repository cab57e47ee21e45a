//! RSA keys that the crate `rsa` computes with.

use ::rsa::sha2::Sha256;

use super::{
    backend::{CANNOT_OPEN, CANNOT_SIGN, PrivateKey, WHICH_KEY_OPENS},
    reading::PrivateNumbers,
};
use crate::{
    context::{Entropy, EntropyError, RandCore},
    error::{Error, Stage},
    secret::Secret,
};

mod components;

pub(super) fn private_key(numbers: &PrivateNumbers<'_>) -> Result<Box<dyn PrivateKey>, Error> {
    Ok(Box::new(components::private_key(numbers)?))
}

impl PrivateKey for ::rsa::PrivateKey {
    fn sign(&self, modulus_bytes: usize, digest: &[u8; 32], entropy: &mut dyn Entropy) -> Result<Vec<u8>, Error> {
        let mut rng = CheckedRng::new(entropy, modulus_bytes);
        let outcome = self.pkcs1v15_sign_prehash_with_rng::<Sha256, _>(&mut RandCore(&mut rng), digest);
        outcome.map_err(|error| rng.explain(error, CANNOT_SIGN))
    }

    fn decrypt(&self, ciphertext: &[u8], entropy: &mut dyn Entropy) -> Result<Secret, Error> {
        let mut rng = CheckedRng::new(entropy, ciphertext.len());
        let outcome = self.pkcs1v15_decrypt_with_rng(&mut RandCore(&mut rng), ciphertext);
        outcome.map(Secret::from).map_err(|error| rng.explain(error, CANNOT_OPEN).with_remedy(WHICH_KEY_OPENS))
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
    fn new(entropy: &'a mut dyn Entropy, modulus_bytes: usize) -> Self {
        // Each draw is of use in half the cases or more, so that an honest source exceeds this once in 2^128 times.
        let allowance = modulus_bytes.saturating_mul(128).saturating_add(1024);
        Self { entropy, allowance, failure: None }
    }

    fn explain(self, error: ::rsa::Error, message: &'static str) -> Error {
        match self.failure {
            Some(failure) => Error::entropy(Stage::Key, failure),
            None => Error::key(message).with_source(error),
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
            EntropyError::default()
        })
    }
}
