//! The broker against the published and the generated vectors: it accepts every one of them, answers as they say, and
//! refuses what was signed another way.

use crate::by_hand::{BASE, Script, handle, header, protected, request, sign_in, text, unhex, vectors};
use base64::{Engine, engine::general_purpose::STANDARD};
use ibkr_oauth::{
    Context, QueryPolicy, Timestamp,
    simulator::{Broker, BrokerBuilder, test_keys},
};
use num_bigint::BigUint;
use rsa::{PrivateKey, pkcs8::DecodePrivateKey};
use serde_json::{Value, json};

const ACCESS_TOKEN: &str = "218c1d970d85a8442825";

fn builder() -> BrokerBuilder {
    Broker::builder().strict().consumer_key("TESTVECTR")
}

fn post(step: &Value, layout: &str) -> http::Request<bytes::Bytes> {
    request("POST", text(&step["url"]), text(&step[layout]), None)
}

fn decimal(value: &Value) -> BigUint {
    text(value).parse().unwrap()
}

#[test]
fn the_sign_in_goes_as_the_vectors_have_it() {
    let vectors = vectors();
    for layout in ["authorization_header_realm_first", "authorization_header_realm_sorted_last"] {
        let mut broker = builder().build().unwrap();

        let step = &vectors["step1_request_token"];
        let mut entropy = Script::of_hex(text(&step["response_body"]["oauth_token"]));
        let answer = handle(&mut broker, 1_700_000_000, &mut entropy, &post(step, layout));
        assert_eq!(answer, (200, step["response_body"].clone()), "{:?}", broker.refusals());

        let step = &vectors["step2_user_authorization"];
        let mut entropy = Script::of_hex("61c107d4cf34ac6d9f2b");
        let mut cx = Context::new(Timestamp::from_secs(1_700_000_030), &mut entropy);
        let callback = broker.consent(&mut cx, &text(&step["authorize_url"]).parse().unwrap());
        assert_eq!(callback.unwrap(), text(&step["redirect_on_success"]));

        let step = &vectors["step3_access_token"];
        let secret = text(&step["decrypted_secret_hex"]);
        let mut entropy = Script::of_hex(&format!("{ACCESS_TOKEN}{secret}"));
        let (status, body) = handle(&mut broker, 1_700_000_060, &mut entropy, &post(step, layout));
        assert_eq!(status, 200, "{:?}", broker.refusals());
        assert_eq!(body["oauth_token"], ACCESS_TOKEN);
        assert_eq!(body["is_paper"], true);
        let ciphertext = STANDARD.decode(text(&body["oauth_token_secret"])).unwrap();
        let key = PrivateKey::from_pkcs8_pem(test_keys::ENCRYPTION_KEY).unwrap();
        assert_eq!(key.pkcs1v15_decrypt(&ciphertext).unwrap(), unhex(secret));

        // The vector's expiration is 24 hours after the request, the broker's 23 h 55 min after its clock, which may be
        // just the five minutes ahead.
        let step = &vectors["step4_live_session_token"];
        let case = &vectors["diffie_hellman_cases"][0];
        let mut entropy = Script::of_hex(text(&case["server_dh_random_hex"]));
        let answer = handle(&mut broker, 1_700_000_120 + 300, &mut entropy, &post(step, layout));
        assert_eq!(answer, (200, step["response_body"].clone()), "{:?}", broker.refusals());
    }
}

#[test]
fn a_cancelled_consent_leads_to_the_bare_callback() {
    let vectors = vectors();
    let step = &vectors["step1_request_token"];
    let mut broker = builder().build().unwrap();
    let mut entropy = Script::of_hex(text(&step["response_body"]["oauth_token"]));
    handle(&mut broker, 1_700_000_000, &mut entropy, &post(step, "authorization_header_realm_first"));
    let step = &vectors["step2_user_authorization"];
    let mut cx = Context::new(Timestamp::from_secs(1_700_000_030), &mut entropy);
    let callback = broker.decline(&mut cx, &text(&step["authorize_url"]).parse().unwrap());
    assert_eq!(callback.unwrap(), text(&step["redirect_on_cancel"]));

    let step = &vectors["step3_access_token"];
    let (status, _) = handle(&mut broker, 1_700_000_060, &mut entropy, &post(step, "authorization_header_realm_first"));
    assert_eq!(status, 401);
    assert_eq!(broker.refusals()[0].reason, "consent_missing");
}

