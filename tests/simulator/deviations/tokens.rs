//! Tokens, verifiers, callbacks and challenges, and the visit to the consent page.

use http::{Method, Uri};
use ibkr_oauth::{Callback, Context, QueryPolicy, Timestamp, exchange::ParameterPlacement, simulator::Broker};

use crate::deviations::good::{Change, Good, NOW, consented, consumer, json_body, set};
use crate::scripted::Scripted;

fn placements() -> [ParameterPlacement; 2] {
    [ParameterPlacement::Header, json_body()]
}

#[test]
pub(crate) fn another_access_token() {
    for good in [
        Good::live_session_token(ParameterPlacement::Header),
        Good::live_session_token(json_body()),
        Good::protected(Method::GET, "/portfolio/accounts"),
    ] {
        let request = good.resigned(|pairs| set(pairs, "oauth_token", "ffffffffffffffffffff"));
        good.refuses("token_unknown", &request);
    }
}

#[test]
pub(crate) fn another_request_token() {
    for placement in placements() {
        let good = Good::access_token(placement);
        let request = good.resigned(|pairs| set(pairs, "oauth_token", "ffffffffffffffffffff"));
        good.refuses("request_token_unknown", &request);
    }
}

#[test]
pub(crate) fn another_verifier() {
    for placement in placements() {
        let good = Good::access_token(placement);
        let request = good.resigned(|pairs| {
            set(pairs, "oauth_verifier", "61c107d4cf34ac6d9f2b");
            set(pairs, "oauth_nonce", "another");
        });
        good.refuses("verifier_differs", &request);
    }
}

#[test]
pub(crate) fn a_request_token_used_before() {
    for placement in placements() {
        let mut good = Good::access_token(placement);
        let request = good.request.clone();
        good.takes(&request);
        let again = good.resigned(|pairs| set(pairs, "oauth_nonce", "another"));
        good.turns_down("request_token_used", &again);
    }
}

/// The user has not answered, or has said no: a verifier from elsewhere is of no use.
#[test]
pub(crate) fn a_request_token_without_consent() {
    for declined in [false, true] {
        let consumer = consumer(ParameterPlacement::Header, QueryPolicy::Rfc5849);
        let (mut broker, mut entropy) = (Broker::builder().strict().build().unwrap(), Scripted::default());
        let mut cx = Context::new(Timestamp::from_secs(NOW), &mut entropy);
        let exchange = consumer.request_token(&mut cx, Callback::OutOfBand).unwrap();
        let response = broker.handle(&mut cx, exchange.request());
        let consent = exchange.complete(response).unwrap();
        if declined {
            broker.decline(&mut cx, consent.url()).unwrap();
        }
        let mut good = Good::access_token(ParameterPlacement::Header);
        let request = good.resigned(|pairs| set(pairs, "oauth_token", consent.request_token()));
        good.broker = broker;
        good.turns_down("consent_missing", &request);
    }
}

#[test]
pub(crate) fn another_callback() {
    for callback in ["OOB", "/callback", "www.example.com/callback", "ftp://h/", "https://h/#fragment"] {
        for placement in placements() {
            let good = Good::request_token(placement);
            let request = good.resigned(|pairs| set(pairs, "oauth_callback", callback));
            good.refuses("callback_malformed", &request);
        }
    }
}

#[test]
pub(crate) fn a_challenge_of_another_form() {
    let mistakes: [Change; 6] = [
        str::to_uppercase,
        |text| format!("0{text}"),
        |text| format!("0x{text}"),
        |text| format!("-{text}"),
        |text| format!("{text}g"),
        |_| "0".to_owned(),
    ];
    for mistake in mistakes {
        for placement in placements() {
            let good = Good::live_session_token(placement);
            let challenge = mistake(&good.value("diffie_hellman_challenge"));
            let request = good.resigned(|pairs| set(pairs, "diffie_hellman_challenge", &challenge));
            good.refuses("challenge_malformed", &request);
        }
    }
}

#[test]
pub(crate) fn a_challenge_out_of_range() {
    for challenge in ["1".to_owned(), "f".repeat(512), "f".repeat(1024)] {
        let good = Good::live_session_token(ParameterPlacement::Header);
        let request = good.resigned(|pairs| set(pairs, "diffie_hellman_challenge", &challenge));
        good.refuses("challenge_out_of_range", &request);
    }
}

#[test]
fn a_challenge_changed_behind_the_signature() {
    let good = Good::live_session_token(ParameterPlacement::Header);
    let request = good.altered(|pairs| set(pairs, "diffie_hellman_challenge", "abcdef"));
    good.refuses("signature_differs", &request);
}

/// A visit to a URL that differs from the consent page's, after which the right one still works.
fn visit(reason: &'static str, change: impl FnOnce(&str) -> String) {
    let consumer = consumer(ParameterPlacement::Header, QueryPolicy::Rfc5849);
    let mut good = Good::request_token(ParameterPlacement::Header);
    let mut cx = Context::new(Timestamp::from_secs(NOW), &mut good.entropy);
    let exchange = consumer.request_token(&mut cx, Callback::OutOfBand).unwrap();
    let response = good.broker.handle(&mut cx, exchange.request());
    let consent = exchange.complete(response).unwrap();
    let url: Uri = change(&consent.url().to_string()).parse().unwrap();
    let refusal = good.broker.consent(&mut cx, &url).unwrap_err();
    assert_eq!(refusal.reason, reason, "{refusal}");
    good.broker.consent(&mut cx, consent.url()).unwrap();
    good.broker.decline(&mut cx, consent.url()).unwrap_err();
    crate::deviations::good::note(reason);
}

#[test]
pub(crate) fn a_visit_to_another_page() {
    visit("consent_page_unknown", |url| url.replacen("/authorize", "/authorise", 1));
    visit("consent_page_unknown", |url| url.replacen("https", "http", 1));
}

#[test]
fn a_visit_with_another_query() {
    visit("request_token_unknown", |url| format!("{url}0"));
    visit("parameter_unknown", |url| format!("{url}&state=1"));
    visit("parameter_repeated", |url| format!("{url}&oauth_token=1"));
    visit("parameter_missing", |url| url.split('?').next().unwrap().to_owned());
    visit("body_malformed", |url| format!("{url}%2"));
}

#[test]
pub(crate) fn a_visit_with_another_redirect() {
    visit("redirect_malformed", |url| format!("{url}&redirect_uri=oauth%2Fv2"));
}

#[test]
fn the_consent_is_good_for_one_verifier() {
    let consumer = consumer(ParameterPlacement::Header, QueryPolicy::Rfc5849);
    let (mut broker, mut entropy) = (Broker::builder().strict().build().unwrap(), Scripted::default());
    let first = consented(&mut broker, &consumer, &mut entropy);
    let second = consented(&mut broker, &consumer, &mut entropy);
    assert_ne!(first, second);
    assert_eq!(broker.refusals(), []);
}
