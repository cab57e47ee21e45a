//! What a frame is about, told without reading more of it than is needed.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::{Map, Value, value::RawValue};

use crate::brokerage::BrokerageStatus;

/// The broker's words in an error are kept up to this many bytes.
const LONGEST_WORDS: usize = 600;

/// A frame, as far as it concerns the stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame<'a> {
    /// No JSON.
    Unreadable,
    /// A sign of life, and nothing more.
    Alive,
    /// `{"message":"waiting for session"}`.
    WaitingForSession,
    /// `system` with a user's name.
    LoggedIn,
    /// `sts`: what of the flags it has; a missing one is unchanged.
    Status(BrokerageStatus),
    /// An error, perhaps with the topic that it is about.
    Error { topic: Option<Cow<'a, str>>, words: String },
    /// All else is the application's. A history has the number by which it is given back.
    Data { topic: Topicality<'a>, server_id: Option<Cow<'a, str>> },
}

/// What a message says that it is about.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Topicality<'a> {
    Named(Cow<'a, str>),
    /// None, but rows in a `result`: a summary or a ledger.
    Rows,
    Unnamed,
}

impl<'a> Frame<'a> {
    pub(super) fn read(frame: &'a str) -> Self {
        if !frame.trim_start().starts_with('{') {
            return match serde_json::from_str::<IgnoredAny>(frame) {
                Ok(_) => Self::Data { topic: Topicality::Unnamed, server_id: None },
                Err(_) => Self::Unreadable,
            };
        }
        let Ok(head) = serde_json::from_str::<Head<'a>>(frame) else { return Self::Unreadable };
        let topic = head.topic.and_then(text);
        match topic.as_deref() {
            _ if head.is_empty => Self::Alive,
            Some("tic") => Beat::read(frame),
            Some("system") => system(&fields(frame)),
            Some("sts") => status(&fields(frame)),
            _ if head.error.is_some_and(says) => Self::Error { topic, words: words(fields(frame).get("error")) },
            None => nameless(&fields(frame)),
            Some(_) => Self::Data {
                topic: topic.map_or(Topicality::Unnamed, Topicality::Named),
                server_id: head.server_id.and_then(text),
            },
        }
    }
}

fn fields(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).unwrap_or_default()
}

/// The answer to a beat: no more of it is taken out than this, for the session is in it.
#[derive(Default, Deserialize)]
struct Beat {
    #[serde(default)]
    alive: Option<Value>,
}

impl Beat {
    fn read(text: &str) -> Frame<'static> {
        let Self { alive } = serde_json::from_str(text).unwrap_or_default();
        if flag(alive.as_ref()) == Some(false) {
            let mut status = BrokerageStatus::default();
            status.authenticated = Some(false);
            return Frame::Status(status);
        }
        Frame::Alive
    }
}

fn system(fields: &Map<String, Value>) -> Frame<'static> {
    if fields.get("success").is_some_and(|user| !user.is_null()) { Frame::LoggedIn } else { Frame::Alive }
}

fn status(fields: &Map<String, Value>) -> Frame<'static> {
    let arguments = fields.get("args").and_then(Value::as_object);
    let find = |name: &str| arguments.and_then(|arguments| arguments.get(name)).or_else(|| fields.get(name));
    let text = |name: &str| find(name).and_then(Value::as_str).map(clipped);
    let mut status = BrokerageStatus::default();
    status.authenticated = flag(find("authenticated"));
    status.established = flag(find("established"));
    status.competing = flag(find("competing"));
    status.connected = flag(find("connected"));
    (status.message, status.fail) = (text("message"), text("fail"));
    Frame::Status(status)
}

fn nameless(fields: &Map<String, Value>) -> Frame<'static> {
    match (fields.get("message").and_then(Value::as_str), fields.get("result")) {
        (Some("waiting for session"), _) => Frame::WaitingForSession,
        // What is said of an ended subscription: nobody waits for it, since the broker says it of some only.
        (Some(message), None) if message.starts_with("Unsubscribed") => Frame::Alive,
        (None, Some(Value::String(result))) if result.starts_with("unsubscribed") => Frame::Alive,
        (None, Some(Value::Array(_))) => Frame::Data { topic: Topicality::Rows, server_id: None },
        _ => Frame::Data { topic: Topicality::Unnamed, server_id: None },
    }
}

/// A flag, which some servers write as text.
fn flag(value: Option<&Value>) -> Option<bool> {
    match value? {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) => text.trim().to_ascii_lowercase().parse().ok(),
        _ => None,
    }
}

fn words(error: Option<&Value>) -> String {
    match error {
        Some(Value::String(words)) => clipped(words),
        Some(error) => clipped(&error.to_string()),
        None => String::new(),
    }
}

fn clipped(text: &str) -> String {
    let mut end = text.len().min(LONGEST_WORDS);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}

