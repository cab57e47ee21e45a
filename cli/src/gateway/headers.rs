//! Which headers pass. Those that are known to be about the content and not about the connection, the browser or the login;
//! no others, in either direction.

use ibkr_oauth::http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{
        ACCEPT, ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY,
        CONTENT_TYPE, DATE, ETAG, EXPIRES, LAST_MODIFIED, PRAGMA, RETRY_AFTER, WARNING, X_CONTENT_TYPE_OPTIONS,
    },
};

/// To the broker. Not `Accept-Encoding`: the words of a refusal must be readable here.
const TO_BROKER: [HeaderName; 3] = [ACCEPT, ACCEPT_LANGUAGE, CONTENT_TYPE];

/// To the program. Not `Set-Cookie`, which browsers pile up until the broker takes them for another session.
const TO_PROGRAM: [HeaderName; 13] = [
    CACHE_CONTROL,
    CONTENT_DISPOSITION,
    HeaderName::from_static("content-encoding"),
    CONTENT_LANGUAGE,
    CONTENT_TYPE,
    DATE,
    ETAG,
    EXPIRES,
    LAST_MODIFIED,
    PRAGMA,
    RETRY_AFTER,
    WARNING,
    HeaderName::from_static("x-response-time"),
];

/// Whatever the broker sends is data, and no page of this origin.
const NO_PAGE: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; sandbox");
const NO_SNIFFING: HeaderValue = HeaderValue::from_static("nosniff");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What of a program's headers goes to the broker.
pub(crate) fn to_broker(headers: &HeaderMap) -> HeaderMap {
    let chosen = headers.iter().filter(|(name, _)| TO_BROKER.contains(name));
    chosen.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// As the Java gateway does: a body of which nothing is said is JSON.
pub(crate) fn complete(headers: &mut HeaderMap, has_body: bool) {
    if has_body && !headers.contains_key(CONTENT_TYPE) {
        headers.insert(CONTENT_TYPE, JSON);
    }
}

/// Leaves of the broker's headers what goes to a program.
pub(crate) fn to_program(headers: &mut HeaderMap) {
    let others: Vec<HeaderName> = headers.keys().filter(|name| !TO_PROGRAM.contains(name)).cloned().collect();
    for name in others {
        headers.remove(name);
    }
    protect(headers);
}

/// Keeps a response from being a page.
pub(crate) fn protect(headers: &mut HeaderMap) {
    headers.insert(CONTENT_SECURITY_POLICY, NO_PAGE);
    headers.insert(X_CONTENT_TYPE_OPTIONS, NO_SNIFFING);
}
