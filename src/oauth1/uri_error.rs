//! Why a URI cannot be signed.

use std::{error, fmt};

/// Why a URI cannot be signed: what would be sent is not certain to be what was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UriError {
    /// The text is no URI at all.
    Syntax,
    /// There is no host: the URI is relative.
    NoAuthority,
    /// The scheme is neither `http` nor `https`.
    Scheme,
    /// There is a user name or a password before the host.
    UserInfo,
    /// The host is empty or has characters that HTTP clients treat differently. Write it with `xn--`.
    Host,
    /// The port is not a number from 0 to 65535.
    Port,
    /// There is a character outside ASCII; clients percent-encode it, each in its own way.
    NonAscii,
    /// The path has a segment `.` or `..` (also as `%2e`), which some clients resolve before they send.
    DotSegment,
    /// There is a fragment (`#…`), which is never sent.
    Fragment,
}

impl fmt::Display for UriError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Syntax => "the URL is not a valid one",
            Self::NoAuthority => "the URL has no host: an absolute URL is needed",
            Self::Scheme => "the URL's scheme is neither `http` nor `https`",
            Self::UserInfo => "the URL has a user name or password before its host",
            Self::Host => "the URL's host is empty or has characters that clients treat differently",
            Self::Port => "the URL's port is not a number from 0 to 65535",
            Self::NonAscii => {
                "the URL has characters outside ASCII: percent-encode them, and write the host with `xn--`"
            }
            Self::DotSegment => "the URL's path has a segment `.` or `..`, which clients resolve before they send",
            Self::Fragment => "the URL has a fragment (`#…`), which is never sent",
        })
    }
}

impl error::Error for UriError {}
