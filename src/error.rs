//! The one error of this crate: who must act, where it happened, what the broker said, and what to try.

use std::{borrow::Cow, error, fmt, sync::Arc};

use http::{StatusCode, header::InvalidHeaderValue};

use self::{
    catalogue::Meaning,
    text::{one_line, printable},
};
use crate::context::{EntropyError, Timestamp};

mod catalogue;
mod invisible;
mod kind;
mod refusal;
mod text;

pub use self::{
    catalogue::Cause,
    invisible::{escape_invisible, is_invisible},
    kind::{ErrorKind, Stage},
};
pub(crate) use self::{
    catalogue::Scope,
    text::{is_page, names_secret},
};

/// What went wrong: who must act, where, what the broker said, and what to try.
///
/// [`Display`](fmt::Display) says in one line what happened; [`remedy`](Self::remedy) says in one line what to try.
/// Neither ever holds a secret.
///
/// ```
/// use ibkr_oauth::{AccessToken, Error, ErrorKind, Stage};
///
/// /// Whether it helps to try again later, with a new exchange.
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
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    stage: Stage,
    message: Cow<'static, str>,
    /// What is known of this failure in particular. It goes before what its cause and its kind suggest.
    remedy: Option<Cow<'static, str>>,
    response: Option<Answer>,
    meaning: Option<Meaning>,
    nothing_sent: bool,
    retry_at: Option<Timestamp>,
    source: Option<Arc<dyn error::Error + Send + Sync>>,
}

