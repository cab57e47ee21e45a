//! The base string URI (RFC 5849 section 3.4.1.2).

use bytes::Bytes;
use http::{Uri, uri::PathAndQuery};

use super::{origin::Origin, uri_error::UriError};

/// The longest text that `http` takes for a URI, in bytes.
const LONGEST: usize = 65_534;

/// Reads a URI that is to be signed from text, and refuses it where a client might send something else than what is signed.
///
/// Prefer it to [`str::parse`], which drops a fragment silently.
///
/// # Errors
/// [`UriError`] says what is wrong.
pub fn parse_uri(text: &str) -> Result<Uri, UriError> {
    if text.contains('#') {
        return Err(UriError::FRAGMENT);
    }
    if !text.is_ascii() {
        return Err(UriError::NON_ASCII);
    }
    let uri = text.parse().map_err(|_| UriError::SYNTAX)?;
    checked(&uri)?;
    Ok(uri)
}

/// Reads path and query of a URI that is to be signed, and checks them as [`parse_uri`] does.
pub(crate) fn parse_path_and_query(text: String) -> Result<PathAndQuery, UriError> {
    if text.contains('#') {
        return Err(UriError::FRAGMENT);
    }
    if !text.is_ascii() {
        return Err(UriError::NON_ASCII);
    }
    if text.len() > LONGEST {
        return Err(UriError::SYNTAX);
    }
    let parsed = PathAndQuery::from_maybe_shared(Bytes::from(text)).map_err(|_| UriError::SYNTAX)?;
    check_path(parsed.path())?;
    Ok(parsed)
}

/// The origin of a URI. Refuses a URI where clients might send something else.
fn checked(uri: &Uri) -> Result<Origin<'_>, UriError> {
    let origin = Origin::new(uri)?;
    if !uri.path().is_ascii() || !uri.query().unwrap_or_default().is_ascii() {
        return Err(UriError::NON_ASCII);
    }
    check_path(uri.path())?;
    Ok(origin)
}

fn check_path(path: &str) -> Result<(), UriError> {
    if path.as_bytes().split(|byte| *byte == b'/').any(is_dot_segment) {
        return Err(UriError::DOT_SEGMENT);
    }
    Ok(())
}

/// The part of a request's URI that is signed by itself: scheme, host, port where it is not the scheme's own, and path.
///
/// It is put together from the scheme, the host in lower case and the port as a number, never copied from the
/// authority's text, so that it is what every HTTP client sends.
///
/// # Errors
/// [`UriError`] where a client might send something else than what is signed.
pub(crate) fn base_uri(uri: &Uri) -> Result<String, UriError> {
    let origin = checked(uri)?;
    Ok(format!("{origin}{}", uri.path()))
}

pub(super) fn is_dot_segment(segment: &[u8]) -> bool {
    match after_dot(segment) {
        Some(b"") => true,
        Some(rest) => after_dot(rest) == Some(b""),
        None => false,
    }
}

fn after_dot(text: &[u8]) -> Option<&[u8]> {
    [b".".as_slice(), b"%2e", b"%2E"].iter().find_map(|dot| text.strip_prefix(*dot))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(text: &str) -> Result<String, UriError> {
        base_uri(&parse_uri(text)?)
    }

    #[test]
    fn scheme_host_port_and_path_are_normalised() {
        for (text, expected) in [
            // RFC 5849 section 3.4.1.2
            ("http://EXAMPLE.COM:80/r%20v/X?id=123", "http://example.com/r%20v/X"),
            ("https://www.example.net:8080/?q=1", "https://www.example.net:8080/"),
            ("HTTPS://Api.Ibkr.com:443/v1/api", "https://api.ibkr.com/v1/api"),
            ("http://localhost:443/", "http://localhost:443/"),
            ("https://localhost:80/", "https://localhost:80/"),
            ("https://api.ibkr.com", "https://api.ibkr.com/"),
            ("https://api.ibkr.com:00443/a", "https://api.ibkr.com/a"),
            ("https://api.ibkr.com?q=1", "https://api.ibkr.com/"),
            ("http://[::1]:5000/a", "http://[::1]:5000/a"),
            ("http://[2001:DB8::A]/a", "http://[2001:db8::a]/a"),
            ("https://xn--mnchen-3ya.example/a", "https://xn--mnchen-3ya.example/a"),
            ("https://api.ibkr.com//v1//a/;b=c,d", "https://api.ibkr.com//v1//a/;b=c,d"),
            ("https://api.ibkr.com/a...b/.c/d.", "https://api.ibkr.com/a...b/.c/d."),
        ] {
            assert_eq!(base(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_clients_might_send_otherwise_is_refused() {
        for (text, expected) in [
            ("/v1/api", UriError::NO_AUTHORITY),
            ("api.ibkr.com", UriError::SCHEME),
            ("ftp://api.ibkr.com/", UriError::SCHEME),
            ("https://user@api.ibkr.com/", UriError::USER_INFO),
            ("https://user:password@api.ibkr.com/", UriError::USER_INFO),
            ("https://münchen.example/", UriError::NON_ASCII),
            ("https://api.ibkr.com/ü", UriError::NON_ASCII),
            ("https://api.ibkr.com/?q=ü", UriError::NON_ASCII),
            ("https://api.ibkr.com/a/./b", UriError::DOT_SEGMENT),
            ("https://api.ibkr.com/a/..", UriError::DOT_SEGMENT),
            ("https://api.ibkr.com/a/%2e%2E/b", UriError::DOT_SEGMENT),
            ("https://api.ibkr.com/a/.%2e/b", UriError::DOT_SEGMENT),
            ("https://api.ibkr.com/a#b", UriError::FRAGMENT),
            ("https://api.ibkr.com:65536/", UriError::PORT),
            ("https://api.ibkr.com:/", UriError::PORT),
            ("https://[::1]443/", UriError::PORT),
            ("https://[::1]x/", UriError::PORT),
            ("https://a!b/", UriError::HOST),
            ("https:///path", UriError::SYNTAX),
        ] {
            assert_eq!(base(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn non_ascii_inside_a_finished_uri_is_refused() {
        let uri = Uri::from_maybe_shared("https://api.ibkr.com/ü?ü".as_bytes()).expect("`http` takes such a path");
        assert_eq!(base_uri(&uri), Err(UriError::NON_ASCII));
    }
}
