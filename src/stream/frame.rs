//! What a frame is about, told without reading more of it than is needed.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

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
    /// `sts`: what of the flags it has.
    Status(Flags),
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

/// What of the session's flags a message has; a missing one is unchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Flags {
    pub(super) authenticated: Option<bool>,
    pub(super) established: Option<bool>,
    pub(super) competing: Option<bool>,
    pub(super) connected: Option<bool>,
    pub(super) message: Option<String>,
    pub(super) fail: Option<String>,
}

impl<'a> Frame<'a> {
    pub(super) fn read(text: &'a str) -> Self {
        let Ok(head) = serde_json::from_str::<Head<'a>>(text) else { return Self::Unreadable };
        match head {
            Head::Other => Self::Data { topic: Topicality::Unnamed, server_id: None },
            Head::Object { is_empty: true, .. } => Self::Alive,
            Head::Object { topic: Some(topic), .. } if topic == "tic" => Beat::read(text),
            Head::Object { topic: Some(topic), .. } if matches!(&*topic, "system" | "sts") => {
                control(&topic, &fields(text))
            }
            Head::Object { topic, has_error: true, .. } => {
                Self::Error { topic, words: words(fields(text).get("error")) }
            }
            Head::Object { topic: Some(topic), server_id, .. } => {
                Self::Data { topic: Topicality::Named(topic), server_id }
            }
            Head::Object { topic: None, .. } => nameless(&fields(text)),
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
            return Frame::Status(Flags { authenticated: Some(false), ..Flags::default() });
        }
        Frame::Alive
    }
}

fn control(topic: &str, fields: &Map<String, Value>) -> Frame<'static> {
    match topic {
        "system" if fields.get("success").is_some_and(|user| !user.is_null()) => Frame::LoggedIn,
        "sts" => {
            let arguments = fields.get("args").and_then(Value::as_object);
            let find = |name: &str| arguments.and_then(|arguments| arguments.get(name)).or_else(|| fields.get(name));
            let text = |name: &str| find(name).and_then(Value::as_str).map(clipped);
            Frame::Status(Flags {
                authenticated: flag(find("authenticated")),
                established: flag(find("established")),
                competing: flag(find("competing")),
                connected: flag(find("connected")),
                message: text("message"),
                fail: text("fail"),
            })
        }
        _ => Frame::Alive,
    }
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

/// The few fields of an object by which it is sorted.
enum Head<'a> {
    Object { is_empty: bool, topic: Option<Cow<'a, str>>, server_id: Option<Cow<'a, str>>, has_error: bool },
    Other,
}

impl<'de: 'a, 'a> Deserialize<'de> for Head<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(HeadVisitor)
    }
}

struct HeadVisitor;

impl<'de> Visitor<'de> for HeadVisitor {
    type Value = Head<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Head<'de>, A::Error> {
        let (mut is_empty, mut topic, mut server_id, mut has_error) = (true, None, None, false);
        while let Some(Text(key)) = map.next_key::<Text<'de>>()? {
            is_empty = false;
            match key.as_deref() {
                Some("topic") => topic = map.next_value::<Text<'de>>()?.0,
                Some("serverId") => server_id = map.next_value::<Text<'de>>()?.0,
                Some("error") => has_error = map.next_value::<Says>()?.0,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Head::Object { is_empty, topic, server_id, has_error })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Head<'de>, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Head::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Head<'de>, E> {
        Ok(Head::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Head<'de>, E> {
        Ok(Head::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Head<'de>, E> {
        Ok(Head::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Head<'de>, E> {
        Ok(Head::Other)
    }

    fn visit_str<E>(self, _: &str) -> Result<Head<'de>, E> {
        Ok(Head::Other)
    }

    fn visit_unit<E>(self) -> Result<Head<'de>, E> {
        Ok(Head::Other)
    }
}

/// A text, borrowed where it has no escapes; `None` for a value of another type.
struct Text<'a>(Option<Cow<'a, str>>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor).map(Self)
    }
}

/// Whether a value says something.
struct Says(bool);

impl<'de> Deserialize<'de> for Says {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Ok(Self(!matches!(value, Value::Null | Value::Bool(false)) && value != ""))
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Option<Cow<'de, str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Owned(text.to_owned())))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Some(Cow::Owned(number.to_string())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Some(Cow::Owned(number.to_string())))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }
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
