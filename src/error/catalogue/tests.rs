//! The tables: each entry can be reached, says what to do, and is in the documentation.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail")]

use std::fmt::Write as _;

use http::StatusCode;

use super::{
    Cause, ErrorKind, LOOK_FIRST, Scope, Stage, classify, entry::Entry, kind, statuses::STATUSES, words::WORDS,
};
use crate::error::Error;

fn entries() -> impl Iterator<Item = &'static Entry> {
    WORDS.iter().chain(STATUSES)
}

/// The table of the documentation.
fn table() -> String {
    let mut out = "| status | at | the broker says | cause | kind |\n|---|---|---|---|---|\n".to_owned();
    for Entry { status, stage, text, cause, scope, .. } in entries() {
        let kind = kind(*cause, *scope, stage.unwrap_or(Stage::Transport)).name();
        let status = status.map_or("any".to_owned(), |status| status.to_string());
        let stage = stage.map_or(String::new(), |stage| stage.to_string());
        let text = if text.is_empty() { String::new() } else { format!("`{text}`") };
        writeln!(out, "| {status} | {stage} | {text} | `{}`: {cause} | {kind} |", cause.name()).unwrap();
    }
    out
}

#[test]
fn the_documented_table_is_the_catalogue() {
    let documented = include_str!("../../diagnose/catalogue.md");
    assert!(documented == table(), "src/diagnose/catalogue.md should be:\n{}", table());
}

#[test]
fn no_entry_hides_another() {
    let mut before: Vec<&Entry> = Vec::new();
    for entry in entries() {
        let place = (entry.status, entry.stage, entry.text);
        let hides = |earlier: &&Entry| {
            entry.text.is_empty() == earlier.text.is_empty()
                && earlier.status.is_none_or(|status| Some(status) == entry.status)
                && earlier.stage.is_none_or(|stage| Some(stage) == entry.stage)
                && super::contains(entry.text, earlier.text)
        };
        assert!(!before.iter().any(hides), "{place:?} is hidden");
        before.push(entry);
    }
}

#[test]
fn a_remedy_says_what_to_do() {
    assert!(entries().all(|entry| entry.text == entry.text.to_lowercase()));
    for remedy in Cause::ALL.iter().map(|cause| cause.remedy()).chain([LOOK_FIRST]) {
        assert!(!remedy.is_empty() && !remedy.contains(char::is_control), "{remedy}");
        let padded = format!(" {} ", remedy.to_lowercase());
        for forbidding in [" do not ", " don't ", " never ", " must not ", " stop ", " avoid ", " instead of "] {
            assert!(!padded.contains(forbidding), "{remedy}");
        }
    }
}

#[test]
fn words_are_about_the_same_thing_in_every_status() {
    for (words, scope) in [
        ("Please query /accounts first", Scope::Request),
        ("Order 7 is not found", Scope::Request),
        ("Order already filled or canceled", Scope::Request),
        ("accountId is not valid", Scope::Request),
        ("conids missing", Scope::Request),
        ("Acct not found from search result", Scope::Request),
        ("Bad Request: no bridge", Scope::BrokerageSession),
        ("Force compete capability must be used together with compete flag", Scope::BrokerageSession),
        ("failed to generate sso dh token", Scope::BrokerageSession),
        ("no session", Scope::Token),
        ("not authenticated", Scope::Token),
        ("Access token expired", Scope::Token),
        ("Invalid signature", Scope::Token),
        ("id: 7, error: invalid consumer", Scope::Consumer),
        ("id: 7, error: LST failed, error: ", Scope::Consumer),
        ("Session is misconfigured", Scope::Consumer),
        ("can't connect to backend service", Scope::Unavailable),
        ("failed to process request", Scope::Unavailable),
    ] {
        for status in (100..600).filter_map(|code| StatusCode::from_u16(code).ok()) {
            for stage in [Stage::LiveSessionToken, Stage::OpenBrokerage, Stage::Tickle, Stage::Transport] {
                let meaning = classify(stage, status, words);
                assert_eq!((meaning.scope, meaning.by_words), (scope, true), "{words} at {stage} in {status}");
                let known_refusal = scope != Scope::Unavailable && meaning.cause != Some(Cause::BrokerageNotEntitled);
                assert_eq!(meaning.nothing_done, known_refusal, "{words} in {status}");
                let error = Error::from_refusal(stage, status, words.as_bytes());
                assert_eq!(error.needs_person(), scope == Scope::Consumer);
            }
        }
    }
}

#[test]
fn a_status_decides_where_words_are_not_known() {
    for status in (100..600).filter_map(|code| StatusCode::from_u16(code).ok()) {
        for stage in [Stage::LiveSessionToken, Stage::OpenBrokerage, Stage::Tickle, Stage::Transport] {
            let scope = match status.as_u16() {
                401 | 410 => Scope::Token,
                429 => Scope::Pacing,
                407 | 408 => Scope::Unavailable,
                code if !(200..300).contains(&code) && !(400..500).contains(&code) => Scope::Unavailable,
                // An error inside a success is about an application's request, and a failure of ours.
                200..300 if matches!(stage, Stage::OpenBrokerage | Stage::Tickle) => Scope::Unavailable,
                _ => Scope::Request,
            };
            for words in ["", "the words", "<html>no bridge, no session, token expired</html>"] {
                let error = Error::from_refusal(stage, status, words.as_bytes());
                assert_eq!((error.scope(), error.needs_person()), (scope, false), "{status} at {stage}: {words}");
            }
        }
    }
}

#[test]
fn a_failure_without_a_response_is_about_something_too() {
    for (kind, scope) in [
        (ErrorKind::Config, Scope::Local),
        (ErrorKind::Key, Scope::Local),
        (ErrorKind::Entropy, Scope::Local),
        (ErrorKind::Rejected, Scope::Consumer),
        (ErrorKind::Request, Scope::Request),
        (ErrorKind::Unavailable, Scope::Unavailable),
        (ErrorKind::Malformed, Scope::Unavailable),
        (ErrorKind::Unverified, Scope::Consumer),
    ] {
        let error = Error::new(kind, Stage::Tickle, "it failed");
        assert_eq!((error.scope(), error.needs_person()), (scope, false), "{kind:?}");
        let local = scope == Scope::Local;
        assert_eq!(error.may_have_been_sent(), !local, "{kind:?}");
        assert!(!Error::new(kind, Stage::Sign, "it failed").may_have_been_sent());
        assert!(!error.with_nothing_sent().may_have_been_sent());
    }
}

#[test]
fn a_clock_that_is_off_explains_what_the_words_do_not() {
    let refused = |words: &str| Error::from_refusal(Stage::Tickle, StatusCode::UNAUTHORIZED, words.as_bytes());
    for words in ["", "the words", "timestamp refused"] {
        assert!(refused(words).with_clock_skew(600).remedy().contains("600 s"), "{words}");
    }
    let known = refused("invalid consumer");
    let remedy = known.remedy().to_owned();
    assert_eq!(known.with_clock_skew(600).remedy(), remedy);
    let unavailable = Error::from_refusal(Stage::Tickle, StatusCode::BAD_GATEWAY, b"");
    assert!(!unavailable.with_clock_skew(600).remedy().contains("600 s"));
}
