//! What the broker adds to RFC 5849, against `ibind`, which works with the real one: the key agreement, the proof, the RSA
//! signatures, the opened secret and whole sign-ins.

use std::fs;

use crate::authorization_header::AuthorizationHeader;
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Request, header};
use ibkr_oauth::{
    AccessToken, Callback, Consumer, Context, QueryPolicy, Secret, Signer, Timestamp,
    dh::{self, DhGroup, Exponent},
    key::{RsaKey, SigningKey},
    oauth1::percent_encode,
    simulator::{Broker, test_keys},
};
use num_bigint::BigUint;
use serde_json::{Value, json};

use super::{
    peer::{Peer, hex, text},
    random_request::random_text,
    rng::Rng,
};

/// The random groups of `tests/data/groups`, then the two named ones of the library.
fn groups(peer: &mut Peer) -> Vec<(DhGroup, Vec<u8>, u64)> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/groups");
    let mut paths: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "pem"));
    paths.sort();
    let mut texts: Vec<String> = paths.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    texts.push(test_keys::DH_PARAMETERS.to_owned());
    texts
        .iter()
        .map(|pem| {
            let numbers = peer.ask("parameters", json!({ "pem": pem }));
            let prime = BigUint::parse_bytes(text(&numbers["prime"]).as_bytes(), 16).unwrap().to_bytes_be();
            (DhGroup::read(pem).unwrap(), prime, numbers["generator"].as_u64().unwrap())
        })
        .collect()
}

/// One key agreement, computed here and by ibind.
fn compare(peer: &mut Peer, rng: &mut Rng, group: &DhGroup, prime: &[u8], generator: &BigUint) -> usize {
    let modulus = BigUint::from_bytes_be(prime);
    let random: [u8; 32] = match rng.below(8) {
        // Small ones, whose powers are smaller than the modulus.
        0 => std::array::from_fn(|index| if index == 31 { 2 + u8::try_from(rng.below(250)).unwrap() } else { 0 }),
        _ => rng.bytes(),
    };
    // From 2 to p - 2, now and then small.
    let width = if rng.once_in(4) { 1 + rng.below(prime.len()) } else { prime.len() };
    let response = BigUint::from_bytes_be(&rng.vec(width)) % (&modulus - 3_u8) + 2_u8;
    let response = match rng.below(3) {
        0 => response.to_str_radix(16),
        1 => response.to_str_radix(16).to_uppercase(),
        _ => format!("{:0>width$}", response.to_str_radix(16), width = 2 * prime.len()),
    };
    let secret_length = if rng.once_in(4) { 1 + rng.below(60) } else { 32 };
    let secret = rng.vec(secret_length);
    let consumer_key = rng.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", 1, 25);

    let exponent = Exponent::generate(&mut Fixed(&random)).unwrap();
    let shared = exponent.shared_secret(&response, group).unwrap();
    let token = dh::live_session_token(&shared, &Secret::from(secret.clone()));
    let proof = hex(&dh::proof(&token, &consumer_key));
    let question = json!({
        "prime": hex(prime),
        "generator": generator.to_string(),
        "random": hex(&random),
        "response": response,
        "secret": hex(&secret),
        "consumer_key": consumer_key,
        "proof": proof,
    });
    let theirs = peer.ask("agree", question.clone());
    let ours = json!({
        "challenge": exponent.challenge(group),
        "shared_secret": hex(shared.expose()),
        "live_session_token": STANDARD.encode(token.expose()),
        "proof_is_taken": true,
    });
    assert_eq!(ours, theirs, "{question}");
    shared.len()
}

/// The same bytes each time.
struct Fixed<'a>(&'a [u8]);

impl ibkr_oauth::Entropy for Fixed<'_> {
    fn fill(&mut self, destination: &mut [u8]) -> Result<(), ibkr_oauth::EntropyError> {
        destination.copy_from_slice(self.0);
        Ok(())
    }
}

