//! The two backends beside each other: the same keys, the same signatures and secrets, the same refusals.

use aws_lc_rs::rsa::{Pkcs1PublicEncryptingKey, PublicEncryptingKey};
use ibkr_oauth::{
    Callback, Consumer, Context, CredentialBundle, Entropy, EntropyError, Error, Timestamp,
    exchange::Unsigned,
    key::{self, DecryptionKey, RsaPublicKey, SigningInput, SigningKey},
};
use proptest::prelude::*;
use serde_json::json;

use super::by_rsa::malformed::{numbers::PKCS1_DER, numbers::PKCS8_DER, variants};
use super::seeded_entropy::SeededEntropy;

/// Keys of many lengths and exponents, all of two primes.
const KEYS: [&str; 8] = [
    include_str!("../data/keys/pkcs1.pem"),
    include_str!("../data/keys/pkcs8.pem"),
    include_str!("../data/keys/rsa_2049.pem"),
    include_str!("../data/keys/rsa_3000.pem"),
    include_str!("../data/keys/rsa_3072.pem"),
    include_str!("../data/keys/rsa_4096.pem"),
    include_str!("../data/keys/rsa_exponent_3.pem"),
    include_str!("../data/keys/rsa_largest_exponent.pem"),
];
const THREE_PRIMES: &str = include_str!("../data/keys/rsa_three_primes.pem");
const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

struct NoEntropy;

impl Entropy for NoEntropy {
    fn fill(&mut self, _: &mut [u8]) -> Result<(), EntropyError> {
        Err(EntropyError::default())
    }
}

/// Something to sign; a new one for each seed.
fn input(seed: u64) -> SigningInput {
    let consumer = Consumer::builder("TESTCONS").build().unwrap();
    let mut rng = SeededEntropy(seed);
    let unsigned: Unsigned<_> =
        consumer.prepare_request_token(&mut Context::new(NOW, &mut rng), Callback::OutOfBand).unwrap();
    unsigned.input().clone()
}

/// A secret, encrypted to the public key of a PEM text.
fn encrypt(public_pem: &str, secret: &[u8]) -> Vec<u8> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let base64: String = public_pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let key = PublicEncryptingKey::from_der(&STANDARD.decode(base64).unwrap()).unwrap();
    let key = Pkcs1PublicEncryptingKey::new(key).unwrap();
    let mut ciphertext = vec![0; key.ciphertext_size()];
    key.encrypt(secret, &mut ciphertext).unwrap().to_vec()
}

#[test]
fn each_verifies_what_the_other_signed() {
    for (seed, pem) in (1..).zip(KEYS) {
        let (one, other) = (key::RsaKey::from_pem(pem).unwrap(), key::RsaKey::read_with_aws_lc(pem, None).unwrap());
        let verifying = [one.public_key(), RsaPublicKey::read(other.public_key().to_pem()).unwrap()];
        let input = input(seed);
        let signatures =
            [one.sign(&input, &mut SeededEntropy(seed)).unwrap(), other.sign(&input, &mut NoEntropy).unwrap()];
        assert_eq!(signatures[0], signatures[1], "there is one signature of a text by a key");
        for signature in signatures {
            assert_eq!(signature.len(), one.public_key().modulus_bits().div_ceil(8));
            for key in &verifying {
                key.verify(&input.digest(), &signature).unwrap();
                let refuse =
                    |digest: &[u8; 32], signature: &[u8]| key.verify(digest, signature).unwrap_err().to_string();
                assert!(refuse(&[0; 32], &signature).contains("was not made over this text"));
                for index in [0, 1, 100, signature.len() - 1] {
                    let mut tampered = signature.clone();
                    tampered[index] ^= 1;
                    assert!(refuse(&input.digest(), &tampered).contains("was not made over this text"));
                }
                assert!(refuse(&input.digest(), &signature[1..]).contains("the key makes"));
                assert!(refuse(&input.digest(), &[&signature[..], &[0]].concat()).contains("the key makes"));
            }
        }
        assert_eq!(one.public_key().fingerprint(), other.public_key().fingerprint());
        assert_eq!(one.public_key(), other.public_key());
        assert_eq!(format!("{one:?}"), format!("{other:?}"));
    }
}

