//! What keys compute, and with which random bytes.

use std::error::Error;

use base64::{Engine, engine::general_purpose::STANDARD};
use ibkr_oauth::{
    Entropy, EntropyError, ErrorKind,
    key::{DecryptionKey, SigningInput, SigningKey},
};
use serde_json::Value;

use super::{IS_RSA, Key, RsaKey};
use crate::seeded_entropy::SeededEntropy;

struct Broken;

impl Entropy for Broken {
    fn fill(&mut self, _: &mut [u8]) -> Result<(), EntropyError> {
        Err(EntropyError::with_source("the device is gone"))
    }
}

struct Stuck(u8);

impl Entropy for Stuck {
    fn fill(&mut self, destination: &mut [u8]) -> Result<(), EntropyError> {
        destination.fill(self.0);
        Ok(())
    }
}

fn vectors() -> Value {
    serde_json::from_str(include_str!("../data/vectors.json")).unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn signature_key() -> Key {
    RsaKey::from_pem(&text(&vectors()["keys"]["signing_private_key_pkcs1_pem"])).unwrap()
}

fn input() -> SigningInput {
    SigningInput::new(b"text".to_vec())
}

#[test]
fn both_pem_forms_sign_and_open_the_vectors_alike() {
    let vectors = vectors();
    for form in ["pkcs1", "pkcs8"] {
        let key =
            |purpose| RsaKey::from_pem(&text(&vectors["keys"][format!("{purpose}_private_key_{form}_pem")])).unwrap();
        let signing = key("signing");
        for step in ["step1_request_token", "step3_access_token", "step4_live_session_token"] {
            let step = &vectors[step];
            let input = SigningInput::new(text(&step["signature_base_string"]).into());
            let signature = signing.sign(&input, &mut SeededEntropy(7)).unwrap();
            assert_eq!(STANDARD.encode(&signature), text(&step["oauth_signature_base64"]));
            signing.public_key().verify(&input.digest(), &signature).unwrap();
        }
        let step = &vectors["step3_access_token"];
        let ciphertext = STANDARD.decode(text(&step["response_body"]["oauth_token_secret"])).unwrap();
        let secret = key("encryption").decrypt(&ciphertext, &mut SeededEntropy(7)).unwrap();
        assert_eq!(STANDARD.encode(secret.expose()), text(&step["decrypted_secret_base64"]));
    }
}

#[test]
fn another_digest_another_key_or_a_changed_signature_is_not_verified() {
    let (key, input) = (signature_key(), input());
    let other = RsaKey::from_pem(&text(&vectors()["keys"]["encryption_private_key_pkcs8_pem"])).unwrap();
    let mut signature = key.sign(&input, &mut SeededEntropy(1)).unwrap();
    assert!(key.public_key().verify(&[0; 32], &signature).unwrap_err().to_string().contains("was not made over this"));
    assert!(other.public_key().verify(&input.digest(), &signature).is_err());
    signature[100] ^= 1;
    assert!(key.public_key().verify(&input.digest(), &signature).is_err());
    let message = key.public_key().verify(&input.digest(), &signature[1..]).unwrap_err().to_string();
    assert_eq!(message, "key: the signature has 255 bytes, the key makes 256");
}

#[test]
fn a_key_of_4096_bits_signs() {
    let (key, input) = (RsaKey::from_pem(include_str!("../data/keys/rsa_4096.pem")).unwrap(), input());
    let signature = key.sign(&input, &mut SeededEntropy(1)).unwrap();
    assert_eq!(signature.len(), 512);
    key.public_key().verify(&input.digest(), &signature).unwrap();
}

#[test]
fn a_signature_is_made_whatever_the_blinding() {
    let (key, input) = (signature_key(), input());
    assert_eq!(key.sign(&input, &mut SeededEntropy(1)).unwrap(), key.sign(&input, &mut SeededEntropy(2)).unwrap());
}

/// AWS-LC asks for no random bytes, so that a source that has none does no harm.
#[test]
fn a_failing_source_of_random_bytes_is_the_cause_that_is_named() {
    let key = signature_key();
    let signature = key.sign(&input(), &mut Broken);
    if !IS_RSA {
        assert!(signature.is_ok());
        return;
    }
    for failure in [signature.unwrap_err(), key.decrypt(&[1; 256], &mut Broken).unwrap_err()] {
        assert_eq!(failure.kind(), ErrorKind::Entropy);
        let entropy = failure.source().unwrap().downcast_ref::<EntropyError>().unwrap();
        assert_eq!(entropy.source().unwrap().to_string(), "the device is gone");
    }
}

#[test]
fn a_source_that_repeats_itself_is_an_error_and_no_endless_loop() {
    let key = signature_key();
    for byte in [0, 0xff] {
        let signature = key.sign(&input(), &mut Stuck(byte));
        assert!(key.decrypt(&[1; 256], &mut Stuck(byte)).is_err());
        if !IS_RSA {
            assert!(signature.is_ok());
            continue;
        }
        let failure = signature.unwrap_err();
        let entropy = failure.source().unwrap().downcast_ref::<EntropyError>().unwrap();
        assert!(entropy.source().unwrap().to_string().contains("repeat themselves"));
    }
}
