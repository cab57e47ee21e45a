//! What was looked at, how that is, and the one thing to do.

use ibkr_oauth::diagnose::{Finding, Severity};
use serde_json::json;

use crate::{
    failure::Failure,
    output::{self, Format, Palette, Shown, Tone, one_line},
};

/// All that was looked at. As text it is written as it grows, since some things take their time.
pub(crate) struct Report {
    format: Format,
    palette: Palette,
    findings: Vec<Finding>,
}

impl Report {
    pub(crate) fn new(format: Format) -> Self {
        Self { format, palette: Palette::of_stdout(), findings: Vec::new() }
    }

    pub(crate) fn ok(&mut self, subject: &'static str, message: &str) -> Result<(), Failure> {
        self.add(Finding { subject, severity: Severity::Ok, message: message.to_owned(), remedy: None })
    }

    pub(crate) fn warning(&mut self, subject: &'static str, message: &str, remedy: &str) -> Result<(), Failure> {
        let (message, remedy) = (message.to_owned(), Some(remedy.to_owned()));
        self.add(Finding { subject, severity: Severity::Warning, message, remedy })
    }

    pub(crate) fn error(&mut self, subject: &'static str, message: &str, remedy: &str) -> Result<(), Failure> {
        let (message, remedy) = (message.to_owned(), Some(remedy.to_owned()));
        self.add(Finding { subject, severity: Severity::Error, message, remedy })
    }

    pub(crate) fn add(&mut self, mut finding: Finding) -> Result<(), Failure> {
        finding.message = one_line(&finding.message);
        finding.remedy = finding.remedy.as_deref().map(one_line);
        let written = match self.format {
            Format::Json => Ok(()),
            Format::Text => output::print(&self.lines(&finding)),
        };
        self.findings.push(finding);
        written
    }

    fn lines(&self, Finding { subject, severity, message, remedy }: &Finding) -> Shown {
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
        self.findings.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Ok)
    }

    /// The first of the worst is where to begin: what comes after it may well follow from it.
    fn next_step(&self) -> Option<&str> {
        let severity = Some(self.severity()).filter(|severity| *severity != Severity::Ok)?;
        let finding = self.findings.iter().find(|finding| finding.severity == severity)?;
        Some(finding.remedy.as_deref().unwrap_or(&finding.message))
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
                "findings": self.findings,
                "next": next,
            }))?,
        }
        if self.has_error() { Err(Failure::reported()) } else { Ok(()) }
    }
}
