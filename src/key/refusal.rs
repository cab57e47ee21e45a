//! What a key in memory does not work on, and how it says so, whichever backend computes.

use super::KeyError;

/// The length of each of IBKR's secrets, once it is opened, in bytes.
const OPENED_SECRET: usize = 32;

/// Checks the length of an encrypted secret, where the key's modulus has `needed` bytes.
pub(super) fn check_secret(given: usize, needed: usize) -> Result<(), KeyError> {
    if given == OPENED_SECRET {
        let message = format!("the secret has {given} bytes, the key needs {needed}: was it opened already?");
        return Err(KeyError::new(message).with_remedy(
            "give the encrypted secret, as the portal shows it; an opened one goes by itself: \
             `UnlockedToken::from_plaintext`",
        ));
    }
    if given != needed {
        return Err(KeyError::new(format!("the secret has {given} bytes, the key needs {needed}: was it cut?"))
            .with_remedy("copy the access token secret again, whole, and check that this is the encryption key"));
    }
    Ok(())
}

pub(super) const CANNOT_SIGN: &str = "the key could not sign";
pub(super) const CANNOT_OPEN: &str = "the secret cannot have been encrypted for this key";
pub(super) const WHICH_KEY_OPENS: &str =
    "check that this is the encryption key, not the signature key, and that IBKR has its half";

/// Checks the length of a signature, where the key's modulus has `needed` bytes.
pub(super) fn check_signature(given: usize, needed: usize) -> Result<(), KeyError> {
    if given == needed {
        return Ok(());
    }
    Err(KeyError::new(format!("the signature has {given} bytes, the key makes {needed}"))
        .with_remedy("check that the public key belongs to the key that signed, and that both are RSA"))
}

/// A signature that is not this key's over this text.
pub(super) fn not_verified(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> KeyError {
    KeyError::new("the signature was not made over this text by the private half of this public key")
        .with_remedy("check that the public key belongs to the key that signed, with PKCS#1 v1.5 and SHA-256")
        .with_source(source)
}
