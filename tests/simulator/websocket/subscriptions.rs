//! What subscriptions bring, for how long, and how they end.

use std::time::Duration;

use http::Method;
use ibkr_oauth::simulator::Socket;
use serde_json::{Value, json};

use super::{Desk, NOTHING};

const LINE: &str = "smd+265598";
const ASK_LINE: &str = "smd+265598+{\"fields\":[\"31\",\"84\",\"7059\",\"55\"]}";

#[test]
pub(crate) fn what_is_subscribed_before_the_status_is_lost() {
    let mut desk = Desk::new(|builder| builder);
    desk.open_brokerage_session();
    desk.connect();
    desk.say(ASK_LINE);
    desk.say("spl+{}");
    assert_eq!(super::topics(&desk.hear(5)), ["system", "act", "sts"]);
    assert_eq!(desk.reasons(), ["subscribed_too_early"; 2]);
    assert_eq!(desk.ask(ASK_LINE).len(), 1);
}

#[test]
fn a_line_brings_all_fields_and_then_those_that_changed() {
    let mut desk = Desk::streaming();
    let first = &desk.ask(ASK_LINE)[0];
    assert_eq!(
        (&first["topic"], &first["conid"], &first["conidEx"]),
        (&json!(LINE), &json!(265_598), &json!("265598"))
    );
    assert_eq!(first["55"], "AAPL");
    for field in ["31", "84", "7059", "6509", "6119", "server_id", "_updated"] {
        assert!(!first[field].is_null(), "{field}: {first}");
    }
    let updates = desk.hear_topic(10, LINE);
    assert_eq!(updates.len(), 20);
    for update in &updates {
        assert!(update["55"].is_null() && update["6509"].is_null(), "{update}");
        assert!(update["31"].is_string() && update["conid"] == 265_598, "{update}");
    }
    assert!(updates.windows(2).all(|pair| pair[1]["_updated"].as_u64() > pair[0]["_updated"].as_u64()));
    assert!(updates.iter().any(|update| update["7059"].is_string()), "numbers come as texts");
    assert!(updates.iter().any(|update| update["7059"].is_u64()), "and as numbers");

    // Asked again, a line has the new fields too, and begins with all of them.
    let again = &desk.ask("smd+265598+{\"fields\":[\"86\",\"87\"]}")[0];
    assert!(again["55"] == "AAPL" && again["86"].is_string() && again["87"] == "2.02E8", "{again}");
    assert!(again["87_raw"].is_f64());
    assert_eq!(desk.ask("umd+265598+{}"), NOTHING);
    assert_eq!(desk.hear_topic(60, LINE), NOTHING);
}

#[test]
fn a_line_falls_silent_after_ten_minutes_until_it_is_asked_for_again() {
    let mut desk = Desk::streaming();
    desk.say(ASK_LINE);
    desk.say("smd+8314+{\"fields\":[\"31\"]}");
    desk.tickle();
    let half = desk.hear(300);
    assert_eq!(half.iter().filter(|message| message["topic"] == LINE).count(), 601);
    desk.tickle();
    // The other one is kept alive.
    desk.say("smd+8314+{\"fields\":[\"31\"]}");
    assert_eq!(desk.hear_topic(299, LINE).len(), 598);
    desk.tickle();
    let last = desk.hear(60);
    assert_eq!(last.iter().filter(|message| message["topic"] == LINE).count(), 1);
    assert_eq!(last.iter().filter(|message| message["topic"] == "smd+8314").count(), 120);
    assert_eq!(last.iter().filter(|message| message["topic"] == "system").count(), 6, "and all looks well");
    let again = &desk.ask(ASK_LINE)[0];
    assert_eq!(again["55"], "AAPL", "all fields again");
    assert_eq!(desk.hear_topic(10, LINE).len(), 20);
}

#[test]
fn an_hour_that_is_slept_over_is_complete_and_in_order() {
    let (mut late, mut punctual) = (Desk::streaming(), Desk::streaming());
    for desk in [&mut late, &mut punctual] {
        desk.say(ASK_LINE);
        desk.say("sld+DU0000001+{}");
    }
    late.wait(700);
    assert_eq!(late.hear(0), punctual.hear(700));
}

#[test]
fn what_was_due_before_a_line_is_asked_for_again_is_not_lost() {
    let (mut late, mut punctual) = (Desk::streaming(), Desk::streaming());
    let mut heard = Vec::new();
    for desk in [&mut late, &mut punctual] {
        heard.push(desk.ask(ASK_LINE));
    }
    // A host that is busy polls only afterwards.
    late.wait(3);
    heard[1].extend(punctual.hear(3));
    late.say(ASK_LINE);
    punctual.say(ASK_LINE);
    heard[0].extend(late.hear(1));
    heard[1].extend(punctual.hear(1));
    assert_eq!(heard[0].len(), 1 + 6 + 3);
    assert_eq!(heard[0], heard[1]);
}

