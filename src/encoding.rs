//! Base64, hexadecimal and JSON, as the protocol writes them.

use std::str;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use der::pem::{self, LineEnding};
use serde::{Deserialize as _, Deserializer, de::DeserializeOwned};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::context::{Entropy, EntropyError};

/// Base64 with the standard alphabet and padding.
pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Public data as PEM, line for line as OpenSSL writes it.
#[allow(clippy::expect_used, reason = "neither the crate's labels nor keys and parameters can fail")]
pub(crate) fn pem(label: &'static str, der: &[u8]) -> String {
    pem::encode_string(label, LineEnding::LF, der).expect("a good label and few bytes")
}

/// Lower-case hexadecimal, two digits a byte, made at its final size so that nothing is left behind.
pub(crate) fn hexadecimal(bytes: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(2 * bytes.len()));
    for byte in bytes {
        text.extend([byte >> 4, byte & 0x0f].map(|nibble| char::from(digit(nibble))));
    }
    text
}

/// The hexadecimal digit of four bits.
fn digit(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }
}

/// Reads exactly `N` bytes of hexadecimal in any case.
pub(crate) fn read_hexadecimal<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let digit = |index: usize| pair.get(index).and_then(|digit| char::from(*digit).to_digit(16));
        *byte = u8::try_from(digit(0)? << 4 | digit(1)?).ok()?;
    }
    Some(bytes)
}

/// A nonce: 16 random bytes as 32 hexadecimal digits.
pub(crate) fn nonce(entropy: &mut dyn Entropy) -> Result<String, EntropyError> {
    Ok(nonce_digits(entropy)?.iter().copied().map(char::from).collect())
}

/// The digits of a [`nonce`], without an allocation.
pub(crate) fn nonce_digits(entropy: &mut dyn Entropy) -> Result<[u8; 32], EntropyError> {
    let mut bytes = [0; 16];
    entropy.fill(&mut bytes)?;
    let mut digits = [0; 32];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 0x0f)]);
    }
    Ok(digits)
}

/// Reads a text of JSON. What is not UTF-8 becomes U+FFFD, since the broker's free texts may hold such bytes, and no flag
/// beside them must be lost for it.
pub(crate) fn parse_json(body: &[u8]) -> Option<Value> {
    match str::from_utf8(body) {
        Ok(text) => serde_json::from_str(text).ok(),
        Err(_) => serde_json::from_str(&String::from_utf8_lossy(body)).ok(),
    }
}

/// A field on which nothing depends: of another type than ours, it counts as absent, so that no session ends for it.
pub(crate) fn unimportant<'de, T: DeserializeOwned, D: Deserializer<'de>>(field: D) -> Result<Option<T>, D::Error> {
    Ok(T::deserialize(Value::deserialize(field)?).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_reads_back() {
        assert_eq!(hexadecimal(&[0, 0x0f, 0xa0, 0xff]).as_str(), "000fa0ff");
        assert_eq!(read_hexadecimal("000Fa0fF"), Some([0, 0x0f, 0xa0, 0xff]));
        for text in ["", "0", "000fa0f", "000fa0ff0", "000fa0fg", "+00fa0ff", "0x0fa0ff"] {
            assert_eq!(read_hexadecimal::<4>(text), None, "{text}");
        }
    }
}
