//! Reading the broker's replies: their size, their status, their errors, and the JSON in them.

use std::time::Duration;

use bytes::Bytes;
use http::{
    HeaderMap, Response, StatusCode,
    header::{DATE, RETRY_AFTER},
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{
    context::Timestamp,
    error::{Error, Stage},
    json,
};

/// The longest reply that is read, in bytes. A real one has less than 4 KiB.
pub(crate) const LONGEST_RESPONSE: usize = 256 * 1024;

/// The longest wait that a `Retry-After` is believed: a live session token lives no longer.
pub(crate) const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(24 * 3600);

/// Reads a reply as JSON, or as the broker's refusal.
pub(crate) fn read<T: DeserializeOwned>(stage: Stage, response: &Response<Bytes>) -> Result<T, Error> {
    let (status, body) = (response.status(), response.body());
    if !status.is_success() {
        return Err(Error::refused(stage, status, None, &refusal_text(body)));
    }
    let malformed = |message: String| Error::malformed(stage, message).with_reply(status, "");
    if body.len() > LONGEST_RESPONSE {
        return Err(malformed(format!("the reply has {} bytes, more than any of this protocol", body.len())));
    }
    if body.trim_ascii().is_empty() {
        return Err(malformed("the reply is empty".to_owned()));
    }
    let Some(value) = json::parse(body) else {
        let text = String::from_utf8_lossy(body);
        if may_be_a_damaged_reply(&text) {
            return Err(malformed("the reply is not JSON, or was cut off".to_owned()));
        }
        return Err(Error::malformed(stage, "the reply is not JSON").with_reply(status, &text));
    };
    let Value::Object(fields) = &value else {
        return Err(malformed("the reply is not a JSON object".to_owned()));
    };
    match fields.get("error") {
        None | Some(Value::Null) => {}
        Some(error) => return Err(Error::refused(stage, status, stated_status(fields), &text_of(error))),
    }
    T::deserialize(value).map_err(|error| malformed(format!("the reply is not as expected: {}", without_value(&error))))
}

/// How long the broker asks to be left alone (RFC 9110 section 10.2.3), at least a second and at most a day.
///
/// A moment is compared with the `Date` that comes with it, which is by the same clock, or else with `now`.
pub(crate) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok().map(str::trim);
    let moment = |text: &str| httpdate::parse_http_date(text).ok().map(Timestamp::from);
    let wanted = text(RETRY_AFTER)?;
    let is_number = wanted.bytes().all(|byte| byte.is_ascii_digit());
    let wait = if is_number {
        Duration::from_secs(wanted.parse().ok()?)
    } else {
        moment(wanted)?.saturating_duration_since(text(DATE).and_then(moment).unwrap_or(now))
    };
    Some(wait.clamp(Duration::from_secs(1), LONGEST_RETRY_AFTER))
}

/// The status of a failure that the broker names in its reply, as a number or, in its schema, as text.
fn stated_status(fields: &Map<String, Value>) -> Option<StatusCode> {
    let stated = fields.get("statusCode")?;
    let code = stated.as_u64().or_else(|| stated.as_str()?.parse().ok())?;
    let status = StatusCode::from_u16(u16::try_from(code).ok()?).ok()?;
    (status.is_client_error() || status.is_server_error()).then_some(status)
}

/// Whether a text that is no JSON may be a message of the protocol that was cut off or damaged on its way.
fn may_be_a_damaged_reply(text: &str) -> bool {
    !is_page(text) && (text.contains(['{', '}', '"']) || names_secret(text))
}

/// Whether a text names a field whose value is secret: the session in quotes, since an error's words may be of one too.
fn names_secret(text: &str) -> bool {
    !is_page(text) && ["\"session\"", "oauth_token_secret"].iter().any(|name| text.contains(name))
}

fn is_page(text: &str) -> bool {
    text.trim_start().starts_with('<')
}

