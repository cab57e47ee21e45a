//! The reply with the live session token: the broker's number, its proof, and the stated expiry.

use crate::cases::cases;
use crate::fixture::{self, NOW, SeededEntropy, reply};
use crate::steps::Step;
use ibkr_oauth::{
    Consumer, Context, Error, ErrorKind, LiveSessionToken, Secret, Timestamp, UnlockedToken,
    simulator::{Broker, Fault, test_keys},
};
use num_bigint::BigUint;
use proptest::prelude::*;
use serde_json::{Value, json};

fn consumer() -> Consumer {
    fixture::consumer_builder().build().unwrap()
}

fn good_reply(consumer: &Consumer) -> Value {
    serde_json::from_slice(&Step::LiveSessionToken.good_reply(consumer)).unwrap()
}

/// The good reply with one field changed, or dropped where `value` is `None`.
fn changed(good: &Value, name: &str, value: Option<Value>) -> String {
    let mut fields = good.as_object().unwrap().clone();
    match value {
        Some(value) => fields.insert(name.to_owned(), value),
        None => fields.remove(name),
    };
    Value::Object(fields).to_string()
}

fn fail(consumer: &Consumer, body: String) -> Error {
    Step::LiveSessionToken.fail(consumer, reply(200, body))
}

/// The prime of the test keys' group, which is RFC 3526's number 14.
fn prime() -> BigUint {
    let pem: String = test_keys::DH_PARAMETERS.lines().filter(|line| !line.starts_with('-')).collect();
    let der = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, pem).unwrap();
    BigUint::from_bytes_be(&der[9..9 + 256])
}

#[test]
fn a_number_that_gives_the_secret_away_is_not_trusted() {
    let consumer = consumer();
    let good = good_reply(&consumer);
    let (p, one) = (prime(), BigUint::from(1u8));
    let numbers = [
        BigUint::ZERO,
        one.clone(),
        &p - &one,
        p.clone(),
        &p + &one,
        &p + &p,
        &p + BigUint::from(2u8),
        BigUint::from(2u8) << 2048,
    ];
    for number in numbers {
        for text in [format!("{number:x}"), format!("{number:X}"), format!("000{number:x}")] {
            let error = fail(&consumer, changed(&good, "diffie_hellman_response", Some(json!(text))));
            assert_eq!(error.kind(), ErrorKind::Unverified, "{text}");
            assert!(error.to_string().contains("out of range"), "{error}");
            assert!(error.remedy().contains("Diffie-Hellman"), "{}", error.remedy());
            assert!(!error.remedy().contains("decryption"), "that key has no part in it: {}", error.remedy());
        }
    }
    for number in [BigUint::from(2u8), &p - BigUint::from(2u8)] {
        let error = fail(&consumer, changed(&good, "diffie_hellman_response", Some(json!(format!("{number:x}")))));
        assert_eq!(error.kind(), ErrorKind::Unverified);
        assert!(error.to_string().contains("proof"), "within the range, but not proved: {error}");
    }
}

#[test]
fn a_number_that_is_none_is_malformed() {
    let consumer = consumer();
    let good = good_reply(&consumer);
    let right = good["diffie_hellman_response"].as_str().unwrap().to_owned();
    for text in ["", " ", "0x", "-2", "+2", "2.0", "1e-9", "g", "0xg", "\u{0}", "٢", "2\u{0}", "ａ"]
        .map(str::to_owned)
        .into_iter()
        .chain([format!("0x{right}"), format!("{right}\n"), format!(" {right}"), format!("{right}g")])
    {
        let error = fail(&consumer, changed(&good, "diffie_hellman_response", Some(json!(text))));
        assert_eq!(error.kind(), ErrorKind::Malformed, "{text:?}");
        assert!(error.to_string().contains("`diffie_hellman_response` is not hexadecimal"), "{error}");
    }
    for value in [json!(2), json!(null), json!(["2"]), json!({}), json!(true), json!(1e300)] {
        let error = fail(&consumer, changed(&good, "diffie_hellman_response", Some(value.clone())));
        assert_eq!(error.kind(), ErrorKind::Malformed, "{value}");
    }
    let error = fail(&consumer, changed(&good, "diffie_hellman_response", None));
    assert!(error.to_string().contains("missing field `diffie_hellman_response`"), "{error}");
}

