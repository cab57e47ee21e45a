//! The causes that errors name, and what is known about each.

use ibkr_oauth::diagnose::Cause;
use serde_json::{Value, json};

use crate::{
    failure::Failure,
    output::{self, Format, Shown},
};

/// Writes all of them, each with its sentence.
pub(super) fn list(format: Format) -> Result<(), Failure> {
    match format {
        Format::Json => {
            let causes = Cause::ALL.iter().map(|cause| (cause.name().to_owned(), cause.to_string().into()));
            output::print_json(&json!({ "causes": Value::Object(causes.collect()) }))
        }
        Format::Text => {
            let lines: Vec<String> = Cause::ALL.iter().map(|cause| format!("{:<35}  {cause}", cause.name())).collect();
            output::print(&Shown::lines(&lines.join("\n")))
        }
    }
}

/// Writes what is known about one.
pub(super) fn explain(cause: Cause, format: Format) -> Result<(), Failure> {
    let explanation = cause.explanation();
    match format {
        Format::Json => output::print_data(&json!({ "cause": cause.name(), "explanation": explanation })),
        Format::Text => output::print(&Shown::lines(explanation.trim_end())),
    }
}

/// Writes all of them, since this is none.
pub(super) fn unknown(name: &str, format: Format) -> Result<(), Failure> {
    list(format)?;
    Err(Failure::usage(format!("no cause is named `{name}`"), "give one of the names above"))
}
