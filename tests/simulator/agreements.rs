//! Key agreements of the shapes that clients get wrong: right ones, so that this crate's client takes them.

use ibkr_oauth::{
    Context, Timestamp,
    dh::{DhGroup, Exponent},
    simulator::{Broker, SeededEntropy, test_keys},
};
use serde_json::Value;

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

/// The bytes of K, and the digits of the broker's response.
fn agree(agreement: &str, seed: u64) -> (Vec<u8>, String) {
    let mut entropy = SeededEntropy::new(seed);
    let mut cx = Context::new(NOW, &mut entropy);
    let mut broker = Broker::builder().strict().build().unwrap();
    let unlocked = test_keys::unlocked_token(&mut broker, &mut cx).unwrap();
    broker.inject(agreement.parse().unwrap());
    let of_client = || SeededEntropy::new(seed + 1000);
    let exchange =
        unlocked.live_session_token(&test_keys::consumer().unwrap(), &mut Context::new(NOW, &mut of_client())).unwrap();
    let answer = broker.handle(&mut cx, exchange.request());
    let body: Value = serde_json::from_slice(answer.body()).unwrap();
    let response = body["diffie_hellman_response"].as_str().unwrap().to_owned();

    let group = DhGroup::modp_2048();
    let exponent = Exponent::generate(&mut of_client()).unwrap();
    let header = exchange.request().headers()["authorization"].to_str().unwrap();
    assert!(header.contains(&exponent.challenge(&group)));
    let k = exponent.shared_secret(&response, &group).unwrap().expose().to_vec();
    exchange.complete(answer).unwrap();
    (k, response)
}

#[test]
fn each_shape_is_met_and_the_token_is_right() {
    for seed in 0..8 {
        let (k, _) = agree("k-top-bit-set", seed);
        assert!(k[0] == 0 && k[1] >= 0x80, "{k:?}");
        let (k, _) = agree("k-top-bit-clear", seed);
        assert!(k.len() == 256 && (1..0x80).contains(&k[0]), "{k:?}");
        let (k, _) = agree("k-leading-zero", seed);
        assert!(k.len() < 256 && (1..0x80).contains(&k[0]), "{k:?}");
        let (_, response) = agree("odd-length-response", seed);
        assert!(response.len() % 2 == 1 && !response.starts_with('0'), "{response}");
    }
}

#[test]
fn a_short_life_is_one_tokens_alone() {
    let mut entropy = SeededEntropy::new(1);
    let mut cx = Context::new(NOW, &mut entropy);
    let mut broker = Broker::builder().strict().build().unwrap();
    broker.inject("short-life".parse().unwrap());
    let token = test_keys::sign_in(&mut broker, &mut cx).unwrap();
    let signer = token.signer();
    for (later, status) in [(29, 200), (31, 401)] {
        let mut entropy = SeededEntropy::new(2 + later);
        let mut cx = Context::new(NOW.saturating_add(std::time::Duration::from_secs(later)), &mut entropy);
        let exchange = signer.brokerage().tickle(&mut cx).unwrap();
        assert_eq!(broker.handle(&mut cx, exchange.request()).status(), status, "{later}");
    }
    // Of one token, not of all.
    let mut cx = Context::new(NOW.saturating_add(std::time::Duration::from_secs(60)), &mut entropy);
    let next = test_keys::sign_in(&mut broker, &mut cx).unwrap();
    assert!(next.expires_at().unwrap() > NOW.saturating_add(std::time::Duration::from_secs(80_000)));
}
