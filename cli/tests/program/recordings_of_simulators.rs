//! `doctor --record` against `simulate`: lenient, strict, and with each fault.

use std::{fs, thread};

use ibkr_oauth::simulator::Fault;
use serde_json::Value;

use crate::{
    expected::{LENIENT, STRICT, only_sign_in, otherwise, with},
    terminal::{Folder, Running, run_in},
};

/// A heartbeat comes each half a second then.
const SPEED: &str = "20";

/// The answers of a recording of a simulator that is started with these arguments.
fn answers(arguments: &[&str]) -> Vec<(String, String)> {
    let folder = Folder::new();
    let mut running = Running::start(&folder.0, &[&["simulate", "--out", "sim"], arguments].concat());
    let ready: Value = serde_json::from_str(&running.line()).unwrap();
    let bundle = ready["bundle"].as_str().unwrap();
    let record = ["doctor", "--bundle", bundle, "--record", "recording.json", "--yes", "--logout"];
    let outcome = run_in(&folder.0, &record);
    assert_eq!(outcome.status, 0, "{arguments:?}: {} {}", outcome.text(), outcome.stderr);
    running.signal("TERM");
    assert_eq!(running.end().status, 0);
    let text = fs::read_to_string(folder.0.join("recording.json")).unwrap();
    let recording: Value = serde_json::from_str(&text).unwrap();
    let answers = recording["answers"].as_array().unwrap().iter();
    answers.map(|answer| ["question", "answer"].map(|name| answer[name].as_str().unwrap().to_owned()).into()).collect()
}

/// Seconds are what they are where time passes.
fn timeless(answer: &str) -> &str {
    answer
        .split([" after ", ", in "].iter().find(|words| answer.contains(**words)).copied().unwrap_or("\n"))
        .next()
        .unwrap()
}

fn assert_answers(arguments: &[&str], expected: &[(&str, &str)]) {
    let answers = answers(arguments);
    assert_eq!(answers.len(), expected.len());
    for ((question, answer), (expected_question, expected_answer)) in answers.iter().zip(expected) {
        assert_eq!(question, expected_question);
        assert_eq!(timeless(answer), timeless(expected_answer), "{arguments:?}: {question}");
    }
}

#[test]
fn lenient_and_strict() {
    assert_answers(&["--speed", SPEED], LENIENT);
    // Unless told otherwise, `simulate` takes any policy even then.
    assert_answers(&["--speed", SPEED, "--strict", "--query-policy", "rfc5849"], &with(STRICT));
}

/// When a fault strikes, so that it strikes the recording and not the layers before it, which send a request to see who is
/// there, and one for a token.
fn strike(name: &str) -> String {
    match name {
        "invalid-consumer" | "rate-limited" | "penalty-box" | "gone" | "unavailable" | "drop-request"
        | "drop-response" | "clock-ahead" | "clock-behind" => format!("{name}+2"),
        "not-authenticated" | "competing" | "expired-lst" | "no-bridge" => name.to_owned(),
        // Of WebSockets there is one.
        _ if name.starts_with("ws-") => name.to_owned(),
        _ => format!("{name}+1"),
    }
}

/// How many simulators run at a time: most of a recording is waiting, for a response or a heartbeat.
const AT_A_TIME: usize = 8;

#[test]
fn with_each_fault() {
    // Those are waited for, half a minute and ten seconds, which pass at once in `src/doctor/record/tests`.
    let awaited = ["ws-no-heartbeat", "ws-no-status"];
    let names: Vec<&str> = Fault::names().map(|(name, _)| name).filter(|name| !awaited.contains(name)).collect();
    thread::scope(|scope| {
        for names in names.chunks(names.len().div_ceil(AT_A_TIME)) {
            scope.spawn(|| names.iter().for_each(|name| assert_answers_with(name)));
        }
    });
}

/// The recording's answers where this fault strikes.
fn assert_answers_with(name: &str) {
    // Half a minute without a bridge is half a second then.
    let speed = if name == "no-bridge" { "60" } else { SPEED };
    let arguments = ["--fault", &strike(name), "--speed", speed];
    let Some(sign_in) = only_sign_in(name) else {
        if name == "no-bridge" {
            // So is the day of a token.
            assert!(answers(&arguments).iter().any(|(_, answer)| answer.starts_with("ready after")));
        } else {
            assert_answers(&arguments, &with(&otherwise(name)));
        }
        return;
    };
    for (question, answer) in answers(&arguments) {
        match question.as_str() {
            "sign_in" => assert_eq!(answer, sign_in, "{name}"),
            "clock" | "cookies" | "expiry" => {}
            _ => assert_eq!(answer, "not asked", "{name}: {question}"),
        }
    }
}
