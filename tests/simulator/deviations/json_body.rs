//! The OAuth parameters as a JSON body.

use bytes::Bytes;
use http::{HeaderValue, header};
use ibkr_oauth::exchange::ParameterPlacement;

use crate::deviations::good::{Change, Good, authorization, json_body, names, set};

fn kinds() -> [Good; 3] {
    [Good::request_token(json_body()), Good::access_token(json_body()), Good::live_session_token(json_body())]
}

fn edited(good: &Good, change: impl FnOnce(&str) -> String) -> http::Request<Bytes> {
    let text = std::str::from_utf8(good.request.body()).unwrap();
    good.mutated(|request| *request.body_mut() = Bytes::from(change(text)))
}

#[test]
fn the_placement_is_no_matter_of_the_signature() {
    let (json, header) = (Good::live_session_token(json_body()), Good::live_session_token(ParameterPlacement::Header));
    assert_eq!(json.base_string, header.base_string);
    json.still_taken();
    header.still_taken();
}

#[test]
fn no_media_type() {
    for media_type in [None, Some("text/plain"), Some("application/x-www-form-urlencoded")] {
        for good in kinds() {
            let request = good.mutated(|request| {
                request.headers_mut().remove(header::CONTENT_TYPE);
                if let Some(media_type) = media_type {
                    request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
                }
            });
            good.refuses("authorization_missing", &request);
        }
    }
}

#[test]
pub(crate) fn a_body_that_is_not_one_object_of_strings() {
    let mistakes: [Change; 6] = [
        |text| text.replace("\"1700000000\"", "1700000000"),
        |text| format!("[{text}]"),
        |text| format!("{text}{text}"),
        |text| text.replace('"', "'"),
        |text| text.trim_end_matches('}').to_owned(),
        |_| "null".to_owned(),
    ];
    for mistake in mistakes {
        for good in kinds() {
            let request = edited(&good, mistake);
            good.refuses("parameters_malformed", &request);
        }
    }
}

#[test]
fn an_empty_body() {
    for good in kinds() {
        let request = edited(&good, |_| String::new());
        good.refuses("content_length_missing", &request);
    }
}

#[test]
fn the_realm_in_the_body() {
    for good in kinds() {
        let request = good.resigned(|pairs| pairs.push(("realm".to_owned(), "limited_poa".to_owned())));
        good.refuses("parameter_unknown", &request);
    }
}

#[test]
fn a_name_twice_in_the_body() {
    for good in kinds() {
        let request = edited(&good, |text| text.replacen('{', "{\"oauth_nonce\":\"1\",", 1));
        good.refuses("parameter_repeated", &request);
    }
}

#[test]
pub(crate) fn a_name_missing_in_the_body() {
    for good in kinds() {
        let request = good.resigned(|pairs| pairs.retain(|(name, _)| name != "oauth_nonce"));
        good.refuses("parameter_missing", &request);
    }
}

#[test]
fn the_signature_percent_encoded_in_the_body() {
    for good in kinds() {
        let signature = good.value("oauth_signature").replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        let request = good.with_signature(&signature);
        good.refuses("signature_malformed", &request);
    }
}

#[test]
fn the_body_signed_as_a_form_would_be() {
    for good in kinds() {
        let body = std::str::from_utf8(good.request.body()).unwrap();
        let text = format!("{}{}%26body%3D{}", good.prepend, good.base_string, body.len());
        good.misses_signature_over(&text);
    }
}

#[test]
pub(crate) fn the_body_beside_the_header() {
    let header = Good::live_session_token(ParameterPlacement::Header);
    let body = Good::live_session_token(json_body());
    let request = header.mutated(|request| {
        *request.body_mut() = body.request.body().clone();
        request.headers_mut().remove(header::CONTENT_LENGTH);
        request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    });
    assert!(authorization(&request).contains("oauth_signature"));
    header.refuses("body_unexpected", &request);
}

#[test]
fn a_protected_request_by_its_body() {
    let good = Good::protected(http::Method::POST, "/tickle");
    let pairs: serde_json::Map<String, serde_json::Value> =
        good.pairs().into_iter().map(|(name, value)| (name, value.into())).collect();
    let request = good.mutated(|request| {
        request.headers_mut().remove(header::AUTHORIZATION);
        request.headers_mut().remove(header::CONTENT_LENGTH);
        request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        *request.body_mut() = Bytes::from(serde_json::Value::from(pairs).to_string());
    });
    good.refuses("authorization_missing", &request);
}

#[test]
fn a_query_added() {
    let good = Good::live_session_token(json_body());
    let request = good.at(&format!("{}?page=1", good.request.uri()));
    let refusal = good.refuses("signature_differs", &request);
    assert!(refusal.expected_base_string.as_deref().unwrap().ends_with("%26page%3D1"), "{refusal}");
    names(&refusal, "the query was not signed");
}

#[test]
fn a_value_changed_behind_the_signature() {
    for good in kinds() {
        let request = good.altered(|pairs| set(pairs, "oauth_nonce", "another"));
        good.refuses("signature_differs", &request);
    }
}