/// What serde says, without the value that it says it about: that can be a secret, and as long as the reply.
fn without_value(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(", expected ") {
        Some((_, expected)) => format!("a field is of the wrong type, expected {expected}"),
        None if text.starts_with("missing field ") => text,
        None => "a field is wrong".to_owned(),
    }
}

impl Error {
    /// What the reply to a protected request says no with, and what to try; `None` if its status is one of success.
    ///
    /// ```
    /// use ibkr_oauth::{Error, ErrorKind, bytes::Bytes, http};
    ///
    /// let body = Bytes::from(r#"{"error":"Bad Request: no bridge","statusCode":400}"#);
    /// let error = Error::from_response(&http::Response::builder().status(400).body(body)?).expect("a refusal");
    /// assert_eq!(error.detail(), Some("Bad Request: no bridge"));
    /// assert!(error.remedy().contains("open the brokerage session"));
    /// # Ok::<(), http::Error>(())
    /// ```
    #[must_use]
    pub fn from_response(response: &Response<Bytes>) -> Option<Self> {
        let status = response.status();
        (!status.is_success()).then(|| Self::refused(Stage::Transport, status, None, &refusal_text(response.body())))
    }
}

/// What a refusal says: the `error` of the broker's own shape, `title` and `detail` of problem+json, or the body itself
/// where that is not a reply with a secret in it.
fn refusal_text(body: &[u8]) -> String {
    let body = body.get(..body.len().min(LONGEST_RESPONSE)).unwrap_or_default();
    if let Some(Value::Object(object)) = json::parse(body) {
        if let Some(error) = object.get("error") {
            return text_of(error);
        }
        let parts: Vec<String> =
            ["title", "detail", "message"].iter().filter_map(|key| object.get(*key)).map(text_of).collect();
        if !parts.is_empty() {
            return parts.join(": ");
        }
    }
    without_secret(String::from_utf8_lossy(body).into_owned())
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| without_secret(value.to_string()), str::to_owned)
}

fn without_secret(text: String) -> String {
    if names_secret(&text) { String::new() } else { text }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use std::time::Duration;

    use http::{HeaderMap, HeaderName};

    use super::{DATE, LONGEST_RETRY_AFTER, RETRY_AFTER, Timestamp, retry_after};

    /// Tue, 14 Nov 2023 22:13:20 GMT.
    const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

    fn wait(headers: &[(HeaderName, &str)]) -> Option<Duration> {
        let headers: HeaderMap = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        retry_after(&headers, NOW)
    }

    #[test]
    fn a_wait_is_read_in_seconds_or_as_a_moment() {
        let seconds = |text| wait(&[(RETRY_AFTER, text)]).map(|wait| wait.as_secs());
        for (text, expected) in [
            ("120", Some(120)),
            (" 120 ", Some(120)),
            ("0", Some(1)),
            ("86400", Some(86_400)),
            ("86401", Some(86_400)),
            ("18446744073709551615", Some(86_400)),
            ("18446744073709551616", None),
            ("Tue, 14 Nov 2023 22:15:20 GMT", Some(120)),
            ("Tue, 14 Nov 2023 22:13:20 GMT", Some(1)),
            ("Fri, 14 Nov 2003 22:13:20 GMT", Some(1)),
            ("Tue, 14 Nov 2045 22:13:20 GMT", Some(86_400)),
            ("", None),
            ("soon", None),
            ("-5", None),
            ("1.5", None),
            ("+5", None),
        ] {
            assert_eq!(seconds(text), expected, "{text:?}");
        }
        assert_eq!(wait(&[]), None);
        assert_eq!(LONGEST_RETRY_AFTER, Duration::from_secs(86_400));
    }

    #[test]
    fn a_moment_is_by_the_clock_that_stands_beside_it() {
        let moment = (RETRY_AFTER, "Tue, 14 Nov 2023 22:15:20 GMT");
        assert_eq!(wait(&[moment.clone(), (DATE, "Tue, 14 Nov 2023 22:14:20 GMT")]), Some(Duration::from_secs(60)));
        assert_eq!(wait(&[moment, (DATE, "no date")]), Some(Duration::from_secs(120)));
    }
}
