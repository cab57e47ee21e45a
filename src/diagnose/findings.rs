//! What a check of credentials found.

use std::fmt;

use serde::Serialize;

use crate::consumer::QueryPolicy;

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

/// What a [`Finding`] is about: a field of the bundle, or two of them together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Subject {
    /// `consumer_key`
    ConsumerKey,
    /// `realm`
    Realm,
    /// `base_url`
    BaseUrl,
    /// `signature_key`
    SignatureKey,
    /// `encryption_key`
    EncryptionKey,
    /// Both keys together.
    KeyPair,
    /// `access_token`
    AccessToken,
    /// `access_token_secret`
    AccessTokenSecret,
    /// `dh_params`
    DhParams,
}

impl Subject {
    /// The name of the field.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ConsumerKey => "consumer_key",
            Self::Realm => "realm",
            Self::BaseUrl => "base_url",
            Self::SignatureKey => "signature_key",
            Self::EncryptionKey => "encryption_key",
            Self::KeyPair => "key_pair",
            Self::AccessToken => "access_token",
            Self::AccessTokenSecret => "access_token_secret",
            Self::DhParams => "dh_params",
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// What it is about.
    pub subject: Subject,
    /// How that is.
    pub severity: Severity,
    /// What was found, and why that matters.
    pub message: String,
    /// What to do, where there is something to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// What the check of credentials found. It shows nothing secret, and may be pasted in a forum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Findings {
    pub(super) consumer_key: String,
    pub(super) query_policy: QueryPolicy,
    #[serde(rename = "findings")]
    pub(super) list: Vec<Finding>,
}

impl Findings {
    /// Each thing that was looked at, in the order of the bundle's fields.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.list
    }

    /// The worst of all findings.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.list.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Ok)
    }

    /// The finding to begin with: the first error, or else the first warning.
    #[must_use]
    pub fn worst(&self) -> Option<&Finding> {
        let severity = self.severity();
        self.list.iter().find(|finding| finding.severity == severity && severity != Severity::Ok)
    }

    /// The one thing to do next.
    #[must_use]
    pub fn next_step(&self) -> &str {
        match self.worst() {
            Some(Finding { remedy: Some(remedy), .. }) => remedy,
            Some(finding) => &finding.message,
            None => {
                "nothing is wrong with these credentials by themselves: sign in; if the broker then says `invalid \
                 consumer`, only waiting is left, until the weekend reset activates the consumer key"
            }
        }
    }
}

impl fmt::Display for Findings {
    /// One line for each finding, with the remedy below it where there is one, and the next step at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Finding { subject, severity, message, remedy } in &self.list {
            writeln!(f, "{severity:<7}  {subject:<19}  {message}")?;
            if let Some(remedy) = remedy {
                writeln!(f, "{:<7}  {:<19}  -> {remedy}", "", "")?;
            }
        }
        write!(f, "next: {}", self.next_step())
    }
}

/// Collects findings about one subject.
pub(super) struct Collector<'a> {
    subject: Subject,
    list: &'a mut Vec<Finding>,
}

impl<'a> Collector<'a> {
    pub(super) fn about(subject: Subject, list: &'a mut Vec<Finding>) -> Self {
        Self { subject, list }
    }

    pub(super) fn push(&mut self, severity: Severity, message: impl Into<String>, remedy: Option<String>) {
        self.list.push(Finding { subject: self.subject, severity, message: message.into(), remedy });
    }

    pub(super) fn ok(&mut self, message: impl Into<String>) {
        self.push(Severity::Ok, message, None);
    }

    pub(super) fn warning(&mut self, message: impl Into<String>, remedy: impl Into<String>) {
        self.push(Severity::Warning, message, Some(remedy.into()));
    }

    pub(super) fn error(&mut self, message: impl Into<String>, remedy: impl Into<String>) {
        self.push(Severity::Error, message, Some(remedy.into()));
    }
}
