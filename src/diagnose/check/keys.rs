//! The two keys.

use crate::{
    bundle::CredentialBundle,
    diagnose::finding::{Collector, Finding},
    error::Error,
    key::RsaKey,
};

/// The fingerprints of the simulator's keys, to sign with and to open secrets with.
const TEST_KEYS: [&str; 2] = [
    "695b107ba491d7eb84ce58f2a85c5d9d461b7e79ea3bdd2e5dd9fd20eedf77d9",
    "feb37b643995847891ce133a0ddd66e6db86e36838cf7f29e2b500a865f584d3",
];
/// The length that IBKR's documents name, in bits.
pub(super) const USUAL_BITS: usize = 2048;

/// The keys that can be read.
pub(super) struct Keys {
    pub(super) signature: Option<RsaKey>,
    pub(super) encryption: Option<RsaKey>,
}

/// `is_here` says whether the base URL leads to this machine.
pub(super) fn check(bundle: &CredentialBundle, is_here: bool, list: &mut Vec<Finding>) -> Keys {
    let signature = key(bundle.signature_key.key(bundle.backend), "signature_key", is_here, list);
    let encryption = key(bundle.encryption_key.key(bundle.backend), "encryption_key", is_here, list);
    if let (Some(signature), Some(encryption)) = (&signature, &encryption) {
        let mut findings = Collector::about("key_pair", list);
        if is_same(signature, encryption) {
            findings.warning(
                "both keys are the same: this works only if one public key was uploaded for both purposes",
                "make a second key, upload its public half as the encryption key, then generate a new access token",
            );
        } else {
            findings.ok("signature key and encryption key are two different keys");
        }
    }
    Keys { signature, encryption }
}

pub(super) fn is_same(one: &RsaKey, other: &RsaKey) -> bool {
    one.public_key() == other.public_key()
}

fn key(key: Result<RsaKey, Error>, subject: &'static str, is_here: bool, list: &mut Vec<Finding>) -> Option<RsaKey> {
    let mut findings = Collector::about(subject, list);
    let key = match key {
        Ok(key) => key,
        Err(error) => {
            findings.error(error.message(), error.remedy());
            return None;
        }
    };
    let bits = key.public_key().modulus_bits();
    if bits == USUAL_BITS {
        findings.ok(format!("an RSA private key of {bits} bits"));
    } else {
        findings.warning(
            format!("an RSA private key of {bits} bits, where IBKR's documents ask for {USUAL_BITS}"),
            "if the portal refuses it, make a key with `openssl genrsa -out private.pem 2048`",
        );
    }
    let fingerprint = key.public_key().fingerprint();
    if TEST_KEYS.contains(&fingerprint.as_str()) {
        if is_here {
            findings.ok("the simulator's test key, of which everybody has the private half: right for the simulator");
        } else {
            findings.error(
                "the simulator's test key: everybody has its private half, and can act with it as this consumer",
                "make a key of your own (`ibkr-oauth keygen`, or `openssl genrsa -out private.pem 2048`), and upload its \
                 public half in the portal in place of this one",
            );
        }
    }
    findings.ok(format!(
        "SHA-256 of its public half: {fingerprint}; of the file that was uploaded, `openssl pkey -pubin -in FILE -outform der | \
         sha256sum` prints the same"
    ));
    Some(key)
}
