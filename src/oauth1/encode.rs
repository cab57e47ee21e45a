//! Percent-encoding as OAuth wants it (RFC 5849 section 3.6).

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode};

/// Everything but `A-Z a-z 0-9 - . _ ~` is encoded.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Encodes all bytes but the unreserved ones (`A-Z a-z 0-9 - . _ ~`) as `%XX` with upper-case digits.
///
/// ```
/// use ibkr_oauth::oauth1::percent_encode;
///
/// assert_eq!(percent_encode("265598,8314 ü~".as_bytes()), "265598%2C8314%20%C3%BC~");
/// ```
#[must_use]
pub fn percent_encode(bytes: &[u8]) -> String {
    percent_encoding::percent_encode(bytes, RESERVED).to_string()
}

/// Undoes one percent-encoding, as far as that is one; what is then not UTF-8 becomes `U+FFFD`.
pub(crate) fn percent_decode_lossy(text: &str) -> String {
    percent_decode(text.as_bytes()).decode_utf8_lossy().into_owned()
}

/// Which bytes are not encoded. A signature asks for each of its bytes.
static UNRESERVED: [bool; 256] = unreserved();

#[allow(clippy::as_conversions, clippy::indexing_slicing, reason = "runs before the program does")]
const fn unreserved() -> [bool; 256] {
    const BYTES: &[u8; 66] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    let mut unreserved = [false; 256];
    let mut index = 0;
    while index < BYTES.len() {
        unreserved[BYTES[index] as usize] = true;
        index += 1;
    }
    unreserved
}

pub(crate) fn is_unreserved(byte: u8) -> bool {
    UNRESERVED.get(usize::from(byte)).copied().unwrap_or_default()
}

/// Decodes `application/x-www-form-urlencoded` text: `+` is a space. A `%` without two hexadecimal digits behind it
/// stands for itself.
pub(super) fn decode_form(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'+') {
        return percent_decode(text).into();
    }
    let spaced: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    Cow::Owned(percent_decode(&spaced).collect())
}

/// The byte that a `%` and what is behind it stand for, and the rest. Without two digits it stands for itself.
pub(crate) fn decode_escape(behind: &[u8]) -> (u8, &[u8]) {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    if let [high, low, rest @ ..] = behind {
        if let (Some(high), Some(low)) = (digit(*high), digit(*low)) {
            return (high << 4 | low, rest);
        }
    }
    (b'%', behind)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn form_decoding_undoes_encoding(bytes: Vec<u8>) {
            let encoded = percent_encode(&bytes);
            prop_assert_eq!(decode_form(encoded.as_bytes()), bytes);
        }
    }

    #[test]
    fn each_byte_is_encoded_or_left_alone() {
        for byte in 0..=u8::MAX {
            let unreserved = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
            assert_eq!(is_unreserved(byte), unreserved);
            let expected = if unreserved { char::from(byte).to_string() } else { format!("%{byte:02X}") };
            assert_eq!(percent_encode(&[byte]), expected);
        }
    }
}