#[test]
pub(crate) fn there_are_a_hundred_lines() {
    let mut desk = Desk::streaming_from(|builder| builder.market_data_period(Duration::from_secs(5)));
    for conid in 1..=100 {
        assert_eq!(desk.ask(&format!("smd+{conid}+{{}}")).len(), 1);
    }
    let error = &desk.ask("smd+101+{}")[0];
    assert!(error["topic"] == "smd+101" && error["error"].is_string(), "{error}");
    assert_eq!(desk.reasons(), ["market_data_lines_exceeded"]);
    assert_eq!(desk.ask("smd+7+{}").len(), 1, "asked again, a line is not another one");
    assert_eq!(desk.hear(5).len(), 101 - 1);
    desk.say("umd+7+{}");
    assert_eq!(desk.ask("smd+101+{}")[0]["conid"], 101);
}

#[test]
pub(crate) fn a_history_comes_once_and_holds_its_place() {
    let mut desk = Desk::streaming();
    let mut servers = Vec::new();
    for conid in 1..=5 {
        let history = &desk.ask(&format!("smh+{conid}+{{\"period\":\"1d\",\"bar\":\"1min\"}}"))[0];
        assert_eq!(history["data"].as_array().unwrap().len(), 60);
        servers.push(history["serverId"].as_str().unwrap().to_owned());
    }
    assert_eq!(desk.hear_topic(60, "smh+1"), NOTHING);
    assert_eq!(desk.ask("smh+6+{}")[0]["topic"], "smh+6");
    assert_eq!(desk.reasons(), ["histories_exceeded"]);
    let answer = desk.ask(&format!("umh+{}", servers[2]));
    assert_eq!(answer, [json!({ "message": format!("Unsubscribed {}", servers[2]) })]);
    let next = &desk.ask("smh+6+{}")[0];
    assert!(
        next["data"][0]["c"].is_f64() && !servers.contains(&next["serverId"].as_str().unwrap().to_owned()),
        "{next}"
    );
}

#[test]
fn each_topic_has_its_shape_its_pace_and_its_end() {
    let mut desk = Desk::streaming();
    // What is said, under which topic it comes, how many come in a minute, what ends it, and what is answered then.
    let summary = json!({ "result": "unsubscribed from summary" });
    let ledger = json!({ "result": "unsubscribed from ledger" });
    for (ask, topic, count, end, answer) in [
        ("spl+{}", "spl", 61, "upl+{}", None),
        ("spl", "spl", 61, "upl{}", None),
        ("ssd+DU0000001+{\"keys\":[]}", "ssd+DU0000001", 7, "usd+DU0000001+{}", Some(summary)),
        ("sld+DU0000001+{}", "sld+DU0000001", 7, "uld+DU0000001", Some(ledger)),
        ("sbd+DU0000001+265598+NASDAQ", "sbd+DU0000001+265598+NASDAQ", 61, "ubd+DU0000001", None),
        ("sbd+DU0000001+265598", "sbd+DU0000001+265598", 61, "ubd+DU0000001+{}", None),
        ("smd+265598@SMART+{}", "smd+265598@SMART", 121, "umd+265598@SMART+{}", None),
        ("smd+265598", "smd+265598", 121, "umd+265598+{\"fields\":[\"31\"]}", None),
    ] {
        desk.say(ask);
        assert_eq!(desk.hear_topic(60, topic).len(), count, "{ask}");
        assert_eq!(desk.ask(end), answer.into_iter().collect::<Vec<_>>(), "{end}");
        assert_eq!(desk.hear_topic(60, topic), NOTHING, "{end}");
        desk.tickle();
    }
    assert!(desk.reasons().is_empty());

    let rows = |message: &Value| message["result"].as_array().unwrap().clone();
    desk.say("sld+DU0000001+{}");
    let ledger = desk.hear_topic(10, "sld+DU0000001");
    assert!(rows(&ledger[0]).iter().all(|row| row["cashbalance"].is_u64()), "{}", ledger[0]);
    assert_eq!(rows(&ledger[1])[1].as_object().unwrap().len(), 2, "a currency that has not changed");
    desk.say("ssd+DU0000001+{}");
    let summary = desk.hear_topic(10, "ssd+DU0000001");
    assert_eq!((rows(&summary[0]).len(), rows(&summary[1]).len()), (3, 1));
    desk.say("spl+{}");
    assert!(desk.hear(0)[0]["args"]["DU0000001.Core"]["mv"].is_u64());
}

#[test]
fn a_tic_is_answered_and_an_echo_said_again() {
    let mut desk = Desk::streaming();
    let session = desk.tickle();
    let replies = desk.ask("tic");
    assert_eq!(replies.len(), 4, "so many were seen for one");
    for reply in &replies {
        assert_eq!((&reply["topic"], &reply["alive"], &reply["id"]), (&json!("tic"), &json!(true), &json!(session)));
        assert_eq!(reply["lastAccessed"], desk.now.as_millis());
    }
    desk.say("ech+hb");
    assert_eq!(desk.messages(0)[0].payload(), "ech+hb");
}

