//! One thing that is wrong with a signature.

use std::fmt;

use serde::Serialize;

/// One thing that a client did otherwise than it should, in words. Credentials are hidden in them.
///
/// The words are for people and not under semantic versioning: a program has no use for them but to show them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SignatureIssue {
    /// What is otherwise, in one line.
    pub what: String,
    /// What to do about it.
    pub hint: String,
}

impl SignatureIssue {
    pub(crate) fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), hint: hint.into() }
    }
}

impl fmt::Display for SignatureIssue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  -> {}", self.what, self.hint)
    }
}
