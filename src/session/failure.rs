//! An exchange that came to nothing on its way.

use std::fmt;

/// Why a request was not answered, or a signature not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What is certain about it.
    pub kind: FailureKind,
    /// In words, for logs. No secret.
    pub detail: String,
}

/// What is certain about a [`Failure`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureKind {
    /// Nothing was sent that the broker could act on: no connection could be made, or it broke too early.
    NotSent,
    /// The connection broke; the broker may have acted on the request.
    MaybeSent,
    /// No answer came in time.
    TimedOut,
    /// The response is larger than any of this protocol.
    TooLarge,
    /// The key store, or whatever stands between, said no.
    Refused,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            FailureKind::NotSent => "nothing was sent",
            FailureKind::MaybeSent => "the connection broke",
            FailureKind::TimedOut => "no answer came in time",
            FailureKind::TooLarge => "the response is too large",
            FailureKind::Refused => "the key store refused",
        })?;
        if self.detail.is_empty() { Ok(()) } else { write!(f, ": {}", self.detail) }
    }
}

impl std::error::Error for Failure {}
