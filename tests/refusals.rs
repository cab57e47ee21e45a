//! Refusals, by status and by text: who must act, what the broker said, and a remedy that fits.
#![cfg(feature = "simulator")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

mod world;

#[path = "world/steps.rs"]
mod steps;

use ibkr_oauth::{Consumer, ErrorKind};
use serde_json::json;
use steps::Step::{self, AccessToken, LiveSessionToken, Open, RequestToken, Status, Tickle};
use world::reply;

fn consumer() -> Consumer {
    world::consumer_builder().build().unwrap()
}

/// Status, who must act, and a word that the remedy must have at every step.
const STATUSES: [(u16, ErrorKind, &str); 19] = [
    (301, ErrorKind::Malformed, "base URL"),
    (302, ErrorKind::Malformed, "base URL"),
    (304, ErrorKind::Malformed, "base URL"),
    (400, ErrorKind::Rejected, "check"),
    (401, ErrorKind::Rejected, ""),
    (403, ErrorKind::Rejected, "User-Agent"),
    (404, ErrorKind::Rejected, "base URL"),
    (405, ErrorKind::Rejected, ""),
    (408, ErrorKind::Unavailable, "new signature"),
    (410, ErrorKind::Rejected, "hosts"),
    (411, ErrorKind::Rejected, "Content-Length: 0"),
    (418, ErrorKind::Rejected, ""),
    (429, ErrorKind::Unavailable, "10 to 15 minutes"),
    (500, ErrorKind::Unavailable, "wait"),
    (501, ErrorKind::Unavailable, "wait"),
    (502, ErrorKind::Unavailable, "wait"),
    (503, ErrorKind::Unavailable, "wait"),
    (504, ErrorKind::Unavailable, "wait"),
    (599, ErrorKind::Unavailable, "wait"),
];

#[test]
fn each_status_says_who_must_act_whatever_the_shape_of_the_body() {
    let consumer = consumer();
    for step in Step::ALL {
        for (status, kind, remedy) in STATUSES {
            let shapes = [
                (json!({ "error": "the words", "statusCode": status }).to_string(), "the words"),
                (json!({ "error": "the words", "statusCode": status.to_string() }).to_string(), "the words"),
                (json!({ "error": "the words", "statusCode": [1.5] }).to_string(), "the words"),
                (
                    json!({ "type": "/simple", "title": "The title", "status": status, "detail": "the words" })
                        .to_string(),
                    "The title: the words",
                ),
                (json!({ "message": "the words" }).to_string(), "the words"),
                (json!({ "error": { "code": 7 } }).to_string(), "{\"code\":7}"),
                (json!({ "error": null, "other": 1 }).to_string(), "null"),
                (json!({ "other": 1 }).to_string(), "{\"other\":1}"),
                ("<html><body>the words</body></html>".to_owned(), "<html><body>the words</body></html>"),
                ("\tthe words\r\n".to_owned(), "the words"),
                (String::new(), ""),
            ];
            for (body, detail) in shapes {
                let error = step.fail(&consumer, reply(status, body.clone()));
                assert_eq!(error.kind(), kind, "{step:?}: {error:?}");
                assert_eq!(error.detail(), Some(detail), "{step:?} of {body}");
                assert!(error.remedy().contains(remedy), "{step:?}, {status}: {}", error.remedy());
                assert!(error.to_string().contains(&status.to_string()), "{error}");
                assert!(error.to_string().ends_with(detail), "{error}");
                assert_eq!(error.to_string().contains("refused"), kind == ErrorKind::Rejected, "{error}");
            }
        }
    }
}

#[test]
fn a_problem_is_read_whatever_its_content_type() {
    let consumer = consumer();
    let body = r#"{"type":"/simple","title":"Unauthorized","status":401,"detail":"Access token expired"}"#;
    for content_type in ["application/problem+json", "application/json; charset=utf-8", "text/plain"] {
        let mut response = reply(401, body);
        response.headers_mut().insert("content-type", content_type.parse().unwrap());
        let error = Tickle.fail(&consumer, response);
        assert_eq!(error.detail(), Some("Unauthorized: Access token expired"));
        assert!(error.remedy().contains("negotiate a new live session token"), "{}", error.remedy());
    }
}

