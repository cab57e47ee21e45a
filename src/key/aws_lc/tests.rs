//! What needs a `SigningInput`, which only this crate can make.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::*;
use crate::{
    context::{Entropy, EntropyError},
    key::{DecryptionKey, SigningInput, SigningKey},
};

/// AWS-LC asks for no random bytes, so that a source that has none does no harm.
struct NoDice;

impl Entropy for NoDice {
    fn fill(&mut self, _: &mut [u8]) -> Result<(), EntropyError> {
        Err(EntropyError::default())
    }
}

#[test]
fn both_pem_forms_sign_and_open_the_vectors_alike() {
    let vectors: Value = serde_json::from_str(include_str!("../../../tests/data/vectors.json")).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    for form in ["pkcs1", "pkcs8"] {
        let key =
            |purpose| RsaKey::from_pem(&text(&vectors["keys"][format!("{purpose}_private_key_{form}_pem")])).unwrap();
        let signing = key("signing");
        for step in ["step1_request_token", "step3_access_token", "step4_live_session_token"] {
            let step = &vectors[step];
            let input = SigningInput::new(text(&step["signature_base_string"]).into());
            let signature = signing.sign(&input, &mut NoDice).unwrap();
            assert_eq!(STANDARD.encode(&signature), text(&step["oauth_signature_base64"]));
            signing.public_key().verify(&input.digest(), &signature).unwrap();
        }
        let step = &vectors["step3_access_token"];
        let ciphertext = STANDARD.decode(text(&step["response_body"]["oauth_token_secret"])).unwrap();
        let secret = key("encryption").decrypt(&ciphertext, &mut NoDice).unwrap();
        assert_eq!(STANDARD.encode(secret.expose()), text(&step["decrypted_secret_base64"]));
    }
}

#[test]
fn a_key_of_4096_bits_signs() {
    let text = include_str!("../../../tests/data/keys/rsa_4096.pem");
    let (key, input) = (RsaKey::from_pem(text).unwrap(), SigningInput::new(b"text".to_vec()));
    let signature = key.sign(&input, &mut NoDice).unwrap();
    assert_eq!(signature.len(), 512);
    key.public_key().verify(&input.digest(), &signature).unwrap();
}