#[test]
fn a_number_as_long_as_a_film_costs_no_time() {
    let consumer = consumer();
    let good = good_reply(&consumer);
    for (count, kind) in [(200_000, ErrorKind::Unverified), (10_000_000, ErrorKind::Malformed)] {
        for digit in ["f", "9"] {
            let error = fail(&consumer, changed(&good, "diffie_hellman_response", Some(json!(digit.repeat(count)))));
            assert_eq!(error.kind(), kind, "{count} digits");
        }
    }
    let zeros = format!("{}{}", "0".repeat(200_000), good["diffie_hellman_response"].as_str().unwrap());
    let body = changed(&good, "diffie_hellman_response", Some(json!(zeros)));
    assert!(Step::LiveSessionToken.read(&consumer, reply(200, body)).is_ok(), "leading zeros change nothing");
}

#[test]
fn a_proof_that_is_none_is_malformed_and_a_wrong_one_is_not_trusted() {
    let consumer = consumer();
    let good = good_reply(&consumer);
    let right = good["live_session_token_signature"].as_str().unwrap().to_owned();
    for text in [
        String::new(),
        right[..39].to_owned(),
        format!("{right}0"),
        format!("{}g", &right[..39]),
        format!("0x{}", &right[..38]),
        format!(" {}", &right[..39]),
        format!("{}\u{0}", &right[..39]),
        "é".repeat(20),
        "a".repeat(100_000),
    ] {
        let error = fail(&consumer, changed(&good, "live_session_token_signature", Some(json!(text))));
        assert_eq!(error.kind(), ErrorKind::Malformed, "{text:.60}");
        assert!(error.to_string().contains("`live_session_token_signature`"), "{error}");
    }
    for index in 0..40 {
        let mut text = right.clone().into_bytes();
        text[index] = if text[index] == b'0' { b'1' } else { b'0' };
        let text = String::from_utf8(text).unwrap();
        let error = fail(&consumer, changed(&good, "live_session_token_signature", Some(json!(text))));
        assert_eq!(error.kind(), ErrorKind::Unverified, "digit {index} changed");
        assert!(error.remedy().contains("encryption key"), "{}", error.remedy());
        assert!(!format!("{error:?}").contains(&right), "{error:?}");
    }
    for text in [right.to_uppercase(), right.to_lowercase()] {
        let body = changed(&good, "live_session_token_signature", Some(json!(text)));
        assert!(Step::LiveSessionToken.read(&consumer, reply(200, body)).is_ok(), "{text}");
    }
}

fn negotiate(
    consumer: &Consumer,
    token: &UnlockedToken,
    broker: &mut Broker,
    seed: u64,
) -> Result<LiveSessionToken, Error> {
    let mut rng = SeededEntropy(seed);
    let exchange = token.live_session_token(consumer, &mut Context::new(NOW, &mut rng))?;
    fixture::complete(broker, &mut rng, exchange)
}

#[test]
fn a_secret_of_an_odd_length_is_suspected() {
    let consumer = consumer();
    for (secret, suspected) in [(vec![7; 32], false), (vec![7; 31], true), (vec![7; 214], true), (vec![], true)] {
        let mut broker = Broker::builder().strict().access_token(fixture::TOKEN, secret.clone()).build().unwrap();
        broker.inject("wrong-proof".parse().unwrap());
        let token = UnlockedToken::from_plaintext(fixture::TOKEN, Secret::from(secret.clone()));
        let error = negotiate(&consumer, &token, &mut broker, 3).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unverified);
        let named = error.remedy().contains(&format!("opened to {} bytes", secret.len()));
        assert_eq!(named, suspected, "{}", error.remedy());
    }
    // Opened elsewhere, and handed over as text.
    for secret in ["07".repeat(32), format!("{}=", "BwcH".repeat(11).split_off(1))] {
        let mut broker = Broker::builder().strict().access_token(fixture::TOKEN, secret.as_bytes()).build().unwrap();
        broker.inject("wrong-proof".parse().unwrap());
        let token = UnlockedToken::from_plaintext(fixture::TOKEN, Secret::from(secret));
        let error = negotiate(&consumer, &token, &mut broker, 3).unwrap_err();
        assert!(error.remedy().contains("neither hexadecimal nor Base64"), "{}", error.remedy());
    }
}

