//! The `Authorization` header, and the parameters in it.

use http::{HeaderValue, Method, header};
use ibkr_oauth::{QueryPolicy, exchange::ParameterPlacement, simulator::Broker};

use crate::deviations::good::{BASE, Change, FORM, Good, Pairs, authorization, set};

fn get() -> Good {
    Good::protected(Method::GET, "/portfolio/accounts")
}

/// One of each kind of request: signed with RSA, with and without a secret before the base string, and with HMAC.
fn kinds() -> [Good; 4] {
    [
        Good::request_token(ParameterPlacement::Header),
        Good::access_token(ParameterPlacement::Header),
        Good::live_session_token(ParameterPlacement::Header),
        get(),
    ]
}

fn remove(pairs: &mut Pairs, name: &str) {
    pairs.retain(|(other, _)| other != name);
}

fn push(pairs: &mut Pairs, name: &str, value: &str) {
    pairs.push((name.to_owned(), value.to_owned()));
}

#[test]
pub(crate) fn no_authorization() {
    for good in kinds() {
        let request = good.mutated(|request| {
            request.headers_mut().remove(header::AUTHORIZATION);
        });
        good.refuses("authorization_missing", &request);
    }
}

#[test]
pub(crate) fn two_authorizations() {
    for good in kinds() {
        let request = good.mutated(|request| {
            let value = request.headers()[header::AUTHORIZATION].clone();
            request.headers_mut().append(header::AUTHORIZATION, value);
        });
        good.refuses("authorization_repeated", &request);
    }
}

#[test]
pub(crate) fn another_scheme_word() {
    for word in ["Bearer", "oauth", "OAUTH", "OAuth2"] {
        let good = get();
        let request = good.rewritten(|text| text.replacen("OAuth", word, 1));
        good.refuses("authorization_scheme_unknown", &request);
    }
}

#[test]
pub(crate) fn a_header_of_another_form() {
    let mistakes: [Change; 9] = [
        |_| "OAuth".to_owned(),
        |text| text.replace("OAuth ", "OAuth  "),
        |text| text.replace('"', ""),
        |text| text.replace('"', "'"),
        |text| text.replace("realm=\"limited_poa\"", "realm=limited_poa"),
        |text| text.replace(", ", "; "),
        |text| text.replace(", ", " "),
        |text| format!("{text}, "),
        |text| text.replace("oauth_nonce=", "oauth_nonce = "),
    ];
    for mistake in mistakes {
        let good = get();
        let request = good.rewritten(mistake);
        good.refuses("authorization_malformed", &request);
    }
}

#[test]
fn commas_without_a_blank_and_another_order_are_no_deviations() {
    let mistakes: [Change; 2] = [
        |text| text.replace(", ", ","),
        |text| {
            let mut parts: Vec<&str> = text.strip_prefix("OAuth ").unwrap().split(", ").collect();
            parts.reverse();
            format!("OAuth {}", parts.join(", "))
        },
    ];
    for mistake in mistakes {
        for mut good in kinds() {
            let request = good.rewritten(mistake);
            good.takes(&request);
        }
    }
}

#[test]
fn the_signature_not_percent_encoded() {
    for good in kinds() {
        let request = good.rewritten(|text| text.replace("%2B", "+").replace("%2F", "/").replace("%3D", "="));
        good.refuses("authorization_malformed", &request);
    }
}

#[test]
fn the_signature_percent_encoded_in_lower_case() {
    for good in kinds() {
        let request = good.rewritten(|text| text.replace("%2B", "%2b").replace("%2F", "%2f").replace("%3D", "%3d"));
        good.refuses("authorization_malformed", &request);
    }
}

#[test]
fn the_signature_percent_encoded_twice() {
    for good in kinds() {
        let request = good.rewritten(|text| text.replace('%', "%25"));
        good.refuses("signature_malformed", &request);
    }
}

#[test]
pub(crate) fn a_signature_of_another_length() {
    for good in kinds() {
        let signature = good.value("oauth_signature");
        let request = good.with_signature(&signature[4..]);
        good.refuses("signature_malformed", &request);
    }
}

#[test]
fn a_signature_in_hexadecimal() {
    for good in kinds() {
        let request = good.with_signature(&"0123456789abcdef".repeat(4));
        good.refuses("signature_malformed", &request);
    }
}

#[test]
pub(crate) fn a_parameter_in_the_query_or_form() {
    let query = Good::protected(Method::GET, "/portfolio/accounts?page=1");
    let request = query.at(&format!("{BASE}/portfolio/accounts?page=1&oauth_token=218c1d970d85a8442825"));
    query.refuses("parameter_misplaced", &request);

    let path = "/accounts/DU0000001/order_impact";
    let good = Good::of_policy(QueryPolicy::Rfc5849, Method::POST, path, Some((FORM, "Side=BUY")));
    let request = good.mutated(|request| {
        *request.body_mut() = "Side=BUY&oauth_token=1".into();
        request.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from_static("22"));
    });
    good.refuses("parameter_misplaced", &request);
}

#[test]
fn every_parameter_in_the_query() {
    let good = get();
    let query: Vec<String> = good.pairs().iter().map(|(name, value)| format!("{name}={value}")).collect();
    let request = good.mutated(|request| {
        request.headers_mut().remove(header::AUTHORIZATION);
        *request.uri_mut() = format!("{BASE}/portfolio/accounts?{}", query.join("&")).parse().unwrap();
    });
    good.refuses("authorization_missing", &request);
}

