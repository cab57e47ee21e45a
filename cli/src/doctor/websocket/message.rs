//! What a message on the broker's WebSocket says, as far as it matters where nothing is subscribed to.

use ibkr_oauth::BrokerageStatus;
use serde_json::{Map, Value};

/// What a message says.
pub(super) enum Said {
    Heartbeat,
    TicAnswer,
    /// `sts`, or a `tic` that is not alive: what it has of the session's flags.
    Status(Box<BrokerageStatus>),
    WaitingForSession,
    /// An error, in the broker's words.
    Error(String),
    Other,
}

impl Said {
    /// Reads a message, which may be anything.
    pub(super) fn read(payload: &[u8]) -> Self {
        let fields: Map<String, Value> =
            serde_json::from_str(String::from_utf8_lossy(payload).as_ref()).unwrap_or_default();
        match fields.get("topic").and_then(Value::as_str) {
            Some("system") if fields.contains_key("hb") => Self::Heartbeat,
            Some("tic") if flag(fields.get("alive")) == Some(false) => {
                let mut status = BrokerageStatus::default();
                status.authenticated = Some(false);
                Self::Status(Box::new(status))
            }
            Some("tic") => Self::TicAnswer,
            Some("sts") => Self::Status(Box::new(status(&fields))),
            _ => match (fields.get("error"), fields.get("message").and_then(Value::as_str)) {
                (None | Some(Value::Null | Value::Bool(false)), Some("waiting for session")) => Self::WaitingForSession,
                (None | Some(Value::Null | Value::Bool(false)), _) => Self::Other,
                (Some(Value::String(words)), _) => Self::Error(words.clone()),
                (Some(error), _) => Self::Error(error.to_string()),
            },
        }
    }
}

/// The flags, which some servers put at the message's top, and some write as text.
fn status(fields: &Map<String, Value>) -> BrokerageStatus {
    let arguments = fields.get("args").and_then(Value::as_object);
    let find = |name: &str| arguments.and_then(|arguments| arguments.get(name)).or_else(|| fields.get(name));
    let text = |name: &str| find(name).and_then(Value::as_str).map(str::to_owned);
    let mut status = BrokerageStatus::default();
    status.authenticated = flag(find("authenticated"));
    status.established = flag(find("established"));
    status.competing = flag(find("competing"));
    status.connected = flag(find("connected"));
    status.message = text("message");
    status.fail = text("fail");
    status
}

fn flag(value: Option<&Value>) -> Option<bool> {
    match value? {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) => text.trim().to_ascii_lowercase().parse().ok(),
        _ => None,
    }
}
