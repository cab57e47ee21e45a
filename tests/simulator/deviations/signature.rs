//! What is signed, and with which key.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use http::Method;
use ibkr_oauth::{
    Context, QueryPolicy, Secret, Timestamp, UnlockedToken,
    exchange::ParameterPlacement,
    simulator::{Broker, Fault, test_keys},
};
use num_bigint::BigUint;
use sha1::Sha1;

use crate::deviations::good::{
    Change, Good, LIVE_SESSION_TOKEN, NOW, SECRET, TOKEN, consumer, hmac_signature, json_body, names, names_nothing,
    rsa_signature, signed_in,
};
use crate::scripted::Scripted;

fn negotiation() -> Good {
    Good::live_session_token(ParameterPlacement::Header)
}

fn get() -> Good {
    Good::protected(Method::GET, "/portfolio/accounts")
}

/// One of each kind of request: signed with RSA, with and without a secret before the base string, and with HMAC.
fn kinds() -> [Good; 6] {
    [
        Good::request_token(ParameterPlacement::Header),
        Good::request_token(json_body()),
        Good::access_token(ParameterPlacement::Header),
        negotiation(),
        Good::live_session_token(json_body()),
        get(),
    ]
}

#[test]
fn no_prepend() {
    for placement in [ParameterPlacement::Header, json_body()] {
        let good = Good::live_session_token(placement);
        let text = good.base_string.clone();
        names(&good.misses_signature_over(&text), "the access token's secret does not precede the base string");
    }
}

#[test]
fn the_prepend_in_upper_case() {
    let good = negotiation();
    let text = format!("{}{}", good.prepend.to_uppercase(), good.base_string);
    names(&good.misses_signature_over(&text), "the access token's secret is in upper-case hexadecimal");
}

#[test]
fn the_prepend_joined_otherwise() {
    for join in ["&", "\n", "%26", "00"] {
        let good = negotiation();
        let text = format!("{}{join}{}", good.prepend, good.base_string);
        names_nothing(&good.misses_signature_over(&text));
    }
}

#[test]
fn the_prepend_in_base64_or_behind() {
    let good = negotiation();
    let text = format!("{}{}", STANDARD.encode(SECRET), good.base_string);
    good.misses_signature_over(&text);
    let good = negotiation();
    let text = format!("{}{}", good.base_string, good.prepend);
    good.misses_signature_over(&text);
}

#[test]
fn a_prepend_where_none_belongs() {
    for good in [Good::access_token(ParameterPlacement::Header), get()] {
        let text = format!("{}{}", "7a".repeat(32), good.base_string);
        good.misses_signature_over(&text);
    }
}

#[test]
fn the_other_rsa_key() {
    for good in [Good::request_token(ParameterPlacement::Header), negotiation(), Good::live_session_token(json_body())]
    {
        let signature = rsa_signature(test_keys::ENCRYPTION_KEY, &format!("{}{}", good.prepend, good.base_string));
        let expected = good.base_string.clone();
        let request = good.with_signature(&signature);
        let refusal = good.refuses("signature_differs", &request);
        assert_eq!(refusal.expected_base_string.as_deref(), Some(expected.as_str()));
        names(&refusal, "the encryption key signed, in place of the signature key");
    }
}

#[test]
pub(crate) fn a_flipped_bit_of_the_signature() {
    for good in kinds() {
        let mut bytes = STANDARD.decode(good.value("oauth_signature")).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        let expected = good.base_string.clone();
        let request = good.with_signature(&STANDARD.encode(bytes));
        let refusal = good.refuses("signature_differs", &request);
        assert_eq!(refusal.expected_base_string.as_deref(), Some(expected.as_str()));
    }
}

#[test]
fn mistakes_in_the_text_that_is_signed() {
    let mistakes: [(&str, Change); 12] = [
        ("method in lower case", |text| text.replacen("GET&", "get&", 1).replacen("POST&", "post&", 1)),
        ("upper-case host", |text| text.replacen("api.ibkr.com", "API.IBKR.COM", 1)),
        ("default port", |text| text.replacen("ibkr.com", "ibkr.com%3A443", 1)),
        ("no base path", |text| text.replacen("%2Fv1%2Fapi", "", 1)),
        ("double slash", |text| text.replacen("%2Fapi%2F", "%2Fapi%2F%2F", 1)),
        ("lower-case escapes", |text| text.replace("%3D", "%3d").replace("%2F", "%2f").replace("%3A", "%3a")),
        ("slashes bare", |text| text.replace("%2F", "/")),
        ("encoded twice", |text| {
            let (head, parameters) = text.rsplit_once('&').unwrap();
            format!("{head}&{}", parameters.replace('%', "%25"))
        }),
        ("parameters not encoded", |text| {
            let (head, parameters) = text.rsplit_once('&').unwrap();
            format!("{head}&{}", parameters.replace("%3D", "=").replace("%26", "&"))
        }),
        ("the order of parameters", |text| {
            let (head, parameters) = text.rsplit_once('&').unwrap();
            let mut pairs: Vec<&str> = parameters.split("%26").collect();
            pairs.reverse();
            format!("{head}&{}", pairs.join("%26"))
        }),
        ("the signature's name in it", |text| format!("{text}%26oauth_signature%3D")),
        ("a line end", |text| format!("{text}\n")),
    ];
    for (mistake, change) in mistakes {
        for good in kinds() {
            let text = format!("{}{}", good.prepend, change(&good.base_string));
            let refusal = good.misses_signature_over(&text);
            assert!(!refusal.subject.is_empty(), "{mistake}");
        }
    }
}

