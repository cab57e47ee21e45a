//! Reading the broker's responses: their size, their status, their errors, and the JSON in them.

use std::time::Duration;

use bytes::Bytes;
use http::{
    HeaderMap, Response,
    header::{DATE, RETRY_AFTER},
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    context::Timestamp,
    encoding::parse_json,
    error::{Error, Stage, is_page, names_secret},
};

/// The longest response to an exchange that is read, in bytes. A real one has less than 4 KiB.
pub(crate) const LONGEST_RESPONSE: usize = 256 * 1024;

/// The longest wait that a `Retry-After` is believed: a live session token lives no longer.
pub(crate) const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(24 * 3600);

/// Reads a response as JSON, or as the broker's refusal.
pub(crate) fn read<T: DeserializeOwned>(stage: Stage, response: &Response<Bytes>) -> Result<T, Error> {
    let (status, body) = (response.status(), response.body());
    if !status.is_success() {
        return Err(Error::from_refusal(stage, status, body));
    }
    let malformed = |message: String| Error::malformed(stage, message).with_response(status, "");
    if body.len() > LONGEST_RESPONSE {
        return Err(malformed(format!("the response has {} bytes, more than any of this protocol", body.len())));
    }
    if body.trim_ascii().is_empty() {
        return Err(malformed("the response is empty".to_owned()));
    }
    let Some(value) = parse_json(body) else {
        let text = String::from_utf8_lossy(body);
        if may_be_damaged(&text) {
            return Err(malformed("the response is not JSON, or was cut off".to_owned()));
        }
        return Err(Error::malformed(stage, "the response is not JSON").with_response(status, &text));
    };
    let Value::Object(fields) = &value else {
        return Err(malformed("the response is not a JSON object".to_owned()));
    };
    if let Some(error) = Error::from_success(stage, status, fields) {
        return Err(error);
    }
    T::deserialize(value)
        .map_err(|error| malformed(format!("the response is not as expected: {}", without_value(&error))))
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

/// Whether a text that is no JSON may be a message of the protocol that was cut off or damaged on its way.
fn may_be_damaged(text: &str) -> bool {
    !is_page(text) && (text.contains(['{', '}', '"']) || names_secret(text))
}

/// What serde says, without the value that it says it about: that can be a secret, and as long as the response.
pub(crate) fn without_value(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(", expected ") {
        Some((_, expected)) => format!("a field is of the wrong type, expected {expected}"),
        None if text.starts_with("missing field ") => text,
        None => "a field is wrong".to_owned(),
    }
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
    fn a_moment_is_compared_with_the_date_beside_it() {
        let moment = (RETRY_AFTER, "Tue, 14 Nov 2023 22:15:20 GMT");
        assert_eq!(wait(&[moment.clone(), (DATE, "Tue, 14 Nov 2023 22:14:20 GMT")]), Some(Duration::from_secs(60)));
        assert_eq!(wait(&[moment, (DATE, "no date")]), Some(Duration::from_secs(120)));
    }
}
