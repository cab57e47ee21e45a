//! Why the broker refused a request.

use std::{error, fmt};

use super::reason::Reason;
use crate::{
    context::{EntropyError, Timestamp},
    error::escape_invisible,
};

/// One refused request: what was asked, and exactly what was wrong with it.
///
/// `Display` is one line: the request, what differed and, for a wrong signature, the base string that was expected.
/// No secret is ever in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub(super) at: Timestamp,
    pub(super) subject: String,
    pub(super) objection: Objection,
}

impl Refusal {
    /// Which check failed, by name: lower case, with underscores, such as `signature_differs`.
    ///
    /// For what a test asserts. The names are **not under semantic versioning**: the broker's checks follow what is learnt of
    /// the real one, and so a check may be split, renamed or dropped in any version. The source of this module,
    /// `simulator/reason.rs`, has them all.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        self.objection.reason.name()
    }

    /// The broker's time when it refused.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        self.at
    }

    /// What was refused: the method and the URI without its query.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The signature base string that the broker computed, for a wrong signature.
    ///
    /// It starts with the method: the access token's secret, which comes before it in the request for a live session
    /// token, is left out here and shown as `[secret]` by `Display`.
    #[must_use]
    pub fn expected_base_string(&self) -> Option<&str> {
        self.objection.base_string.as_deref()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subject, self.objection.detail)?;
        match &self.objection.base_string {
            None => Ok(()),
            Some(text) if self.objection.prepended => write!(f, "; expected base string: [secret]{text}"),
            Some(text) => write!(f, "; expected base string: {text}"),
        }
    }
}

impl error::Error for Refusal {}

/// What is wrong with a request, before it is known which one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Objection {
    pub(super) reason: Reason,
    pub(super) detail: String,
    pub(super) base_string: Option<String>,
    pub(super) prepended: bool,
}

impl Objection {
    pub(super) fn new(reason: Reason, detail: impl Into<String>) -> Self {
        // What a client sends must not start a new line in a log.
        let detail = escape_invisible(&detail.into()).into_owned();
        Self { reason, detail, base_string: None, prepended: false }
    }

    pub(super) fn with_base_string(mut self, base_string: String, prepended: bool) -> Self {
        self.base_string = Some(base_string);
        self.prepended = prepended;
        self
    }
}

/// Refuses, with the check that failed and a line on what exactly.
pub(super) fn refuse<T>(reason: Reason, detail: impl Into<String>) -> Result<T, Objection> {
    Err(Objection::new(reason, detail))
}

impl From<EntropyError> for Objection {
    fn from(error: EntropyError) -> Self {
        Self::new(Reason::EntropyFailed, error.to_string())
    }
}
