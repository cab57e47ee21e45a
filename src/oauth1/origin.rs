//! Where a request goes: scheme, host and port.

use std::fmt;

use http::{Uri, uri::Scheme};

use super::uri_error::UriError;

/// Scheme, host and port, checked and still where they are in the URI. Two are equal where the same server answers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin<'a> {
    pub(super) scheme: &'static str,
    /// In any case.
    pub(super) host: &'a str,
    /// Absent where it is the scheme's own.
    pub(super) port: Option<u16>,
}

const HTTPS: (&str, u16) = ("https", 443);
const HTTP: (&str, u16) = ("http", 80);

impl<'a> Origin<'a> {
    pub(crate) fn new(uri: &'a Uri) -> Result<Self, UriError> {
        let authority = uri.authority().ok_or(UriError::NO_AUTHORITY)?;
        let (scheme, default_port) = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => HTTPS,
            Some(scheme) if *scheme == Scheme::HTTP => HTTP,
            _ => return Err(UriError::SCHEME),
        };
        if authority.as_str().contains('@') {
            return Err(UriError::USER_INFO);
        }
        if !authority.as_str().is_ascii() {
            return Err(UriError::NON_ASCII);
        }
        let host = authority.host();
        if !is_plain_host(host) {
            return Err(UriError::HOST);
        }
        let port = match authority.as_str().get(host.len()..).unwrap_or_default() {
            "" => None,
            behind_host => Some(port(behind_host).ok_or(UriError::PORT)?),
        };
        Ok(Self { scheme, host, port: port.filter(|port| *port != default_port) })
    }

    /// Whether this value of a `Host` header (RFC 9110 section 7.2) names the same host and port.
    pub(crate) fn is_named_by(&self, header: &[u8]) -> bool {
        let Some((host, behind_host)) = header.trim_ascii().split_at_checked(self.host.len()) else { return false };
        let is_port = || {
            let default_port = if self.scheme == HTTPS.0 { HTTPS.1 } else { HTTP.1 };
            let named = std::str::from_utf8(behind_host).ok().and_then(port);
            named.is_some_and(|named| named == self.port.unwrap_or(default_port))
        };
        host.eq_ignore_ascii_case(self.host.as_bytes())
            && if behind_host.is_empty() { self.port.is_none() } else { is_port() }
    }
}

impl PartialEq for Origin<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.scheme == other.scheme && self.port == other.port && self.host.eq_ignore_ascii_case(other.host)
    }
}

impl fmt::Display for Origin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host.to_ascii_lowercase())?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// The number behind a colon.
fn port(behind_host: &str) -> Option<u16> {
    let digits = behind_host.strip_prefix(':')?;
    // `parse` takes a sign too.
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// A registered name, an IPv4 address, or an IPv6 address in brackets, with nothing that is encoded or delimited.
fn is_plain_host(host: &str) -> bool {
    match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)),
    }
}
