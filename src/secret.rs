//! Bytes that must not be seen.

use std::fmt;

use http::{HeaderValue, header::InvalidHeaderValue};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// Bytes that are wiped when dropped, never printed, and compared in constant time.
///
/// The buffer is made at its final size and never grows, so that no copy of its content is left behind by a
/// reallocation.
///
/// ```
/// use ibkr_oauth::Secret;
///
/// let secret = Secret::from(b"correct horse".to_vec());
/// assert_eq!(format!("{secret:?}"), "Secret([redacted], 13 bytes)");
/// assert_eq!(secret.expose(), b"correct horse");
/// ```
#[derive(Clone)]
pub struct Secret(Box<[u8]>);

impl Secret {
    /// The bytes themselves. Each use is a place to audit.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// How many bytes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no bytes at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Vec<u8>> for Secret {
    /// Takes the bytes over; wipes the vector where its spare capacity forces a copy.
    fn from(mut bytes: Vec<u8>) -> Self {
        if bytes.len() == bytes.capacity() {
            return Self(bytes.into_boxed_slice());
        }
        let secret = Self(Box::from(bytes.as_slice()));
        bytes.zeroize();
        secret
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::from(text.into_bytes())
    }
}

impl From<&str> for Secret {
    /// Copies the text; the original stays the caller's to wipe.
    fn from(text: &str) -> Self {
        Self::from(text.as_bytes())
    }
}

impl From<&[u8]> for Secret {
    /// Copies the bytes; the original stays the caller's to wipe.
    fn from(bytes: &[u8]) -> Self {
        Self(Box::from(bytes))
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        bool::from(self.0.ct_eq(&other.0))
    }
}

impl Eq for Secret {}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret([redacted], {} bytes)", self.0.len())
    }
}

/// A header value that neither `Debug` nor a log shows.
pub(crate) fn sensitive(value: &[u8]) -> Result<HeaderValue, InvalidHeaderValue> {
    let mut value = HeaderValue::from_bytes(value)?;
    value.set_sensitive(true);
    Ok(value)
}
