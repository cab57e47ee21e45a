//! An exchange that came to nothing on its way.

use std::{borrow::Cow, error, fmt, sync::Arc};

/// Why a request was not answered, or a signature not made.
///
/// ```
/// use ibkr_oauth::session::{Failure, FailureKind};
///
/// let failure = Failure::new(FailureKind::NotSent, "no route to the host").with_remedy("plug the cable in");
/// assert_eq!(failure.to_string(), "nothing was sent: no route to the host");
/// ```
#[derive(Clone, Debug)]
pub struct Failure {
    kind: FailureKind,
    detail: String,
    remedy: Option<Cow<'static, str>>,
    source: Arc<dyn error::Error + Send + Sync>,
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
    /// The response is larger than is read of one.
    TooLarge,
    /// The key store, or something in between, said no.
    Refused,
}

impl Failure {
    /// A failure for a reason: an error, or words for logs. Neither may hold a secret.
    #[must_use]
    pub fn new(kind: FailureKind, reason: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        let source = reason.into();
        Self { kind, detail: causes(&*source), remedy: None, source: Arc::from(source) }
    }

    /// The same with what to try, in one line.
    #[must_use]
    pub fn with_remedy(self, remedy: impl Into<Cow<'static, str>>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }

    /// What is certain about it.
    #[must_use]
    pub fn kind(&self) -> FailureKind {
        self.kind
    }

    pub(crate) fn remedy(&self) -> Option<Cow<'static, str>> {
        self.remedy.clone()
    }
}

/// The error and what is behind it, in one line: HTTP clients say little in the first.
fn causes(error: &(dyn error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
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

impl error::Error for Failure {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        Some(&*self.source)
    }
}