#[test]
pub(crate) fn what_is_not_understood_is_an_error_without_a_topic() {
    let mut desk = Desk::streaming();
    let odd =
        ["", "smd", "smd+x+{}", "smd+1+{", "xyz+1+{}", "{}", "[1]", "ssd", "umh", "sor+1+{}", "\u{0}", "smd+1+[]"];
    for said in odd {
        let answer = desk.ask(said);
        assert_eq!(answer, [json!({ "error": "Topic unknown", "code": 1 })], "{said}");
    }
    let socket: &mut Socket = desk.socket.as_mut().unwrap();
    socket.receive(&mut desk.broker, desk.now, &[0xff, 0xfe, b'+']);
    assert_eq!(desk.hear(0).len(), 1);
    assert_eq!(desk.reasons(), vec!["topic_unknown"; odd.len() + 1]);
    assert_eq!(desk.ask("ssd+U9999999+{}")[0]["topic"], "ssd+U9999999");
    assert_eq!(desk.reasons().last(), Some(&"account_unknown"));
}

#[test]
fn what_needs_the_brokerage_session_misses_its_bridge_without_it() {
    let mut desk = Desk::new(|builder| builder.settling(Duration::from_secs(3)));
    desk.connect();
    assert_eq!(super::topics(&desk.hear(1)), ["system"], "account and status are the brokerage session's");
    for (said, topic) in [(ASK_LINE, LINE), ("smh+1+{}", "smh+1"), ("sor+{}", "sor"), ("str+{}", "str")] {
        let error = &desk.ask(said)[0];
        assert_eq!((&error["topic"], &error["error"]), (&json!(topic), &json!("Missing iserver bridge")));
    }
    assert_eq!(desk.reasons(), ["brokerage_session_closed"; 4]);
    assert_eq!(desk.ask("spl+{}").len(), 1);

    // It is told when it opens, and when it answers.
    let mut cx = ibkr_oauth::Context::new(desk.now, &mut desk.entropy);
    let exchange = desk.signer.brokerage().open(&mut cx, ibkr_oauth::Compete::Take).unwrap();
    desk.broker.handle(&mut cx, exchange.request());
    let told: Vec<Value> = desk.hear(5).into_iter().filter(|message| message["topic"] != "spl").collect();
    assert_eq!(super::topics(&told), ["act", "sts", "sts"]);
    let states: Vec<&Value> = told[1..].iter().map(|message| &message["args"]["established"]).collect();
    assert_eq!(states, [false, true]);
    assert_eq!(desk.ask(ASK_LINE).len(), 1);
}

#[test]
fn subscriptions_end_with_the_brokerage_session_and_do_not_come_back_with_it() {
    let mut desk = Desk::streaming_from(|builder| builder.daily_reset(0));
    let until_midnight = 6400;
    while desk.now.as_secs() + 300 < super::START / 1000 + until_midnight {
        desk.wait(300);
        desk.tickle();
        desk.poll();
    }
    let rest = super::START / 1000 + until_midnight - desk.now.as_secs();
    desk.say(ASK_LINE);
    desk.say("spl+{}");
    let before = desk.hear_topic(rest - 1, "sts");
    assert_eq!(before, NOTHING);
    let night = desk.hear(60);
    let lost = night.iter().position(|message| message["topic"] == "sts").expect("it is told of the reset");
    assert_eq!(night[lost]["args"]["authenticated"], false);
    assert!(night[lost..].iter().all(|message| message["topic"] != LINE), "no line outlives it");
    assert!(
        night[lost..].iter().filter(|message| message["topic"] == "spl").count() > 50,
        "what needs no session does"
    );

    desk.open_brokerage_session();
    let morning = desk.hear(10);
    let status = morning.iter().find(|message| message["topic"] == "sts").unwrap();
    assert_eq!(status["args"]["authenticated"], true);
    assert!(morning.iter().all(|message| message["topic"] != LINE));
    assert_eq!(desk.ask(ASK_LINE).len(), 1);

    desk.broker.start_competing_session();
    let displaced = desk.hear_topic(1, "sts");
    assert_eq!(displaced[0]["args"]["authenticated"], false);
    assert_eq!(displaced[0]["args"]["competing"], true);
    assert_eq!(desk.ask(ASK_LINE)[0]["error"], "Missing iserver bridge");
}

#[test]
fn a_session_that_nobody_tickles_is_over_and_the_socket_says_so() {
    let mut desk = Desk::streaming();
    let told = desk.hear_topic(400, "sts");
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["args"]["authenticated"], false);
    assert_eq!(desk.call(Method::GET, "/iserver/accounts", &Value::Null).0, 400);
}
