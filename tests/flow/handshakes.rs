//! Client and broker agree on a live session token, over many groups and with many exponents.

use std::{collections::BTreeSet, fs, path::Path};

use crate::authorization_header::AuthorizationHeader;
use crate::fixture::{self, NOW, SeededEntropy};
use ibkr_oauth::{
    Callback, Consumer, Context, Entropy, EntropyError,
    dh::{DhGroup, Exponent},
    key::RsaKey,
    simulator::{Broker, test_keys},
};
use serde_json::Value;

/// The committed groups, each with its prime as big-endian bytes.
fn groups() -> Vec<(DhGroup, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/groups");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "pem"));
    files.sort();
    let read = |file: &std::path::PathBuf| {
        let pem = fs::read_to_string(file).unwrap();
        (DhGroup::read(&pem).unwrap(), prime(&pem))
    };
    files.iter().map(read).collect()
}

/// The prime of `SEQUENCE { INTEGER p, INTEGER g }`, read without the crate's own parser.
fn prime(pem: &str) -> Vec<u8> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let base64: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = STANDARD.decode(base64).unwrap();
    // 30 82 LL LL 02 82 01 01 00 …
    assert_eq!((der[0], &der[4..9]), (0x30, [0x02, 0x82, 0x01, 0x01, 0x00].as_slice()), "a prime of 2048 bits");
    der[9..9 + 256].to_vec()
}

/// Random numbers that remember the first 32 bytes they gave out: the client's exponent.
struct Witness {
    rng: SeededEntropy,
    exponent: Option<[u8; 32]>,
}

impl Entropy for Witness {
    fn fill(&mut self, destination: &mut [u8]) -> Result<(), EntropyError> {
        self.rng.fill(destination)?;
        if let (None, Ok(bytes)) = (self.exponent, <[u8; 32]>::try_from(&*destination)) {
            self.exponent = Some(bytes);
        }
        Ok(())
    }
}

/// A source that gives out one value.
struct Known([u8; 32]);

impl Entropy for Known {
    fn fill(&mut self, destination: &mut [u8]) -> Result<(), EntropyError> {
        destination.copy_from_slice(&self.0);
        Ok(())
    }
}

/// How often each shape of numbers came up.
#[derive(Debug, Default)]
struct Tally {
    handshakes: usize,
    with_sign_byte: usize,
    without_sign_byte: usize,
    short_keys: usize,
    odd_challenges: usize,
    odd_responses: usize,
}

struct Pair {
    consumer: Consumer,
    broker: Broker,
    group: DhGroup,
}

fn pair(signing_key: &RsaKey, group: DhGroup) -> Pair {
    let consumer = Consumer::builder(test_keys::CONSUMER_KEY)
        .signature_key(signing_key.clone())
        .encryption_key(RsaKey::from_pem(test_keys::ENCRYPTION_KEY).unwrap())
        .dh_params(group.clone())
        .build()
        .unwrap();
    let broker = fixture::broker_builder().dh_params(&group).build().unwrap();
    Pair { consumer, broker, group }
}

impl Pair {
    /// One negotiation, and a request signed with what came of it.
    fn shake(&mut self, seed: u64, tally: &mut Tally) {
        let token = fixture::unlocked();
        let mut witness = Witness { rng: SeededEntropy(seed), exponent: None };
        let mut cx = Context::new(NOW, &mut witness);
        let exchange = token.live_session_token(&self.consumer, &mut cx).unwrap();
        let header = exchange.request().headers()["authorization"].to_str().unwrap();
        let header: AuthorizationHeader = header.parse().unwrap();
        let challenge = header.get("diffie_hellman_challenge").unwrap().to_owned();
        let response = self.broker.handle(&mut cx, exchange.request());
        let reply: Value = serde_json::from_slice(response.body()).unwrap_or_default();
        let token = exchange.complete(response).unwrap_or_else(|error| panic!("seed {seed}: {error}: {reply}"));
        assert_eq!(token.secret().len(), 20);

        let answer = reply["diffie_hellman_response"].as_str().unwrap();
        let exponent = Exponent::generate(&mut Known(witness.exponent.unwrap())).unwrap();
        assert_eq!(exponent.challenge(&self.group), challenge, "the exponent is the first that was drawn");
        let shared = exponent.shared_secret(answer, &self.group).unwrap();
        let key = shared.expose();
        assert_ne!(key.iter().take_while(|byte| **byte == 0).count(), 2, "one sign byte at most");
        tally.handshakes += 1;
        tally.with_sign_byte += usize::from(key[0] == 0);
        tally.without_sign_byte += usize::from(key[0] != 0);
        tally.short_keys += usize::from(key.len() - usize::from(key[0] == 0) < 256);
        tally.odd_challenges += challenge.len() % 2;
        tally.odd_responses += answer.len() % 2;
    }
}

