//! The one error of this crate: who must act, where it happened, what the broker said, and what to try.

use std::{borrow::Cow, error, fmt};

use http::StatusCode;
use serde::{Serialize, Serializer};

use crate::{context::EntropyError, key::KeyError};

mod catalogue;
mod invisible;

pub use self::{
    catalogue::{CATALOGUE_VERSION, CatalogueEntry, Cause, Confidence, catalogue},
    invisible::{escape_invisible, is_invisible},
};

/// A failure, one word wide.
///
/// [`Display`](fmt::Display) says in one line what happened; [`remedy`](Self::remedy) says in one line what to try.
/// Neither ever holds a secret.
///
/// ```
/// use ibkr_oauth::{AccessToken, Error, ErrorKind, Stage};
///
/// /// Whether it is of use to try again later, with a new exchange.
/// fn is_transient(error: &Error) -> bool {
///     error.kind() == ErrorKind::Unavailable
/// }
///
/// let error = AccessToken::from_parts("218c1d970d85a8442825", "cut of").unwrap_err();
/// assert_eq!(error.to_string(), "access token: the access token secret is not Base64 (it has 6 characters)");
/// assert_eq!(error.remedy(), "copy the secret again, whole: 344 characters for a key of 2048 bits");
/// assert_eq!((error.kind(), error.stage()), (ErrorKind::Config, Stage::AccessToken));
/// assert!(!is_transient(&error));
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    stage: Stage,
    message: Cow<'static, str>,
    remedy: Cow<'static, str>,
    reply: Option<Reply>,
    cause: Option<(Cause, Confidence)>,
    source: Option<Box<dyn error::Error + Send + Sync>>,
}

struct Reply {
    status: StatusCode,
    detail: String,
}

/// Who must act on an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The program: a setting or an argument is missing or cannot work. Nothing was sent.
    Config,
    /// Whoever keeps the keys: a key is missing, unreadable or refused its work.
    Key,
    /// The machine: its source of random bytes failed.
    Entropy,
    /// The owner of the account or of the consumer key: the broker, or the user at the consent page, said no.
    Rejected,
    /// Nobody yet: the broker cannot answer now. Try again later, with a new signature.
    Unavailable,
    /// Whoever runs the connection: what came back is not a reply of this protocol.
    Malformed,
    /// The owner of the keys: the reply did not prove that the other side knows the shared secret. Do not trust it.
    Unverified,
}

/// Where in the protocol an [`Error`] arose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// Reading a key or Diffie-Hellman parameters.
    Key,
    /// Reading a credential bundle.
    Bundle,
    /// Putting a [`Consumer`](crate::Consumer) together.
    Consumer,
    /// `POST /oauth/request_token`.
    RequestToken,
    /// The user's consent in the browser and the callback from it.
    Authorize,
    /// `POST /oauth/access_token`.
    AccessToken,
    /// Decrypting the access token's secret.
    Unlock,
    /// `POST /oauth/live_session_token`.
    LiveSessionToken,
    /// Signing a protected request.
    Sign,
    /// `POST /iserver/auth/ssodh/init`.
    OpenBrokerage,
    /// `POST /iserver/auth/status`.
    BrokerageStatus,
    /// `POST /tickle`.
    Tickle,
    /// `POST /logout`.
    Logout,
    /// The WebSocket upgrade.
    WebSocket,
    /// Sending a request, or receiving the reply to it.
    Transport,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key => "key",
            Self::Bundle => "credential bundle",
            Self::Consumer => "consumer",
            Self::RequestToken => "request token",
            Self::Authorize => "user authorization",
            Self::AccessToken => "access token",
            Self::Unlock => "access token secret",
            Self::LiveSessionToken => "live session token",
            Self::Sign => "signature",
            Self::OpenBrokerage => "brokerage session",
            Self::BrokerageStatus => "brokerage status",
            Self::Tickle => "tickle",
            Self::Logout => "logout",
            Self::WebSocket => "WebSocket",
            Self::Transport => "transport",
        })
    }
}

