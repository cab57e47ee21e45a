//! Warnings on standard error: what is no failure, and what can be done about it.

use std::sync::OnceLock;

use serde_json::json;

use crate::output::{self, Format, Tone};

static FORMAT: OnceLock<Format> = OnceLock::new();

/// Says once, at the beginning, how warnings are written: as errors are.
pub(crate) fn set_format(format: Format) {
    // There is one command line, so that the first one is the only one.
    let _ = FORMAT.set(format);
}

pub(crate) fn warn(what: &str, remedy: &str) {
    if matches!(FORMAT.get(), Some(Format::Json)) {
        output::note_json(&json!({ "warning": what, "try": remedy }));
    } else {
        output::note_with_remedy(Tone::Doubtful, "warning:", what, remedy);
    }
}