#[test]
fn another_key_of_either_verifies_nothing() {
    let input = input(1);
    let signature = key::RsaKey::read_with_aws_lc(KEYS[0], None).unwrap().sign(&input, &mut NoEntropy).unwrap();
    let elsewhere = key::RsaKey::from_pem(KEYS[6]).unwrap().public_key();
    assert!(elsewhere.verify(&input.digest(), &signature).is_err());
}

#[test]
fn each_opens_what_was_encrypted_to_the_other() {
    for pem in KEYS {
        let (one, other) = (key::RsaKey::from_pem(pem).unwrap(), key::RsaKey::read_with_aws_lc(pem, None).unwrap());
        for public in [one.public_key().to_pem(), other.public_key().to_pem()] {
            for secret in [&[7; 32][..], b"", &[0; 100]] {
                let ciphertext = encrypt(&public, secret);
                assert_eq!(one.decrypt(&ciphertext, &mut SeededEntropy(1)).unwrap().expose(), secret);
                assert_eq!(other.decrypt(&ciphertext, &mut NoEntropy).unwrap().expose(), secret);
            }
        }
    }
}

/// To `rsa` it looks like another secret, which the proof of the live session token then shows; AWS-LC says so at once.
#[test]
fn a_secret_for_another_key_is_opened_by_neither() {
    let public = key::RsaKey::from_pem(KEYS[0]).unwrap().public_key().to_pem();
    let (one, other) = (key::RsaKey::from_pem(KEYS[6]).unwrap(), key::RsaKey::read_with_aws_lc(KEYS[6], None).unwrap());
    for _ in 0..20 {
        let ciphertext = encrypt(&public, &[7; 32]);
        if let Ok(opened) = one.decrypt(&ciphertext, &mut SeededEntropy(1)) {
            assert_ne!(opened.expose(), [7; 32]);
        }
        // One ciphertext in some 40,000 happens to have good padding under a wrong key.
        if let Ok(opened) = other.decrypt(&ciphertext, &mut NoEntropy) {
            assert_ne!(opened.expose(), [7; 32]);
        }
    }
    let error = other.decrypt(&[0xff; 256], &mut NoEntropy).unwrap_err();
    assert!(error.remedy().contains("not the signature key"));
}

/// What each says of the same text: the key's fingerprint, or why there is none.
fn outcome(read: Result<key::RsaKey, Error>) -> Result<String, (String, String)> {
    match read {
        Ok(key) => Ok(key.public_key().fingerprint()),
        Err(error) => Err((error.to_string(), error.remedy().to_owned())),
    }
}

/// Where they may differ: numbers that cannot be those of a key, on which `rsa` has more to say, and those of which it makes
/// its own.
#[track_caller]
fn assert_alike(what: &str, one: Result<key::RsaKey, Error>, other: Result<key::RsaKey, Error>) {
    let (one, other) = (outcome(one), outcome(other));
    match (&one, &other) {
        (_, Err((why, _))) if why.contains("its numbers do not fit together") => {
            let excused = one
                .as_ref()
                .map_or_else(|(why, _)| why.contains("numbers do not fit") || why.contains("primes"), |_| true);
            assert!(excused, "{what}: {one:?}, {other:?}");
        }
        _ => assert_eq!(one, other, "{what}"),
    }
}

#[test]
fn both_say_the_same_of_every_bad_der() {
    let mut refused = 0;
    for der in [PKCS1_DER, PKCS8_DER] {
        for variant in variants::of(der) {
            let (one, other) =
                (key::RsaKey::read(&variant.der, None), key::RsaKey::read_with_aws_lc(&variant.der, None));
            refused += usize::from(one.is_err());
            assert_alike(&variant.what, one, other);
        }
    }
    assert!(refused > 800, "{refused}");
}

#[test]
fn what_is_no_key_of_either_is_refused_in_the_same_words() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/keys");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let content = std::fs::read(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with("rsa_three_primes") {
            continue;
        }
        files += 1;
        assert_alike(&name, key::RsaKey::read(&content, None), key::RsaKey::read_with_aws_lc(&content, None));
        #[cfg(feature = "encrypted-keys")]
        assert_alike(
            &name,
            key::RsaKey::read(&content, Some(b"correct-horse")),
            key::RsaKey::read_with_aws_lc(&content, Some(b"correct-horse")),
        );
        if let Ok(text) = std::str::from_utf8(&content) {
            assert_alike(&name, key::RsaKey::from_pem(text), key::RsaKey::read_with_aws_lc(text, None));
            #[cfg(feature = "encrypted-keys")]
            assert_alike(
                &name,
                key::RsaKey::read(text.as_bytes(), Some(b"correct-horse")),
                key::RsaKey::read_with_aws_lc(text.as_bytes(), Some(b"correct-horse")),
            );
        }
    }
    assert!(files > 40, "{files}");
}