/// The status and the words of a response.
#[derive(Clone)]
struct Answer {
    status: StatusCode,
    detail: String,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, stage: Stage, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            kind,
            stage,
            message: one_line(message.into()),
            remedy: None,
            response: None,
            meaning: None,
            nothing_sent: false,
            retry_at: None,
            source: None,
        }))
    }

    pub(crate) fn config(stage: Stage, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Config, stage, message)
    }

    /// A value for a header has characters that no header may have.
    pub(crate) fn header(stage: Stage, _: InvalidHeaderValue) -> Self {
        Self::config(stage, "a header would have characters that no header may have")
    }

    /// A key could not be read, or cannot do its work.
    pub(crate) fn key(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Key, Stage::Key, message)
    }

    /// For implementers of [`SigningKey`](crate::key::SigningKey) and [`DecryptionKey`](crate::key::DecryptionKey): the key store
    /// said no, and this is why. An [`EntropyError`] stays one.
    #[must_use]
    pub fn key_refused(source: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        match source.into().downcast() {
            Ok(error) => Self::entropy(Stage::Key, *error),
            Err(source) => Self::key(format!("the key store refused: {source}")).with_source(source),
        }
    }

    /// The error of a key at the stage that uses it. Whatever an implementer of a key returns, nothing was sent.
    pub(crate) fn of_key(self, stage: Stage) -> Self {
        if matches!(self.kind(), ErrorKind::Key | ErrorKind::Entropy) {
            return self.at(stage);
        }
        let remedy = self.remedy().to_owned();
        Self::key_refused(self).with_remedy(remedy).at(stage)
    }

    pub(crate) fn malformed(stage: Stage, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Malformed, stage, message)
    }

    pub(crate) fn entropy(stage: Stage, error: EntropyError) -> Self {
        Self::new(ErrorKind::Entropy, stage, "the random number generator failed").with_source(error)
    }

    /// The same as a trouble with one field of a credential bundle, which is named first.
    pub(crate) fn in_field(mut self, field: &str) -> Self {
        self.0.message = Cow::Owned(format!("`{field}`: {}", self.0.message));
        self.0.stage = Stage::Bundle;
        self
    }

    /// The same as a trouble with the bundle in this file, which is named first.
    pub(crate) fn in_file(mut self, path: &str) -> Self {
        self.0.message = one_line(Cow::Owned(format!("{path}: {}", self.0.message)));
        self
    }

    /// The same at another stage.
    pub(crate) fn at(mut self, stage: Stage) -> Self {
        self.0.stage = stage;
        self
    }

    /// The same with what to try, in one line: for implementers of keys, who know their key store.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<Cow<'static, str>>) -> Self {
        self.0.remedy = Some(one_line(remedy.into()));
        self
    }

    /// Names the cause, where no response does.
    pub(crate) fn with_cause(self, cause: Cause) -> Self {
        self.with_meaning(Meaning::of_cause(cause))
    }

    fn with_meaning(mut self, meaning: Meaning) -> Self {
        self.0.meaning = Some(meaning);
        self
    }

    /// The same where the clocks are apart by this many seconds: the likeliest cause of a refusal whose words are not
    /// known, or are about the timestamp.
    pub(crate) fn with_clock_skew(self, seconds: u64) -> Self {
        let meaning = self.0.meaning;
        let is_explained = meaning.is_some_and(|known| known.by_words && known.cause != Some(Cause::TimestampRefused));
        if self.0.kind != ErrorKind::Rejected || is_explained {
            return self;
        }
        self.with_remedy(format!(
            "the clock is {seconds} s off by the broker's `Date`: set it, or allow `correct_clock`"
        ))
    }

    /// Notes that the request never left, where that is certain.
    pub(crate) fn with_nothing_sent(mut self) -> Self {
        self.0.nothing_sent = true;
        self
    }

    pub(crate) fn with_retry_at(mut self, moment: Timestamp) -> Self {
        self.0.retry_at = Some(moment);
        self
    }

    pub(crate) fn with_source(mut self, source: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(Arc::from(source.into()));
        self
    }

    pub(crate) fn with_response(mut self, status: StatusCode, text: &str) -> Self {
        self.0.response = Some(Answer { status, detail: printable(text) });
        self
    }

    /// Notes the status of the response, where what the broker said is not known yet.
    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.0.response.get_or_insert_with(|| Answer { status, detail: String::new() });
        self
    }

    /// What happened, without where and without the broker's words.
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

    /// The status of the broker's response, if there was one.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.0.response.as_ref().map(|response| response.status)
    }

    /// What the broker said, in its own words: the text of its `error` field, or the start of a body of another shape.
    ///
    /// At most 600 characters, with invisible ones [escaped](crate::diagnose::escape_invisible); empty where the broker said nothing.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        self.0.response.as_ref().map(|response| response.detail.as_str())
    }

    /// What is behind the broker's refusal, if its words or its status are known; see [`diagnose`](crate::diagnose).
    #[must_use]
    pub fn cause(&self) -> Option<Cause> {
        self.0.meaning?.cause
    }

    /// What the failure is about, and so what has to change before the next attempt can fare better.
    pub(crate) fn scope(&self) -> Scope {
        match (self.0.meaning, self.0.kind) {
            (Some(meaning), _) => meaning.scope,
            (None, ErrorKind::Config | ErrorKind::Key | ErrorKind::Entropy) => Scope::Local,
            (None, ErrorKind::Unverified | ErrorKind::Rejected) => Scope::Consumer,
            (None, ErrorKind::Request) => Scope::Request,
            (None, ErrorKind::Unavailable | ErrorKind::Malformed) => Scope::Unavailable,
        }
    }

    /// Whether the broker's words say that only a person can change this.
    pub(crate) fn needs_person(&self) -> bool {
        self.0.meaning.is_some_and(|meaning| meaning.by_words && meaning.scope == Scope::Consumer)
    }

    /// Whether the broker may have acted on the request: false only where it is certain that it did not.
    ///
    /// It is certain
    /// - where nothing was sent: an error of a setting, a key or random numbers, one of a stage that sends nothing (such as
    ///   [`Stage::Sign`] and [`Stage::Bundle`]), or no connection;
    /// - where a status says so by itself: 400, 401, 403 to 407, 410, 411, 413 to 415, 417, 421, 422, 426, 428, 429 and
    ///   431, also as the `statusCode` of a 200;
    /// - where the broker's words do, whatever the status: those of a [`cause`](Self::cause) such as
    ///   [`NoBrokerageSession`](Cause::NoBrokerageSession) or [`AccountsNotQueried`](Cause::AccountsNotQueried).
    ///
    /// All else may come after the act: no answer in time, a connection that broke, a response that cannot be read or that
    /// proves nothing, a redirect, 408, any other 4xx and 5xx, and a 200 with words that are not known.
    ///
    /// Where it is true, find out what became of an order before it is sent again.
    #[must_use]
    pub fn may_have_been_sent(&self) -> bool {
        let Inner { kind, stage, meaning, nothing_sent, .. } = &*self.0;
        let sends_nothing = matches!(
            stage,
            Stage::Key | Stage::Bundle | Stage::Consumer | Stage::Authorize | Stage::Unlock | Stage::Sign
        );
        let is_local = matches!(kind, ErrorKind::Config | ErrorKind::Key | ErrorKind::Entropy);
        !(sends_nothing || is_local || *nothing_sent || meaning.is_some_and(|meaning| meaning.nothing_done))
    }

    /// From when on the request may be sent, where it was not for the broker's [limits](crate::pacing).
    #[must_use]
    pub fn retry_at(&self) -> Option<Timestamp> {
        self.0.retry_at
    }

    /// The likeliest way out, in one line: of this failure, of its [`cause`](Self::cause), or of its
    /// [`kind`](Self::kind), whichever is the first to be known.
    #[must_use]
    pub fn remedy(&self) -> &str {
        let of_cause = || self.0.meaning?.remedy;
        self.0.remedy.as_deref().or_else(of_cause).unwrap_or(self.0.kind.remedy())
    }
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
        let Inner { kind, stage, message, remedy: _, response: _, meaning: _, nothing_sent: _, retry_at: _, source } =
            &*self.0;
        f.debug_struct("Error")
            .field("kind", kind)
            .field("stage", stage)
            .field("message", message)
            .field("remedy", &self.remedy())
            .field("status", &self.status())
            .field("detail", &self.detail())
            .field("cause", &self.cause())
            .field("may_have_been_sent", &self.may_have_been_sent())
            .field("source", source)
            .finish()
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.0.source.as_deref().map(|source| -> &(dyn error::Error + 'static) { source })
    }
}
