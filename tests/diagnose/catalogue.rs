//! What the broker's refusals mean: by their words in any status, and by their status where the words are not known.

use crate::cases::cases;
use crate::fixture::{self, reply};
use crate::steps::Step;
use bytes::Bytes;
use http::Response;
use ibkr_oauth::{BrokerageStatus, Compete, Consumer, Context, Error, ErrorKind, Stage, diagnose::Cause};
use proptest::prelude::*;
use serde_json::{Value, json};

fn consumer() -> Consumer {
    fixture::consumer_builder().build().unwrap()
}

/// A line of the documented table, as its readers have it.
struct Line {
    status: Option<u16>,
    stage: String,
    words: String,
    cause: String,
    kind: String,
}

impl Line {
    /// What comes back where the line is about a step of this crate's, or else about the application's request.
    fn provoke(&self, consumer: &Consumer, response: Response<Bytes>) -> Error {
        match Step::ALL.into_iter().find(|step| step.stage().to_string() == self.stage) {
            Some(step) => step.fail(consumer, response),
            None => Error::from_response(&response).expect("a refusal"),
        }
    }
}

fn lines() -> Vec<Line> {
    let table = include_str!("../../src/diagnose/catalogue.md");
    let line = |text: &str| {
        let cells: Vec<&str> = text.trim_matches('|').split('|').map(str::trim).collect();
        let [status, stage, words, cause, kind] = cells[..] else { panic!("{text}") };
        Line {
            status: status.parse().ok(),
            stage: stage.to_owned(),
            words: words.trim_matches('`').replace('…', " 7 "),
            cause: cause.split('`').nth(1).unwrap().to_owned(),
            kind: kind.to_owned(),
        }
    };
    table.lines().skip(2).map(line).collect()
}

#[test]
fn each_line_of_the_documented_table_is_provoked() {
    let consumer = consumer();
    assert!(lines().len() > 50);
    for line in lines() {
        let words = format!("id: 7, error: {} for 218c", line.words.to_uppercase());
        let statuses =
            line.status.map_or_else(|| vec![200, 400, 401, 403, 404, 409, 410, 429, 500, 503], |it| vec![it]);
        for status in statuses {
            let body = json!({ "error": words }).to_string();
            let error = line.provoke(&consumer, reply(status, body));
            let found = (error.cause().map(Cause::name), error.kind().name());
            assert_eq!(found, (Some(line.cause.as_str()), line.kind.as_str()), "{status}: {error:?}");
            assert_eq!(error.detail(), Some(words.as_str()), "the broker's words are kept");
        }
    }
}

#[test]
fn words_decide_whatever_the_status() {
    for (words, cause, kind, remedy) in [
        ("Please query /accounts first", Cause::AccountsNotQueried, ErrorKind::Request, "GET /iserver/accounts"),
        ("Order 1799796559 is not found", Cause::OrderNotFound, ErrorKind::Request, "/iserver/account/orders"),
        ("Order already filled or canceled", Cause::OrderAlreadyDone, ErrorKind::Request, "/iserver/account/orders"),
        ("Bad Request: no bridge", Cause::NoBrokerageSession, ErrorKind::Rejected, "open the brokerage session"),
        ("Init session first", Cause::NoBrokerageSession, ErrorKind::Rejected, "open the brokerage session"),
        ("Session is misconfigured", Cause::SessionMisconfigured, ErrorKind::Rejected, "right to trade"),
        (FORCE, Cause::ForceCompeteRequired, ErrorKind::Rejected, "Compete::Take"),
        ("no session", Cause::NotAuthenticated, ErrorKind::Rejected, "new live session token"),
        ("reply id not found", Cause::ReplyIdNotAccepted, ErrorKind::Request, "place the order again"),
        ("accountId is not valid", Cause::AccountNotValid, ErrorKind::Request, "GET /iserver/accounts"),
        ("conids missing", Cause::ConidsMissing, ErrorKind::Request, "conids="),
        ("Acct not found from search result", Cause::AccountNotFound, ErrorKind::Request, "GET /iserver/accounts"),
        ("Account already set", Cause::AccountAlreadySet, ErrorKind::Request, "go on"),
        ("Invalid signature", Cause::SignatureRefused, ErrorKind::Rejected, "explain"),
        ("id: 7, error: invalid consumer", Cause::ConsumerNotActiveOrUnknown, ErrorKind::Rejected, "weekend reset"),
        ("can't connect to backend service", Cause::BackendUnavailable, ErrorKind::Unavailable, "wait"),
        ("failed to process request", Cause::NotProcessed, ErrorKind::Unavailable, "wait"),
        ("failed to generate sso dh token", Cause::BrokerageNotEntitled, ErrorKind::Unavailable, "another session"),
    ] {
        for status in [200, 302, 400, 401, 403, 404, 409, 410, 429, 500, 502, 503, 504] {
            for body in [json!({ "error": words }), json!({ "error": words, "statusCode": 503 })] {
                let error = Error::from_response(&reply(status, body.to_string())).expect("a refusal");
                assert_eq!((error.cause(), error.kind()), (Some(cause), kind), "{status}: {error:?}");
                assert!(error.remedy().contains(remedy), "{words}: {}", error.remedy());
            }
        }
    }
}

