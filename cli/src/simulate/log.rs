//! What is said of each request, on standard error: one line.

use ibkr_oauth::{
    bytes::Bytes,
    http::{Response, StatusCode},
    simulator::{Dropped, Refusal},
};
use serde_json::{Map, Value, json};

use crate::output::{self, Format};

const DEVIATIONS: &str = "x-simulator-deviation";
const QUERY_POLICIES: &str = "x-simulator-query-policy";

/// Writes a line for each request.
#[derive(Clone, Copy)]
pub(super) struct Log(pub(super) Format);

/// What became of one request.
pub(super) struct Line<'a> {
    /// Method and path.
    subject: &'a str,
    status: StatusCode,
    /// The client saw no answer.
    dropped: bool,
    deviations: Vec<&'a str>,
    query_policies: Vec<&'a str>,
    refusal: Option<&'a Refusal>,
}

impl<'a> Line<'a> {
    pub(super) fn new(subject: &'a str, response: &'a Response<Bytes>, refusal: Option<&'a Refusal>) -> Self {
        let names = |header: &str| {
            let value = response.headers().get(header).and_then(|names| names.to_str().ok());
            value.map(|names| names.split(", ").collect()).unwrap_or_default()
        };
        Self {
            subject,
            status: response.status(),
            dropped: response.extensions().get::<Dropped>().is_some(),
            deviations: names(DEVIATIONS),
            query_policies: names(QUERY_POLICIES),
            refusal,
        }
    }

    fn text(&self) -> String {
        let mut line = match self.refusal {
            Some(refusal) => format!("refused: {refusal}"),
            None if self.dropped => format!("no answer: {}", self.subject),
            None => format!("{}: {}", self.status.as_u16(), self.subject),
        };
        for (what, names) in [("deviates", &self.deviations), ("query policy", &self.query_policies)] {
            if !names.is_empty() {
                line = format!("{line}; {what}: {}", names.join(", "));
            }
        }
        line
    }

    fn json(&self) -> Map<String, Value> {
        let mut fields = Map::new();
        let mut put = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
        match self.refusal {
            Some(refusal) => {
                put("refused", refusal.subject.as_str().into());
                put("reason", refusal.reason.into());
                put("detail", refusal.to_string().into());
                put("expected_base_string", refusal.expected_base_string.as_deref().into());
            }
            None => put("request", self.subject.into()),
        }
        put("status", if self.dropped { Value::Null } else { self.status.as_u16().into() });
        for (name, names) in [("deviations", &self.deviations), ("query_policies", &self.query_policies)] {
            if !names.is_empty() {
                put(name, names.clone().into());
            }
        }
        fields
    }
}

impl Log {
    fn say(self, text: &str, fields: impl Into<Value>) {
        match self.0 {
            Format::Text => output::print_note(text),
            Format::Json => output::note_json(&fields.into()),
        }
    }

    pub(super) fn write(self, line: &Line<'_>) {
        self.say(&line.text(), line.json());
    }

    /// Of a WebSocket's opening; `refusal` is why it waits for its session.
    pub(super) fn socket_opened(self, subject: &str, deviations: &[&str], refusal: Option<&Refusal>) {
        let status = StatusCode::SWITCHING_PROTOCOLS;
        let line = Line {
            subject,
            status,
            dropped: false,
            deviations: deviations.to_vec(),
            query_policies: Vec::new(),
            refusal: None,
        };
        let (mut text, mut fields) = (line.text(), line.json());
        if let Some(refusal) = refusal {
            text = format!("{text}; waiting for session: {refusal}");
            fields.insert("reason".to_owned(), refusal.reason.into());
            fields.insert("detail".to_owned(), refusal.to_string().into());
        }
        self.say(&text, fields);
    }

    /// Of a client's message on a WebSocket.
    pub(super) fn message_refused(self, refusal: &Refusal) {
        let fields = json!({
            "refused": refusal.subject,
            "reason": refusal.reason,
            "detail": refusal.to_string(),
            "status": null,
        });
        self.say(&format!("refused: {refusal}"), fields);
    }

    /// Of a WebSocket's end: by whom and how, and how many messages there were.
    pub(super) fn socket_closed(self, subject: &str, how: &str, sent: u64, received: u64) {
        let text = format!("closed: {subject}: {how}; messages sent: {sent}, received: {received}");
        self.say(&text, json!({ "closed": subject, "how": how, "sent": sent, "received": received }));
    }

    /// Of what was turned away before the broker could look at it.
    pub(super) fn turned_away(self, subject: &str, status: Option<StatusCode>, why: &str) {
        let fields = json!({
            "refused": subject,
            "reason": "not_readable",
            "detail": why,
            "status": status.map(|status| status.as_u16()),
        });
        self.say(&format!("refused: {subject}: {why}"), fields);
    }
}