#[test]
#[ignore = "needs Python: bash .ci/interop"]
fn ibind_agrees_on_the_keys_of_real_groups() {
    const EACH: usize = 40;
    let mut rng = Rng::new(0x1b1d_0001, "key agreements in random 2048-bit groups, against ibind");
    let mut peer = Peer::start("ibind_peer.py");
    let groups = groups(&mut peer);
    let (mut wide, mut short) = (0, 0);
    for (group, prime, generator) in &groups {
        for _ in 0..EACH {
            match compare(&mut peer, &mut rng, group, prime, &BigUint::from(*generator)) {
                256 => {}
                257.. => wide += 1,
                _ => short += 1,
            }
        }
    }
    let all = groups.len() * EACH;
    println!("{all} key agreements in {} groups agree: {wide} with a sign byte, {short} short", groups.len());
    assert!(wide > all / 5 && short > 0, "the cases that clients get wrong are among them");
}

#[test]
#[ignore = "needs Python: bash .ci/interop"]
fn ibind_agrees_on_the_keys_of_odd_groups() {
    const AGREEMENTS: usize = 3000;
    let mut rng = Rng::new(0x1b1d_0002, "key agreements with random odd moduli and generators, against ibind");
    let mut peer = Peer::start("ibind_peer.py");
    let mut refused = 0;
    for _ in 0..AGREEMENTS {
        let bits = if rng.once_in(10) { 128 + rng.below(4000) } else { 128 + rng.below(640) };
        let mut prime = rng.vec(bits.div_ceil(8));
        prime[0] &= 0xff >> ((8 - bits % 8) % 8);
        prime[0] |= 1 << ((bits + 7) % 8);
        *prime.last_mut().unwrap() |= 1;
        // Up to one and a half times as long as the modulus.
        let length = if rng.once_in(2) { 1 } else { 1 + rng.below(prime.len() * 3 / 2) };
        let generator = BigUint::from_bytes_be(&rng.vec(length));
        match DhGroup::read(format!("prime: 0x{:x}\ngenerator: 0x{generator:x}", BigUint::from_bytes_be(&prime))) {
            Ok(group) => {
                assert_eq!(group.prime_hex(), format!("{:x}", BigUint::from_bytes_be(&prime)));
                compare(&mut peer, &mut rng, &group, &prime, &generator);
            }
            // 0 and 1.
            Err(_) => refused += 1,
        }
    }
    println!("{} key agreements agree; {refused} generators were refused", AGREEMENTS - refused);
    assert!(refused < AGREEMENTS / 50);
}

#[test]
#[ignore = "needs Python: bash .ci/interop"]
fn ibind_agrees_on_signatures_and_opened_secrets() {
    const KEYS: u64 = 6;
    const EACH: usize = 25;
    let mut rng = Rng::new(0x1b1d_0003, "random RSA keys: signatures and opened secrets, against ibind");
    let mut peer = Peer::start("ibind_peer.py");
    let mut opened = 0;
    for number in 0..KEYS {
        let bits = [2048, 2049, 2056, 2304, 3072, 4096][usize::try_from(number).unwrap()];
        let made = peer.ask("make_key", json!({ "seed": format!("interop {number}"), "bits": bits }));
        let key = RsaKey::from_pem(text(&made["pkcs1"])).unwrap();
        let same = RsaKey::from_pem(text(&made["pkcs8"])).unwrap();
        assert_eq!(key.public_key().modulus_bits(), bits);
        assert_eq!(key.public_key().fingerprint(), same.public_key().fingerprint());
        assert_eq!(key.public_key().to_pem().trim(), text(&made["public"]).trim());

        let consumer = Consumer::builder("INTEROPER").signature_key(key.clone()).encryption_key(same).build().unwrap();
        for _ in 0..EACH {
            // The message is a base string: the callback in it is what varies.
            let callback = format!("https://example.com/{}", percent_encode(random_text(&mut rng, 0, 20).as_bytes()));
            let mut cx = Context::new(Timestamp::from_secs(1_700_000_000), &mut rng);
            let unsigned = consumer.prepare_request_token(&mut cx, Callback::Url(&callback)).unwrap();
            let message = std::str::from_utf8(unsigned.input().expose_message()).unwrap().to_owned();
            let ours = percent_encode(STANDARD.encode(key.sign(unsigned.input(), &mut rng).unwrap()).as_bytes());
            let theirs = peer.ask("sign", json!({ "message": message, "private_key": made["pkcs8"] }));
            assert_eq!(ours, text(&theirs), "{message}");
        }
        // The simulator encrypts, ibind and this crate open.
        let mut broker = Broker::builder()
            .strict()
            .encryption_public_key(text(&made["public"]))
            .request_token("t", "v")
            .build()
            .unwrap();
        let client = Consumer::builder(test_keys::CONSUMER_KEY)
            .signature_key(RsaKey::from_pem(test_keys::SIGNATURE_KEY).unwrap())
            .encryption_key(key)
            .build()
            .unwrap();
        for _ in 0..3 {
            let token = access_token(&client, &mut broker, &mut rng);
            let encrypted = STANDARD.encode(token.encrypted_secret());
            let theirs = peer.ask("open_secret", json!({ "encrypted": encrypted, "private_key": made["pkcs1"] }));
            let mut cx = Context::new(Timestamp::from_secs(1_700_000_000), &mut rng);
            let unlocked = client.unlock(&mut cx, &token).unwrap();
            // What was opened shows in what is signed: it stands before the base string, in hexadecimal.
            let consumer = Consumer::builder("X").dh_params(DhGroup::modp_2048()).build().unwrap();
            let unsigned = unlocked.prepare_live_session_token(&consumer, &mut cx).unwrap();
            assert!(unsigned.input().expose_message().starts_with(format!("{}POST&", text(&theirs)).as_bytes()));
            opened += 1;
        }
    }
    println!("{} signatures by {KEYS} keys and {opened} opened secrets agree", usize::try_from(KEYS).unwrap() * EACH);
}

