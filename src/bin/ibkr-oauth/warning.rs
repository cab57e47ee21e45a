//! Warnings on standard error: what is no failure, and what can be done about it.

use std::sync::OnceLock;

use serde_json::json;

use crate::output::{self, Format, Palette, Tone, one_line};

static FORMAT: OnceLock<Format> = OnceLock::new();

/// Says once, at the beginning, how warnings are written: as errors are.
pub(crate) fn set_format(format: Format) {
    // There is one command line, so that the first one is the only one.
    let _ = FORMAT.set(format);
}

pub(crate) fn warn(what: &str, remedy: &str) {
    let (what, remedy) = (one_line(what), one_line(remedy));
    output::print_note(&match FORMAT.get() {
        Some(Format::Json) => json!({ "warning": what, "try": remedy }).to_string(),
        _ => {
            let palette = Palette::of_stderr();
            let (warning, hint) = (palette.paint(Tone::Doubtful, "warning:"), palette.paint(Tone::Good, "try:"));
            format!("{warning} {what}\n{hint} {remedy}")
        }
    });
}