impl Serialize for ErrorKind {
    /// Its [`name`](Self::name).
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl Serialize for Stage {
    /// Its `Display` text.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The longest part of a reply that an error keeps, in characters.
const DETAIL_LIMIT: usize = 600;

impl Error {
    pub(crate) fn new(kind: ErrorKind, stage: Stage, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            kind,
            stage,
            message: one_line(message.into()),
            remedy: Cow::Borrowed(kind.remedy()),
            reply: None,
            cause: None,
            source: None,
        }))
    }

    pub(crate) fn config(stage: Stage, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Config, stage, message)
    }

    pub(crate) fn malformed(stage: Stage, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Malformed, stage, message)
    }

    pub(crate) fn key(stage: Stage, error: KeyError) -> Self {
        let error = match error.into_entropy_error() {
            Ok(entropy) => return Self::entropy(stage, entropy),
            Err(error) => error,
        };
        let mut this = Self::new(ErrorKind::Key, stage, error.to_string());
        if let Some(remedy) = error.remedy() {
            this = this.with_remedy(remedy.to_owned());
        }
        this.0.source = error.into_source();
        this
    }

    pub(crate) fn entropy(stage: Stage, error: EntropyError) -> Self {
        Self::new(ErrorKind::Entropy, stage, "no random bytes could be had").with_source(error)
    }

    /// The broker's refusal, `text` being what it said, and `stated` the status that it named inside a good reply.
    pub(crate) fn refused(stage: Stage, status: StatusCode, stated: Option<StatusCode>, text: &str) -> Self {
        let meant = stated.filter(|_| status.is_success()).unwrap_or(status);
        let entry = catalogue::find(stage, meant, text);
        let kind = entry.map_or_else(|| catalogue::kind_of(meant), |entry| entry.kind);
        let message = match kind {
            _ if status.is_success() => "the broker answered with an error".to_owned(),
            ErrorKind::Unavailable => format!("the broker cannot answer now ({status})"),
            ErrorKind::Malformed => format!("what came back is no answer of the broker's ({status})"),
            _ => format!("the broker refused ({status})"),
        };
        let error = Self::new(kind, stage, message).with_reply(status, text);
        match entry {
            Some(entry) => error.with_remedy(entry.remedy).with_cause(entry.cause, entry.confidence),
            None => error,
        }
    }

    /// The same as a trouble with one field of a credential bundle, which is named first.
    pub(crate) fn in_field(mut self, field: &str) -> Self {
        self.0.message = Cow::Owned(format!("`{field}`: {}", self.0.message));
        self.0.stage = Stage::Bundle;
        self
    }

    pub(crate) fn with_remedy(mut self, remedy: impl Into<Cow<'static, str>>) -> Self {
        self.0.remedy = one_line(remedy.into());
        self
    }

    pub(crate) fn with_cause(mut self, cause: Cause, confidence: Confidence) -> Self {
        self.0.cause = Some((cause, confidence));
        self
    }

    pub(crate) fn with_source(mut self, source: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    pub(crate) fn with_reply(mut self, status: StatusCode, text: &str) -> Self {
        self.0.reply = Some(Reply { status, detail: printable(text) });
        self
    }

    /// Notes the status of the reply, where what the broker said is not known yet.
    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.0.reply.get_or_insert_with(|| Reply { status, detail: String::new() });
        self
    }

    /// What happened, without where and without the broker's words.
    #[cfg(feature = "rsa")]
    pub(crate) fn message(&self) -> &str {
        &self.0.message
    }

    /// Who must act.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Where in the protocol it happened.
    #[must_use]
    pub fn stage(&self) -> Stage {
        self.0.stage
    }

    /// The status of the broker's reply, if there was one.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.0.reply.as_ref().map(|reply| reply.status)
    }

    /// What the broker said, in its own words: the text of its `error` field, or the start of a body of another shape.
    ///
    /// At most 600 characters, with invisible ones [escaped](crate::diagnose::escape_invisible); empty where the broker said nothing.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        self.0.reply.as_ref().map(|reply| reply.detail.as_str())
    }

    /// What is behind the broker's refusal, if its words or its status are known; see
    /// [`diagnose::catalogue`](crate::diagnose::catalogue).
    #[must_use]
    pub fn cause(&self) -> Option<Cause> {
        self.0.cause.map(|(cause, _)| cause)
    }

    /// How much is known of that [`cause`](Self::cause).
    #[must_use]
    pub fn confidence(&self) -> Option<Confidence> {
        self.0.cause.map(|(_, confidence)| confidence)
    }

    /// The likeliest way out, in one line.
    #[must_use]
    pub fn remedy(&self) -> &str {
        &self.0.remedy
    }
}

impl ErrorKind {
    /// The name for programs: lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Key => "key",
            Self::Entropy => "entropy",
            Self::Rejected => "rejected",
            Self::Unavailable => "unavailable",
            Self::Malformed => "malformed",
            Self::Unverified => "unverified",
        }
    }

    const fn remedy(self) -> &'static str {
        match self {
            Self::Config => "correct the setting or argument that is named",
            Self::Key => "check the key that is named and the form it is given in",
            Self::Entropy => "look after the machine's source of random numbers",
            Self::Rejected => "check the consumer key, the access token and the keys registered with the broker",
            Self::Unavailable => "wait, then send the request again with a new signature",
            Self::Malformed => "check the base URL, and whether a proxy answers in the broker's place",
            Self::Unverified => "check the decryption key, the Diffie-Hellman parameters and the consumer key",
        }
    }
}

/// Cuts `text` to what an error keeps, and takes from it what could forge or garble a line of a log.
fn printable(text: &str) -> String {
    // No more than could be kept is looked at: the text may be a long one.
    let start: String = text.trim().chars().take(DETAIL_LIMIT + 1).collect();
    let text = escape_invisible(&start);
    if text.chars().nth(DETAIL_LIMIT).is_none() {
        return text.into_owned();
    }
    text.chars().take(DETAIL_LIMIT - 1).chain(['…']).collect()
}

/// A text in which the words of others may stand: a key store's, a system's.
fn one_line(text: Cow<'static, str>) -> Cow<'static, str> {
    if text.contains(is_invisible) { escape_invisible(&text).into_owned().into() } else { text }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.stage, self.0.message)?;
        match self.detail() {
            None | Some("") => Ok(()),
            Some(detail) => write!(f, ": {detail}"),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, stage, message, remedy, reply, cause, source } = &*self.0;
        f.debug_struct("Error")
            .field("kind", kind)
            .field("stage", stage)
            .field("message", message)
            .field("remedy", remedy)
            .field("status", &reply.as_ref().map(|reply| reply.status))
            .field("detail", &reply.as_ref().map(|reply| &reply.detail))
            .field("cause", &cause.map(|(cause, _)| cause))
            .field("source", source)
            .finish()
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.0.source.as_deref().map(|source| -> &(dyn error::Error + 'static) { source })
    }
}

impl From<KeyError> for Error {
    /// An error of [`Stage::Key`]: the key could not be read.
    fn from(error: KeyError) -> Self {
        Self::key(Stage::Key, error)
    }
}