#[test]
fn each_key_agreement_gives_the_response_the_proof_and_the_token_of_the_vectors() {
    let vectors = vectors();
    let secret = text(&vectors["step3_access_token"]["decrypted_secret_hex"]);
    for case in vectors["diffie_hellman_cases"].as_array().unwrap() {
        let name = text(&case["name"]);
        let mut broker = builder().access_token(ACCESS_TOKEN, unhex(secret)).build().unwrap();
        let pairs = [
            ("oauth_consumer_key", "TESTVECTR"),
            ("oauth_nonce", "first"),
            ("oauth_timestamp", "1700000120"),
            ("oauth_token", ACCESS_TOKEN),
            ("diffie_hellman_challenge", text(&case["diffie_hellman_challenge_hex"])),
        ];
        let request = sign_in(&format!("{BASE}/oauth/live_session_token"), "limited_poa", secret, &pairs);
        let mut entropy = Script::of_hex(text(&case["server_dh_random_hex"]));
        let answer = handle(&mut broker, 1_700_000_120, &mut entropy, &request);
        let expected = json!({
            "diffie_hellman_response": case["diffie_hellman_response_hex"],
            "live_session_token_signature": case["live_session_token_signature_hex"],
            "live_session_token_expiration": 1_700_000_120_000_u64 + (23 * 60 + 55) * 60 * 1000,
        });
        assert_eq!(answer, (200, expected), "{name}: {:?}", broker.refusals());

        let token = unhex(text(&case["live_session_token_hex"]));
        let mut ask = |nonce: &str, token: &[u8]| {
            let pairs = [
                ("oauth_consumer_key", "TESTVECTR"),
                ("oauth_nonce", nonce),
                ("oauth_timestamp", "1700000130"),
                ("oauth_token", ACCESS_TOKEN),
            ];
            let request = protected(("GET", &format!("{BASE}/portfolio/accounts")), token, &pairs, None);
            handle(&mut broker, 1_700_000_130, &mut Script::counting(), &request).0
        };
        assert_eq!(ask("second", &token), 200, "{name}");
        let mut wrong = 0;
        for field in
            ["wrong_lst_base64_if_leading_zero_byte_rule_ignored", "wrong_lst_base64_if_k_is_left_padded_to_256_bytes"]
        {
            let mistake = STANDARD.decode(text(&case[field])).unwrap();
            if mistake != token {
                assert_eq!(ask(field, &mistake), 401, "{name}: {field}");
                wrong += 1;
            }
        }
        assert_eq!(broker.refusals().len(), wrong, "{name}");
        let ignored = STANDARD.decode(text(&case["wrong_lst_base64_if_leading_zero_byte_rule_ignored"])).unwrap();
        if ignored != token {
            let said = broker.refusals()[0].to_string();
            assert!(said.contains("without the sign byte of K"), "{said}");
        }
    }
}

