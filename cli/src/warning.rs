//! Warnings on standard error: what is no failure, and what can be done about it.

use std::sync::OnceLock;

use serde_json::json;

use crate::output::{self, Format, Palette, Shown, Tone};

static FORMAT: OnceLock<Format> = OnceLock::new();

/// Says once, at the beginning, how warnings are written: as errors are.
pub(crate) fn set_format(format: Format) {
    // There is one command line, so that the first one is the only one.
    let _ = FORMAT.set(format);
}

pub(crate) fn warn(what: &str, remedy: &str) {
    if matches!(FORMAT.get(), Some(Format::Json)) {
        return output::note_json(&json!({ "warning": what, "try": remedy }));
    }
    let palette = Palette::of_stderr();
    let line = |tone, word, text: &str| palette.paint(tone, word).then(&Shown::line(&format!(" {text}")));
    output::note(&line(Tone::Doubtful, "warning:", what));
    output::note(&line(Tone::Good, "try:", remedy));
}
