//! A refusal as the broker sends it: the words in a body, the status that is meant, and the error that they make.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Map, Value};

use super::{
    Error, catalogue,
    kind::{ErrorKind, Stage},
    text::without_secret,
};
use crate::encoding::parse_json;

/// The longest body that is searched for the words of a refusal, in bytes.
const LONGEST_REFUSAL: usize = 64 * 1024;

impl Error {
    /// What the response to a protected request says no with, and what to try; `None` where it says nothing of the kind.
    ///
    /// A response says no by its status, or by a status of success with an `error` in its JSON object, or with a
    /// `statusCode` of failure there. The words decide what is meant, and the status only where they are not known: see
    /// [`cause`](Self::cause). [`may_have_been_sent`](Self::may_have_been_sent) says whether the broker may have acted
    /// on the request all the same.
    ///
    /// ```
    /// use ibkr_oauth::{Error, ErrorKind, bytes::Bytes, http};
    ///
    /// let body = Bytes::from(r#"{"error":"Bad Request: no bridge","statusCode":400}"#);
    /// let error = Error::from_response(&http::Response::builder().status(400).body(body)?).expect("a refusal");
    /// assert_eq!(error.detail(), Some("Bad Request: no bridge"));
    /// assert!(error.remedy().contains("open the brokerage session"));
    /// assert!(!error.may_have_been_sent());
    /// # Ok::<(), http::Error>(())
    /// ```
    #[must_use]
    pub fn from_response(response: &Response<Bytes>) -> Option<Self> {
        let (status, body) = (response.status(), response.body());
        if !status.is_success() {
            return Some(Self::from_refusal(Stage::Transport, status, body));
        }
        if body.len() > LONGEST_REFUSAL || !body.trim_ascii_start().starts_with(b"{") {
            return None;
        }
        match parse_json(body)? {
            // What an application asks for may have a field of this name that holds no words.
            Value::Object(fields) if says_something(fields.get("error")) || stated_status(&fields).is_some() => {
                Self::from_success(Stage::Transport, status, &fields)
            }
            _ => None,
        }
    }

    /// The refusal in a response whose status is not one of success.
    pub(crate) fn from_refusal(stage: Stage, status: StatusCode, body: &[u8]) -> Self {
        Self::refused(stage, status, status, &refusal_text(body))
    }

    /// The refusal in the object of a response whose status is one of success, if there is one.
    pub(crate) fn from_success(stage: Stage, status: StatusCode, fields: &Map<String, Value>) -> Option<Self> {
        let stated = stated_status(fields);
        if stated.is_none() && fields.get("error").is_none_or(Value::is_null) {
            return None;
        }
        Some(Self::refused(stage, status, stated.unwrap_or(status), &words_of(fields).unwrap_or_default()))
    }

    /// The refusal in the words of a brokerage session that takes no requests, `message` being what its flags say and
    /// `otherwise` the cause where the words are not known.
    pub(crate) fn from_words(stage: Stage, message: String, words: &str, otherwise: catalogue::Cause) -> Self {
        let words = without_secret(words.to_owned());
        let meaning = catalogue::by_words(stage, StatusCode::OK, &words);
        let meaning = meaning.unwrap_or_else(|| catalogue::Meaning::of_cause(otherwise));
        Self::new(meaning.kind, stage, message).with_response(StatusCode::OK, &words).with_meaning(meaning)
    }

    /// The broker's refusal, `text` being its words, and `meant` the status that decides where they are not known.
    fn refused(stage: Stage, status: StatusCode, meant: StatusCode, text: &str) -> Self {
        let meaning = catalogue::classify(stage, meant, text);
        let message = match meaning.kind {
            _ if status.is_success() => "the broker answered with an error".to_owned(),
            ErrorKind::Unavailable => format!("the broker cannot answer now ({status})"),
            ErrorKind::Malformed => format!("what came back is no answer of the broker's ({status})"),
            _ => format!("the broker refused ({status})"),
        };
        Self::new(meaning.kind, stage, message).with_response(status, text).with_meaning(meaning)
    }
}

fn says_something(error: Option<&Value>) -> bool {
    match error {
        Some(Value::String(words)) => !words.trim().is_empty(),
        Some(Value::Object(fields)) => !fields.is_empty(),
        Some(Value::Array(items)) => !items.is_empty(),
        _ => false,
    }
}

/// The status of a failure that the broker names in its response, as a number or, in its schema, as text.
fn stated_status(fields: &Map<String, Value>) -> Option<StatusCode> {
    let stated = fields.get("statusCode")?;
    let code = stated.as_u64().or_else(|| stated.as_str()?.trim().parse().ok())?;
    let status = StatusCode::from_u16(u16::try_from(code).ok()?).ok()?;
    (status.is_client_error() || status.is_server_error()).then_some(status)
}

/// What a refusal says: the words in its object, or the body itself where that is not a response with a secret in it.
fn refusal_text(body: &[u8]) -> String {
    let body = body.get(..body.len().min(LONGEST_REFUSAL)).unwrap_or_default();
    match parse_json(body) {
        Some(Value::Object(fields)) => words_of(&fields),
        _ => None,
    }
    .unwrap_or_else(|| without_secret(String::from_utf8_lossy(body).into_owned()))
}

/// The `error` of the broker's own shape, or `title` and `detail` of problem+json.
fn words_of(fields: &Map<String, Value>) -> Option<String> {
    if let Some(error) = fields.get("error") {
        return Some(text_of(error));
    }
    let parts: Vec<String> =
        ["title", "detail", "message"].iter().filter_map(|key| fields.get(*key)).map(text_of).collect();
    (!parts.is_empty()).then(|| parts.join(": "))
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| without_secret(value.to_string()), str::to_owned)
}