/// The few fields of an object by which it is sorted, as they came.
#[derive(Default)]
struct Head<'a> {
    is_empty: bool,
    topic: Option<&'a RawValue>,
    server_id: Option<&'a RawValue>,
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum Field {
    Topic,
    ServerId,
    Error,
    #[serde(other)]
    Other,
}

impl<'de: 'a, 'a> Deserialize<'de> for Head<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeadVisitor)
    }
}

struct HeadVisitor;

impl<'de> Visitor<'de> for HeadVisitor {
    type Value = Head<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Head<'de>, A::Error> {
        let mut head = Head { is_empty: true, ..Head::default() };
        while let Some(field) = map.next_key()? {
            head.is_empty = false;
            match field {
                Field::Topic => head.topic = Some(map.next_value()?),
                Field::ServerId => head.server_id = Some(map.next_value()?),
                Field::Error => head.error = Some(map.next_value()?),
                Field::Other => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(head)
    }
}

/// A text, borrowed where it has no escapes, or a whole number; `None` for a value of another type.
fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    if let Ok(text) = serde_json::from_str(value.get()) {
        return Some(Cow::Borrowed(text));
    }
    match serde_json::from_str(value.get()).ok()? {
        Value::String(text) => Some(text.into()),
        Value::Number(number) if !number.is_f64() => Some(number.to_string().into()),
        _ => None,
    }
}

/// Whether a value says something.
fn says(value: &RawValue) -> bool {
    !matches!(value.get(), "null" | "false" | "\"\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(topic: &str) -> Frame<'_> {
        Frame::Data { topic: Topicality::Named(Cow::Borrowed(topic)), server_id: None }
    }

    #[test]
    fn frames_are_sorted_by_what_they_are_about() {
        let unnamed = Frame::Data { topic: Topicality::Unnamed, server_id: None };
        for (text, expected) in [
            (r#"{"31":"1.5","83":0.04,"87_raw":1.22E7,"topic":"smd+1"}"#, named("smd+1")),
            (r#"{"topic":"sor","args":[{"orderId":1}]}"#, named("sor")),
            (r#"{"topic":"smd+1","error":null}"#, named("smd+1")),
            (r#"{"t\u006fpic":"s\u0070l"}"#, named("spl")),
            ("{}", Frame::Alive),
            (r#"{"topic":"system","hb":1}"#, Frame::Alive),
            (r#"{"topic":"tic","alive":true,"id":"x","lastAccessed":1}"#, Frame::Alive),
            (r#"{"topic":"system","success":"user"}"#, Frame::LoggedIn),
            (r#"{"message":"waiting for session"}"#, Frame::WaitingForSession),
            (r#"{"message":"Unsubscribed 12"}"#, Frame::Alive),
            (r#"{"result":"unsubscribed from ledger"}"#, Frame::Alive),
            (r#"{"result":[]}"#, Frame::Data { topic: Topicality::Rows, server_id: None }),
            ("[1,{}]", unnamed),
            ("tic", Frame::Unreadable),
            ("{\"topic\":", Frame::Unreadable),
            ("{} {}", Frame::Unreadable),
            ("", Frame::Unreadable),
        ] {
            assert_eq!(Frame::read(text), expected, "{text}");
        }
        for text in ["1", "-1", "1.5", "null", "true", "\"x\"", r#"{"topic":{"a":[1]}}"#, r#"{"topic":null}"#] {
            assert_eq!(Frame::read(text), Frame::Data { topic: Topicality::Unnamed, server_id: None }, "{text}");
        }
        let history = r#"{"serverId":"31","topic":"smh+1","data":[{"o":1}]}"#;
        assert!(matches!(Frame::read(history), Frame::Data { server_id: Some(id), .. } if id == "31"));
        let error = r#"{"topic":"smd+1","error":"Missing iserver bridge","code":1}"#;
        assert_eq!(
            Frame::read(error),
            Frame::Error { topic: Some("smd+1".into()), words: "Missing iserver bridge".to_owned() }
        );
    }

    #[test]
    fn flags_come_whole_in_pieces_at_the_top_and_as_text() {
        for (text, authenticated, competing) in [
            (r#"{"topic":"sts","args":{"authenticated":true,"competing":false}}"#, Some(true), Some(false)),
            (r#"{"topic":"sts","args":{"competing":true}}"#, None, Some(true)),
            (r#"{"topic":"sts","authenticated":false}"#, Some(false), None),
            (r#"{"topic":"sts","args":{"authenticated":"True"}}"#, Some(true), None),
            (r#"{"topic":"sts","args":[1]}"#, None, None),
            (r#"{"topic":"tic","alive":false}"#, Some(false), None),
        ] {
            let Frame::Status(flags) = Frame::read(text) else { panic!("{text}") };
            assert_eq!((flags.authenticated, flags.competing), (authenticated, competing), "{text}");
        }
    }
}
