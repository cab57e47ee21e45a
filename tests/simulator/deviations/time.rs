//! Timestamps and nonces.

use std::time::Duration;

use http::Method;
use ibkr_oauth::{QueryPolicy, exchange::ParameterPlacement};

use crate::deviations::good::{Good, NOW, json_body, set, signed_in};

fn kinds() -> [Good; 5] {
    [
        Good::request_token(ParameterPlacement::Header),
        Good::access_token(ParameterPlacement::Header),
        Good::live_session_token(ParameterPlacement::Header),
        Good::live_session_token(json_body()),
        Good::protected(Method::GET, "/portfolio/accounts"),
    ]
}

/// Those with an access token, whose timestamps have an order.
fn ordered_kinds() -> [Good; 3] {
    [
        Good::live_session_token(ParameterPlacement::Header),
        Good::live_session_token(json_body()),
        Good::protected(Method::GET, "/portfolio/accounts"),
    ]
}

#[test]
pub(crate) fn a_timestamp_that_is_no_number_of_seconds() {
    for text in ["1700000000000", "1700000000.5", "+1700000000", "-1700000000", "01700000000", "0", "now", "170000000O"]
    {
        for good in kinds() {
            let request = good.resigned(|pairs| set(pairs, "oauth_timestamp", text));
            good.refuses("timestamp_malformed", &request);
        }
    }
}

#[test]
pub(crate) fn a_timestamp_outside_the_window() {
    for seconds in [NOW - 301, NOW + 301, 1] {
        for good in kinds() {
            let request = good.resigned(|pairs| set(pairs, "oauth_timestamp", &seconds.to_string()));
            good.refuses("timestamp_outside_window", &request);
        }
    }
}

#[test]
fn a_timestamp_at_the_edge_of_the_window_is_no_deviation() {
    for seconds in [NOW - 300, NOW + 300] {
        for mut good in kinds() {
            let request = good.resigned(|pairs| set(pairs, "oauth_timestamp", &seconds.to_string()));
            good.takes(&request);
        }
    }
}

#[test]
fn a_good_request_that_comes_too_late_or_too_early() {
    for now in [NOW + 301, NOW - 301] {
        for mut good in kinds() {
            good.now = now;
            let request = good.request.clone();
            good.turns_down("timestamp_outside_window", &request);
            good.now = NOW;
            good.still_taken();
        }
    }
}

#[test]
pub(crate) fn a_timestamp_smaller_than_one_accepted() {
    for mut good in ordered_kinds() {
        let later = good.resigned(|pairs| {
            set(pairs, "oauth_timestamp", &(NOW + 1).to_string());
            set(pairs, "oauth_nonce", "later");
        });
        good.takes(&later);
        let request = good.request.clone();
        good.turns_down("timestamp_out_of_order", &request);
    }
}

#[test]
fn a_refused_timestamp_has_no_place_in_the_order() {
    for good in ordered_kinds() {
        let request = good.altered(|pairs| set(pairs, "oauth_timestamp", &(NOW + 100).to_string()));
        good.refuses("signature_differs", &request);
    }
}

#[test]
fn a_timestamp_changed_behind_the_signature() {
    for good in kinds() {
        let expected = good.base_string.replace("1700000000", "1700000001");
        let request = good.altered(|pairs| set(pairs, "oauth_timestamp", "1700000001"));
        let refusal = good.refuses("signature_differs", &request);
        assert_eq!(refusal.expected_base_string.as_deref(), Some(expected.as_str()));
    }
}

#[test]
pub(crate) fn a_request_sent_twice() {
    for mut good in kinds() {
        let request = good.request.clone();
        good.takes(&request);
        good.turns_down("nonce_repeated", &request);
    }
}

#[test]
fn a_nonce_repeated_with_another_timestamp() {
    for mut good in kinds() {
        let request = good.request.clone();
        good.takes(&request);
        let again = good.resigned(|pairs| set(pairs, "oauth_timestamp", &(NOW + 1).to_string()));
        good.turns_down("nonce_repeated", &again);
    }
}

#[test]
fn a_refused_nonce_may_be_used() {
    for good in kinds() {
        let request = good.signing("another text");
        good.refuses("signature_differs", &request);
    }
}

#[test]
fn a_nonce_changed_behind_the_signature() {
    for good in kinds() {
        let request = good.altered(|pairs| set(pairs, "oauth_nonce", "another"));
        good.refuses("signature_differs", &request);
    }
}

#[test]
pub(crate) fn more_requests_than_allowed() {
    let broker = signed_in().rate_limit(1, Duration::from_secs(60)).build().unwrap();
    let mut good = Good::signed_for(broker, QueryPolicy::Rfc5849, Method::GET, "/portfolio/accounts", None);
    let first = good.resigned(|pairs| set(pairs, "oauth_nonce", "first"));
    good.takes(&first);
    let request = good.request.clone();
    good.turns_down("rate_exceeded", &request);
    good.turns_down("penalty_box", &request);
    good.now = NOW + 60;
    good.still_taken();
}
