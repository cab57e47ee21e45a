//! Faults by their text, and what happens to a broker that runs: by its methods, and by HTTP.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use ibkr_oauth::{
    Timestamp,
    simulator::{Broker, Fault},
};
use serde_json::{Value, json};

use crate::answers::Desk;

const ORIGIN: &str = "https://api.ibkr.com";
const ACCOUNTS: &str = "/iserver/accounts";
const TICKLE: &str = "/tickle";

fn fault(text: &str) -> Fault {
    text.parse().unwrap()
}

/// The statuses of these tickles.
fn tickles(desk: &mut Desk, count: usize) -> Vec<u16> {
    (0..count).map(|_| desk.call("POST", TICKLE).0).collect()
}

fn order(desk: &mut Desk, method: Method, body: &str) -> (u16, Value) {
    let url = format!("{ORIGIN}/__simulator/faults");
    let request = Request::builder().method(method).uri(url).body(Bytes::from(body.to_owned())).unwrap();
    let response = desk.raw(&request);
    assert_eq!(response.headers()["content-type"], "application/json; charset=utf-8");
    (response.status().as_u16(), serde_json::from_slice(response.body()).unwrap())
}

fn post(desk: &mut Desk, body: &str) -> (u16, Value) {
    order(desk, Method::POST, body)
}

#[test]
fn the_text_of_a_fault_says_where_when_and_how_often() {
    for (text, expected) in [
        ("gone", [410, 200, 200, 200]),
        ("gone*2", [410, 410, 200, 200]),
        ("gone+1", [200, 410, 200, 200]),
        ("gone+1*2", [200, 410, 410, 200]),
        ("gone+0*1", [410, 200, 200, 200]),
        ("gone@/tickle+2", [200, 200, 410, 200]),
        ("gone@/portfolio/accounts*9", [200; 4]),
    ] {
        let mut desk = Desk::new();
        desk.broker.inject(fault(text));
        assert_eq!(tickles(&mut desk, 4), expected, "{text}");
    }
    let mut desk = Desk::new();
    desk.broker.inject(fault("unavailable@/portfolio/accounts+1"));
    assert_eq!(desk.call("GET", "/portfolio/accounts").0, 200);
    assert_eq!(desk.call("POST", TICKLE).0, 200);
    assert_eq!(desk.call("GET", "/portfolio/accounts").0, 503);
}

#[test]
fn a_text_that_is_no_fault_is_an_error_that_says_what_there_is() {
    for text in ["", "nothing", "gone:2", "Gone", "gone ", "@/tickle", "*2"] {
        let error = text.parse::<Fault>().unwrap_err().to_string();
        assert!(error.contains("there is no fault") && error.contains("expired-lst, no-bridge, not-auth"), "{error}");
    }
    for text in [
        "gone@",
        "gone@tickle",
        "gone+",
        "gone*",
        "gone*0",
        "gone*-1",
        "gone*x",
        "gone++1",
        "gone*2+1",
        "gone*4294967296",
    ] {
        text.parse::<Fault>().unwrap_err();
    }
    let names: Vec<&str> = Fault::names().map(|(name, _)| name).collect();
    assert_eq!(names.len(), 36);
    for (name, what) in Fault::names() {
        assert!(name.parse::<Fault>().is_ok() && !what.is_empty(), "{name}");
    }
}

#[test]
fn faults_of_a_running_session_wait_for_one() {
    for name in ["not-authenticated", "competing"] {
        let mut desk = Desk::new();
        desk.broker.inject(fault(name));
        assert_eq!(tickles(&mut desk, 2), [200; 2]);
        desk.open();
        let (_, tickle) = desk.call("POST", TICKLE);
        let status = &tickle["iserver"]["authStatus"];
        assert!(status["authenticated"] == false || status["competing"] == true, "{name}: {tickle}");
        assert_eq!(desk.call("GET", ACCOUNTS).0, 400, "{name}");
        desk.open();
        assert_eq!(desk.call("GET", ACCOUNTS).0, 200, "{name}: it is spent");
    }
    let mut desk = Desk::new();
    desk.broker.expire_live_session_token();
    desk.broker.inject(fault("expired-lst"));
    assert_eq!(desk.negotiate().0, 200, "it does not end what is being made");
    assert_eq!(order(&mut desk, Method::GET, "").1["waiting"], 1);
    assert_eq!(desk.call("POST", TICKLE).0, 401);
    assert_eq!(order(&mut desk, Method::GET, "").1["waiting"], 0);
}

