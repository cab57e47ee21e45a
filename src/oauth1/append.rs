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
pub(crate) fn append_unreserved<'a>(out: &mut Vec<u8>, text: &'a [u8]) -> (Option<u8>, &'a [u8]) {
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

pub(crate) fn append_reserved<const TWICE: bool>(out: &mut Vec<u8>, byte: u8) {
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
///
/// Which of its characters are encoded, nobody can predict, so that a branch would often be mistaken: each is written
/// with space for an encoded one, and the next over what of that was not needed.
pub(crate) fn append_base64_encoded(out: &mut Vec<u8>, mac: &[u8; 32]) {
    let start = out.len();
    out.extend_from_slice(&[0; LONGEST_BASE64]);
    let Some(text) = out.last_chunk_mut::<LONGEST_BASE64>() else { return };
    let mut end = 0;
    let mut write = |sextet: u64| {
        let sextet = usize::try_from(sextet & 0x3f).unwrap_or_default();
        if let (Some(room), Some((encoded, length))) = (text.get_mut(end..end + 4), BASE64.get(sextet)) {
            room.copy_from_slice(encoded);
            end += length;
        }
    };
    for six in mac.chunks_exact(6) {
        if let [a, b, c, d, e, f] = *six {
            let bits = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
            for shift in [42, 36, 30, 24, 18, 12, 6, 0] {
                write(bits >> shift);
            }
        }
    }
    let [.., last_but_one, last] = *mac;
    let bits = u64::from_be_bytes([0, 0, 0, 0, 0, last_but_one, last, 0]);
    for shift in [18, 12, 6] {
        write(bits >> shift);
    }
    out.truncate(start + end);
    out.extend_from_slice(b"%3D");
}

/// 43 characters, each of them encoded, and the byte that the last is written with too many.
const LONGEST_BASE64: usize = 43 * 3 + 1;

/// The characters of Base64, percent-encoded where they are reserved, and how long that is.
static BASE64: [([u8; 4], usize); 64] = encoded_alphabet();

#[allow(clippy::indexing_slicing, reason = "runs before the program does")]
const fn encoded_alphabet() -> [([u8; 4], usize); 64] {
    const UNRESERVED: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut encoded = [(*b"%2B ", 3); 64];
    encoded[63] = (*b"%2F ", 3);
    let mut sextet = 0;
    while sextet < UNRESERVED.len() {
        encoded[sextet] = ([UNRESERVED[sextet], 0, 0, 0], 1);
        sextet += 1;
    }
    encoded
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
    fn every_character_of_base64_is_written_and_as_many_escapes_as_there_can_be() {
        let mac = std::array::from_fn(|index| [0xfb, 0xff, 0xbf, 0x00, 0x10, 0x83].get(index % 6).copied().unwrap());
        for mac in [mac, [0xff; 32], [0; 32]] {
            let expected = percent_encode(STANDARD.encode(mac).as_bytes());
            assert_eq!(written(|out| append_base64_encoded(out, &mac)), format!("&{expected}"));
        }
    }
}
