//! RSA keys that are whole and yet unlike nearly all: what works is accepted, and what does not is told as what it is.

use base64::{Engine, engine::general_purpose::STANDARD};
use ibkr_oauth::{Consumer, Context, Error, Timestamp, key::DecryptionKey};

use super::{IS_RSA, Key, RsaKey, RsaPublicKey};
use crate::seeded_entropy::SeededEntropy;

const THREE_PRIMES: &str = include_str!("../data/keys/rsa_three_primes.pem");
const THREE_PRIMES_PKCS8: &str = include_str!("../data/keys/rsa_three_primes_pkcs8.pem");
const EXPONENT_3: &str = include_str!("../data/keys/rsa_exponent_3.pem");
const LARGEST_EXPONENT: &str = include_str!("../data/keys/rsa_largest_exponent.pem");
const LARGE_EXPONENT: &str = include_str!("../data/keys/rsa_large_exponent.pem");
const LARGE_EXPONENT_PUBLIC: &str = include_str!("../data/keys/rsa_large_exponent_public.pem");

/// The signature that a consumer of this key makes for a request token, verified.
#[track_caller]
fn assert_signs(key: &Key) {
    let consumer = Consumer::builder("TESTCONS").signature_key(key.clone()).build().unwrap();
    let consumer_that_verifies = Consumer::builder("TESTCONS")
        .signature_key(key.clone())
        .signature_public_key(key.public_key())
        .build()
        .unwrap();
    for consumer in [consumer, consumer_that_verifies] {
        let mut rng = SeededEntropy(1);
        let mut cx = Context::new(Timestamp::from_secs(1_700_000_000), &mut rng);
        let unsigned = consumer.prepare_request_token(&mut cx, ibkr_oauth::Callback::OutOfBand).unwrap();
        let digest = unsigned.input().digest();
        let signature = ibkr_oauth::key::SigningKey::sign(key, unsigned.input(), &mut SeededEntropy(2)).unwrap();
        key.public_key().verify(&digest, &signature).unwrap();
        drop(unsigned.attach(&signature).unwrap());
    }
}

#[track_caller]
fn assert_refused<T>(outcome: Result<T, Error>, message: &str, remedy: &str) {
    let error = outcome.err().unwrap();
    assert!(error.to_string().contains(message), "{:?} does not say {message:?}", error.to_string());
    let advised = error.remedy();
    assert!(advised.contains(remedy), "{advised:?} does not advise {remedy:?}");
}

#[test]
fn a_key_of_three_primes_works_or_is_named() {
    for pem in [THREE_PRIMES, THREE_PRIMES_PKCS8] {
        if !IS_RSA {
            assert_refused(
                RsaKey::from_pem(pem),
                "has 3 primes; 2 are accepted by the backend `aws-lc-rs`",
                "feature `rsa`",
            );
            continue;
        }
        let key = RsaKey::from_pem(pem).unwrap();
        // openssl pkey -in rsa_three_primes.pem -pubout -outform der | sha256sum
        assert_eq!(key.public_key().fingerprint(), "cd1e14c5dbaf421a6ffb72f33bcc57c67009687ba7a2a5dac1bb5b204ff4ad1e");
        assert_eq!(key.public_key().modulus_bits(), 2048);
        assert_signs(&key);
        // printf 'the opened secret of this token!' |
        //     openssl pkeyutl -encrypt -inkey rsa_three_primes.pem -pkeyopt rsa_padding_mode:pkcs1 | base64
        let ciphertext =
            STANDARD.decode(include_str!("../data/keys/rsa_three_primes_secret.txt").replace('\n', "")).unwrap();
        let opened = key.decrypt(&ciphertext, &mut SeededEntropy(3)).unwrap();
        assert_eq!(opened.expose(), b"the opened secret of this token!");
    }
}

/// IBKR's opened secrets have 32 bytes.
#[test]
fn a_secret_that_was_opened_already_is_named() {
    let key = RsaKey::from_pem(EXPONENT_3).unwrap();
    let opened = key.decrypt(&[7; 32], &mut SeededEntropy(1));
    assert_refused(
        opened,
        "has 32 bytes, the key needs 256: was it opened already?",
        "`UnlockedToken::from_plaintext`",
    );
    assert_refused(key.decrypt(&[7; 255], &mut SeededEntropy(1)), "was it cut?", "copy the access token secret again");
}

#[test]
fn small_exponents_and_the_largest_work() {
    for pem in [EXPONENT_3, LARGEST_EXPONENT] {
        let key = RsaKey::from_pem(pem).unwrap();
        assert_signs(&key);
        assert_eq!(RsaPublicKey::read(key.public_key().to_pem()).unwrap(), key.public_key());
    }
}

#[test]
fn an_exponent_that_is_too_large_is_named() {
    let message = "public exponent has 34 bits; 2 to 33 are accepted";
    let remedy = "`openssl genrsa -out private.pem 2048`";
    assert_refused(RsaKey::from_pem(LARGE_EXPONENT), message, remedy);
    assert_refused(RsaPublicKey::read(LARGE_EXPONENT_PUBLIC), message, remedy);
}
