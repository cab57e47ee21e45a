//! One thing that a check of credentials found.

use std::fmt;

use serde::Serialize;

/// How a part of the credentials is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Severity {
    /// As it should be.
    Ok,
    /// Unusual: it may well work, or be the reason why it does not.
    Warning,
    /// It cannot work, or must not be used.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// One thing that was looked at, and how it is. It shows nothing secret, and may be pasted in a forum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is about: the name of a field of the bundle, or `key_pair` for both keys together.
    pub subject: &'static str,
    /// How that is.
    pub severity: Severity,
    /// What was found, and why that matters.
    pub message: String,
    /// What to do, where there is something to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl fmt::Display for Finding {
    /// One line, and the remedy below it where there is one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subject, severity, message, remedy } = self;
        write!(f, "{severity:<7}  {subject:<19}  {message}")?;
        match remedy {
            Some(remedy) => write!(f, "\n{:<7}  {:<19}  -> {remedy}", "", ""),
            None => Ok(()),
        }
    }
}

/// Collects findings about one subject.
pub(super) struct Collector<'a> {
    subject: &'static str,
    list: &'a mut Vec<Finding>,
}

impl<'a> Collector<'a> {
    pub(super) fn about(subject: &'static str, list: &'a mut Vec<Finding>) -> Self {
        Self { subject, list }
    }

    fn push(&mut self, severity: Severity, message: String, remedy: Option<String>) {
        self.list.push(Finding { subject: self.subject, severity, message, remedy });
    }

    pub(super) fn ok(&mut self, message: impl Into<String>) {
        self.push(Severity::Ok, message.into(), None);
    }

    pub(super) fn warning(&mut self, message: impl Into<String>, remedy: impl Into<String>) {
        self.push(Severity::Warning, message.into(), Some(remedy.into()));
    }

    pub(super) fn error(&mut self, message: impl Into<String>, remedy: impl Into<String>) {
        self.push(Severity::Error, message.into(), Some(remedy.into()));
    }
}
