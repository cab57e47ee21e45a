//! Why a URI cannot be signed.

use std::{error, fmt};

/// Why a URI cannot be signed, in words: what would be sent is not certain to be what was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UriError(&'static str);

impl UriError {
    pub(crate) const SYNTAX: Self = Self("the URL is not a valid one");
    pub(super) const NO_AUTHORITY: Self = Self("the URL has no host: an absolute URL is needed");
    pub(super) const SCHEME: Self = Self("the URL's scheme is neither `http` nor `https`");
    pub(super) const USER_INFO: Self = Self("the URL has a user name or password before its host");
    pub(super) const HOST: Self = Self("the URL's host is empty or has characters that clients treat differently");
    pub(super) const PORT: Self = Self("the URL's port is not a number from 0 to 65535");
    pub(super) const NON_ASCII: Self =
        Self("the URL has characters outside ASCII: percent-encode them, and write the host with `xn--`");
    /// Also as `%2e`.
    pub(super) const DOT_SEGMENT: Self =
        Self("the URL's path has a segment `.` or `..`, which clients resolve before they send");
    pub(super) const FRAGMENT: Self = Self("the URL has a fragment (`#…`), which is never sent");
}

impl fmt::Display for UriError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl error::Error for UriError {}