fn shake_hands(count: usize) -> Tally {
    let signing_key = RsaKey::from_pem(test_keys::SIGNATURE_KEY).unwrap();
    let mut pairs: Vec<Pair> = groups().into_iter().map(|(group, _)| pair(&signing_key, group)).collect();
    let mut tally = Tally::default();
    let groups = pairs.len();
    for (index, seed) in (0..count).zip(0u64..) {
        pairs[index % groups].shake(seed, &mut tally);
    }
    assert_eq!(tally.handshakes, count);
    assert!(tally.with_sign_byte > 0 && tally.without_sign_byte > 0, "{tally:?}");
    assert!(tally.odd_challenges > 0 && tally.odd_responses > 0, "{tally:?}");
    println!("{groups} groups: {tally:?}");
    tally
}

#[test]
fn both_sides_agree_over_every_group() {
    shake_hands(96);
}

/// `cargo test --release --features simulator --test handshakes -- --ignored --nocapture`
#[test]
#[ignore = "takes minutes"]
fn both_sides_agree_ten_thousand_times() {
    let tally = shake_hands(10_000);
    assert!(tally.short_keys > 0, "{tally:?}");
}

#[test]
fn the_groups_are_many_and_their_top_bytes_spread() {
    let groups = groups();
    let primes: BTreeSet<&Vec<u8>> = groups.iter().map(|(_, prime)| prime).collect();
    assert!(primes.len() >= 20, "{} different groups", primes.len());
    let top_bytes: BTreeSet<u8> = primes.iter().map(|prime| prime[0]).collect();
    for quarter in [0x80..=0x9f, 0xa0..=0xbf, 0xc0..=0xdf, 0xe0..=0xff] {
        assert!(top_bytes.range(quarter.clone()).count() >= 3, "{quarter:x?} of {top_bytes:x?}");
    }
    assert!(top_bytes.first() <= Some(&0x84) && top_bytes.last() >= Some(&0xfb), "{top_bytes:x?}");
    for (group, _) in &groups {
        assert_eq!(group.prime_hex().len(), 512);
    }
}

#[test]
fn a_token_from_consent_agrees_too() {
    let mut broker = Broker::builder().strict().build().unwrap();
    let mut rng = SeededEntropy(7);
    let mut cx = Context::new(NOW, &mut rng);
    let token = test_keys::sign_in(&mut broker, &mut cx).unwrap();
    assert_eq!(token.expires_at().unwrap().as_secs(), NOW.as_secs() + 23 * 3600 + 55 * 60);
    assert!(broker.refusals().is_empty());
}

/// The wrong key yields bytes without meaning, or an error: either way the key has to be named.
#[test]
fn a_secret_opened_with_the_wrong_key_is_blamed_on_the_key() {
    let signing_key = RsaKey::from_pem(test_keys::SIGNATURE_KEY).unwrap();
    let swapped = fixture::consumer_builder().encryption_key(signing_key).build().unwrap();
    let mut broker = Broker::builder().strict().build().unwrap();
    let mut rng = SeededEntropy(1);
    for _ in 0..8 {
        let exchange = swapped.request_token(&mut Context::new(NOW, &mut rng), Callback::OutOfBand).unwrap();
        let consent = fixture::complete(&mut broker, &mut rng, exchange).unwrap();
        let callback = broker.consent(&mut Context::new(NOW, &mut rng), consent.url()).unwrap();
        let verifier = consent.verifier(&callback).unwrap();
        let exchange = verifier.access_token(&swapped, &mut Context::new(NOW, &mut rng)).unwrap();
        let token = fixture::complete(&mut broker, &mut rng, exchange).unwrap();
        let error = match swapped.unlock(&mut Context::new(NOW, &mut rng), &token) {
            Err(error) => error,
            Ok(garbage) => {
                let exchange = garbage.live_session_token(&swapped, &mut Context::new(NOW, &mut rng)).unwrap();
                fixture::complete(&mut broker, &mut rng, exchange).unwrap_err()
            }
        };
        assert!(error.remedy().contains("encryption key"), "{error:?}");
    }
}