#[test]
fn known_mistakes_in_the_text_that_is_signed_are_named() {
    let mistakes: [(&str, Change); 3] = [
        ("the URL was signed with another scheme", |text| text.replacen("https", "http", 1)),
        ("the URL was signed with a slash at its end", |text| {
            let (head, parameters) = text.rsplit_once('&').unwrap();
            format!("{head}%2F&{parameters}")
        }),
        ("the method PUT was signed", |text| text.replacen("GET", "PUT", 1).replacen("POST", "PUT", 1)),
    ];
    for (mistake, change) in mistakes {
        for good in kinds() {
            let text = format!("{}{}", good.prepend, change(&good.base_string));
            names(&good.misses_signature_over(&text), mistake);
        }
    }
}

#[test]
fn a_timestamp_signed_in_milliseconds() {
    for good in kinds() {
        let text = format!("{}{}", good.prepend, good.base_string.replace("1700000000", "1700000000000"));
        good.misses_signature_over(&text);
    }
}

fn signed_with(good: Good, key: &[u8], mistake: Option<&str>) {
    let expected = good.base_string.clone();
    let request = good.with_signature(&hmac_signature(key, &expected));
    let refusal = good.refuses("signature_differs", &request);
    assert_eq!(refusal.expected_base_string.as_deref(), Some(expected.as_str()));
    match mistake {
        Some(mistake) => names(&refusal, mistake),
        None => names_nothing(&refusal),
    }
}

#[test]
fn the_live_session_token_as_text() {
    let text = STANDARD.encode(LIVE_SESSION_TOKEN);
    signed_with(get(), text.as_bytes(), Some("the key was the live session token's Base64 text"));
    signed_with(get(), b"0909090909090909090909090909090909090909", None);
}

#[test]
fn the_secret_in_place_of_the_live_session_token() {
    signed_with(get(), &SECRET, Some("the key was the access token's secret"));
}

#[test]
fn a_live_session_token_of_another() {
    signed_with(get(), &[8; 20], None);
}

/// Negotiates with exponents that give a K as wanted; K comes beside the good request.
fn negotiated(wanted: impl Fn(&[u8]) -> bool) -> (Good, Vec<u8>) {
    let base64: String = test_keys::DH_PARAMETERS.lines().filter(|line| !line.starts_with('-')).collect();
    let der = STANDARD.decode(base64).unwrap();
    // The generator, 2, takes the last three bytes, the prime the 256 before.
    let prime = BigUint::from_bytes_be(&der[der.len() - 259..der.len() - 3]);
    for number in 1..=4000_u32 {
        let exponents = [number, number + 7].map(|low| {
            let mut bytes = vec![0x5a; 32];
            bytes[28..].copy_from_slice(&low.to_be_bytes());
            bytes
        });
        let [ours, theirs] = exponents.clone().map(|bytes| BigUint::from_bytes_be(&bytes));
        let k = BigUint::from(2_u8).modpow(&ours, &prime).modpow(&theirs, &prime).to_bytes_be();
        if !wanted(&k) {
            continue;
        }
        let mut broker = signed_in().build().unwrap();
        let mut entropy = Scripted::new(exponents);
        let consumer = consumer(ParameterPlacement::Header, QueryPolicy::Rfc5849);
        let mut cx = Context::new(Timestamp::from_secs(NOW), &mut entropy);
        let token = UnlockedToken::from_plaintext(TOKEN, Secret::from(SECRET.to_vec()));
        let exchange = token.live_session_token(&consumer, &mut cx).unwrap();
        let response = broker.handle(&mut cx, exchange.request());
        let live = exchange.complete(response).unwrap();
        let key = live.secret().expose().to_vec();
        let what = (Method::GET, "/portfolio/accounts");
        return (Good::by_signer(broker, entropy, &live.signer(), &key, what, None), k);
    }
    panic!("no such K");
}

fn token_of(k: &[u8]) -> Vec<u8> {
    Hmac::<Sha1>::new_from_slice(k).unwrap().chain_update(SECRET).finalize().into_bytes().to_vec()
}

#[test]
fn k_without_its_sign_byte() {
    let (good, k) = negotiated(|k| k.len() == 256 && k[0] >= 0x80);
    assert_eq!(good.value("oauth_token"), TOKEN);
    signed_with(good, &token_of(&k), Some("the live session token was computed without the sign byte of K"));
}

#[test]
fn k_with_a_sign_byte_that_it_does_not_need() {
    let (good, k) = negotiated(|k| k[0] < 0x80);
    signed_with(good, &token_of(&[&[0], k.as_slice()].concat()), None);
}

#[test]
fn k_padded_to_the_length_of_the_prime() {
    let (good, k) = negotiated(|k| k.len() == 255);
    signed_with(good, &token_of(&[&[0], k.as_slice()].concat()), None);
}

#[test]
pub(crate) fn no_live_session_token_yet() {
    let broker = Broker::builder().strict().access_token(TOKEN, SECRET).build().unwrap();
    let mut good = Good::signed_for(broker, QueryPolicy::Rfc5849, Method::GET, "/portfolio/accounts", None);
    let request = good.request.clone();
    good.turns_down("live_session_token_missing", &request);
}

#[test]
pub(crate) fn a_live_session_token_that_has_expired() {
    let ends = Timestamp::from_secs(NOW + 1);
    let broker = signed_in().live_session_token(LIVE_SESSION_TOKEN, ends).build().unwrap();
    let mut good = Good::signed_for(broker, QueryPolicy::Rfc5849, Method::GET, "/portfolio/accounts", None);
    let request = good.request.clone();
    good.now = NOW + 1;
    good.turns_down("live_session_token_expired", &request);
    good.now = NOW;
    good.still_taken();

    let mut good = get();
    good.broker.inject(Fault::expire_live_session_token());
    let request = good.request.clone();
    good.turns_down("live_session_token_expired", &request);
}
