//! How what came by a WebSocket answers the questions about it.

use serde_json::Value;

use super::recording::{Listened, Message, Opcode};
use crate::doctor::websocket::listening::Close;

/// How many messages an answer names.
const MOST_NAMED: usize = 12;

/// What comes by itself until the user is said to be authenticated, in order.
pub(super) fn greeting(listened: &Listened) -> String {
    let until = listened.ready.unwrap_or(u64::MAX);
    let greeting = listened.messages.iter().filter(|message| message.at <= until);
    let mut names: Vec<String> =
        greeting.map(name).filter(|name| !["hb", "tic"].contains(&name.as_str())).take(MOST_NAMED + 1).collect();
    if names.len() > MOST_NAMED {
        names.truncate(MOST_NAMED);
        names.push("…".to_owned());
    }
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// What a message is called in an answer.
fn name(message: &Message) -> String {
    let json = message.body.get("json");
    let has = |name: &str| json.is_some_and(|json| json.get(name).is_some());
    let words = json.and_then(|json| json.get("message")).and_then(Value::as_str);
    match (&message.topic, words) {
        (Some(topic), _) if topic == "system" && has("hb") => "hb".to_owned(),
        (Some(topic), _) => topic.clone(),
        (None, _) if has("error") => "an error".to_owned(),
        (None, Some(words)) => format!("\"{words}\""),
        (None, None) if json.is_some() => "JSON without a topic".to_owned(),
        (None, None) => "no JSON".to_owned(),
    }
}

pub(super) fn opcodes(listened: &Listened) -> String {
    let has = |opcode| listened.messages.iter().any(|message| message.opcode == opcode);
    let answer = match (has(Opcode::Text), has(Opcode::Binary)) {
        (true, true) => "both",
        (true, false) => "text",
        (false, true) => "binary",
        (false, false) => "none came",
    };
    answer.to_owned()
}

pub(super) fn readiness(listened: &Listened) -> String {
    match (listened.ready, listened.close_sent) {
        (Some(at), _) => format!("ready after {} s", seconds(at)),
        (None, Some(at)) => format!("not ready after {} s", seconds(at)),
        (None, None) => format!("not ready, and closed after {} s", seconds(listened.ended)),
    }
}

/// How often it beats: the shortest and the longest time between two beats.
pub(super) fn heartbeats(listened: &Listened) -> String {
    let beats: Vec<u64> =
        listened.messages.iter().filter(|message| name(message) == "hb").map(|message| message.at).collect();
    let apart = beats.iter().zip(beats.iter().skip(1)).map(|(before, beat)| seconds(beat.saturating_sub(*before)));
    match (apart.clone().min(), apart.max(), beats.first()) {
        (Some(least), Some(most), _) if least == most => format!("one each, in {least} s"),
        (Some(least), Some(most), _) => format!("one each, in {least} to {most} s"),
        (_, _, Some(first)) => format!("one after {} s", seconds(*first)),
        _ => format!("none, in {} s", seconds(listened.close_sent.unwrap_or(listened.ended))),
    }
}

pub(super) fn tic(listened: &Listened) -> String {
    let answers = listened.messages.iter().filter(|message| message.topic.as_deref() == Some("tic")).count();
    match (listened.tic_sent, answers) {
        (None, _) => "it was not sent".to_owned(),
        (Some(_), 0) => "not answered".to_owned(),
        (Some(_), 1) => "answered once".to_owned(),
        (Some(_), count) => format!("answered {count} times"),
    }
}

pub(super) fn closing(listened: &Listened) -> String {
    let how = match listened.close {
        Close::Code(code) => format!("with code {code}"),
        Close::NoCode => "without a code".to_owned(),
        Close::NoFrame if listened.close_sent.is_some() => "not at all".to_owned(),
        Close::NoFrame => "by a cut".to_owned(),
    };
    match listened.close_sent {
        Some(_) => how,
        None => format!("it had closed itself, {how}"),
    }
}

/// Milliseconds in seconds, to the nearest.
const fn seconds(millis: u64) -> u64 {
    millis.saturating_add(500) / 1000
}
