//! The negotiation of a live session token: the opened secret, what is signed, the exponent, K and the token.

use std::{cell::RefCell, sync::LazyLock};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::Response;
use ibkr_oauth::{
    AccessToken, Consumer, Context, Entropy, EntropyError, Error, Exchange, LiveSessionToken, Timestamp, UnlockedToken,
    dh::{DhGroup, Exponent},
    key::{DecryptionKey, RsaKey},
    simulator::{Broker, SeededEntropy, test_keys},
};
use ibkr_oauth_wiped::{Heap, Marker};
use num_bigint::BigUint;

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
const TOKEN: &str = "218c1d970d85a8442825";
const SECRET: &[u8; 32] = b"the opened secret of this token!";
const EXPONENT: [u8; 32] = *b"the client's secret exponent....";

/// Gives out the exponent where 32 bytes are asked for the first time.
struct Rigged(RefCell<Option<[u8; 32]>>, SeededEntropy);

impl Rigged {
    fn new() -> Self {
        Self(RefCell::new(Some(EXPONENT)), SeededEntropy::new(1))
    }
}

impl Entropy for Rigged {
    fn fill(&mut self, destination: &mut [u8]) -> Result<(), EntropyError> {
        if destination.len() == EXPONENT.len()
            && let Some(exponent) = self.0.take()
        {
            destination.copy_from_slice(&exponent);
            return Ok(());
        }
        self.1.fill(destination)
    }
}

static CONSUMER: LazyLock<Consumer> = LazyLock::new(|| test_keys::consumer().unwrap());
static GROUP: LazyLock<DhGroup> = LazyLock::new(|| DhGroup::read(test_keys::DH_PARAMETERS).unwrap());
fn broker() -> Broker {
    Broker::builder().strict().access_token(TOKEN, *SECRET).build().unwrap()
}

fn secret_marker() -> Marker {
    Marker::bytes("opened secret", SECRET).and_hexadecimal(SECRET)
}

/// What only is known when the broker has answered.
struct Agreed {
    shared: Marker,
    /// K as calculations have it: multiplied by 2^2048, modulo p.
    montgomery: Marker,
    token: Marker,
}

/// The same once more, from the broker's half alone.
fn agreed(reply: &Response<Bytes>) -> Agreed {
    let reply: serde_json::Value = serde_json::from_slice(reply.body()).unwrap();
    let response = reply["diffie_hellman_response"].as_str().unwrap();
    let prime = BigUint::parse_bytes(PRIME.replace([' ', '\n'], "").as_bytes(), 16).unwrap();
    let shared =
        BigUint::parse_bytes(response.as_bytes(), 16).unwrap().modpow(&BigUint::from_bytes_be(&EXPONENT), &prime);
    let montgomery: BigUint = (&shared << 2048_u32) % &prime;
    let exponent = Exponent::generate(&mut Rigged::new()).unwrap();
    let theirs = exponent.shared_secret(response, &GROUP).unwrap();
    assert!(theirs.expose().ends_with(&shared.to_bytes_be()));
    let token = ibkr_oauth::dh::live_session_token(&theirs, &ibkr_oauth::Secret::from(SECRET.as_slice()));
    Agreed {
        shared: Marker::number("shared secret K", &shared.to_bytes_be()).and_hexadecimal(&shared.to_bytes_be()),
        montgomery: Marker::number("shared secret K in Montgomery's form", &montgomery.to_bytes_be()),
        token: Marker::bytes("live session token", token.expose())
            .and_hexadecimal(token.expose())
            .and(STANDARD.encode(token.expose()).as_bytes()),
    }
}

/// RFC 3526, group 14.
const PRIME: &str = "
    ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404dd
    ef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7ed
    ee386bfb5a899fa5ae9f24117c4b1fe649286651ece45b3dc2007cb8a163bf0598da48361c55d39a69163fa8fd24cf5f
    83655d23dca3ad961c62f356208552bb9ed529077096966d670c354e4abc9804f1746c08ca18217c32905e462e36ce3b
    e39e772c180e86039b2783a2ec07a28fb5c55df06f4c52c9de2bcbf6955817183995497cea956ae515d2261898fa0510
    15728e5a8aacaa68ffffffffffffffff";