/// An access token by the whole flow, secret and all.
fn access_token(consumer: &Consumer, broker: &mut Broker, rng: &mut Rng) -> AccessToken {
    let mut cx = Context::new(Timestamp::from_secs(1_700_000_000), rng);
    let exchange = consumer.request_token(&mut cx, Callback::OutOfBand).unwrap();
    let reply = broker.handle(&mut cx, exchange.request());
    let consent = exchange.complete(reply).unwrap();
    let called_back = broker.consent(&mut cx, consent.url()).unwrap();
    let exchange = consent.verifier(&called_back).unwrap().access_token(consumer, &mut cx).unwrap();
    let reply = broker.handle(&mut cx, exchange.request());
    exchange.complete(reply).unwrap()
}

/// The moment at which ibind, which reads the clock itself, signed.
fn signed_at(authorization: &str) -> Timestamp {
    let header: AuthorizationHeader = authorization.parse().unwrap();
    Timestamp::from_secs(header.get("oauth_timestamp").unwrap().parse().unwrap())
}

fn request(method: &str, url: &str, authorization: &str) -> Request<Bytes> {
    Request::builder()
        .method(method)
        .uri(url)
        .header(header::USER_AGENT, "ibind")
        .header(header::AUTHORIZATION, authorization)
        .header(header::CONTENT_LENGTH, 0)
        .body(Bytes::new())
        .unwrap()
}

#[test]
#[ignore = "needs Python: bash .ci/interop"]
fn ibind_signs_in_to_the_simulator() {
    const BASE: &str = "https://api.ibkr.com/v1/api";
    const EACH: usize = 2;
    const REQUESTS: usize = 8;
    let mut rng = Rng::new(0x1b1d_0004, "whole sign-ins of ibind's to the simulator (its own nonces and exponents)");
    let mut peer = Peer::start("ibind_peer.py");
    let (mut sign_ins, mut requests) = (0, 0);
    for (_, prime, generator) in groups(&mut peer) {
        let mut broker = Broker::builder()
            .strict()
            .dh_params(
                &DhGroup::read(format!("prime: 0x{:x}\ngenerator: 0x{generator:x}", BigUint::from_bytes_be(&prime)))
                    .unwrap(),
            )
            .query_policy(QueryPolicy::DecodedOnce)
            .build()
            .unwrap();
        let token = access_token(&test_keys::consumer().unwrap(), &mut broker, &mut rng);
        let config = json!({
            "access_token": token.token(),
            "access_token_secret": STANDARD.encode(token.encrypted_secret()),
            "consumer_key": test_keys::CONSUMER_KEY,
            "dh_prime": hex(&prime),
            "dh_generator": generator.to_string(),
            "encryption_key": test_keys::ENCRYPTION_KEY,
            "signature_key": test_keys::SIGNATURE_KEY,
            "realm": "limited_poa",
        });
        for _ in 0..EACH {
            let url = format!("{BASE}/oauth/live_session_token");
            let signed = peer.ask("request_token", json!({ "config": config, "url": url }));
            let authorization = text(&signed["authorization"]);
            let mut cx = Context::new(signed_at(authorization), &mut rng);
            let response = broker.handle(&mut cx, &request("POST", &url, authorization));
            assert_eq!(response.status(), 200, "{authorization}: {:?}", broker.refusals());
            let reply: Value = serde_json::from_slice(response.body()).unwrap();
            let question = json!({
                "config": config, "prepend": signed["prepend"], "random": signed["random"], "reply": reply,
            });
            let live_session_token = peer.ask("finish", question);
            sign_ins += 1;

            for _ in 0..REQUESTS {
                let (url, parameters, query) = parameters(&mut rng, &format!("{BASE}/marketdata/snapshot"));
                let question = json!({
                    "config": config, "method": "GET", "url": url, "token": live_session_token,
                    "parameters": parameters,
                });
                let answer = peer.ask("sign_protected", question);
                let authorization = text(&answer);
                let sent = request("GET", &format!("{url}?{query}"), authorization);
                let response = broker.handle(&mut Context::new(signed_at(authorization), &mut rng), &sent);
                assert_eq!(response.status(), 200, "{query}: {:?}", broker.refusals());
                requests += 1;
            }
        }
    }
    println!("{sign_ins} sign-ins and {requests} requests of ibind's were accepted");
}

