//! The catalogue of refusals: each entry is met by a reply, each error carries its cause, and the page shows them all.

use crate::fixture;
use std::fmt::Write as _;

use crate::fixture::reply;
use crate::steps::Step;
use ibkr_oauth::{
    Consumer, Error, ErrorKind, Stage,
    diagnose::{CATALOGUE_VERSION, CatalogueEntry, Cause, Confidence, catalogue},
};
use serde_json::json;

fn consumer() -> Consumer {
    fixture::consumer_builder().build().unwrap()
}

/// The table of the documentation.
fn table() -> String {
    let mut out = format!(
        "Version {CATALOGUE_VERSION}.\n\n| status | at | the broker says | cause | known by | kind |\n|---|---|---|---|---|---|\n"
    );
    for entry in catalogue() {
        let CatalogueEntry { status, stage, text, cause, confidence, kind, .. } = entry;
        let status = status.map_or("any".to_owned(), |status| status.to_string());
        let stage = stage.map_or(String::new(), |stage| stage.to_string());
        let text = if text.is_empty() { String::new() } else { format!("`{text}`") };
        writeln!(out, "| {status} | {stage} | {text} | {cause} | {confidence} | {} |", kind.name()).unwrap();
    }
    out
}

#[test]
fn the_documented_table_is_the_catalogue() {
    let documented = include_str!("../../src/diagnose/catalogue.md");
    assert!(documented == table(), "src/diagnose/catalogue.md ought to be:\n{}", table());
}

/// The step whose reply is read at the stage of an entry; one without a stage of its own where no other entry is.
fn step_of(entry: &CatalogueEntry) -> Step {
    Step::ALL.into_iter().find(|step| Some(step.stage()) == entry.stage).unwrap_or(Step::Tickle)
}

#[test]
fn each_entry_is_provoked() {
    let consumer = consumer();
    for entry in catalogue() {
        let status = entry.status.unwrap_or(401);
        let words = format!("id: 7, error: {} for 218c", entry.text.to_uppercase());
        let body = json!({ "error": words, "statusCode": status }).to_string();
        let error = step_of(entry).fail(&consumer, reply(status, body));
        assert_eq!(error.cause(), Some(entry.cause), "{entry:?}: {error:?}");
        assert_eq!(error.confidence(), Some(entry.confidence), "{entry:?}");
        assert_eq!((error.kind(), error.remedy()), (entry.kind, entry.remedy), "{entry:?}");
        assert_eq!(error.detail(), Some(words.as_str()), "the broker's words are kept");
    }
}

#[test]
fn words_decide_inside_a_good_status_too() {
    let consumer = consumer();
    for entry in catalogue().iter().filter(|entry| !entry.text.is_empty()) {
        let body = json!({ "error": entry.text }).to_string();
        let error = step_of(entry).fail(&consumer, reply(200, body));
        assert_eq!(error.cause(), Some(entry.cause), "{entry:?}");
        let body = json!({ "error": "the words", "statusCode": entry.status.unwrap_or(401).to_string() }).to_string();
        let error = Step::Status.fail(&consumer, reply(200, body));
        assert!(error.status().unwrap().is_success());
    }
}

#[test]
fn entries_are_in_lower_case_and_say_what_to_do() {
    let mut before: Vec<&CatalogueEntry> = Vec::new();
    for entry in catalogue() {
        assert_eq!(entry.text, entry.text.to_lowercase());
        assert!(!entry.remedy.is_empty() && !entry.source.is_empty() && !entry.cause.to_string().is_empty());
        assert!(matches!(entry.kind, ErrorKind::Rejected | ErrorKind::Unavailable), "{entry:?}");
        assert!(!entry.remedy.contains(char::is_control));
        // A general entry above a special one would hide it.
        let hides = |earlier: &&CatalogueEntry| {
            (earlier.status.is_none() || entry.status.is_none() || earlier.status == entry.status)
                && earlier.stage.is_none_or(|stage| Some(stage) == entry.stage)
                && entry.text.contains(earlier.text)
        };
        assert!(!before.iter().any(hides), "{entry:?} is hidden");
        before.push(entry);
    }
}

#[test]
fn unknown_words_pass_through_whole_and_have_no_cause() {
    let consumer = consumer();
    for (status, kind) in [(400, ErrorKind::Rejected), (418, ErrorKind::Rejected), (599, ErrorKind::Unavailable)] {
        let words = "id: 9, error: a thing that nobody saw before";
        let body = json!({ "error": words, "statusCode": status }).to_string();
        let error = Step::Tickle.fail(&consumer, reply(status, body));
        assert_eq!((error.cause(), error.confidence(), error.kind()), (None, None, kind));
        assert_eq!(error.detail(), Some(words));
        assert!(error.to_string().ends_with(words));
        let long = "ä".repeat(700);
        let error = Step::Tickle.fail(&consumer, reply(status, long.clone()));
        assert_eq!(error.detail().unwrap().trim_end_matches('…'), &long[..2 * 599], "cut, and marked as cut");
    }
}

#[test]
fn the_application_s_own_replies_have_causes_too() {
    let error = Error::from_response(&reply(429, "")).unwrap();
    assert_eq!((error.cause(), error.stage()), (Some(Cause::RateLimited), Stage::Transport));
    let error = Error::from_response(&reply(400, r#"{"error":"Bad Request: no bridge"}"#)).unwrap();
    assert_eq!((error.cause(), error.confidence()), (Some(Cause::NoBrokerageSession), Some(Confidence::Observed)));
}

#[test]
fn the_catalogue_is_data() {
    let text = serde_json::to_value(catalogue()).unwrap();
    let first = &text[0];
    assert_eq!(first["cause"], "consumer_not_active_or_unknown");
    assert_eq!(first["confidence"], "observed");
    assert_eq!(first["kind"], "rejected");
    assert_eq!(first["status"], json!(null));
    assert!(text.as_array().unwrap().iter().any(|entry| entry["stage"] == "live session token"));
}
