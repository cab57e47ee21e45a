//! Bytes that must not be seen.

use std::fmt;

use base64::{Engine as _, decoded_len_estimate, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderValue, header::InvalidHeaderValue};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

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
pub struct Secret(Zeroizing<Box<[u8]>>);

impl Secret {
    /// Reads Base64 with the standard alphabet and its padding. White space in it is ignored: people paste it with line
    /// breaks. `None` where the text is something else.
    #[must_use]
    pub fn from_base64(text: &str) -> Option<Self> {
        // Both buffers have their final size: one that grows, or that the decoder drops where it fails, is not wiped.
        let mut dense = Zeroizing::new(Vec::with_capacity(text.len()));
        dense.extend(text.bytes().filter(|byte| !byte.is_ascii_whitespace()));
        let mut bytes = Zeroizing::new(vec![0; decoded_len_estimate(dense.len())]);
        let length = STANDARD.decode_slice(dense.as_slice(), &mut bytes).ok()?;
        bytes.get(..length).map(Self::from)
    }

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

/// From bytes or a text. A vector or a string is taken over, and wiped where its spare capacity forces a copy; what is borrowed,
/// or an array, is copied, and stays the caller's to wipe.
impl<B: Into<Vec<u8>>> From<B> for Secret {
    fn from(bytes: B) -> Self {
        let mut bytes = bytes.into();
        if bytes.len() == bytes.capacity() {
            return Self(bytes.into_boxed_slice().into());
        }
        let secret = Self(Zeroizing::new(Box::from(bytes.as_slice())));
        bytes.zeroize();
        secret
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        bool::from(self.0.ct_eq(&other.0))
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret([redacted], {} bytes)", self.0.len())
    }
}

/// Wipes bytes that came from outside, as far as nobody else holds them.
pub(crate) fn wipe(bytes: Bytes) {
    if let Ok(mut bytes) = bytes.try_into_mut() {
        bytes.as_mut().zeroize();
    }
}

/// A header value that neither `Debug` nor a log shows.
pub(crate) fn sensitive(value: &[u8]) -> Result<HeaderValue, InvalidHeaderValue> {
    let mut value = HeaderValue::from_bytes(value)?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pasted_base64_is_read() {
        assert_eq!(Secret::from_base64(" AP+g\r\nDw==\n"), Some(Secret::from(vec![0, 0xff, 0xa0, 0x0f])));
        assert_eq!(Secret::from_base64("AP+gDw"), None);
        assert_eq!(Secret::from_base64("AP-gDw=="), None);
    }
}