/// A query as ibind takes it, a dictionary, and as it is sent.
///
/// Left out are spaces, which ibind signs as `+` where this crate signs `%20`; a name cannot repeat in a dictionary.
fn parameters(rng: &mut Rng, url: &str) -> (String, Value, String) {
    let mut pairs = serde_json::Map::new();
    for _ in 0..rng.below(5) {
        let (name, value) = (random_text(rng, 1, 8), random_text(rng, 0, 12));
        pairs.insert(name.replace(' ', "_"), json!(value.replace(' ', "_")));
    }
    let sent: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{}={}", percent_encode(name.as_bytes()), percent_encode(text(value).as_bytes())))
        .collect();
    (url.to_owned(), Value::Object(pairs), sent.join("&"))
}

#[test]
#[ignore = "needs Python: bash .ci/interop"]
fn ibind_makes_the_same_signatures_of_requests() {
    const REQUESTS: usize = 2000;
    let mut rng = Rng::new(0x1b1d_0005, "protected requests, base string and HMAC-SHA256, against ibind");
    let mut peer = Peer::start("ibind_peer.py");
    for number in 0..REQUESTS {
        // Its two ways: what it would sign if it were handed the parameters, and what its client really signs.
        let policy = if number % 2 == 0 { QueryPolicy::DecodedOnce } else { QueryPolicy::Omit };
        let consumer = Consumer::builder("INTEROPER").query_policy(policy).build().unwrap();
        let key: [u8; 20] = rng.bytes();
        let signer = Signer::from_stored(&consumer, "0123456789abcdef0123", &Secret::from(key.to_vec())).unwrap();
        let (url, pairs, query) = parameters(&mut rng, "https://api.ibkr.com/v1/api/iserver/secdef/search");
        let method = rng.pick(&["GET", "POST", "DELETE"]);
        let (parts, ()) =
            Request::builder().method(method).uri(format!("{url}?{query}")).body(()).unwrap().into_parts();
        let nonce = hex(&rng.bytes::<16>());
        let ours = signer.sign_with(&parts, None, &nonce, 1_700_000_000).unwrap();

        let protocol = json!({
            "oauth_consumer_key": "INTEROPER",
            "oauth_nonce": nonce,
            "oauth_signature_method": "HMAC-SHA256",
            "oauth_timestamp": "1700000000",
            "oauth_token": "0123456789abcdef0123",
        });
        let pairs = if policy == QueryPolicy::Omit { Value::Null } else { pairs };
        let question = json!({ "method": method, "url": url, "oauth_parameters": protocol, "parameters": pairs });
        let base_string = peer.ask("base_string", question);
        assert_eq!(ours.base_string, text(&base_string), "{policy}");
        let question = json!({ "message": base_string, "token": STANDARD.encode(key) });
        assert_eq!(percent_encode(ours.signature.as_bytes()), text(&peer.ask("sign_hmac", question)));
    }
    println!("{REQUESTS} signatures agree");
}
