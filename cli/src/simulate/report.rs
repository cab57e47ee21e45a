//! The report of `simulate --conformance`.

use serde_json::{Value, json};

use super::conformance::{Finding, Outcome};
use crate::{
    failure::Failure,
    output::{self, Format},
};

/// Prints each case as it ended. A client that failed one is a failure.
pub(super) fn print(findings: &[Finding], format: Format) -> Result<(), Failure> {
    match format {
        Format::Text => {
            for finding in findings {
                output::print_line(&line(finding))?;
            }
        }
        Format::Json => {
            let cases: Vec<Value> = findings
                .iter()
                .map(|Finding { case, outcome, help }| json!({ "case": case, "outcome": outcome.name(), "help": help }))
                .collect();
            output::print_json(&json!({ "conformance": cases }))?;
        }
    }
    let failed = findings.iter().any(|finding| finding.outcome == Outcome::Failed);
    if failed { Err(Failure::reported()) } else { Ok(()) }
}

fn line(Finding { case, outcome, help }: &Finding) -> String {
    match outcome {
        Outcome::Passed => format!("{:<12} {case}", outcome.name()),
        Outcome::Failed | Outcome::NotReached => format!("{:<12} {case}: {help}", outcome.name()),
    }
}
