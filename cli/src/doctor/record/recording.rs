//! The file: what was asked, what came back, and what follows from it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::doctor::websocket::listening::Close;

/// The version of the file's form.
pub(super) const FORMAT: u32 = 1;

/// A recording. Its text is the same for the same content, so that a file of another origin is told apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recording {
    pub(super) format: u32,
    /// The program and its version.
    pub(super) made_by: String,
    /// Year and month.
    pub(super) made_in: String,
    pub(super) source: Source,
    pub(super) login: Login,
    pub(super) probes: Vec<Probed>,
    pub(super) answers: Vec<Answered>,
}

/// Who answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Source {
    Broker,
    Simulator,
    /// Something at another host.
    Other,
}

/// Whose accounts they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Login {
    Paper,
    Live,
    Unknown,
}

/// A request, and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Probed {
    pub(super) probe: String,
    pub(super) question: String,
    /// Its method and path, and what is unusual about it.
    pub(super) request: String,
    /// How an attempt before it ended that decided nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) before: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) response: Option<Seen>,
    /// Where it was the upgrade to a WebSocket: what came by that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) listened: Option<Listened>,
    /// What came instead of a response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) failure: Option<String>,
    /// Why it was not sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) not_sent: Option<String>,
}

/// What may be shown of a response.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Seen {
    pub(super) status: u16,
    pub(super) headers: Vec<String>,
    pub(super) media_type: String,
    /// The names of its cookies, and of their attributes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) cookies: Vec<String>,
    /// What the catalogue of refusals makes of it: a name, or `unknown` for a refusal that is not in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cause: Option<String>,
    /// Numbers that only mean something beside the moment: in seconds.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) seconds: BTreeMap<String, i64>,
    pub(super) body: Value,
}

/// What came by a WebSocket. Each time is in milliseconds from its opening on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listened {
    /// The first messages, in order.
    pub(super) messages: Vec<Message>,
    /// How many came after those.
    pub(super) more: u64,
    /// When the broker said that the user is served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ready: Option<u64>,
    /// When the session was sent, for which the broker waited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) session_sent: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tic_sent: Option<u64>,
    /// When it was closed from here; where it was not, the broker did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) close_sent: Option<u64>,
    /// When it was over.
    pub(super) ended: u64,
    /// How the broker closed it, or answered that it was closed.
    pub(super) close: Close,
}

/// A message of the broker's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Message {
    pub(super) at: u64,
    pub(super) opcode: Opcode,
    /// The topic that it names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) topic: Option<String>,
    pub(super) body: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Opcode {
    Text,
    Binary,
}

/// The answer to a question, as these responses give it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Answered {
    pub(super) question: String,
    pub(super) asks: String,
    /// What this crate goes by.
    pub(super) assumed: String,
    pub(super) answer: String,
}

impl Recording {
    pub(super) fn to_text(&self) -> String {
        // A structure of texts and numbers can always be written.
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        format!("{text}\n")
    }

    pub(super) fn read(text: &[u8]) -> Option<Self> {
        serde_json::from_slice(text).ok()
    }

    /// Whether this is a recording, as this program writes one and nobody changed it.
    pub(super) fn is_one(text: &[u8]) -> bool {
        Self::read(text).is_some_and(|recording| recording.format == FORMAT && recording.to_text().as_bytes() == text)
    }
}
