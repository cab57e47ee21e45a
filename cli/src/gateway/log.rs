//! What is said of each request and of the session, on standard error: one line each, without queries, headers and bodies.

use std::time::Instant;

use ibkr_oauth::{
    http::{Method, StatusCode},
    local,
    session::SessionEvent,
};
use serde_json::json;

use crate::{driving, output::Format};

/// Writes a line for each request and each event.
#[derive(Clone, Copy)]
pub(super) struct Log {
    pub(super) format: Format,
    /// Whether requests that went well are lines too.
    pub(super) requests: bool,
}

/// What became of one request.
pub(super) struct Entry<'a> {
    pub(super) id: &'a str,
    pub(super) method: &'a Method,
    pub(super) path: &'a str,
    pub(super) status: StatusCode,
    pub(super) start: Instant,
}

impl Log {
    pub(super) fn write(self, entry: &Entry<'_>) {
        let Entry { id, method, path, status, start } = entry;
        if !self.requests && !status.is_client_error() && !status.is_server_error() {
            return;
        }
        let (at, status, took) = (local::now().to_string(), status.as_u16(), start.elapsed().as_millis());
        let object = json!({
            "at": at, "request_id": id, "method": method.as_str(), "path": path, "status": status,
            "milliseconds": u64::try_from(took).unwrap_or(u64::MAX),
        });
        self.format.note(&format!("{at} {status} {method} {path} ({took} ms, {id})"), &object);
    }

    pub(super) fn event(self, event: &SessionEvent) {
        let (text, object) = driving::line(event);
        self.format.note(&text, &object);
    }

    pub(super) fn note(self, text: &str) {
        let at = local::now().to_string();
        self.format.note(&format!("{at} {text}"), &json!({ "at": at, "text": text }));
    }
}
