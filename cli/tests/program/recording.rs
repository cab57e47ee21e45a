//! `doctor --record`, as somebody runs it who helps: what is asked first, what is shown, what is written, and where.

use std::fs;

use ibkr_oauth::simulator::Fault;
use serde_json::{Value, json};

use crate::terminal::{
    Outcome, run_with_input,
    user::{User, start_fast},
};

const FILE: &str = "recording.json";

fn record(user: &User, more: &[&str], input: &str) -> Outcome {
    let bundle = user.bundle.to_str().unwrap();
    let arguments = [&["doctor", "--bundle", bundle, "--record", FILE][..], more].concat();
    let outcome = run_with_input(&user.folder.0, &arguments, input);
    user.assert_no_secret_in(&outcome);
    outcome
}

fn written(user: &User) -> Option<String> {
    fs::read_to_string(user.folder.0.join(FILE)).ok()
}

fn answer(recording: &Value, question: &str) -> String {
    let answers = recording["answers"].as_array().unwrap();
    let found = answers.iter().find(|answer| answer["question"] == question);
    found.unwrap_or_else(|| panic!("{question} in {recording:#}"))["answer"].as_str().unwrap().to_owned()
}

#[test]
fn it_asks_shows_and_writes() {
    let (server, user) = start_fast();
    let outcome = record(&user, &[], "y\ny\n");
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    let text = written(&user).unwrap();
    // What was written is what was shown.
    assert!(outcome.text().contains(text.trim_end()), "{}", outcome.text());
    let recording: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&recording["source"], &recording["login"]), (&json!("simulator"), &json!("paper")));
    // The simulator of these tests is strict.
    assert_eq!(answer(&recording, "query_policies"), "rfc5849");
    assert_eq!(answer(&recording, "wrong_signature"), "refused: 401 signature_refused");
    assert_eq!(answer(&recording, "token_after_logout"), "not asked");
    for (question, expected) in
        [("upgrade", "101"), ("messages", "system, act, sts"), ("tic", "answered 4 times"), ("close", "with code 1000")]
    {
        assert_eq!(answer(&recording, &format!("websocket_{question}")), expected);
    }
    for secret in user.secrets.iter().map(String::as_str).chain(["DU0000001", server.account.access_token.token()]) {
        assert!(!text.contains(secret), "{secret}");
    }
    // Each request was announced, in the list and before it was sent; no more than that was sent.
    let asked: Vec<&str> = outcome.stderr.lines().filter_map(|line| line.strip_prefix("asks: ")).collect();
    assert!(asked.len() > 30);
    for request in asked {
        assert!(outcome.text().contains(&format!("\n  {request}\n")), "{request}");
    }
    assert!(server.server.received().len() <= 64, "{}", server.server.received().len());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(user.folder.0.join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn whoever_says_no_sends_or_writes_nothing() {
    let (server, user) = start_fast();
    for input in ["n\n", "", "\n", "perhaps\n"] {
        let before = server.server.received().len();
        let outcome = record(&user, &[], input);
        assert_eq!(outcome.status, 0, "{}", outcome.stderr);
        assert!(outcome.text().contains("nothing was asked"), "{}", outcome.text());
        // Those on the way up to the token.
        assert_eq!(server.server.received().len(), before + 2);
        assert_eq!(written(&user), None);
    }
    let outcome = record(&user, &[], "yes\nno\n");
    assert!(outcome.text().contains("it was not written"), "{}", outcome.text());
    assert_eq!(written(&user), None);
}

#[test]
fn unattended_it_says_yes_and_programs_get_the_recording() {
    let (server, user) = start_fast();
    record(&user, &["--output", "json"], "").assert_failure_json("`--output json`", "--yes");
    assert!(server.server.received().is_empty());
    let outcome = record(&user, &["--yes", "--logout", "--output", "json"], "");
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    let report: Value = serde_json::from_slice(&outcome.stdout).unwrap();
    let recording: Value = serde_json::from_str(&written(&user).unwrap()).unwrap();
    assert_eq!(report["recording"], recording);
    assert_eq!(answer(&recording, "token_after_logout"), "refused: 401 not_authenticated");
    assert_eq!(report["severity"], "ok");
}

#[test]
fn only_a_recording_is_replaced() {
    let (server, user) = start_fast();
    let path = user.folder.0.join(FILE);
    assert_eq!(record(&user, &["--yes"], "").status, 0);
    let first = written(&user).unwrap();
    assert_eq!(record(&user, &["--yes"], "").status, 0);
    for foreign in ["", "my notes", "{}", &first.replace("paper", "live "), &format!("{first}\n")] {
        fs::write(&path, foreign).unwrap();
        let before = server.server.received().len();
        record(&user, &["--yes"], "").assert_failure(2, "", "not overwritten", "`--record`");
        assert_eq!(written(&user).as_deref(), Some(foreign));
        assert_eq!(server.server.received().len(), before);
    }
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    record(&user, &["--yes"], "").assert_failure(2, "", "it is a folder", "`--record`");
}

#[test]
fn live_accounts_are_recorded_only_where_that_is_asked_for() {
    let (server, user) = start_fast();
    let accounts = r#"[{"id":"U7654321","accountId":"U7654321"}]"#;
    server.broker().respond(ibkr_oauth::http::Method::GET, "/portfolio/accounts", accounts).unwrap();
    let outcome = record(&user, &["--yes"], "");
    assert_eq!(outcome.status, 0);
    let next = outcome.text().lines().last().unwrap().to_owned();
    assert!(next.contains("paper login") && next.contains("--live"), "{next}");
    let recording: Value = serde_json::from_str(&written(&user).unwrap()).unwrap();
    assert_eq!((&recording["login"], answer(&recording, "tickle_by_get").as_str()), (&json!("live"), "not asked"));
    assert_eq!(record(&user, &["--yes", "--live"], "").status, 0);
    let recording: Value = serde_json::from_str(&written(&user).unwrap()).unwrap();
    assert_eq!(answer(&recording, "tickle_by_get"), "accepted");
    assert!(!written(&user).unwrap().contains("U7654321"));
}

#[test]
fn how_a_sign_in_is_refused_is_recorded_too() {
    let (server, user) = start_fast();
    server.broker().inject("invalid-consumer".parse::<Fault>().unwrap().at("/oauth/live_session_token").times(2));
    let outcome = record(&user, &["--yes"], "");
    assert_eq!(outcome.status, 1);
    let recording: Value = serde_json::from_str(&written(&user).unwrap()).unwrap();
    assert_eq!(answer(&recording, "sign_in"), "refused: 401 consumer_not_active_or_unknown");
    assert_eq!(answer(&recording, "tickle_by_get"), "not asked");
    // With keys that open nothing there is nothing to ask with.
    fs::remove_file(user.folder.0.join(FILE)).unwrap();
    let changed = user.change(&json!({ "access_token_secret": "c2VjcmV0" }));
    fs::copy(changed, &user.bundle).unwrap();
    assert_eq!(record(&user, &["--yes"], "").status, 1);
    assert_eq!(written(&user), None);
}

#[test]
fn what_has_a_query_is_signed_as_the_command_line_says() {
    let (_server, user) = start_fast();
    for (policy, status) in [("rfc5849", "200"), ("omit", "401 signature_refused")] {
        assert_eq!(record(&user, &["--yes", "--query-policy", policy], "").status, 0);
        let recording: Value = serde_json::from_str(&written(&user).unwrap()).unwrap();
        assert_eq!(answer(&recording, "accounts_after"), status);
    }
}
