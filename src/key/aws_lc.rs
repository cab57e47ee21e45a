//! RSA keys that AWS-LC computes with.

use aws_lc_rs::{
    digest::{Digest, SHA256},
    error::Unspecified,
    rsa::{KeyPair, Pkcs1PrivateDecryptingKey, PrivateDecryptingKey},
    signature::RSA_PKCS1_SHA256,
};
use zeroize::Zeroizing;

use super::{
    backend::{CANNOT_OPEN, CANNOT_SIGN, PrivateKey, WHICH_KEY_OPENS},
    reading::{PrivateNumbers, private_key_info, unfit},
};
use crate::{context::Entropy, error::Error, secret::Secret};

/// A private key, once for each of its uses.
struct Pair {
    signing: KeyPair,
    decryption: Pkcs1PrivateDecryptingKey,
}

pub(super) fn private_key(numbers: &PrivateNumbers<'_>) -> Result<Box<dyn PrivateKey>, Error> {
    let count = numbers.primes.len();
    if count > 2 {
        let message = format!("the RSA private key has {count} primes; 2 are accepted by the backend `aws-lc-rs`");
        return Err(Error::key(message).with_remedy(TWO_PRIMES));
    }
    let info = private_key_info(numbers.der);
    let signing = KeyPair::from_pkcs8(&info).map_err(|error| unfit().with_source(error))?;
    let decryption = PrivateDecryptingKey::from_pkcs8(&info).map_err(|error| unfit().with_source(error))?;
    let decryption = Pkcs1PrivateDecryptingKey::new(decryption).map_err(|error| unfit().with_source(error))?;
    Ok(Box::new(Pair { signing, decryption }))
}

impl PrivateKey for Pair {
    fn sign(&self, modulus_bytes: usize, digest: &[u8; 32], _: &mut dyn Entropy) -> Result<Vec<u8>, Error> {
        let mut signature = vec![0; modulus_bytes];
        let signed =
            imported(digest).and_then(|digest| self.signing.sign_digest(&RSA_PKCS1_SHA256, &digest, &mut signature));
        signed.map_err(|error| Error::key(CANNOT_SIGN).with_source(error))?;
        Ok(signature)
    }

    fn decrypt(&self, ciphertext: &[u8], _: &mut dyn Entropy) -> Result<Secret, Error> {
        let mut opened = Zeroizing::new(vec![0; ciphertext.len()]);
        match self.decryption.decrypt(ciphertext, &mut opened) {
            Ok(opened) => Ok(Secret::from(&*opened)),
            Err(error) => Err(Error::key(CANNOT_OPEN).with_remedy(WHICH_KEY_OPENS).with_source(error)),
        }
    }
}

const TWO_PRIMES: &str = "turn on the feature `rsa`, which takes up to five, or make a key of two with `openssl genrsa -out \
                          private.pem 2048`, whose public half IBKR must be given";

/// A digest of SHA-256 in the type of AWS-LC's.
fn imported(digest: &[u8; 32]) -> Result<Digest, Unspecified> {
    Digest::import_less_safe(digest, &SHA256)
}
