//! What sessions report to [`tracing`](https://docs.rs/tracing), if the feature is on.

#![cfg_attr(not(feature = "tracing"), allow(unused_variables, reason = "there is nobody to report to"))]

use super::event::SessionEvent;

#[cfg(feature = "tracing")]
const SESSION: &str = "ibkr_oauth::session";

pub(super) fn event(event: &SessionEvent) {
    #[cfg(feature = "tracing")]
    match event {
        SessionEvent::StateChanged { from, to } => tracing::info!(target: SESSION, %from, %to, "state changed"),
        SessionEvent::Failed { error, .. } => tracing::warn!(
            target: SESSION,
            stage = %error.stage(),
            kind = error.kind().name(),
            cause = error.cause().map(crate::error::Cause::name),
            "failed"
        ),
        SessionEvent::GaveUp { error } => tracing::error!(
            target: SESSION,
            stage = %error.stage(),
            kind = error.kind().name(),
            cause = error.cause().map(crate::error::Cause::name),
            "gave up"
        ),
        _ => {}
    }
}
