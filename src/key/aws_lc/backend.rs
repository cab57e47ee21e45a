//! What AWS-LC computes.

use aws_lc_rs::{
    digest::{Digest, SHA256},
    error::Unspecified,
    rsa::{KeyPair, Pkcs1PrivateDecryptingKey, PrivateDecryptingKey},
    signature::RSA_PKCS1_SHA256,
};
use zeroize::Zeroizing;

use crate::{
    context::Entropy,
    key::{
        KeyError,
        in_memory::{Backend, CANNOT_OPEN, CANNOT_SIGN, WHICH_KEY_OPENS},
        reading::{PrivateNumbers, private_key_info, unfit},
    },
    secret::Secret,
};

/// AWS-LC.
#[derive(Clone, Debug)]
#[allow(unnameable_types, reason = "it has a name as `RsaKey`")]
pub struct AwsLc;

/// A private key, once for each of its uses.
#[allow(unnameable_types, missing_debug_implementations, reason = "only `AwsLc` looks into it")]
pub struct Pair {
    signing: KeyPair,
    decryption: Pkcs1PrivateDecryptingKey,
}

impl Backend for AwsLc {
    type Private = Pair;

    fn private(numbers: &PrivateNumbers<'_>) -> Result<Pair, KeyError> {
        let count = numbers.primes.len();
        if count > 2 {
            let message = format!("the RSA private key has {count} primes; 2 are accepted by the backend `aws-lc-rs`");
            return Err(KeyError::new(message).with_remedy(TWO_PRIMES));
        }
        let info = private_key_info(numbers.der);
        let signing = KeyPair::from_pkcs8(&info).map_err(|error| unfit().with_source(error))?;
        let decryption = PrivateDecryptingKey::from_pkcs8(&info).map_err(|error| unfit().with_source(error))?;
        let decryption = Pkcs1PrivateDecryptingKey::new(decryption).map_err(|error| unfit().with_source(error))?;
        Ok(Pair { signing, decryption })
    }

    fn sign(key: &Pair, modulus_bytes: usize, digest: &[u8; 32], _: &mut dyn Entropy) -> Result<Vec<u8>, KeyError> {
        let mut signature = vec![0; modulus_bytes];
        let signed =
            imported(digest).and_then(|digest| key.signing.sign_digest(&RSA_PKCS1_SHA256, &digest, &mut signature));
        signed.map_err(|error| KeyError::new(CANNOT_SIGN).with_source(error))?;
        Ok(signature)
    }

    fn decrypt(key: &Pair, ciphertext: &[u8], _: &mut dyn Entropy) -> Result<Secret, KeyError> {
        let mut opened = Zeroizing::new(vec![0; ciphertext.len()]);
        match key.decryption.decrypt(ciphertext, &mut opened) {
            Ok(opened) => Ok(Secret::from(&*opened)),
            Err(error) => Err(KeyError::new(CANNOT_OPEN).with_remedy(WHICH_KEY_OPENS).with_source(error)),
        }
    }
}

const TWO_PRIMES: &str = "turn on the feature `rsa`, which takes up to five, or make a key of two with `openssl genrsa -out \
                          private.pem 2048`, whose public half IBKR must be given";

/// A digest of SHA-256 in the type of AWS-LC's.
fn imported(digest: &[u8; 32]) -> Result<Digest, Unspecified> {
    Digest::import_less_safe(digest, &SHA256)
}
