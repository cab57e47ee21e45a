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
#[non_exhaustive]
pub struct Refusal {
    /// The broker's time when it refused.
    pub at: Timestamp,
    /// What was refused: the method and the URI without its query.
    pub subject: String,
    /// Which check failed, by name: lower case, with underscores, such as `signature_differs`.
    ///
    /// For what a test asserts. The names are **not under semantic versioning**: the broker's checks follow what is learnt of
    /// the real one, and so a check may be split, renamed or dropped in any version. The source of this module,
    /// `simulator/reason.rs`, has them all.
    pub reason: &'static str,
    /// What exactly was wrong, in one line.
    pub detail: String,
    /// The signature base string that the broker computed, for a wrong signature.
    ///
    /// It starts with the method: the access token's secret, which comes before it in the request for a live session
    /// token, is left out here and shown as `[secret]` by `Display`.
    pub expected_base_string: Option<String>,
    is_secret_prepended: bool,
}

impl Refusal {
    pub(super) fn new(at: Timestamp, subject: String, objection: Objection) -> Self {
        let Objection { reason, detail, base_string, is_secret_prepended } = objection;
        Self { at, subject, reason: reason.name(), detail, expected_base_string: base_string, is_secret_prepended }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subject, self.detail)?;
        match &self.expected_base_string {
            None => Ok(()),
            Some(text) if self.is_secret_prepended => write!(f, "; expected base string: [secret]{text}"),
            Some(text) => write!(f, "; expected base string: {text}"),
        }
    }
}

impl error::Error for Refusal {}

/// What is wrong with a request, before it is known which one.
#[derive(Debug)]
pub(super) struct Objection {
    pub(super) reason: Reason,
    pub(super) detail: String,
    base_string: Option<String>,
    is_secret_prepended: bool,
}

impl Objection {
    pub(super) fn new(reason: Reason, detail: impl fmt::Display) -> Self {
        // What a client sends must not start a new line in a log.
        let detail = escape_invisible(&detail.to_string()).into_owned();
        Self { reason, detail, base_string: None, is_secret_prepended: false }
    }

    pub(super) fn with_base_string(self, base_string: String, is_secret_prepended: bool) -> Self {
        Self { base_string: Some(base_string), is_secret_prepended, ..self }
    }
}

/// Refuses, with the check that failed and a line on what exactly.
pub(super) fn refuse<T>(reason: Reason, detail: impl fmt::Display) -> Result<T, Objection> {
    Err(Objection::new(reason, detail))
}

/// Refuses unless it holds.
pub(super) fn ensure(holds: bool, reason: Reason, detail: impl fmt::Display) -> Result<(), Objection> {
    if holds { Ok(()) } else { refuse(reason, detail) }
}

impl From<EntropyError> for Objection {
    fn from(error: EntropyError) -> Self {
        Self::new(Reason::EntropyFailed, error)
    }
}
