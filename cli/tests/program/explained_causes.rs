//! Each error names its cause where that is known, and `explain` says what is known about it.

use ibkr_oauth::{diagnose::Cause, simulator::Fault};
use serde_json::Value;

use crate::terminal::{Folder, run_in, user::start};

#[test]
fn each_cause_is_explained_with_what_to_do() {
    let folder = Folder::new();
    for cause in Cause::ALL {
        let name = cause.name();
        let outcome = run_in(&folder.0, &["explain", name]);
        assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
        assert!(outcome.text().starts_with(&format!("{name}: {cause}\n")), "{}", outcome.text());
        assert!(outcome.text().contains("\nWhat to do:\n- "), "{}", outcome.text());
        let longest = outcome.text().lines().map(|line| line.chars().count()).max();
        assert!(longest < Some(320), "{}", outcome.text());
    }
    let as_typed = run_in(&folder.0, &["explain", "No-Bridge"]);
    as_typed.assert_failure(2, "", "no cause is named `No-Bridge`", "one of the names above");
    assert_eq!(run_in(&folder.0, &["explain", "No-Brokerage-Session"]).status, 0);
    let json = run_in(&folder.0, &["explain", "gone", "--output", "json"]);
    let object: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(
        (object["cause"].as_str(), object["explanation"].as_str()),
        (Some("gone"), Some(&*Cause::Gone.explanation()))
    );
}

#[test]
fn without_a_cause_they_are_listed() {
    let folder = Folder::new();
    for (arguments, status) in [(&["explain"][..], 0), (&["explain", "of_what"], 2)] {
        let outcome = run_in(&folder.0, arguments);
        assert_eq!(outcome.status, status, "{}", outcome.stderr);
        let listed: Vec<&str> = outcome.text().lines().filter_map(|line| line.split_whitespace().next()).collect();
        assert_eq!(listed, Cause::ALL.iter().map(|cause| cause.name()).collect::<Vec<_>>());
    }
    let outcome = run_in(&folder.0, &["explain", "--output", "json"]);
    let object: Value = serde_json::from_slice(&outcome.stdout).unwrap();
    assert_eq!(object["causes"].as_object().unwrap().len(), Cause::ALL.len());
    run_in(&folder.0, &["explain", "get"]).assert_failure(2, "", "`get` is a method", "absolute URL");
    for option in [&["--nonce", "1"][..], &["--form", "a=b"], &["--query-policy", "omit"]] {
        let arguments = [&["explain", "gone"][..], option].concat();
        run_in(&folder.0, &arguments).assert_failure(2, "", "there is no URL", "absolute URL");
    }
}

#[test]
fn errors_name_the_command_that_explains_them() {
    let at_sign_in = |fault: Fault| fault.at("/oauth/live_session_token");
    for (fault, cause) in [
        (at_sign_in("invalid-consumer".parse::<Fault>().unwrap()), Cause::ConsumerNotActiveOrUnknown),
        ("wrong-proof".parse::<Fault>().unwrap(), Cause::LiveSessionTokenNotProved),
        (at_sign_in(Fault::status(410)), Cause::Gone),
    ] {
        let (server, user) = start();
        server.broker().inject(fault.clone().times(2));
        let line = format!("more: ibkr-oauth explain {}", cause.name());
        let outcome = user.run(&["token"]);
        outcome.assert_failure(1, "", "", "");
        assert_eq!(outcome.stderr.lines().nth(2), Some(&*line));
        let outcome = user.run(&["doctor"]);
        assert!(outcome.text().contains(&format!("\n{:30}{line}\n", "")), "{}", outcome.text());
        server.broker().inject(fault);
        let json: Value = serde_json::from_slice(&user.run(&["doctor", "--output", "json"]).stdout).unwrap();
        let named = json["findings"].as_array().unwrap().iter().filter_map(|finding| finding["cause"].as_str());
        assert_eq!(named.collect::<Vec<_>>(), [cause.name()]);
    }
    let (server, user) = start();
    server.broker().start_competing_session();
    let outcome = user.run(&["request", "--open", "GET", "/iserver/accounts"]);
    assert_eq!(outcome.stderr.lines().nth(2), Some("more: ibkr-oauth explain competing_session"));
    // What has no cause in the catalogue stays two lines.
    assert_eq!(run_in(&user.folder.0, &["token", "--bundle", "nowhere"]).stderr.lines().count(), 2);
}