#[test]
pub(crate) fn a_repeated_parameter() {
    for good in kinds() {
        let nonce = good.value("oauth_nonce");
        let request = good.resigned(|pairs| push(pairs, "oauth_nonce", &nonce));
        good.refuses("parameter_repeated", &request);
    }
    let good = get();
    let request = good.rewritten(|text| format!("{text}, realm=\"limited_poa\""));
    good.refuses("parameter_repeated", &request);
}

#[test]
pub(crate) fn an_unknown_parameter() {
    for good in kinds() {
        let request = good.resigned(|pairs| push(pairs, "oauth_body_hash", "2jmj7l5rSw0yVb/vlWAYkK/YBwk="));
        good.refuses("parameter_unknown", &request);
    }
}

#[test]
fn each_parameter_missing_or_empty() {
    for number in 0..kinds().len() {
        let names: Vec<String> = kinds()[number].pairs().into_iter().map(|(name, _)| name).collect();
        for name in names {
            let [absent, empty] = [0, 1].map(|_| kinds().into_iter().nth(number).unwrap());
            let request = absent.resigned(|pairs| remove(pairs, &name));
            let refusal = absent.refuses("parameter_missing", &request);
            assert!(refusal.to_string().ends_with(&format!("missing {name}")), "{refusal}");
            let request = empty.resigned(|pairs| set(pairs, &name, ""));
            let request = if name == "oauth_signature" { empty.with_signature("") } else { request };
            let refusal = empty.refuses("parameter_missing", &request);
            assert!(refusal.to_string().ends_with(&format!("empty {name}")), "{refusal}");
        }
    }
}

#[test]
pub(crate) fn another_version() {
    for good in kinds() {
        let request = good.resigned(|pairs| push(pairs, "oauth_version", "2.0"));
        good.refuses("version_unsupported", &request);
    }
}

#[test]
fn the_version_signed_and_sent_is_no_deviation() {
    for mut good in kinds() {
        let request = good.resigned(|pairs| push(pairs, "oauth_version", "1.0"));
        good.takes(&request);
    }
}

#[test]
fn the_version_sent_and_not_signed() {
    for good in kinds() {
        let request = good.altered(|pairs| push(pairs, "oauth_version", "1.0"));
        let refusal = good.refuses("signature_differs", &request);
        assert!(refusal.expected_base_string.as_deref().unwrap().contains("oauth_version%3D1.0"), "{refusal}");
    }
}

#[test]
fn the_version_signed_and_not_sent() {
    for good in kinds() {
        let signed = good.resigned(|pairs| push(pairs, "oauth_version", "1.0"));
        let request = good.rewritten(|_| authorization(&signed).replace(", oauth_version=\"1.0\"", ""));
        let expected = good.base_string.clone();
        let refusal = good.refuses("signature_differs", &request);
        assert_eq!(refusal.expected_base_string.as_deref(), Some(expected.as_str()));
    }
}

#[test]
pub(crate) fn the_other_signature_method() {
    for good in kinds() {
        let other = if good.value("oauth_signature_method") == "RSA-SHA256" { "HMAC-SHA256" } else { "RSA-SHA256" };
        let request = good.resigned(|pairs| set(pairs, "oauth_signature_method", other));
        good.refuses("signature_method_differs", &request);
    }
}

#[test]
fn an_old_signature_method() {
    for good in kinds() {
        let request = good.resigned(|pairs| set(pairs, "oauth_signature_method", "HMAC-SHA1"));
        good.refuses("signature_method_differs", &request);
    }
}

#[test]
pub(crate) fn the_consumer_key_in_lower_case() {
    for good in kinds() {
        let request = good.resigned(|pairs| set(pairs, "oauth_consumer_key", "simulator"));
        good.refuses("consumer_unknown", &request);
    }
}

#[test]
pub(crate) fn a_consumer_that_is_not_active() {
    let broker = Broker::builder().strict().active(false).build().unwrap();
    let mut good = Good::request_token_at(broker, ParameterPlacement::Header);
    let request = good.request.clone();
    good.turns_down("consumer_inactive", &request);
}

#[test]
pub(crate) fn a_first_party_that_asks_for_a_request_token() {
    let broker = Broker::builder().strict().first_party_only(true).build().unwrap();
    let mut good = Good::request_token_at(broker, ParameterPlacement::Header);
    let request = good.request.clone();
    good.turns_down("first_party_only", &request);
}

#[test]
pub(crate) fn another_realm() {
    for realm in ["test_realm", "LIMITED_POA", ""] {
        for good in kinds() {
            let request = good.rewritten(|text| text.replacen("limited_poa", realm, 1));
            good.refuses("realm_differs", &request);
        }
    }
}

#[test]
fn no_realm() {
    for good in kinds() {
        let request = good.rewritten(|text| text.replacen("realm=\"limited_poa\", ", "", 1));
        let refusal = good.refuses("parameter_missing", &request);
        assert!(refusal.to_string().ends_with("missing realm"), "{refusal}");
    }
}

#[test]
fn the_realm_signed() {
    for good in kinds() {
        let signed = good.base_string.clone();
        let text = format!("{}{signed}%26realm%3Dlimited_poa", good.prepend);
        good.misses_signature_over(&text);
    }
}
