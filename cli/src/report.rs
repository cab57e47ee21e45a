//! What was looked at, how that is, and the one thing to do.

use ibkr_oauth::diagnose::{Finding, Severity};
use serde::Serialize;
use serde_json::json;

use crate::{
    failure::Failure,
    output::{self, Format, Palette, Shown, Tone, one_line},
};

/// One thing that was looked at.
#[derive(Serialize)]
pub(crate) struct Check {
    subject: String,
    severity: Severity,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

impl From<&Finding> for Check {
    fn from(finding: &Finding) -> Self {
        Self {
            subject: finding.subject.name().to_owned(),
            severity: finding.severity,
            message: one_line(&finding.message),
            remedy: finding.remedy.as_deref().map(one_line),
        }
    }
}

/// All that was looked at. As text it is written as it grows, since some things take their time.
pub(crate) struct Report {
    format: Format,
    palette: Palette,
    checks: Vec<Check>,
}

impl Report {
    pub(crate) fn new(format: Format) -> Self {
        Self { format, palette: Palette::of_stdout(), checks: Vec::new() }
    }

    pub(crate) fn ok(&mut self, subject: &str, message: &str) -> Result<(), Failure> {
        self.add(Check {
            subject: subject.to_owned(),
            severity: Severity::Ok,
            message: one_line(message),
            remedy: None,
        })
    }

    pub(crate) fn warning(&mut self, subject: &str, message: &str, remedy: &str) -> Result<(), Failure> {
        self.trouble(Severity::Warning, subject, message, remedy)
    }

    pub(crate) fn error(&mut self, subject: &str, message: &str, remedy: &str) -> Result<(), Failure> {
        self.trouble(Severity::Error, subject, message, remedy)
    }

    fn trouble(&mut self, severity: Severity, subject: &str, message: &str, remedy: &str) -> Result<(), Failure> {
        let (message, remedy) = (one_line(message), Some(one_line(remedy)));
        self.add(Check { subject: subject.to_owned(), severity, message, remedy })
    }

    pub(crate) fn add(&mut self, check: Check) -> Result<(), Failure> {
        let written = match self.format {
            Format::Json => Ok(()),
            Format::Text => output::print(&self.lines(&check)),
        };
        self.checks.push(check);
        written
    }

    fn lines(&self, Check { subject, severity, message, remedy }: &Check) -> Shown {
        let tone = match severity {
            Severity::Ok => Tone::Good,
            Severity::Warning => Tone::Doubtful,
            _ => Tone::Bad,
        };
        let mark = self.palette.paint(tone, &format!("{severity:<7}"));
        let below = remedy.as_ref().map_or_else(String::new, |remedy| format!("\n{:<7}  {:<19}  -> {remedy}", "", ""));
        mark.then(&Shown::lines(&format!("  {subject:<19}  {message}{below}")))
    }

    pub(crate) fn has_error(&self) -> bool {
        self.severity() >= Severity::Error
    }

    fn severity(&self) -> Severity {
        self.checks.iter().map(|check| check.severity).max().unwrap_or(Severity::Ok)
    }

    /// The first of the worst is where to begin: what comes after it may well follow from it.
    fn next_step(&self) -> Option<&str> {
        let severity = Some(self.severity()).filter(|severity| *severity != Severity::Ok)?;
        let check = self.checks.iter().find(|check| check.severity == severity)?;
        Some(check.remedy.as_deref().unwrap_or(&check.message))
    }

    /// Says what to do next, `otherwise` being what there is to say where nothing is wrong. An error makes it a failure.
    pub(crate) fn finish(self, otherwise: &str) -> Result<(), Failure> {
        let next = self.next_step().unwrap_or(otherwise);
        match self.format {
            Format::Text => {
                output::print(&self.palette.paint(Tone::Strong, "next:").then(&Shown::line(&format!(" {next}"))))?;
            }
            Format::Json => output::print_json(&json!({
                "severity": self.severity(),
                "findings": self.checks,
                "next": next,
            }))?,
        }
        if self.has_error() { Err(Failure::reported()) } else { Ok(()) }
    }
}
