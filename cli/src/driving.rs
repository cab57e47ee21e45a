//! Driving a session: its runtime, its events as lines, and its end.

use std::sync::{Arc, OnceLock};

use ibkr_oauth::{Error, client::ClientDriver, local, session::SessionEvent, transport::AsyncTransport};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use crate::failure::{self, Failure};

/// A runtime of one thread, with timers and sockets.
pub(crate) fn runtime() -> Result<Runtime, Failure> {
    Builder::new_current_thread().enable_all().build().map_err(|error| {
        Failure::refused(format!("the session cannot be driven: {error}"), "look after the system's limits")
    })
}

/// Drives the session to its end, and hands its events on.
///
/// # Errors
/// What the session met last, if it ended by itself.
pub(crate) async fn drive<T: AsyncTransport + 'static>(
    driver: ClientDriver<T>,
    mut on_event: impl FnMut(&SessionEvent) + Send + 'static,
) -> Result<(), Error> {
    let why = Arc::new(OnceLock::new());
    let gave_up = Arc::clone(&why);
    let driver = driver.on_event(move |event| {
        on_event(&event);
        if let SessionEvent::GaveUp { error } = event {
            let _ = gave_up.set(error);
        }
    });
    driver.await;
    why.get().cloned().map_or(Ok(()), Err)
}

/// What is said of an event: in a line with its time, and in an object for programs.
pub(crate) fn line(event: &SessionEvent) -> (String, Value) {
    let (now, text) = (local::now().to_string(), event.to_string());
    let line = format!("{now} {text}");
    (line, json!({ "at": now, "event": event.name(), "text": text, "details": details(event) }))
}

/// The event's parts, for programs.
fn details(event: &SessionEvent) -> Value {
    match event {
        SessionEvent::StateChanged { from, to } => json!({ "from": from.to_string(), "to": to.to_string() }),
        SessionEvent::Negotiated { expires_at, .. } => json!({ "expires_at": expires_at.to_string() }),
        SessionEvent::Failed { error, retry_at } | SessionEvent::Displaced { error, retry_at } => {
            with(failure::json(error), "retry_at", &retry_at.to_string())
        }
        SessionEvent::PenaltyBox { until } => json!({ "until": until.to_string() }),
        SessionEvent::ClockStepped { by } => json!({ "seconds": by.as_secs() }),
        SessionEvent::ClockSkew { seconds, corrected } => json!({ "seconds": seconds, "corrected": corrected }),
        SessionEvent::ExpiryIgnored { stated } => json!({ "stated": stated.to_string() }),
        SessionEvent::Closed { logged_out } => json!({ "logged_out": logged_out }),
        SessionEvent::GaveUp { error } => failure::json(error),
        _ => Value::Null,
    }
}

/// The object with one more field.
fn with(mut object: Value, name: &str, value: &str) -> Value {
    if let Value::Object(fields) = &mut object {
        fields.insert(name.to_owned(), value.into());
    }
    object
}