#[test]
fn known_texts_have_remedies_of_their_own() {
    let consumer = consumer();
    for (step, status, text, kind, remedy) in [
        (LiveSessionToken, 401, "id: 7, error: invalid consumer", ErrorKind::Rejected, "weekend reset"),
        (RequestToken, 401, "id: 7, error: Invalid Consumer", ErrorKind::Rejected, "upper case"),
        (
            LiveSessionToken,
            401,
            "id: 7, error: LST failed, error: No access secret key found for 218c",
            ErrorKind::Rejected,
            "generate a new access token",
        ),
        (LiveSessionToken, 401, "id: 7, error: LST failed, error: ", ErrorKind::Rejected, "swapped"),
        (LiveSessionToken, 401, "", ErrorKind::Rejected, "Diffie-Hellman"),
        (RequestToken, 401, "", ErrorKind::Rejected, "self-service portal"),
        (AccessToken, 401, "", ErrorKind::Rejected, "verifier"),
        (Tickle, 401, "not authenticated", ErrorKind::Rejected, "new live session token"),
        (Status, 400, "Bad Request: no bridge", ErrorKind::Rejected, "open the brokerage session"),
        (Status, 400, "Init session first", ErrorKind::Rejected, "open the brokerage session"),
        (Open, 500, "failed to generate sso dh token", ErrorKind::Unavailable, "another session"),
    ] {
        let body = json!({ "error": text, "statusCode": status }).to_string();
        let error = step.fail(&consumer, reply(status, body));
        assert_eq!(error.kind(), kind, "{text}");
        assert!(error.remedy().contains(remedy), "{text}: {}", error.remedy());
        assert_eq!(error.detail(), Some(text.trim()));
    }
}

/// What an error inside a success is where nobody knows its words: a refusal of the sign-in, and elsewhere an attempt that
/// failed.
fn kind_of_unknown_words(step: Step) -> ErrorKind {
    match step {
        RequestToken | AccessToken | LiveSessionToken => ErrorKind::Rejected,
        _ => ErrorKind::Unavailable,
    }
}

#[test]
fn an_error_inside_a_good_status_is_a_refusal() {
    let consumer = consumer();
    for step in Step::ALL {
        for body in [
            json!({ "error": "the words" }),
            json!({ "error": "the words", "oauth_token": "a", "status": true, "authenticated": true }),
            json!({ "error": ["the words"] }),
            json!({ "error": "", "oauth_token": "a", "status": true }),
            json!({ "error": false, "oauth_token": "a", "status": true }),
        ] {
            let error = step.fail(&consumer, reply(200, body.to_string()));
            assert_eq!(error.kind(), kind_of_unknown_words(step), "{step:?}: {body}");
        }
        let error = step.fail(&consumer, reply(200, r#"{"error":"the words"}"#));
        assert_eq!(error.to_string(), format!("{}: the broker answered with an error: the words", step.stage()));
    }
}

/// A gateway in between may have made a 200 of it; the broker's own number says more.
#[test]
fn a_status_code_inside_a_good_status_counts() {
    let consumer = consumer();
    for step in Step::ALL {
        let unknown = kind_of_unknown_words(step);
        for (stated, kind, remedy) in [
            (json!(503), ErrorKind::Unavailable, "wait"),
            (json!("503"), ErrorKind::Unavailable, "wait"),
            (json!(429), ErrorKind::Unavailable, "10 to 15 minutes"),
            (json!("401"), ErrorKind::Rejected, ""),
            (json!(200), unknown, ""),
            (json!(301), unknown, ""),
            (json!("soon"), unknown, ""),
            (json!(1e99), unknown, ""),
            (json!(-1), unknown, ""),
            (json!(null), unknown, ""),
        ] {
            let body = json!({ "error": "the words", "statusCode": stated }).to_string();
            let error = step.fail(&consumer, reply(200, body));
            assert_eq!(error.kind(), kind, "{step:?}, {stated}: {error:?}");
            assert!(error.remedy().contains(remedy), "{step:?}, {stated}: {}", error.remedy());
            assert_eq!(error.detail(), Some("the words"));
        }
    }
    let error = Tickle.fail(&consumer, reply(200, r#"{"error":"no bridge","statusCode":400}"#));
    assert!(error.remedy().contains("open the brokerage session"), "{}", error.remedy());
    let error = Tickle.fail(&consumer, reply(200, r#"{"error":"Bad Request: no bridge"}"#));
    assert!(error.remedy().contains("open the brokerage session"), "{}", error.remedy());
}

#[test]
fn session_trouble_inside_a_good_reply_is_not_an_error() {
    let consumer = consumer();
    let read = |step: Step, body: &'static str| step.read(&consumer, reply(200, body)).unwrap();
    assert!(read(Open, r#"{"wait":1500}"#).contains("wait: Some(1500)"));
    let competing = r#"{"authenticated":false,"competing":true,"connected":false,"fail":"other session"}"#;
    assert!(read(Status, competing).contains("other session"));
    assert!(read(Tickle, r#"{"session":"","hmds":{"error":"no bridge"}}"#).contains("session: None"));
    assert!(read(Step::Logout, "{}").contains("false"));
    assert!(read(Step::Logout, r#"{"status":true,"error":null}"#).contains("true"));
}
