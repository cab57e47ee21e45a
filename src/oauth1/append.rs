//! The encodings of a signature, each written in one pass behind the bytes that are there already.
//!
//! [`percent_encode`](super::percent_encode) says the same more plainly; these cost a branch and a store a byte.

use super::encode::is_unreserved;

/// Percent-encodes `bytes`.
pub(crate) fn append_encoded(out: &mut Vec<u8>, bytes: &[u8]) {
    for byte in bytes {
        if is_unreserved(*byte) {
            out.push(*byte);
        } else {
            out.extend_from_slice(&[b'%', upper_digit(byte >> 4), upper_digit(byte & 0x0f)]);
        }
    }
}

/// Percent-encodes `bytes`, and what comes of that once more.
pub(crate) fn append_encoded_twice(out: &mut Vec<u8>, bytes: &[u8]) {
    for byte in bytes {
        if is_unreserved(*byte) {
            out.push(*byte);
        } else {
            out.extend_from_slice(&[b'%', b'2', b'5', upper_digit(byte >> 4), upper_digit(byte & 0x0f)]);
        }
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
            append_sextet(out, first >> 2);
            append_sextet(out, first << 4 | second >> 4);
            append_sextet(out, second << 2 | third >> 6);
            append_sextet(out, third);
        }
    }
    if let [first, second] = *triples.remainder() {
        append_sextet(out, first >> 2);
        append_sextet(out, first << 4 | second >> 4);
        append_sextet(out, second << 2);
        out.extend_from_slice(b"%3D");
    }
}

/// Writes the character of Base64 that stands for the lower six bits.
fn append_sextet(out: &mut Vec<u8>, bits: u8) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    match ALPHABET.get(usize::from(bits & 0x3f)).copied().unwrap_or_default() {
        b'+' => out.extend_from_slice(b"%2B"),
        b'/' => out.extend_from_slice(b"%2F"),
        plain => out.push(plain),
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
