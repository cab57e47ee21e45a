//! The encodings of a signature, each written in one pass behind the bytes that are there already.
//!
//! [`percent_encode`](super::percent_encode) says the same more plainly.

use super::encode::is_unreserved;

/// Percent-encodes `bytes`.
pub(crate) fn append_encoded(out: &mut Vec<u8>, bytes: &[u8]) {
    append::<false>(out, bytes);
}

/// Percent-encodes `bytes`, and what comes of that once more.
pub(crate) fn append_encoded_twice(out: &mut Vec<u8>, bytes: &[u8]) {
    append::<true>(out, bytes);
}

fn append<const TWICE: bool>(out: &mut Vec<u8>, mut bytes: &[u8]) {
    while let (Some(reserved), rest) = append_unreserved(out, bytes) {
        append_reserved::<TWICE>(out, reserved);
        bytes = rest;
    }
}

/// Copies unreserved bytes up to the first that is reserved. Returns that, and what is behind it.
#[inline]
pub(super) fn append_unreserved<'a>(out: &mut Vec<u8>, text: &'a [u8]) -> (Option<u8>, &'a [u8]) {
    let length = text.iter().position(|byte| !is_unreserved(*byte)).unwrap_or(text.len());
    let (unreserved, rest) = text.split_at(length);
    match text.first_chunk::<16>() {
        // Between the reserved bytes of a URL are mostly few others. To copy some too many and to take those back is
        // cheaper than to copy so many as there are.
        Some(chunk) if length <= chunk.len() => {
            let end = out.len() + length;
            out.extend_from_slice(chunk);
            out.truncate(end);
        }
        _ => out.extend_from_slice(unreserved),
    }
    match rest {
        [reserved, rest @ ..] => (Some(*reserved), rest),
        [] => (None, rest),
    }
}

pub(super) fn append_reserved<const TWICE: bool>(out: &mut Vec<u8>, byte: u8) {
    let (high, low) = (upper_digit(byte >> 4), upper_digit(byte & 0x0f));
    if TWICE {
        out.extend_from_slice(&[b'%', b'2', b'5', high, low]);
    } else {
        out.extend_from_slice(&[b'%', high, low]);
    }
}

fn upper_digit(nibble: u8) -> u8 {
    b"0123456789ABCDEF".get(usize::from(nibble)).copied().unwrap_or_default()
}

/// Writes the Base64 of an HMAC-SHA256, percent-encoded.
pub(crate) fn append_base64_encoded(out: &mut Vec<u8>, mac: &[u8; 32]) {
    let mut triples = mac.chunks_exact(3);
    for triple in triples.by_ref() {
        if let [first, second, third] = *triple {
            let bits = u32::from_be_bytes([0, first, second, third]);
            append_sextets(out, [bits >> 18, bits >> 12, bits >> 6, bits]);
        }
    }
    if let [first, second] = *triples.remainder() {
        let bits = u32::from_be_bytes([0, first, second, 0]);
        append_sextets(out, [bits >> 18, bits >> 12, bits >> 6]);
        out.extend_from_slice(b"%3D");
    }
}

/// Writes the characters of Base64 that stand for the lower six bits of each.
fn append_sextets<const N: usize>(out: &mut Vec<u8>, sextets: [u32; N]) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let characters = sextets.map(|bits| {
        let sextet = usize::try_from(bits & 0x3f).unwrap_or_default();
        ALPHABET.get(sextet).copied().unwrap_or_default()
    });
    // Only the last two characters are ever encoded.
    if sextets.iter().any(|bits| bits & 0x3f >= 62) {
        append_rare(out, &characters);
    } else {
        out.extend_from_slice(&characters);
    }
}

/// Which character it is that is encoded, nobody can predict: written are three bytes for each, and of those that are
/// not encoded, two are taken back. Not inlined, so that the common case keeps its registers.
#[cold]
fn append_rare(out: &mut Vec<u8>, characters: &[u8]) {
    for character in characters {
        let (start, is_reserved) = (out.len(), matches!(character, b'+' | b'/'));
        let encoded = if *character == b'+' { *b"%2B" } else { *b"%2F" };
        out.extend_from_slice(&if is_reserved { encoded } else { [*character, 0, 0] });
        out.truncate(start + 1 + 2 * usize::from(is_reserved));
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use proptest::prelude::*;

    use super::*;
    use crate::oauth1::percent_encode;

    fn written(append: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::from(*b"&");
        append(&mut out);
        String::from_utf8(out).unwrap()
    }

    proptest! {
        #[test]
        fn once_and_twice_are_as_the_plain_encoder_has_them(bytes: Vec<u8>) {
            let once = percent_encode(&bytes);
            prop_assert_eq!(written(|out| append_encoded(out, &bytes)), format!("&{once}"));
            let twice = percent_encode(once.as_bytes());
            prop_assert_eq!(written(|out| append_encoded_twice(out, &bytes)), format!("&{twice}"));
        }

        #[test]
        fn a_mac_is_base64_and_then_encoded(mac: [u8; 32]) {
            let expected = percent_encode(STANDARD.encode(mac).as_bytes());
            prop_assert_eq!(written(|out| append_base64_encoded(out, &mac)), format!("&{expected}"));
        }
    }

    #[test]
    fn every_character_of_base64_is_written() {
        let mac = std::array::from_fn(|index| [0xfb, 0xff, 0xbf, 0x00, 0x10, 0x83].get(index % 6).copied().unwrap());
        let expected = percent_encode(STANDARD.encode(mac).as_bytes());
        assert_eq!(written(|out| append_base64_encoded(out, &mac)), format!("&{expected}"));
    }
}
