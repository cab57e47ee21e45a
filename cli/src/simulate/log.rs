//! What is said of each request, on standard error: one line.

use ibkr_oauth::{
    bytes::Bytes,
    http::{Response, StatusCode},
    simulator::{Dropped, Refusal},
};
use serde_json::{Map, Value, json};

use crate::output::Format;

const DEVIATIONS: &str = "x-simulator-deviation";
const QUERY_POLICIES: &str = "x-simulator-query-policy";

/// Writes a line for each request.
#[derive(Clone, Copy)]
pub(super) struct Log(pub(super) Format);

impl Log {
    fn say(self, text: &str, fields: impl Into<Value>) {
        self.0.note(text, &fields.into());
    }

    /// Of a request, as `Method path`, that was answered, or was to be.
    pub(super) fn answered(self, subject: &str, response: &Response<Bytes>, refusal: Option<&Refusal>) {
        let names = |header: &str| -> Vec<&str> {
            let value = response.headers().get(header).and_then(|names| names.to_str().ok());
            value.map(|names| names.split(", ").collect()).unwrap_or_default()
        };
        let is_dropped = response.extensions().get::<Dropped>().is_some();
        let status = (!is_dropped).then(|| response.status().as_u16());
        let (mut text, mut fields) = match (refusal, status) {
            (Some(refusal), _) => (format!("refused: {refusal}"), of_refusal(refusal)),
            (None, None) => (format!("no answer: {subject}"), of_request(subject)),
            (None, Some(status)) => (format!("{status}: {subject}"), of_request(subject)),
        };
        if let Some(refusal) = refusal {
            fields.insert("expected_base_string".to_owned(), refusal.expected_base_string.as_deref().into());
        }
        fields.insert("status".to_owned(), status.into());
        add_names(&mut text, &mut fields, ("deviates", "deviations"), &names(DEVIATIONS));
        add_names(&mut text, &mut fields, ("query policy", "query_policies"), &names(QUERY_POLICIES));
        self.say(&text, fields);
    }

    /// Of a WebSocket's opening; `refusal` is why it waits for its session.
    pub(super) fn socket_opened(self, subject: &str, deviations: &[&str], refusal: Option<&Refusal>) {
        let status = StatusCode::SWITCHING_PROTOCOLS.as_u16();
        let (mut text, mut fields) = (format!("{status}: {subject}"), of_request(subject));
        fields.insert("status".to_owned(), status.into());
        add_names(&mut text, &mut fields, ("deviates", "deviations"), deviations);
        if let Some(refusal) = refusal {
            text = format!("{text}; waiting for session: {refusal}");
            fields.extend(of_refusal(refusal).into_iter().filter(|(name, _)| name != "refused"));
        }
        self.say(&text, fields);
    }

    /// Of a client's message on a WebSocket.
    pub(super) fn message_refused(self, refusal: &Refusal) {
        let mut fields = of_refusal(refusal);
        fields.insert("status".to_owned(), Value::Null);
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

fn of_request(subject: &str) -> Map<String, Value> {
    Map::from_iter([("request".to_owned(), subject.into())])
}

fn of_refusal(refusal: &Refusal) -> Map<String, Value> {
    let fields = [
        ("refused", Value::from(refusal.subject.as_str())),
        ("reason", refusal.reason.into()),
        ("detail", refusal.to_string().into()),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Adds these, if there are any.
fn add_names(text: &mut String, fields: &mut Map<String, Value>, (word, field): (&str, &str), names: &[&str]) {
    if !names.is_empty() {
        *text = format!("{text}; {word}: {}", names.join(", "));
        fields.insert(field.to_owned(), names.into());
    }
}
