//! What went wrong, in the lines that the user gets, and the exit status.

use std::process::ExitCode;

use ibkr_oauth::{Error, ErrorKind, diagnose::Cause};
use serde_json::{Map, Value};

/// Why the program ends without success.
#[derive(Debug, PartialEq)]
pub(crate) struct Failure {
    what: String,
    remedy: String,
    status: u8,
    /// What programs are told beside the two lines.
    details: Map<String, Value>,
}

const CAUSE: &str = "cause";

/// The command that explains a cause.
pub(crate) fn explaining(cause: Cause) -> String {
    format!("ibkr-oauth explain {}", cause.name())
}

impl Failure {
    /// The broker or the network said no.
    pub(crate) fn refused(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), remedy: remedy.into(), status: 1, details: Map::new() }
    }

    /// The command line or the bundle cannot be used.
    pub(crate) fn usage(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        let kind = ErrorKind::Config.name().into();
        Self { status: 2, details: Map::from_iter([("kind".to_owned(), kind)]), ..Self::refused(what, remedy) }
    }

    /// All was said already, on standard output.
    pub(crate) fn reported() -> Self {
        Self::refused("", "")
    }

    pub(crate) fn with_remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: remedy.into(), ..self }
    }

    /// With what is known of this error.
    pub(crate) fn about(self, error: &Error) -> Self {
        Self { details: details(error), ..self }
    }

    /// What is behind it.
    pub(crate) fn caused_by(mut self, cause: Cause) -> Self {
        self.details.insert(CAUSE.to_owned(), cause.name().into());
        self
    }

    /// What is behind it, where that is known.
    pub(crate) fn cause(&self) -> Option<Cause> {
        Cause::from_name(self.details.get(CAUSE)?.as_str()?)
    }

    pub(crate) fn what(&self) -> &str {
        &self.what
    }

    pub(crate) fn remedy(&self) -> &str {
        &self.remedy
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.status)
    }

    /// What programs are told.
    pub(crate) fn to_json(&self) -> Value {
        object(&self.what, &self.remedy, self.details.clone())
    }
}

/// The error as one JSON object: `error`, `try`, and `kind`, `stage`, `status` and `cause` where they are known.
pub(crate) fn json(error: &Error) -> Value {
    object(&error.to_string(), error.remedy(), details(error))
}

fn object(what: &str, remedy: &str, details: Map<String, Value>) -> Value {
    let lines = [("error", what), ("try", remedy)].map(|(name, text)| (name.to_owned(), Value::from(text)));
    Value::Object(lines.into_iter().chain(details).collect())
}

fn details(error: &Error) -> Map<String, Value> {
    let details = [
        ("kind", Some(Value::from(error.kind().name()))),
        ("stage", Some(Value::from(error.stage().to_string()))),
        ("status", error.status().map(|status| Value::from(status.as_u16()))),
        (CAUSE, error.cause().map(Cause::name).map(Value::from)),
    ];
    details.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let failure = match error.kind() {
            ErrorKind::Config | ErrorKind::Key => Self::usage(error.to_string(), error.remedy()),
            _ => Self::refused(error.to_string(), error.remedy()),
        };
        failure.about(&error)
    }
}