#[test]
fn faults_and_actions_come_by_http() {
    let mut desk = Desk::new();
    assert_eq!(post(&mut desk, r#"{"fault":"gone@/tickle+1"}"#), (200, json!({ "waiting": 1 })));
    assert_eq!(tickles(&mut desk, 3), [200, 410, 200]);
    let both = r#"{"faults":["gone","unavailable"],"action":"end-brokerage-session"}"#;
    assert_eq!(post(&mut desk, both), (200, json!({ "waiting": 2 })));
    assert_eq!(tickles(&mut desk, 3), [410, 503, 200]);
    let requests = desk.broker.requests();
    let (status, told) = order(&mut desk, Method::GET, "");
    assert_eq!((status, &told["waiting"]), (200, &json!(0)));
    assert_eq!(told["faults"].as_object().unwrap().len(), Fault::names().count());
    assert_eq!(told["actions"].as_array().unwrap().len(), 15);
    assert_eq!(post(&mut desk, r#"{"fault":"gone*9"}"#).0, 200);
    assert_eq!(post(&mut desk, r#"{"action":"clear-faults"}"#), (200, json!({ "waiting": 0 })));
    assert_eq!(desk.broker.requests(), requests, "they are no requests to the broker");
    assert_eq!(tickles(&mut desk, 1), [200]);
}

#[test]
fn a_wrong_order_is_refused_whole() {
    let mut desk = Desk::new();
    for body in [
        "",
        "[]",
        "gone",
        r#"{"fault":1}"#,
        r#"{"name":"gone"}"#,
        r#"{"faults":["gone","nothing"]}"#,
        r#"{"fault":"gone","action":"nothing"}"#,
        r#"{"actions":["expire-token","nothing"]}"#,
        r#"{"action":"penalty-box","seconds":-1}"#,
        r#"{"action":"close-sockets","code":65536}"#,
        r#"{"publish":[{"args":{}}]}"#,
    ] {
        let (status, answer) = post(&mut desk, body);
        assert_eq!((status, answer["statusCode"].as_u64()), (400, Some(400)), "{body}");
        assert!(!answer["error"].as_str().unwrap().is_empty());
        assert_eq!(tickles(&mut desk, 1), [200], "{body}");
    }
    assert_eq!(order(&mut desk, Method::DELETE, "").0, 405);
    assert_eq!(desk.broker.refusals(), []);
}

#[test]
fn each_action_does_what_it_is_called_and_works_on_a_running_session() {
    let mut desk = Desk::new();
    desk.open();
    let act = |desk: &mut Desk, name: &str| assert_eq!(post(desk, &format!(r#"{{"action":"{name}"}}"#)).0, 200);

    act(&mut desk, "end-brokerage-session");
    assert_eq!(desk.call("GET", ACCOUNTS).0, 400);
    assert_eq!(desk.open().1["authenticated"], true);

    act(&mut desk, "start-competing-session");
    let status = |desk: &mut Desk| desk.call("POST", TICKLE).1["iserver"]["authStatus"]["competing"].clone();
    assert_eq!(status(&mut desk), true);
    act(&mut desk, "end-competing-session");
    assert_eq!(status(&mut desk), false);

    act(&mut desk, "start-maintenance");
    assert_eq!(tickles(&mut desk, 3), [503; 3]);
    act(&mut desk, "end-maintenance");
    assert_eq!(tickles(&mut desk, 1), [200]);

    assert_eq!(post(&mut desk, r#"{"action":"penalty-box","seconds":30}"#).0, 200);
    desk.now += 29;
    assert_eq!(tickles(&mut desk, 1), [429]);
    desk.now += 1;
    assert_eq!(tickles(&mut desk, 1), [200]);
    act(&mut desk, "penalty-box");
    desk.now += 599;
    assert_eq!(tickles(&mut desk, 1), [429]);
    desk.now += 1;
    assert_eq!(tickles(&mut desk, 1), [200]);

    act(&mut desk, "expire-token");
    assert_eq!(tickles(&mut desk, 1), [401]);
    assert_eq!(desk.last_reason(), "live_session_token_expired");
    assert_eq!(desk.negotiate().0, 200);
}

#[test]
fn a_refusal_says_how_the_token_came_to_its_end() {
    let said = |desk: &mut Desk| {
        assert_eq!(tickles(desk, 1), [401]);
        assert_eq!(desk.last_reason(), "live_session_token_expired");
        desk.broker.refusals().last().unwrap().to_string()
    };
    let mut desk = Desk::new();
    desk.now += 3600;
    let ended = Timestamp::from_secs(desk.now).to_string();
    assert!(said(&mut desk).contains(&format!("the live session token that signed expired at {ended}")));

    let mut desk = Desk::new();
    desk.broker.expire_live_session_token();
    assert!(said(&mut desk).contains("the live session token that signed was ended before its time"));
    // That is not what newer ones do to it.
    for _ in 0..2 {
        assert_eq!(desk.negotiate().0, 200);
    }
    assert!(said(&mut desk).contains("was ended before its time"));

    let mut desk = Desk::new();
    for _ in 0..2 {
        assert_eq!(tickles(&mut desk, 1), [200]);
        assert_eq!(desk.negotiate().0, 200);
    }
    assert!(said(&mut desk).contains("was replaced: only the newest 2 are valid"));
}

#[test]
fn speed_divides_what_takes_time_and_leaves_the_clock() {
    let fast = || Broker::builder().strict().speed(60).settling(Duration::from_secs(120));
    let mut desk = Desk::with(fast());
    assert_eq!(desk.open().1["established"], false);
    desk.now += 1;
    assert_eq!(desk.call("GET", ACCOUNTS).0, 400);
    desk.now += 1;
    assert_eq!(desk.call("GET", ACCOUNTS).0, 200);
    assert_eq!(tickles(&mut desk, 1), [200]);
    desk.now += 5;
    assert_eq!(desk.call("GET", ACCOUNTS).0, 200);
    desk.now += 1;
    assert_eq!(desk.call("GET", ACCOUNTS).0, 400, "six minutes are six seconds");
    let expires = desk.negotiate().1["live_session_token_expiration"].as_u64().unwrap();
    assert_eq!(expires, desk.now * 1000 + (23 * 3600 + 55 * 60) * 1000 / 60);
    desk.broker.control(Timestamp::from_secs(desk.now), r#"{"action": "penalty-box"}"#).unwrap();
    desk.now += 9;
    assert_eq!(tickles(&mut desk, 1), [429]);
    desk.now += 1;
    assert_eq!(tickles(&mut desk, 1), [200]);

    let mut desk = Desk::with(fast().speed(1).rate_limit(1, Duration::from_secs(60)).speed(60));
    assert_eq!(tickles(&mut desk, 2), [200, 429]);
    desk.now += 1;
    assert_eq!(tickles(&mut desk, 1), [200]);
    let mut desk = Desk::with(Broker::builder().speed(0));
    desk.open();
    desk.now += 359;
    assert_eq!(desk.call("GET", ACCOUNTS).0, 200);
}
