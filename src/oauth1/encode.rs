//! Percent-encoding as OAuth wants it (RFC 5849 section 3.6).

use std::{borrow::Cow, cmp::Ordering};

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

pub(super) fn push_encoded(out: &mut String, bytes: &[u8]) {
    out.extend(percent_encoding::percent_encode(bytes, RESERVED));
}

/// Writes what encoding the encoded text once more gives.
pub(super) fn push_encoded_twice(out: &mut String, bytes: &[u8]) {
    for run in percent_encoding::percent_encode(bytes, RESERVED) {
        match run.strip_prefix('%') {
            Some(digits) => out.extend(["%25", digits]),
            None => out.push_str(run),
        }
    }
}

/// The place of each byte among encoded bytes: a reserved one stands where its `%` does, which is before all unreserved
/// bytes, and among its like by its value.
static RANKS: [u8; 256] = ranks();

/// How many bytes are reserved: the rank of the first that is not.
const RESERVED_COUNT: u8 = 190;

#[allow(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "counts bytes before the program runs"
)]
const fn ranks() -> [u8; 256] {
    let mut ranks = [0; 256];
    let (mut reserved, mut unreserved) = (0, RESERVED_COUNT);
    let mut byte = 0;
    while byte < 256 {
        let next = match byte as u8 {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => &mut unreserved,
            _ => &mut reserved,
        };
        ranks[byte] = *next;
        *next = next.wrapping_add(1);
        byte += 1;
    }
    assert!(reserved == RESERVED_COUNT && unreserved == 0);
    ranks
}

fn rank(byte: u8) -> u8 {
    RANKS.get(usize::from(byte)).copied().unwrap_or_default()
}

pub(crate) fn is_unreserved(byte: u8) -> bool {
    rank(byte) >= RESERVED_COUNT
}

/// Orders two texts as their encoded forms are ordered, without encoding them.
pub(super) fn compare_encoded(left: &[u8], right: &[u8]) -> Ordering {
    left.iter().map(|byte| rank(*byte)).cmp(right.iter().map(|byte| rank(*byte)))
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
        fn twice_is_once_and_once_more(bytes: Vec<u8>) {
            let mut twice = String::new();
            push_encoded_twice(&mut twice, &bytes);
            prop_assert_eq!(twice, percent_encode(percent_encode(&bytes).as_bytes()));
        }

        #[test]
        fn the_order_is_that_of_the_encoded_texts(left: Vec<u8>, right: Vec<u8>) {
            prop_assert_eq!(compare_encoded(&left, &right), percent_encode(&left).cmp(&percent_encode(&right)));
        }

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
            let expected = if unreserved { char::from(byte).to_string() } else { format!("%{byte:02X}") };
            assert_eq!(percent_encode(&[byte]), expected);
        }
    }
}