#[test]
fn the_opened_secret_is_wiped() {
    let mut entropy = SeededEntropy::new(1);
    let broker = &mut Broker::builder().strict().build().unwrap();
    let token = test_keys::access_token(broker, &mut Context::new(NOW, &mut entropy)).unwrap();
    let key = RsaKey::from_pem(test_keys::ENCRYPTION_KEY).unwrap();
    let opened = key.decrypt(token.encrypted_secret(), &mut entropy).unwrap();
    let marker = Marker::number("opened secret", opened.expose());
    LazyLock::force(&CONSUMER);

    let heap = Heap::record();
    let token = CONSUMER.unlock(&mut Context::new(NOW, &mut entropy), &token).unwrap();
    heap.held().assert_with(&marker);
    drop(token.clone());
    drop(token);
    heap.freed().assert_without(&marker);
}

type Reading = fn(Exchange<LiveSessionToken>, Response<Bytes>) -> Result<LiveSessionToken, Error>;

/// Negotiates, and searches for what must be gone in the end.
fn negotiate(read: Reading, answer: fn(Response<Bytes>) -> Response<Bytes>, is_good: bool) {
    let (secret, exponent) = (secret_marker(), Marker::number("exponent", &EXPONENT).and_hexadecimal(&EXPONENT));
    let (mut broker, mut rigged) = (broker(), Rigged::new());
    LazyLock::force(&CONSUMER);

    let heap = Heap::record();
    let token = UnlockedToken::from_plaintext(TOKEN, SECRET.as_slice().into());
    let unsigned = token.prepare_live_session_token(&CONSUMER, &mut Context::new(NOW, &mut rigged)).unwrap();
    let held = heap.held();
    // In the token, and in hexadecimal in what is to be signed.
    assert!(held.count(&secret) >= 2);
    held.assert_with(&exponent);
    let key = RsaKey::from_pem(test_keys::SIGNATURE_KEY).unwrap();
    let signature = ibkr_oauth::key::SigningKey::sign(&key, unsigned.input(), &mut rigged).unwrap();
    let exchange = unsigned.attach(&signature).unwrap();
    let response = heap.pause(|| broker.handle(&mut Context::new(NOW, &mut SeededEntropy::new(2)), exchange.request()));
    let agreed = heap.pause(|| agreed(&response));
    let live = read(exchange, answer(response));
    assert_eq!(live.is_ok(), is_good);
    if let Ok(live) = &live {
        drop(live.signer());
        heap.held().assert_with(&agreed.token);
    }
    drop((live, token));

    let freed = heap.freed();
    for marker in [&secret, &exponent, &agreed.shared, &agreed.montgomery, &agreed.token] {
        freed.assert_without(marker);
    }
}

#[test]
fn a_good_negotiation_leaves_nothing() {
    negotiate(Exchange::complete, |response| response, true);
}

#[test]
fn a_negotiation_in_two_parts_leaves_nothing() {
    negotiate(|exchange, response| exchange.into_parts().1.complete(response), |response| response, true);
}

#[test]
fn a_negotiation_that_fails_leaves_nothing() {
    let without_proof = |response: Response<Bytes>| {
        let body = String::from_utf8(response.body().to_vec()).unwrap();
        response.map(|_| Bytes::from(body.replace("live_session_token_signature", "another")))
    };
    negotiate(Exchange::complete, without_proof, false);
    let with_another = |response: Response<Bytes>| {
        let mut body: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
        body["live_session_token_signature"] = "00".repeat(20).into();
        response.map(|_| Bytes::from(body.to_string()))
    };
    negotiate(Exchange::complete, with_another, false);
}

#[test]
fn a_negotiation_that_is_given_up_leaves_nothing() {
    let give_up: Reading = |exchange, _| {
        drop(exchange);
        AccessToken::from_parts("", "").map(|_| unreachable!())
    };
    negotiate(give_up, |response| response, false);
}