fn bundle(signature_key: &str) -> CredentialBundle {
    let bundle = json!({
        "consumer_key": "TESTVECTR",
        "signature_key": signature_key,
        "encryption_key": KEYS[0],
        "dh_params": include_str!("../data/keys/dh.pem"),
    });
    CredentialBundle::from_json(&bundle.to_string()).unwrap()
}

/// Only `rsa` works with a key of three primes: so one sees who reads it.
#[test]
fn a_bundle_is_read_by_rsa_unless_aws_lc_is_asked_for() {
    assert!(bundle(THREE_PRIMES).consumer().is_ok(), "a feature changes nothing");
    let bundle_of_three = bundle(THREE_PRIMES).with_aws_lc();
    let error = bundle_of_three.consumer().unwrap_err();
    assert_eq!(
        error.to_string(),
        "credential bundle: `signature_key`: the RSA private key has 3 primes; 2 are accepted by the backend `aws-lc-rs`"
    );
    assert!(error.remedy().contains("feature `rsa`"), "{}", error.remedy());
    let findings = ibkr_oauth::diagnose::check(&bundle_of_three, &mut Context::new(NOW, &mut NoEntropy));
    assert!(
        findings.iter().any(|it| it.subject == "signature_key" && it.message.contains("has 3 primes")),
        "{findings:?}"
    );
}

#[test]
fn a_bundle_of_either_makes_the_same_consumer() {
    let sign = |bundle: CredentialBundle| {
        let consumer = bundle.consumer().unwrap();
        let mut rng = SeededEntropy(1);
        let exchange = consumer.request_token(&mut Context::new(NOW, &mut rng), Callback::OutOfBand).unwrap();
        exchange.request().headers()["authorization"].clone()
    };
    let one = sign(bundle(KEYS[1]));
    assert_eq!(one, sign(bundle(KEYS[1]).with_aws_lc()), "and none says who computed it");
    let debug = |bundle: CredentialBundle| format!("{bundle:?}");
    assert_eq!(debug(bundle(KEYS[1])), debug(bundle(KEYS[1]).with_aws_lc()));
}

/// A key store's signature is verified before it is sent, by the public half of either.
#[test]
fn a_consumer_verifies_what_either_signed() {
    let builder = Consumer::builder("TESTCONS");
    let builder = builder.signature_public_key(key::RsaKey::from_pem(KEYS[0]).unwrap().public_key());
    let request = |consumer: Consumer| {
        let mut rng = SeededEntropy(1);
        consumer.request_token(&mut Context::new(NOW, &mut rng), Callback::OutOfBand).map(drop)
    };
    let right = builder.clone().signature_key(key::RsaKey::read_with_aws_lc(KEYS[0], None).unwrap()).build().unwrap();
    request(right).unwrap();
    let elsewhere = builder.signature_key(key::RsaKey::read_with_aws_lc(KEYS[6], None).unwrap()).build().unwrap();
    let error = request(elsewhere).unwrap_err();
    assert!(error.to_string().contains("was not made over this text"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_changed_byte_means_the_same_to_both(at in any::<prop::sample::Index>(), byte in any::<u8>(), pkcs8 in any::<bool>()) {
        let mut der = if pkcs8 { PKCS8_DER } else { PKCS1_DER }.to_vec();
        let at = at.index(der.len());
        der[at] = byte;
        assert_alike(&format!("byte {at}"), key::RsaKey::read(&der, None), key::RsaKey::read_with_aws_lc(&der, None));
    }

    #[test]
    fn a_changed_character_means_the_same_to_both(at in any::<prop::sample::Index>(), char in any::<char>(), key in 0..KEYS.len()) {
        let mut chars: Vec<char> = KEYS[key].chars().collect();
        let at = at.index(chars.len());
        chars[at] = char;
        let text: String = chars.into_iter().collect();
        assert_alike(&format!("character {at}"), key::RsaKey::from_pem(&text), key::RsaKey::read_with_aws_lc(&text, None));
    }
}
