//! RSA with 2048 bits: signing, opening a secret, and reading a key from PEM or DER.

use base64::{Engine, engine::general_purpose::STANDARD};
use ibkr_oauth::{
    Callback, Context,
    key::{DecryptionKey, RsaKey, SigningKey},
    simulator::{Broker, test_keys},
};
use openssl::{hash::MessageDigest, pkey::PKey, rsa::Padding, rsa::Rsa, sign::Signer};

use crate::{
    contender::{Comparison, Contender, OURS, OURS_BY_AWS_LC},
    requests::{NOW, SeededEntropy},
};

pub(crate) fn comparisons() -> [Comparison; 3] {
    [sign(), decrypt(), load()]
}

/// The content of a PEM text.
fn der(pem: &str) -> Vec<u8> {
    STANDARD.decode(pem.lines().filter(|line| !line.starts_with("-----")).collect::<String>()).unwrap()
}

/// The base string of a request token is what is signed.
fn sign() -> Comparison {
    let mut rng = SeededEntropy(1);
    let consumer = test_keys::consumer().unwrap();
    let unsigned = consumer.prepare_request_token(&mut Context::new(NOW, &mut rng), Callback::OutOfBand).unwrap();
    let message = unsigned.input().expose_message().to_vec();
    let (pem, pkcs8) = (test_keys::SIGNATURE_KEY, der(test_keys::SIGNATURE_KEY));

    let openssl_key = PKey::private_key_from_pem(pem.as_bytes()).unwrap();
    let by_openssl = {
        let message = message.clone();
        move || Signer::new(MessageDigest::sha256(), &openssl_key).unwrap().sign_oneshot_to_vec(&message).unwrap()
    };
    let our_key = RsaKey::from_pem(pem).unwrap();
    let our_other_key = RsaKey::read_with_aws_lc(pem, None).unwrap();
    let by_us_and_aws_lc = {
        let (input, mut rng) = (unsigned.input().clone(), SeededEntropy(1));
        move || our_other_key.sign(&input, &mut rng).unwrap()
    };
    let by_us = move || our_key.sign(unsigned.input(), &mut rng).unwrap();

    let ring_key = ring::rsa::KeyPair::from_pkcs8(&pkcs8).unwrap();
    let by_ring = {
        let (message, random) = (message.clone(), ring::rand::SystemRandom::new());
        move || {
            let mut signature = vec![0; ring_key.public().modulus_len()];
            ring_key.sign(&ring::signature::RSA_PKCS1_SHA256, &random, &message, &mut signature).unwrap();
            signature
        }
    };
    let aws_key = aws_lc_rs::rsa::KeyPair::from_pkcs8(&pkcs8).unwrap();
    let by_aws = move || {
        let (random, mut signature) = (aws_lc_rs::rand::SystemRandom::new(), vec![0; aws_key.public_modulus_len()]);
        aws_key.sign(&aws_lc_rs::signature::RSA_PKCS1_SHA256, &random, &message, &mut signature).unwrap();
        signature
    };
    alike(
        "RSA-SHA256 signature",
        [
            ("OpenSSL", Box::new(by_openssl)),
            (OURS, Box::new(by_us)),
            (OURS_BY_AWS_LC, Box::new(by_us_and_aws_lc)),
            ("ring", Box::new(by_ring)),
            ("aws-lc-rs", Box::new(by_aws)),
        ],
    )
}

/// The secret of an access token.
fn decrypt() -> Comparison {
    let mut rng = SeededEntropy(1);
    let token = test_keys::access_token(&mut Broker::default(), &mut Context::new(NOW, &mut rng)).unwrap();
    let ciphertext = token.encrypted_secret().to_vec();
    let pem = test_keys::ENCRYPTION_KEY;

    let openssl_key = Rsa::private_key_from_pem(pem.as_bytes()).unwrap();
    let by_openssl = {
        let ciphertext = ciphertext.clone();
        move || {
            let mut plaintext = vec![0; 256];
            let length = openssl_key.private_decrypt(&ciphertext, &mut plaintext, Padding::PKCS1).unwrap();
            plaintext.truncate(length);
            plaintext
        }
    };
    let our_key = RsaKey::from_pem(pem).unwrap();
    let by_us = {
        let ciphertext = ciphertext.clone();
        move || our_key.decrypt(&ciphertext, &mut rng).unwrap().expose().to_vec()
    };
    let our_other_key = RsaKey::read_with_aws_lc(pem, None).unwrap();
    let by_us_and_aws_lc = {
        let (ciphertext, mut rng) = (ciphertext.clone(), SeededEntropy(1));
        move || our_other_key.decrypt(&ciphertext, &mut rng).unwrap().expose().to_vec()
    };
    let aws_key = aws_lc_rs::rsa::PrivateDecryptingKey::from_pkcs8(&der(pem)).unwrap();
    let aws_key = aws_lc_rs::rsa::Pkcs1PrivateDecryptingKey::new(aws_key).unwrap();
    let by_aws = move || aws_key.decrypt(&ciphertext, &mut [0; 256]).unwrap().to_vec();
    alike(
        "RSA decryption",
        [
            ("OpenSSL", Box::new(by_openssl)),
            (OURS, Box::new(by_us)),
            (OURS_BY_AWS_LC, Box::new(by_us_and_aws_lc)),
            ("aws-lc-rs", Box::new(by_aws)),
        ],
    )
}

type Work = Box<dyn FnMut() -> Vec<u8>>;

/// Contenders whose results are the same bytes.
fn alike<const N: usize>(name: &'static str, contenders: [(&str, Work); N]) -> Comparison {
    let mut results: Vec<Vec<u8>> = Vec::new();
    let contenders = contenders.into_iter().map(|(who, mut work)| {
        results.push(work());
        Contender::new(who, work)
    });
    let contenders = contenders.collect();
    assert!(results.iter().all(|result| !result.is_empty() && *result == results[0]), "{name}");
    Comparison { name, contenders }
}

/// How much each checks differs: OpenSSL next to nothing, the others that the numbers fit together.
fn load() -> Comparison {
    let (pem, pkcs8) = (test_keys::SIGNATURE_KEY, der(test_keys::SIGNATURE_KEY));
    let for_ring = pkcs8.clone();
    let contenders = vec![
        Contender::new("OpenSSL", || PKey::private_key_from_pem(pem.as_bytes()).unwrap()),
        Contender::new(OURS, || RsaKey::from_pem(pem).unwrap()),
        Contender::new(OURS_BY_AWS_LC, move || RsaKey::read_with_aws_lc(pem, None).unwrap()),
        Contender::new("ring, from DER", move || ring::rsa::KeyPair::from_pkcs8(&for_ring).unwrap()),
        Contender::new("aws-lc-rs, from DER", move || aws_lc_rs::rsa::KeyPair::from_pkcs8(&pkcs8).unwrap()),
    ];
    Comparison { name: "loading an RSA key", contenders }
}
