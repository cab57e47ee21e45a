//! What needs a `SigningInput`, which only this crate can make.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;
use sha2::Digest;

use super::*;
use crate::key::{DecryptionKey, SigningInput, SigningKey};

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../tests/data/vectors.json")).unwrap()
}

/// Bytes that do not repeat themselves: good enough to blind with in a test.
struct Counting(u64);

impl Entropy for Counting {
    fn fill(&mut self, destination: &mut [u8]) -> Result<(), EntropyError> {
        for chunk in destination.chunks_mut(32) {
            self.0 += 1;
            let digest = Sha256::digest(self.0.to_be_bytes());
            chunk.copy_from_slice(&digest[..chunk.len()]);
        }
        Ok(())
    }
}

struct Broken;

impl Entropy for Broken {
    fn fill(&mut self, _: &mut [u8]) -> Result<(), EntropyError> {
        Err(EntropyError::with_source("the device is gone"))
    }
}

#[test]
fn both_pem_forms_sign_the_vectors_alike() {
    let vectors = vectors();
    for form in ["signing_private_key_pkcs1_pem", "signing_private_key_pkcs8_pem"] {
        let key = RsaKey::from_pem(vectors["keys"][form].as_str().unwrap()).unwrap();
        for step in ["step1_request_token", "step3_access_token", "step4_live_session_token"] {
            let step = &vectors[step];
            let input = SigningInput::new(step["signature_base_string"].as_str().unwrap().into());
            let signature = key.sign(&input, &mut Counting(7)).unwrap();
            assert_eq!(STANDARD.encode(&signature), step["oauth_signature_base64"].as_str().unwrap());
            key.public_key().verify(&input.digest(), &signature).unwrap();
        }
    }
}

#[test]
fn another_digest_another_key_or_a_changed_signature_is_not_verified() {
    let vectors = vectors();
    let key = RsaKey::from_pem(vectors["keys"]["signing_private_key_pkcs8_pem"].as_str().unwrap()).unwrap();
    let other = RsaKey::from_pem(vectors["keys"]["encryption_private_key_pkcs8_pem"].as_str().unwrap()).unwrap();
    let input = SigningInput::new(b"text".to_vec());
    let mut signature = key.sign(&input, &mut Counting(1)).unwrap();
    assert!(key.public_key().verify(&[0; 32], &signature).unwrap_err().to_string().contains("was not made over this"));
    assert!(other.public_key().verify(&input.digest(), &signature).is_err());
    signature[100] ^= 1;
    assert!(key.public_key().verify(&input.digest(), &signature).is_err());
    let message = key.public_key().verify(&input.digest(), &signature[1..]).unwrap_err().to_string();
    assert_eq!(message, "the signature has 255 bytes, the key makes 256");
}

#[test]
fn a_signature_is_made_whatever_the_blinding() {
    let vectors = vectors();
    let key = RsaKey::from_pem(vectors["keys"]["signing_private_key_pkcs1_pem"].as_str().unwrap()).unwrap();
    let input = SigningInput::new(b"text".to_vec());
    assert_eq!(key.sign(&input, &mut Counting(1)).unwrap(), key.sign(&input, &mut Counting(2)).unwrap());
}

#[test]
fn a_failing_source_of_random_bytes_is_the_cause_that_is_named() {
    let vectors = vectors();
    let key = RsaKey::from_pem(vectors["keys"]["signing_private_key_pkcs1_pem"].as_str().unwrap()).unwrap();
    let failures = [
        key.sign(&SigningInput::new(b"text".to_vec()), &mut Broken).unwrap_err(),
        key.decrypt(&[1; 256], &mut Broken).unwrap_err(),
    ];
    for failure in failures {
        assert!(failure.to_string().contains("no random bytes"), "{failure}");
        let source = std::error::Error::source(&failure).unwrap();
        let entropy = source.downcast_ref::<EntropyError>().unwrap();
        assert_eq!(std::error::Error::source(entropy).unwrap().to_string(), "the device is gone");
    }
}

struct Stuck(u8);

impl Entropy for Stuck {
    fn fill(&mut self, destination: &mut [u8]) -> Result<(), EntropyError> {
        destination.fill(self.0);
        Ok(())
    }
}

#[test]
fn a_source_that_repeats_itself_is_an_error_and_no_endless_loop() {
    let vectors = vectors();
    let key = RsaKey::from_pem(vectors["keys"]["signing_private_key_pkcs1_pem"].as_str().unwrap()).unwrap();
    for byte in [0, 0xff] {
        let failure = key.sign(&SigningInput::new(b"text".to_vec()), &mut Stuck(byte)).unwrap_err();
        let entropy = std::error::Error::source(&failure).unwrap();
        assert!(entropy.is::<EntropyError>());
        assert!(std::error::Error::source(entropy).unwrap().to_string().contains("repeat themselves"));
        assert!(key.decrypt(&[1; 256], &mut Stuck(byte)).is_err());
    }
}