#[test]
fn the_simulator_s_wrong_numbers_are_not_trusted() {
    let consumer = consumer();
    let prime = prime();
    for (wrong, kind) in [
        ("0".to_owned(), ErrorKind::Unverified),
        ("1".to_owned(), ErrorKind::Unverified),
        (format!("{:x}", &prime - 1_u8), ErrorKind::Unverified),
        (format!("{prime:x}"), ErrorKind::Unverified),
        (String::new(), ErrorKind::Malformed),
        ("not hexadecimal".to_owned(), ErrorKind::Malformed),
    ] {
        let mut broker = fixture::broker_builder().build().unwrap();
        broker
            .inject(Fault::set_field("diffie_hellman_response", &format!("{wrong:?}")).at("/oauth/live_session_token"));
        let error = negotiate(&consumer, &fixture::unlocked(), &mut broker, 4).unwrap_err();
        assert_eq!(error.kind(), kind, "{wrong:?}");
        assert!(negotiate(&consumer, &fixture::unlocked(), &mut broker, 5).is_ok(), "the next one is good");
    }
}

#[test]
fn an_expiry_that_cannot_be_meant_is_none() {
    let consumer = consumer();
    let good = good_reply(&consumer);
    let now = NOW.as_millis();
    let day = 24 * 3600 * 1000;
    let minute = 60_000;
    let expiry = |millis: u64| Some(Timestamp::from_millis(millis));
    for (stated, expected) in [
        (json!(now + day), expiry(now + day)),
        (json!((now + day).to_string()), expiry(now + day)),
        (json!(now + minute), expiry(now + minute)),
        (json!(now + 2 * day), expiry(now + 2 * day)),
        (json!(now + minute - 1), None),
        (json!(now + 2 * day + 1), None),
        (json!(now), None),
        (json!(now - day), None),
        (json!((now + day) / 1000), None),
        (json!(0), None),
        (json!(-1), None),
        (json!(i64::MIN), None),
        (json!(i64::MAX), None),
        (json!(u64::MAX), None),
        (json!(1.7e12), None),
        (json!(1e300), None),
        (json!(null), None),
        (json!(true), None),
        (json!([]), None),
        (json!({}), None),
        (json!(""), None),
        (json!("soon"), None),
        (json!("18446744073709551616"), None),
        (json!("2023-11-15T22:13:20Z"), None),
    ] {
        let body = changed(&good, "live_session_token_expiration", Some(stated.clone()));
        let read = Step::LiveSessionToken.read(&consumer, reply(200, body)).unwrap();
        assert_eq!(read, format!("LiveSessionToken {{ expires_at: {expected:?}, .. }}"), "{stated}");
    }
    let absent = changed(&good, "live_session_token_expiration", None);
    let read = Step::LiveSessionToken.read(&consumer, reply(200, absent)).unwrap();
    assert_eq!(read, "LiveSessionToken { expires_at: None, .. }");
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn no_other_number_and_proof_is_ever_trusted(number in "[0-9a-fA-F]{1,520}", proof in "[0-9a-f]{40}") {
        let consumer = consumer();
        let body = json!({ "diffie_hellman_response": number, "live_session_token_signature": proof });
        prop_assert_eq!(fail(&consumer, body.to_string()).kind(), ErrorKind::Unverified);
    }

    #[test]
    fn any_text_gives_a_typed_error(number: String, proof: String) {
        let consumer = consumer();
        let body = json!({ "diffie_hellman_response": number, "live_session_token_signature": proof });
        fail(&consumer, body.to_string());
        let body = changed(&good_reply(&consumer), "diffie_hellman_response", Some(json!(number)));
        fail(&consumer, body);
    }
}
