//! What a client says on a WebSocket: `smd+265598+{"fields":["31"]}`.

use serde_json::{Map, Value};

/// A message of a client's, taken apart.
#[derive(Debug)]
pub(super) enum Command<'m> {
    Tic,
    /// To be said again.
    Echo,
    /// The session, for a socket that waits for one.
    Session(Option<String>),
    /// `smd+265598+{…}`: a topic, its places and its JSON object.
    Topic {
        verb: &'m str,
        places: Vec<&'m str>,
        object: Map<String, Value>,
    },
    Unknown,
}

impl<'m> Command<'m> {
    pub(super) fn read(message: &'m str) -> Self {
        let message = message.trim();
        match message {
            "tic" => return Self::Tic,
            "ech+hb" => return Self::Echo,
            _ => {}
        }
        if message.starts_with('{') {
            let fields: Map<String, Value> = serde_json::from_str(message).unwrap_or_default();
            return fields
                .get("session")
                .map_or(Self::Unknown, |value| Self::Session(value.as_str().map(str::to_owned)));
        }
        let (head, object) = message.find('{').map_or((message, "{}"), |start| message.split_at(start));
        let Ok(object) = serde_json::from_str(object) else { return Self::Unknown };
        let mut places = head.strip_suffix('+').unwrap_or(head).split('+');
        let verb = places.next().unwrap_or_default();
        Self::Topic { verb, places: places.collect(), object }
    }
}

/// How a message is named in a refusal: without what is in its braces, and not at any length.
pub(super) fn shown(message: &str) -> String {
    const LONGEST: usize = 60;
    let head = message.split('{').next().unwrap_or_default();
    let shown: String = head.chars().take(LONGEST).collect();
    format!("WebSocket message `{shown}`")
}