fn policies() -> [(&'static str, QueryPolicy); 4] {
    [
        ("rfc5849", QueryPolicy::Rfc5849),
        ("ibkr_python_sample_values_encoded_once", QueryPolicy::DecodedOnce),
        ("ibind_client_query_left_out", QueryPolicy::Omit),
        ("query_inside_url_as_in_marchenko_and_ibkr_conduit", QueryPolicy::InUrl),
    ]
}

fn protected_vector(vector: &Value, authorization: &str) -> http::Request<bytes::Bytes> {
    let form: Vec<String> = vector["form_parameters_decoded"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pair| format!("{}={}", text(&pair[0]), text(&pair[1])))
        .collect();
    let form = form.join("&");
    let body = match vector["json_body"].as_str() {
        Some(json) => Some(("application/json", json)),
        None if form.is_empty() => None,
        None => Some(("application/x-www-form-urlencoded", form.as_str())),
    };
    request(text(&vector["method"]), text(&vector["url_on_the_wire"]), authorization, body)
}

fn broker_for(vectors: &Value, vector: &Value, policy: QueryPolicy) -> Broker {
    let base = if text(&vector["url_on_the_wire"]).starts_with("http:") {
        "http://localhost:12345/tradingapi/v1"
    } else {
        BASE
    };
    let token = STANDARD.decode(text(&vectors["step4_live_session_token"]["live_session_token_base64"])).unwrap();
    builder()
        .base_url(base)
        .access_token(ACCESS_TOKEN, unhex(text(&vectors["step3_access_token"]["decrypted_secret_hex"])))
        .live_session_token(token, Timestamp::from_secs(1_700_086_520))
        .brokerage_session(true)
        .query_policy(policy)
        .build()
        .unwrap()
}

#[test]
fn each_protected_request_is_accepted_under_its_own_policy_and_no_other() {
    let vectors = vectors();
    let (mut accepted, mut refused) = (0, 0);
    for vector in vectors["protected_requests"].as_array().unwrap() {
        let name = text(&vector["name"]);
        let variants = &vector["variants"];
        for (sent_as, _) in policies() {
            let Some(sent) = variants.get(sent_as) else { continue };
            let request = protected_vector(vector, text(&sent["authorization_header_realm_first"]));
            for (read_as, policy) in policies() {
                let Some(read) = variants.get(read_as) else { continue };
                let mut broker = broker_for(&vectors, vector, policy);
                let (status, _) = handle(&mut broker, 1_700_000_200, &mut Script::counting(), &request);
                if sent["signature_base_string"] == read["signature_base_string"] {
                    assert_eq!(status, 200, "{name}, {sent_as} as {read_as}: {:?}", broker.refusals());
                    accepted += 1;
                } else {
                    assert_eq!(status, 401, "{name}, {sent_as} as {read_as}");
                    let refusal = &broker.refusals()[0];
                    assert_eq!(refusal.reason, "signature_differs");
                    assert_eq!(refusal.expected_base_string.as_deref(), Some(text(&read["signature_base_string"])));
                    assert!(refusal.to_string().contains("; cause: "), "{refusal}");
                    refused += 1;
                }
            }
        }
    }
    assert!(accepted >= 28 && refused >= 28, "{accepted} accepted, {refused} refused");
}

#[test]
fn raw_pairs_equal_rfc_5849_where_the_wire_is_encoded_as_the_rfc_has_it() {
    let vectors = vectors();
    for vector in vectors["protected_requests"].as_array().unwrap() {
        let sent = text(&vector["variants"]["rfc5849"]["authorization_header_realm_first"]);
        let mut broker = broker_for(&vectors, vector, QueryPolicy::RawPairs);
        let request = protected_vector(vector, sent);
        let (status, _) = handle(&mut broker, 1_700_000_200, &mut Script::counting(), &request);
        assert_eq!(status, 200, "{}: {:?}", vector["name"], broker.refusals());
    }
}

#[test]
fn the_query_arrives_decoded() {
    let vectors = vectors();
    let vector = vectors["protected_requests"]
        .as_array()
        .unwrap()
        .iter()
        .find(|vector| vector["name"] == "get_hard_query")
        .unwrap();
    let mut broker = broker_for(&vectors, vector, QueryPolicy::Rfc5849);
    let request = protected_vector(vector, text(&vector["variants"]["rfc5849"]["authorization_header_realm_first"]));
    let response =
        broker.handle(&mut Context::new(Timestamp::from_secs(1_700_000_200), &mut Script::counting()), &request);
    let echoed: Value = serde_json::from_slice(response.headers()["x-simulator-query"].as_bytes()).unwrap();
    assert_eq!(echoed, vector["query_parameters_decoded"]);
}

/// The broker's exponent in the published example is not known, the client's is: with the roles exchanged, the broker's
/// response is the client's challenge, and the token is the same.
#[test]
fn the_published_key_agreement_of_2018_comes_out_with_the_roles_exchanged() {
    let vectors = vectors();
    let published = &vectors["published_known_answers"]["oauth_at_interactive_brokers_pdf_2018"];
    let secret = text(&published["base_string_prepend"]);
    let (prime, generator) = (decimal(&published["dh_prime_decimal"]), decimal(&published["dh_generator_decimal"]));
    let group = ibkr_oauth::dh::DhGroup::read(format!("prime: 0x{prime:x}\ngenerator: 0x{generator:x}")).unwrap();
    let mut broker = Broker::builder()
        .strict()
        .consumer_key("TESTCONS")
        .dh_params(&group)
        .access_token("6f531f8fd316915af53f", unhex(secret))
        .build()
        .unwrap();
    let pairs = [
        ("oauth_consumer_key", "TESTCONS"),
        ("oauth_nonce", "first"),
        ("oauth_timestamp", "1473793701"),
        ("oauth_token", "6f531f8fd316915af53f"),
        ("diffie_hellman_challenge", text(&published["diffie_hellman_response_hex"])),
    ];
    let request = sign_in(&format!("{BASE}/oauth/live_session_token"), "test_realm", secret, &pairs);
    let exponent = format!("{:064x}", decimal(&published["client_dh_random_decimal"]));
    let (status, body) = handle(&mut broker, 1_473_793_701, &mut Script::of_hex(&exponent), &request);
    assert_eq!(status, 200, "{:?}", broker.refusals());
    assert_eq!(body["diffie_hellman_response"], published["diffie_hellman_challenge_hex"]);
    assert_eq!(body["live_session_token_signature"], published["live_session_token_signature_hex"]);
}

#[test]
fn the_published_protected_requests_of_2018_are_accepted() {
    let vectors = vectors();
    let published = &vectors["published_known_answers"]["oauth_at_interactive_brokers_pdf_2018"];
    let broker = |base: &str, token: &Value, now: u64| {
        Broker::builder()
            .strict()
            .consumer_key("TESTCONS")
            .base_url(base)
            .accounts(["DU216409"])
            .access_token("6f531f8fd316915af53f", [1; 32])
            .live_session_token(STANDARD.decode(text(token)).unwrap(), Timestamp::from_secs(now + 3600))
            .build()
            .unwrap()
    };
    let authorization = |nonce: &str, timestamp: &str, signature: &Value| {
        header(
            "test_realm",
            &[
                ("oauth_consumer_key", "TESTCONS"),
                ("oauth_nonce", nonce),
                ("oauth_signature", text(signature)),
                ("oauth_signature_method", "HMAC-SHA256"),
                ("oauth_timestamp", timestamp),
                ("oauth_token", "6f531f8fd316915af53f"),
            ],
        )
    };

    let base = "http://localhost:12345/tradingapi/v1";
    let mut live = broker(base, &published["live_session_token_base64"], 1_473_795_686);
    let signed = authorization("aecef17086308940e861", "1473795686", &published["get_oauth_signature_base64"]);
    let get = request("GET", &format!("{base}/marketdata/snapshot?conid=8314"), &signed, None);
    let answer = handle(&mut live, 1_473_795_686, &mut Script::counting(), &get);
    assert_eq!((answer.0, &answer.1[0]["Conid"]), (200, &json!(8314)), "{:?}", live.refusals());

    let base = "http://localhost:12345/ptradingapi/v1";
    let mut paper = broker(base, &published["post_form_live_session_token_base64"], 1_475_766_474);
    let signed = authorization("fafd0982f8db1e34287c", "1475766474", &published["post_form_oauth_signature_base64"]);
    let form = "CustomerOrderId=ibm1&ContractId=8314&Exchange=SMART&Quantity=100&Price=100&OrderType=Limit\
                &TimeInForce=DAY&Side=BUY";
    let body = Some(("application/x-www-form-urlencoded", form));
    let post = request("POST", &format!("{base}/accounts/DU216409/order_impact"), &signed, body);
    let (status, _) = handle(&mut paper, 1_475_766_474, &mut Script::counting(), &post);
    assert_eq!(status, 200, "{:?}", paper.refusals());
}