const FORCE: &str = "Force compete capability must be used together with compete flag";

#[test]
fn common_words_count_only_where_they_were_seen() {
    for (status, words) in
        [(400, "conid is missing from nonce"), (404, "realm"), (403, "access denied"), (400, "timestamp")]
    {
        let error = Error::from_response(&reply(status, json!({ "error": words }).to_string())).unwrap();
        let of_status = Error::from_response(&reply(status, "")).unwrap();
        if words.contains("conid") {
            assert_eq!(error.cause(), Some(Cause::ConidsMissing));
        } else {
            assert_eq!(error.cause(), of_status.cause(), "{status} {words}");
        }
    }
    let page = "<html><body>Access Denied: you have no session</body></html>";
    let error = Error::from_response(&reply(404, page)).unwrap();
    assert_eq!(error.cause(), Some(Cause::AddressNotAllowed), "the rule for addresses answers with a page");
    assert!(error.remedy().contains("address"));
    assert_eq!(Error::from_response(&reply(503, page)).unwrap().cause(), Some(Cause::BackendUnavailable));
}

#[test]
fn a_refusal_nobody_knows_is_about_the_application_s_request() {
    for status in [400, 402, 406, 409, 412, 418, 422, 451, 499] {
        let error = Error::from_response(&reply(status, r#"{"error":"a thing that nobody saw before"}"#)).unwrap();
        assert_eq!((error.kind(), error.cause()), (ErrorKind::Request, None), "{error:?}");
        assert!(error.remedy().contains("path, query and body"), "{}", error.remedy());
    }
    for (status, cause, remedy) in [
        (404, Cause::NotFound, "path"),
        (405, Cause::MethodNotAllowed, "method"),
        (407, Cause::ProxyAuthenticationRequired, "proxy"),
        (408, Cause::Timeout, "again"),
        (411, Cause::ContentLengthMissing, "Content-Length: 0"),
        (413, Cause::BodyTooLarge, "split"),
        (414, Cause::UrlTooLong, "ask for less"),
        (415, Cause::MediaTypeNotAccepted, "application/json"),
        (421, Cause::WrongHost, "base URL"),
        (431, Cause::HeadersTooLarge, "cookies"),
    ] {
        let error = Error::from_response(&reply(status, "")).unwrap();
        assert_eq!(error.cause(), Some(cause), "{status}");
        assert!(error.remedy().contains(remedy), "{status}: {}", error.remedy());
    }
}

#[test]
fn a_success_may_be_a_refusal() {
    let read = |body: Value| Error::from_response(&reply(200, body.to_string()));
    for body in [
        json!({}),
        json!([]),
        json!([{ "error": "of one item" }]),
        json!({ "error": null }),
        json!({ "error": false }),
        json!({ "error": "" }),
        json!({ "error": {} }),
        json!({ "orders": [], "statusCode": 200 }),
        json!({ "hmds": { "error": "no bridge" }, "session": "5e55" }),
        json!("error"),
    ] {
        assert!(read(body.clone()).is_none(), "{body}");
    }
    for body in ["", "error", "{\"error\":\"cut", "<html>error</html>"] {
        assert!(Error::from_response(&reply(200, body)).is_none(), "{body}");
    }
    let error = read(json!({ "error": "We cannot accept an order at this price" })).unwrap();
    assert_eq!((error.kind(), error.cause()), (ErrorKind::Request, None));
    assert_eq!(error.detail(), Some("We cannot accept an order at this price"));
    for body in [json!({ "error": "the words", "statusCode": 401 }), json!({ "statusCode": "401" })] {
        let error = read(body).unwrap();
        assert_eq!((error.kind(), error.cause()), (ErrorKind::Rejected, Some(Cause::NotAuthenticated)));
    }
}

#[test]
fn a_tickle_that_says_it_failed_is_one_that_failed() {
    let consumer = consumer();
    for (body, cause, kind) in [
        (json!({ "error": "no session" }), Some(Cause::NotAuthenticated), ErrorKind::Rejected),
        (json!({ "error": "the words", "statusCode": 401 }), Some(Cause::NotAuthenticated), ErrorKind::Rejected),
        (json!({ "statusCode": 401, "message": "the words" }), Some(Cause::NotAuthenticated), ErrorKind::Rejected),
        (json!({ "error": "failed to process request" }), Some(Cause::NotProcessed), ErrorKind::Unavailable),
        (json!({ "error": "a thing that nobody saw before" }), None, ErrorKind::Unavailable),
    ] {
        let error = Step::Tickle.fail(&consumer, reply(200, body.to_string()));
        assert_eq!((error.cause(), error.kind()), (cause, kind), "{body}");
    }
}

#[test]
fn unknown_words_pass_through_whole_and_have_no_cause() {
    let consumer = consumer();
    for (status, kind) in [(400, ErrorKind::Rejected), (418, ErrorKind::Rejected), (599, ErrorKind::Unavailable)] {
        let words = "id: 9, error: a thing that nobody saw before";
        let body = json!({ "error": words, "statusCode": status }).to_string();
        let error = Step::Tickle.fail(&consumer, reply(status, body));
        assert_eq!((error.cause(), error.kind()), (None, kind));
        assert_eq!(error.detail(), Some(words));
        assert!(error.to_string().ends_with(words));
        let long = "ä".repeat(700);
        let error = Step::Tickle.fail(&consumer, reply(status, long.clone()));
        assert_eq!(error.detail().unwrap().trim_end_matches('…'), &long[..2 * 599], "cut, and marked as cut");
    }
}

fn status(body: &Value) -> BrokerageStatus {
    let consumer = consumer();
    let mut rng = fixture::SeededEntropy(1);
    let exchange =
        fixture::signer(&consumer).brokerage().open(&mut Context::new(fixture::NOW, &mut rng), Compete::Yield);
    exchange.unwrap().complete(reply(200, body.to_string())).unwrap()
}

#[test]
fn a_brokerage_session_that_takes_no_requests_says_why() {
    let refused = json!({ "passed": false, "authenticated": false, "connected": true, "competing": false });
    let with = |key: &str, value: Value| {
        let mut body = refused.clone();
        body[key] = value;
        status(&body).error().unwrap()
    };
    let error = status(&refused).error().unwrap();
    assert_eq!((error.cause(), error.kind()), (Some(Cause::BrokerageNotReady), ErrorKind::Unavailable));
    assert_eq!(error.stage(), Stage::BrokerageStatus);
    for flag in ["authenticated: false", "connected: true", "competing: false"] {
        assert!(error.to_string().contains(flag), "{error}");
    }
    let error = with("fail", json!(FORCE));
    assert_eq!((error.cause(), error.detail()), (Some(Cause::ForceCompeteRequired), Some(FORCE)));
    assert_eq!(with("message", json!(FORCE)).cause(), Some(Cause::ForceCompeteRequired));
    assert_eq!(with("fail", json!("Session is misconfigured")).cause(), Some(Cause::SessionMisconfigured));
    let error = with("competing", json!(true));
    assert_eq!((error.cause(), error.kind()), (Some(Cause::CompetingSession), ErrorKind::Unavailable));
    assert!(error.remedy().contains("log out"));
    assert!(with("wait", json!(1500)).to_string().contains("wait: 1500 ms"));
    let error = with("fail", json!("a \"session\" of \u{202e} 5e55"));
    assert_eq!(error.detail(), Some(""), "what may be a secret is left out");
    assert!(status(&json!({ "authenticated": true, "wait": 0 })).error().is_none());
    assert!(status(&json!({})).error().is_some());
}

/// The statuses by which the broker, or what stands before it, turns a request away before acting on it.
const TURNED_AWAY: [u16; 19] =
    [400, 401, 403, 404, 405, 406, 407, 410, 411, 413, 414, 415, 417, 421, 422, 426, 428, 429, 431];

#[test]
fn only_what_certainly_was_not_acted_on_was_not_sent() {
    for code in 100..600 {
        for body in [String::new(), json!({ "error": "the words" }).to_string(), "<html>no bridge</html>".to_owned()] {
            let Some(error) = Error::from_response(&reply(code, body.clone())) else { continue };
            assert_eq!(error.may_have_been_sent(), !TURNED_AWAY.contains(&code), "{code} {body}");
        }
        let stated = json!({ "error": "the words", "statusCode": code }).to_string();
        let error = Error::from_response(&reply(200, stated)).unwrap();
        let is_failure = (400..600).contains(&code);
        assert_eq!(error.may_have_been_sent(), !(is_failure && TURNED_AWAY.contains(&code)), "200, and {code} inside");
        for (words, may) in [
            ("no bridge", false),
            ("Please query /accounts first", false),
            ("Order 7 is not found", false),
            ("no session", false),
            ("can't connect to backend service", true),
            ("failed to process request", true),
        ] {
            let error = Error::from_response(&reply(code, json!({ "error": words }).to_string())).unwrap();
            assert_eq!(error.may_have_been_sent(), may, "{code} {words}");
        }
    }
    // A response that cannot be read, or that proves nothing, comes after the act.
    let consumer = consumer();
    for step in Step::ALL {
        assert!(step.fail(&consumer, reply(200, "")).may_have_been_sent());
        assert!(step.fail(&consumer, reply(500, "")).may_have_been_sent());
        assert!(!step.fail(&consumer, reply(401, "")).may_have_been_sent());
    }
    let error = ibkr_oauth::AccessToken::from_parts("218c1d970d85a8442825", "cut of").unwrap_err();
    assert!(!error.may_have_been_sent());
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn whatever_comes_back_is_read_without_a_panic_and_repeats_no_secret(
        status in 100u16..600,
        field in "(error|message|detail|session|statusCode|fail)",
        words in "\\PC{0,40}",
        junk in prop::collection::vec(any::<u8>(), 0..40),
        as_json in any::<bool>(),
    ) {
        let mut body = json!({ field: words, "session": "5e55e55e55" }).to_string().into_bytes();
        if !as_json {
            body.extend(junk);
        }
        let response = reply(status, body);
        if let Some(error) = Error::from_response(&response) {
            prop_assert_eq!(error.stage(), Stage::Transport);
            prop_assert!(!error.remedy().is_empty());
            let text = format!("{error} {error:?} {}", error.remedy());
            prop_assert!(!text.contains("5e55e55e55"), "{}", text);
        } else {
            prop_assert!((200..300).contains(&status));
        }
    }
}
