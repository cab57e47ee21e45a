//! What went wrong, in the two lines that the user gets, and the exit status.

use std::process::ExitCode;

use ibkr_oauth::{Error, ErrorKind};

use crate::output;

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

    pub(crate) fn with_remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: remedy.into(), ..self }
    }

    pub(crate) fn report(self) -> ExitCode {
        output::print_note(&format!("error: {}\ntry: {}", one_line(&self.what), one_line(&self.remedy)));
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

fn one_line(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect()
}
