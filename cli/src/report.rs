//! What was looked at, how that is, and the one thing to do.

use ibkr_oauth::diagnose::{Cause, Finding, Severity};
use serde_json::{Map, Value, json};

use crate::{
    failure::{self, Failure},
    output::{self, Format, Palette, Shown, Tone, one_line},
};

/// All that was looked at. As text it is written as it grows, since some things take their time.
pub(crate) struct Report {
    format: Format,
    palette: Palette,
    /// Each with the cause that can be explained.
    findings: Vec<(Finding, Option<Cause>)>,
    /// What programs get beside them.
    attachments: Map<String, Value>,
}

impl Report {
    pub(crate) fn new(format: Format) -> Self {
        Self { format, palette: Palette::of_stdout(), findings: Vec::new(), attachments: Map::new() }
    }

    pub(crate) fn ok(&mut self, subject: &'static str, message: &str) -> Result<(), Failure> {
        self.add(Finding { subject, severity: Severity::Ok, message: message.to_owned(), remedy: None })
    }

    pub(crate) fn warning(&mut self, subject: &'static str, message: &str, remedy: &str) -> Result<(), Failure> {
        let (message, remedy) = (message.to_owned(), Some(remedy.to_owned()));
        self.add(Finding { subject, severity: Severity::Warning, message, remedy })
    }

    pub(crate) fn error(&mut self, subject: &'static str, message: &str, remedy: &str) -> Result<(), Failure> {
        self.failed(subject, &Failure::refused(message, remedy))
    }

    /// With its remedy, and with what is behind it.
    pub(crate) fn failed(&mut self, subject: &'static str, failure: &Failure) -> Result<(), Failure> {
        let (message, remedy) = (failure.what().to_owned(), Some(failure.remedy().to_owned()));
        self.add_with(Finding { subject, severity: Severity::Error, message, remedy }, failure.cause())
    }

    /// Adds how a check ended, and returns whether it found no fault.
    pub(crate) fn concluded(
        &mut self,
        subject: &'static str,
        outcome: &Result<String, Failure>,
    ) -> Result<bool, Failure> {
        match outcome {
            Ok(message) => self.ok(subject, message)?,
            Err(failure) => self.failed(subject, failure)?,
        }
        Ok(outcome.is_ok())
    }

    pub(crate) fn add(&mut self, finding: Finding) -> Result<(), Failure> {
        self.add_with(finding, None)
    }

    fn add_with(&mut self, mut finding: Finding, cause: Option<Cause>) -> Result<(), Failure> {
        finding.message = one_line(&finding.message);
        finding.remedy = finding.remedy.as_deref().map(one_line);
        let written = match self.format {
            Format::Json => Ok(()),
            Format::Text => output::print(&self.lines(&finding, cause)),
        };
        self.findings.push((finding, cause));
        written
    }

    fn lines(&self, Finding { subject, severity, message, remedy }: &Finding, cause: Option<Cause>) -> Shown {
        let tone = match severity {
            Severity::Ok => Tone::Good,
            Severity::Warning => Tone::Doubtful,
            _ => Tone::Bad,
        };
        let mark = self.palette.paint(tone, &format!("{severity:<7}"));
        let below = |text: String| format!("\n{:<7}  {:<19}  {text}", "", "");
        let remedy = remedy.as_ref().map_or_else(String::new, |remedy| below(format!("-> {remedy}")));
        let more = cause.map_or_else(String::new, |cause| below(format!("more: {}", failure::explaining(cause))));
        mark.then(&Shown::lines(&format!("  {subject:<19}  {message}{remedy}{more}")))
    }

    /// Adds what only programs get.
    pub(crate) fn attach(&mut self, name: &'static str, value: Value) {
        self.attachments.insert(name.to_owned(), value);
    }

    pub(crate) fn has_error(&self) -> bool {
        self.severity() >= Severity::Error
    }

    fn severity(&self) -> Severity {
        self.findings.iter().map(|(finding, _)| finding.severity).max().unwrap_or(Severity::Ok)
    }

    /// The first of the worst is where to begin: what comes after it may well follow from it.
    fn next_step(&self) -> Option<&str> {
        let severity = Some(self.severity()).filter(|severity| *severity != Severity::Ok)?;
        let (finding, _) = self.findings.iter().find(|(finding, _)| finding.severity == severity)?;
        Some(finding.remedy.as_deref().unwrap_or(&finding.message))
    }

    /// Says what to do next, `otherwise` being what there is to say where nothing is wrong. An error makes it a failure.
    pub(crate) fn finish(self, otherwise: &str) -> Result<(), Failure> {
        let next = self.next_step().unwrap_or(otherwise);
        match self.format {
            Format::Text => {
                output::print(&self.palette.paint(Tone::Strong, "next:").then(&Shown::line(&format!(" {next}"))))?;
            }
            Format::Json => {
                let mut object = self.attachments.clone();
                object.insert("severity".to_owned(), json!(self.severity()));
                object.insert("findings".to_owned(), self.findings.iter().map(to_json).collect());
                object.insert("next".to_owned(), next.into());
                output::print_json(&object.into())?;
            }
        }
        if self.has_error() { Err(Failure::reported()) } else { Ok(()) }
    }
}

fn to_json((finding, cause): &(Finding, Option<Cause>)) -> Value {
    let mut value = json!(finding);
    if let (Value::Object(fields), Some(cause)) = (&mut value, cause) {
        fields.insert("cause".to_owned(), cause.name().into());
    }
    value
}
