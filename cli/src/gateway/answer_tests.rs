//! What is answered here, and what it says of the session.

use ibkr_oauth::{Timestamp, http::StatusCode, session::State};
use serde_json::{Value, json};

use super::{
    answers,
    page::{LOGIN_SUCCEEDS, page},
    standing::{Standing, User},
};

fn standing(state: State) -> Standing {
    let now = Timestamp::from_secs(1_700_000_000);
    Standing {
        now,
        state,
        is_live: state == State::Live,
        is_signed_in: state != State::Closed,
        signed_in_at: Some(now),
        expires_at: Some(Timestamp::from_secs(1_700_000_100)),
        next_attempt: None,
        last_error: None,
        paced_until: None,
        paced: 0,
        sockets: 0,
        allows_orders: false,
        user: User::default(),
    }
}

#[test]
fn validate_has_the_keys_and_units_that_programs_read() {
    let mut standing = standing(State::Live);
    standing.user = User { id: Some(7), is_paper: Some(true) };
    let body = answers::validate(&standing);
    assert_eq!((&body["RESULT"], &body["LOGIN_TYPE"], &body["loginType"]), (&json!(true), &json!(2), &json!(2)));
    assert_eq!((&body["EXPIRES"], &body["USER_ID"]), (&json!(100_000), &json!(7)));
    let keys = [
        "USER_ID",
        "USER_NAME",
        "RESULT",
        "AUTH_TIME",
        "SF_ENABLED",
        "IS_FREE_TRIAL",
        "CREDENTIAL",
        "IP",
        "EXPIRES",
        "QUALIFIED_FOR_MOBILE_AUTH",
        "LANDING_APP",
        "IS_MASTER",
        "lastAccessed",
        "LOGIN_TYPE",
        "PAPER_USER_NAME",
        "features",
        "region",
    ];
    assert!(keys.iter().all(|key| body.get(key).is_some()), "{body}");
    standing.user.is_paper = Some(false);
    assert_eq!(answers::validate(&standing)["LOGIN_TYPE"], 1);
    // What is not known is not guessed: programs trade by it.
    standing.user.is_paper = None;
    assert_eq!(answers::validate(&standing)["LOGIN_TYPE"], Value::Null);
    let mut down = standing.clone();
    (down.state, down.is_live) = (State::BackingOff, false);
    assert_eq!(answers::validate(&down)["RESULT"], false);
}

#[test]
fn a_tickle_is_completed_and_its_session_is_a_local_one() {
    let broker = br#"{"session":"brokers","iserver":{"authStatus":{"authenticated":true,"connected":true}}}"#;
    let tickle: Value = serde_json::from_slice(&answers::tickle(&standing(State::Live), "ours", broker)).unwrap();
    assert_eq!(
        (&tickle["session"], &tickle["ssoExpires"], &tickle["collission"]),
        (&json!("ours"), &json!(100_000), &json!(false))
    );
    let status = &tickle["iserver"]["authStatus"];
    for key in ["authenticated", "competing", "connected", "established", "message", "MAC", "serverInfo", "fail"] {
        assert!(status.get(key).is_some(), "{key}: {tickle}");
    }
    assert_eq!(status["established"], true);
    assert_eq!(answers::tickle(&standing(State::Live), "ours", b"[1]"), b"[1]");
}

#[test]
fn a_status_without_the_broker_says_what_is_known() {
    let mut displaced = standing(State::Displaced);
    displaced.last_error = Some(("another session".to_owned(), "log out there".to_owned()));
    let status = answers::status(&displaced, None);
    assert_eq!(
        (&status["authenticated"], &status["competing"], &status["connected"]),
        (&json!(false), &json!(true), &json!(true))
    );
    assert_eq!(status["message"], "another session");
    assert_eq!(answers::reauthenticate(&displaced), json!({ "message": "triggered" }));
    assert_eq!(answers::reauthenticate(&standing(State::Closed)), json!({ "error": "not logged in" }));
    assert_eq!(answers::logout(), json!({ "status": true }));
}

#[test]
fn who_cannot_be_served_learns_when_to_ask_again() {
    let mut down = standing(State::BackingOff);
    down.next_attempt = Some(Timestamp::from_secs(1_700_000_042));
    let refusal = down.refusal();
    assert_eq!((refusal.status, refusal.retry_after), (StatusCode::SERVICE_UNAVAILABLE, Some(43)));
    let body: Value = serde_json::from_str(&refusal.body()).unwrap();
    assert!(body["error"].as_str().unwrap().contains("not authenticated") && body["statusCode"] == 503, "{body}");
    assert_eq!(standing(State::Displaced).refusal().status, StatusCode::SERVICE_UNAVAILABLE);
    // Only where a person has to act, and no waiting helps.
    let refusal = standing(State::Closed).refusal();
    assert_eq!((refusal.status, refusal.retry_after), (StatusCode::UNAUTHORIZED, None));
}

#[test]
fn the_page_says_login_only_while_it_is_true_and_escapes_what_others_said() {
    assert!(page(&standing(State::Live)).contains(LOGIN_SUCCEEDS));
    for state in [State::Negotiating, State::Opening, State::BackingOff, State::Displaced, State::Closed] {
        let mut standing = standing(state);
        standing.last_error = Some(("<script>alert('\"&x')</script>".to_owned(), "<img src=x>".to_owned()));
        let page = page(&standing);
        assert!(!page.contains(LOGIN_SUCCEEDS) && !page.contains("<script") && !page.contains("<img"), "{page}");
        assert!(page.contains("&lt;script&gt;") && page.contains("To do:"), "{page}");
    }
}
