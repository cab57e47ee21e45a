//! What went wrong, in the two lines that the user gets, and the exit status.

use std::process::ExitCode;

use ibkr_oauth::{Error, ErrorKind};
use serde_json::json;

use crate::output::{self, Format, Palette, Tone, one_line};

/// Why the program ends without success.
pub(crate) struct Failure {
    what: String,
    remedy: String,
    status: u8,
}

impl Failure {
    /// The broker or the network said no.
    pub(crate) fn refused(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), remedy: remedy.into(), status: 1 }
    }

    /// The command line or the bundle cannot be used.
    pub(crate) fn usage(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), remedy: remedy.into(), status: 2 }
    }

    /// All was said already, on standard output.
    pub(crate) fn reported() -> Self {
        Self { what: String::new(), remedy: String::new(), status: 1 }
    }

    pub(crate) fn with_remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: remedy.into(), ..self }
    }

    pub(crate) fn what(&self) -> &str {
        &self.what
    }

    pub(crate) fn remedy(&self) -> &str {
        &self.remedy
    }

    pub(crate) fn report(self, format: Format) -> ExitCode {
        let (what, remedy) = (one_line(&self.what), one_line(&self.remedy));
        match format {
            _ if what.is_empty() => {}
            Format::Json => output::print_note(&json!({ "error": what, "try": remedy }).to_string()),
            Format::Text => {
                let palette = Palette::of_stderr();
                let (error, hint) = (palette.paint(Tone::Bad, "error:"), palette.paint(Tone::Good, "try:"));
                output::print_note(&format!("{error} {what}\n{hint} {remedy}"));
            }
        }
        ExitCode::from(self.status)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error.kind() {
            ErrorKind::Config | ErrorKind::Key => Self::usage(error.to_string(), error.remedy()),
            _ => Self::refused(error.to_string(), error.remedy()),
        }
    }
}
