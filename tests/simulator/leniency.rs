//! The broker lets pass what the real one's own code does, names it, and refuses it where it is strict.

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, header};
use ibkr_oauth::{
    Callback, Context, QueryPolicy, Timestamp,
    exchange::ParameterPlacement,
    simulator::{Broker, Refusal},
};

use crate::{
    deviations::good::{FORM, Good, JSON, NOW, consumer, leniently, set},
    scripted::Scripted,
};

const OPEN: &str = "/iserver/auth/ssodh/init";
const IMPACT: &str = "/accounts/DU0000001/order_impact";

/// A broker, and the request that deviates.
type Case = (Good, Request<Bytes>);

type Cases = fn() -> Vec<Case>;

/// For each deviation the reason for which a strict broker refuses it, and the requests that have it and no other.
const DEVIATIONS: &[(&str, &str, Cases)] = &[
    ("host_of_another_name", "host_differs", || {
        let named = |good: Good, host| {
            let host = HeaderValue::from_static(host);
            let request = good.mutated(|request| drop(request.headers_mut().insert(header::HOST, host)));
            (good, request)
        };
        let hosts = ["1.api.ibkr.com", "api.ibkr.com:8443", "localhost"];
        let own = hosts.map(|host| named(Good::protected(Method::GET, "/portfolio/accounts"), host));
        own.into_iter().chain(sign_ins().into_iter().map(|good| named(good, "127.0.0.1"))).collect()
    }),
    ("header_value_unquoted", "authorization_malformed", || header(|text| text.replace('"', ""))),
    ("header_value_raw", "authorization_malformed", || {
        header(|text| text.replace("%2B", "+").replace("%2F", "/").replace("%3D", "="))
    }),
    ("header_escape_in_lower_case", "authorization_malformed", || {
        header(|text| text.replace("%2B", "%2b").replace("%2F", "%2f").replace("%3D", "%3d"))
    }),
    ("header_escape_needless", "authorization_malformed", || header(|text| text.replace("SIMULATOR", "SIMUL%41TOR"))),
    ("header_blanks", "authorization_malformed", || {
        let mut cases = header(|text| text.replace("=\"", " = \""));
        cases.extend(header(|text| text.replace("OAuth ", "OAuth  ")));
        cases
    }),
    ("header_trailing_comma", "authorization_malformed", || header(|text| format!("{text},"))),
    ("realm_missing", "parameter_missing", || header(|text| text.replacen("realm=\"limited_poa\", ", "", 1))),
    ("callback_without_scheme", "callback_malformed", || {
        let good = || Good::request_token(ParameterPlacement::Header);
        ["localhost:5002", "www.example.com/callback"]
            .map(|callback| resigned(good(), "oauth_callback", |_| callback.to_owned()))
            .into()
    }),
    ("challenge_in_upper_case", "challenge_malformed", || challenge(str::to_uppercase)),
    ("challenge_with_leading_zeros", "challenge_malformed", || challenge(|text| format!("00{text}"))),
    ("body_beside_header", "body_unexpected", || {
        [(FORM, "device_id=undefined"), (JSON, "{}"), ("application/json; charset=utf-8", r#"{"oauth_token":"1"}"#)]
            .into_iter()
            .flat_map(|body| sign_ins().into_iter().map(move |good| beside(good, body)))
            .collect()
    }),
    ("empty_chunked_body", "content_length_missing", || {
        let good = Good::protected(Method::POST, "/tickle");
        let request = good.mutated(|request| {
            request.headers_mut().remove(header::CONTENT_LENGTH);
            request.headers_mut().insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        });
        vec![(good, request)]
    }),
    ("timestamp_behind", "timestamp_out_of_order", || vec![after_one_later(5)]),
    ("sign_in_encoded_once", "signature_differs", || {
        let mut good = Good::request_token(ParameterPlacement::Header);
        good.policy = QueryPolicy::DecodedOnce;
        vec![resigned(good, "oauth_callback", |_| "https://www.example.com/back?a=1".to_owned())]
    }),
    ("space_signed_as_plus", "signature_differs", || once(["?q=a+b", "?q=a%20b"], |pairs| pairs.replace("%20", "+"))),
    ("slash_signed_raw", "signature_differs", || once(["?q=a/b", "?q=a%2Fb"], |pairs| pairs.replace("%2F", "/"))),
    ("signed_by_url_encoder", "signature_differs", || {
        let pairs = [(FORM, "Note=a+%2Ab~"), (FORM, "Note=%2A%7E+")];
        let spelled = |pairs: &str| pairs.replace("%20", "+").replace("%2A", "*").replace('~', "%7E");
        let good = |body| Good::of_policy(QueryPolicy::RawPairs, Method::POST, IMPACT, Some(body));
        pairs.map(|body| spelling(good(body), spelled)).into()
    }),
    ("token_used_after_logout", "live_session_token_expired", || {
        let mut good = Good::protected(Method::POST, "/logout");
        let logout = good.resigned(|pairs| set(pairs, "oauth_nonce", "logout"));
        good.takes(&logout);
        let request = good.request.clone();
        vec![(good, request)]
    }),
    ("logout_by_get", "method_not_allowed", || vec![as_it_is(Good::protected(Method::GET, "/logout"))]),
    ("opened_by_get", "method_not_allowed", || {
        let body = (JSON, r#"{"publish":true,"compete":true}"#);
        vec![as_it_is(Good::of_policy(QueryPolicy::Rfc5849, Method::GET, OPEN, Some(body)))]
    }),
    ("opened_by_query", "publish_not_true", || vec![opened("?publish=true&compete=false", r#"{"locale":"en_US"}"#)]),
    ("opened_by_form", "body_malformed", || {
        let body = (FORM, "publish=True&compete=true");
        vec![as_it_is(Good::of_policy(QueryPolicy::Rfc5849, Method::POST, OPEN, Some(body)))]
    }),
    ("opened_by_text", "publish_not_true", || vec![opened("", r#"{"publish":"true","compete":true}"#)]),
];

fn as_it_is(good: Good) -> Case {
    let request = good.request.clone();
    (good, request)
}

fn sign_ins() -> [Good; 3] {
    let header = ParameterPlacement::Header;
    [Good::request_token(header.clone()), Good::access_token(header.clone()), Good::live_session_token(header)]
}

/// One of each kind of request, with its header rewritten.
fn header(change: fn(&str) -> String) -> Vec<Case> {
    let mut kinds = Vec::from(sign_ins());
    kinds.push(Good::protected(Method::GET, "/portfolio/accounts"));
    let rewritten = |good: Good| {
        let request = good.rewritten(change);
        (good, request)
    };
    kinds.into_iter().map(rewritten).collect()
}

fn resigned(good: Good, name: &str, change: impl FnOnce(&str) -> String) -> Case {
    let value = change(&good.value(name));
    let request = good.resigned(|pairs| set(pairs, name, &value));
    (good, request)
}

fn challenge(change: fn(&str) -> String) -> Vec<Case> {
    [ParameterPlacement::Header, ParameterPlacement::JsonBody { portal: None }]
        .map(|placement| resigned(Good::live_session_token(placement), "diffie_hellman_challenge", change))
        .into()
}

fn beside(mut good: Good, (media_type, content): (&'static str, &'static str)) -> Case {
    good.request = good.mutated(|request| {
        *request.body_mut() = Bytes::from(content);
        request.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(content.len()));
        request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    });
    let request = good.resigned(|_| ());
    (good, request)
}

/// After a request whose timestamp is so many seconds ahead was taken.
fn after_one_later(seconds: u64) -> Case {
    let mut good = Good::protected(Method::GET, "/portfolio/accounts");
    let later = good.resigned(|pairs| {
        set(pairs, "oauth_timestamp", &(NOW + seconds).to_string());
        set(pairs, "oauth_nonce", "later");
    });
    good.takes(&later);
    as_it_is(good)
}

/// Under each of the two policies that encode once.
fn once(queries: [&str; 2], spelled: fn(&str) -> String) -> Vec<Case> {
    let path = |query: &str| format!("/portfolio/accounts{query}");
    let [raw, encoded] = queries;
    vec![
        spelling(Good::of_policy(QueryPolicy::DecodedOnce, Method::GET, &path(raw), None), spelled),
        spelling(Good::of_policy(QueryPolicy::DecodedOnce, Method::GET, &path(encoded), None), spelled),
    ]
}

/// Signed with the list of pairs spelled otherwise as a whole.
fn spelling(good: Good, spelled: fn(&str) -> String) -> Case {
    let (head, pairs) = good.base_string.rsplit_once('&').unwrap();
    let other = spelled(pairs);
    assert_ne!(other, pairs, "nothing was changed");
    let request = good.signing(&format!("{head}&{other}"));
    (good, request)
}

fn opened(query: &str, body: &str) -> Case {
    as_it_is(Good::of_policy(QueryPolicy::Rfc5849, Method::POST, &format!("{OPEN}{query}"), Some((JSON, body))))
}

fn named(response: &Response<Bytes>) -> Option<&str> {
    response.headers().get("x-simulator-deviation").map(|value| value.to_str().unwrap())
}

#[test]
fn each_deviation_is_let_pass_and_named() {
    for (deviation, _, cases) in DEVIATIONS {
        for (mut good, request) in leniently(cases) {
            let response = good.send(&request);
            assert!(response.status().is_success(), "{deviation}: {:?}", good.broker.refusals().last());
            assert_eq!(named(&response), Some(*deviation));
            assert_eq!(good.broker.accepted().last().unwrap().deviations, [*deviation]);
            assert_eq!(good.broker.deviations().collect::<Vec<_>>(), [(*deviation, 1)]);
        }
    }
}

#[test]
fn a_strict_broker_refuses_each() {
    for (deviation, reason, cases) in DEVIATIONS {
        for (mut good, request) in cases() {
            let refusal = good.turns_down(reason, &request);
            assert_eq!(good.broker.deviations().count(), 0, "{deviation}: {refusal}");
        }
    }
}

/// The deviations are no part of the interface, so that their source has to say which there are.
#[test]
fn no_deviation_is_left_out() {
    let source = include_str!("../../src/simulator/judge.rs");
    let declared: Vec<&str> = source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .filter_map(|line| line.trim_end().strip_suffix("\",")?.rsplit_once('"'))
        .map(|(_, name)| name)
        .collect();
    let mut tried: Vec<&str> = DEVIATIONS.iter().map(|(deviation, ..)| *deviation).collect();
    // Beside requests: of a visit, and of WebSockets (`websocket/opening.rs`).
    tried.extend(["redirect_with_backslashes", "cookie_as_json", "authorization_at_websocket"]);
    assert_eq!(tried, declared);
}

#[test]
fn a_good_request_deviates_in_nothing() {
    for mut good in leniently(|| header(str::to_owned)).into_iter().map(|(good, _)| good) {
        let request = good.request.clone();
        let response = good.send(&request);
        assert!(response.status().is_success() && named(&response).is_none(), "{response:?}");
        assert_eq!(good.broker.accepted().last().unwrap().deviations, [""; 0]);
    }
}

/// What one request has of each comes together, and does not hide what is wrong beside it.
#[test]
fn deviations_add_up_and_excuse_nothing() {
    let change = |text: &str| text.replace('"', "").replacen("realm=limited_poa, ", "", 1).replace('=', " = ");
    for mut good in leniently(|| header(str::to_owned)).into_iter().map(|(good, _)| good) {
        let request = good.rewritten(change);
        let mut forged = request.clone();
        let text = request.headers()[header::AUTHORIZATION].to_str().unwrap().replace("SIMULATOR", "SIMULATOS");
        forged.headers_mut().insert(header::AUTHORIZATION, HeaderValue::try_from(text).unwrap());
        let refused = good.send(&forged);
        assert_eq!(refused.status(), 401);
        assert!(named(&refused).unwrap().starts_with("header_blanks, header_value_unquoted"), "{refused:?}");
        let response = good.send(&request);
        assert_eq!(named(&response), Some("header_blanks, header_value_unquoted, realm_missing"));
    }
}

#[test]
fn what_is_no_habit_of_anybodys_is_refused_all_the_same() {
    type Deviant = fn() -> Case;
    let cases: [(&str, Deviant); 9] = [
        ("timestamp_out_of_order", || after_one_later(6)),
        ("authorization_malformed", || header(|text| text.replace(", ", "; ")).remove(0)),
        ("authorization_malformed", || header(|text| text.replacen("\"limited_poa\"", "limited\"_poa", 1)).remove(0)),
        ("authorization_malformed", || header(|text| text.replace("%3D", "%3")).remove(0)),
        ("authorization_malformed", || header(|text| format!("{text} and more")).remove(0)),
        ("challenge_malformed", || challenge(|text| format!("0x{text}")).remove(0)),
        ("challenge_malformed", || challenge(|text| format!("+{text}")).remove(0)),
        ("body_unexpected", || beside(Good::request_token(ParameterPlacement::Header), ("text/plain", "a=1"))),
        ("callback_malformed", || {
            resigned(Good::request_token(ParameterPlacement::Header), "oauth_callback", |_| "ftp://h/".to_owned())
        }),
    ];
    for (reason, case) in cases {
        let (mut good, request) = leniently(case);
        good.turns_down(reason, &request);
    }
}

#[test]
fn the_session_opens_by_what_either_place_says() {
    for (query, body, expected) in [
        ("?publish=true&compete=true", "", 200),
        ("?compete=true", r#"{"publish":true}"#, 200),
        ("?publish=true&compete=true", r#"{"publish":false}"#, 500),
        ("?publish=no&compete=true", "", 500),
        ("?publish=true", "", 400),
        ("?publish=true&compete=1", "", 400),
        ("", "", 500),
        ("?publish=true&compete=true", "{", 400),
        ("?publish=true", r#"{"compete":1}"#, 400),
    ] {
        let (mut good, request) = leniently(|| opened(query, body));
        assert_eq!(good.send(&request).status(), expected, "{query} {body}");
    }
}

#[test]
fn a_callback_without_a_scheme_leads_to_the_registered_one() {
    let (mut good, request) = leniently(|| {
        resigned(Good::request_token(ParameterPlacement::Header), "oauth_callback", |_| "localhost:5002".to_owned())
    });
    let response = good.send(&request);
    let body: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
    let page =
        format!("https://interactivebrokers.com/authorize?oauth_token={}", body["oauth_token"].as_str().unwrap());
    let mut cx = Context::new(Timestamp::from_secs(NOW), &mut good.entropy);
    let callback = good.broker.consent(&mut cx, &page.parse().unwrap()).unwrap();
    assert!(callback.starts_with("https://www.example.com/callback?oauth_token="), "{callback}");
}

#[test]
fn a_redirect_may_have_backslashes_as_json_writes_them() {
    let visit = |mut broker: Broker| -> (Result<String, Refusal>, usize) {
        let mut entropy = Scripted::default();
        let mut cx = Context::new(Timestamp::from_secs(NOW), &mut entropy);
        let consumer = consumer(ParameterPlacement::Header, QueryPolicy::Rfc5849);
        let exchange = consumer.request_token(&mut cx, Callback::OutOfBand).unwrap();
        let response = broker.handle(&mut cx, exchange.request());
        let consent = exchange.complete(response).unwrap();
        let url = format!("{}&redirect_uri=http:%5C/%5C/localhost:5002%5C/back", consent.url());
        let callback = broker.consent(&mut cx, &url.parse().unwrap());
        let counted = broker.deviations().filter(|(name, _)| *name == "redirect_with_backslashes").count();
        (callback, counted)
    };
    let (callback, counted) = visit(Broker::default());
    let callback = callback.unwrap();
    assert!(callback.starts_with("http://localhost:5002/back?oauth_token=") && counted == 1, "{callback}");
    let (refusal, counted) = visit(Broker::builder().strict().build().unwrap());
    assert_eq!((refusal.unwrap_err().reason, counted), ("redirect_malformed", 0));
}
