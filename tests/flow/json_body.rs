//! The OAuth parameters in a JSON body, as the OpenAPI page of 2018 has them.

use crate::authorization_header::AuthorizationHeader;
use crate::fixture::{self, NOW, SeededEntropy, complete};
use bytes::Bytes;
use http::{Method, Request};
use ibkr_oauth::{
    Callback, Consumer, Context, ErrorKind, Secret, Timestamp, exchange::ParameterPlacement, simulator::Broker,
};
use serde_json::{Map, Value};

fn consumer(portal: Option<&[u8]>) -> Consumer {
    let placement = ParameterPlacement::JsonBody { portal: portal.map(Secret::from) };
    fixture::consumer_builder().parameter_placement(placement).build().unwrap()
}

const PORTAL: &[u8] = b"the portal's API key";

/// The request of each of the three steps, with the same rng and at the same time for every consumer.
fn requests(consumer: &Consumer) -> [Request<Bytes>; 3] {
    [
        consumer
            .request_token(&mut Context::new(NOW, &mut SeededEntropy(1)), Callback::OutOfBand)
            .unwrap()
            .into_parts()
            .0,
        fixture::verifier()
            .access_token(consumer, &mut Context::new(NOW, &mut SeededEntropy(2)))
            .unwrap()
            .into_parts()
            .0,
        fixture::unlocked()
            .live_session_token(consumer, &mut Context::new(NOW, &mut SeededEntropy(3)))
            .unwrap()
            .into_parts()
            .0,
    ]
}

fn fields(request: &Request<Bytes>) -> Map<String, Value> {
    serde_json::from_slice(request.body()).unwrap()
}

#[test]
fn each_step_has_exactly_the_fields_of_the_page() {
    let expected: [&[&str]; 3] = [
        &[
            "oauth_callback",
            "oauth_consumer_key",
            "oauth_nonce",
            "oauth_signature",
            "oauth_signature_method",
            "oauth_timestamp",
        ],
        &[
            "oauth_consumer_key",
            "oauth_nonce",
            "oauth_signature",
            "oauth_signature_method",
            "oauth_timestamp",
            "oauth_token",
            "oauth_verifier",
        ],
        &[
            "diffie_hellman_challenge",
            "oauth_consumer_key",
            "oauth_nonce",
            "oauth_signature",
            "oauth_signature_method",
            "oauth_timestamp",
            "oauth_token",
        ],
    ];
    for (request, expected) in requests(&consumer(None)).iter().zip(expected) {
        let fields = fields(request);
        let mut names: Vec<&str> = fields.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, expected);
        assert!(fields.values().all(Value::is_string), "an object of strings: {fields:?}");
        assert_eq!(fields["oauth_timestamp"], NOW.as_secs().to_string());
        assert_eq!(fields["oauth_signature_method"], "RSA-SHA256");
        assert!(!fields["oauth_signature"].as_str().unwrap().contains('%'), "not percent-encoded");
    }
}

#[test]
fn the_headers_are_those_of_the_page_and_no_authorization() {
    for (portal, names) in [
        (None, vec!["accept", "content-type", "user-agent"]),
        (Some(PORTAL), vec!["accept", "content-type", "portal", "user-agent"]),
    ] {
        for request in requests(&consumer(portal)) {
            let headers = request.headers();
            let mut given: Vec<&str> = headers.keys().map(http::HeaderName::as_str).collect();
            given.sort_unstable();
            assert_eq!(given, names);
            assert_eq!(headers["accept"], "application/json");
            assert_eq!(headers["content-type"], "application/json");
            assert_eq!(request.method(), Method::POST);
            if let Some(key) = headers.get("portal") {
                assert_eq!(key.as_bytes(), PORTAL);
                assert!(key.is_sensitive());
            }
        }
    }
}

#[test]
fn the_signature_is_that_of_the_header_form() {
    let header_form = fixture::consumer_builder().build().unwrap();
    for (header, json) in requests(&header_form).iter().zip(requests(&consumer(None))) {
        let header: AuthorizationHeader = header.headers()["authorization"].to_str().unwrap().parse().unwrap();
        let fields = fields(&json);
        assert_eq!(header.parameters().count(), fields.len(), "the realm is left out");
        for (name, value) in header.parameters() {
            assert_eq!(fields[name], value, "{name}");
        }
    }
}

#[test]
fn a_broker_takes_all_three_steps_and_the_realm_is_nowhere() {
    for portal in [None, Some(PORTAL)] {
        let placement = ParameterPlacement::JsonBody { portal: portal.map(Secret::from) };
        let realm = "another_realm";
        let consumer = fixture::consumer_builder().parameter_placement(placement).realm(realm).build().unwrap();
        // The realm still stands in the headers of protected requests.
        let (mut broker, mut rng) = (Broker::builder().strict().realm(realm).build().unwrap(), SeededEntropy(1));
        let exchange = consumer.request_token(&mut Context::new(NOW, &mut rng), Callback::OutOfBand).unwrap();
        assert!(!String::from_utf8_lossy(exchange.request().body()).contains("realm"));
        let consent = complete(&mut broker, &mut rng, exchange).unwrap();
        let callback = broker.consent(&mut Context::new(NOW, &mut rng), consent.url()).unwrap();
        let verifier = consent.verifier(&callback).unwrap();
        let exchange = verifier.access_token(&consumer, &mut Context::new(NOW, &mut rng)).unwrap();
        let token = complete(&mut broker, &mut rng, exchange).unwrap();
        let token = consumer.unlock(&mut Context::new(NOW, &mut rng), &token).unwrap();
        let exchange = token.live_session_token(&consumer, &mut Context::new(NOW, &mut rng)).unwrap();
        let live = complete(&mut broker, &mut rng, exchange).unwrap();
        let exchange = live.signer().brokerage().tickle(&mut Context::new(NOW, &mut rng)).unwrap();
        assert!(exchange.request().headers().contains_key("authorization"), "protected requests keep the header");
        assert!(!exchange.request().headers().contains_key("portal"));
        complete(&mut broker, &mut rng, exchange).unwrap();
        assert!(broker.refusals().is_empty(), "{:?}", broker.refusals());
    }
}

#[test]
fn a_changed_field_is_noticed() {
    let mut broker = fixture::broker_builder().request_token("t", "v").build().unwrap();
    for request in requests(&consumer(None)) {
        for name in ["oauth_nonce", "oauth_timestamp", "oauth_signature"] {
            let mut fields = fields(&request);
            let value = match name {
                "oauth_timestamp" => (NOW.as_secs() + 1).to_string(),
                "oauth_signature" => base64::Engine::encode(&base64::engine::general_purpose::STANDARD, [7; 256]),
                _ => "another".to_owned(),
            };
            fields.insert(name.to_owned(), Value::from(value));
            let mut changed = request.clone();
            *changed.body_mut() = Bytes::from(Value::Object(fields).to_string());
            broker.handle(&mut Context::new(Timestamp::from_secs(NOW.as_secs()), &mut SeededEntropy(1)), &changed);
            assert_eq!(broker.refusals().last().unwrap().reason, "signature_differs", "{name}");
        }
    }
}

#[test]
fn a_portal_key_that_no_header_can_carry_is_an_error_and_not_shown() {
    let consumer = consumer(Some(b"MARKER\r\nX-Injected: 1"));
    let error = consumer.request_token(&mut Context::new(NOW, &mut SeededEntropy(1)), Callback::OutOfBand).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(!format!("{error} {error:?} {}", error.remedy()).contains("MARKER"), "{error:?}");
}
