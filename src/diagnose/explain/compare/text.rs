//! Two encoded texts that ought to be the same.

use crate::diagnose::explain::slip::Slip;
use crate::{diagnose::mask, oauth1::percent_decode_lossy as decode};

/// Why the encoded text `found` is not `expected`.
pub(super) fn slip(expected: &str, found: &str) -> Slip {
    if found.replace('+', "%20") == expected
        || found.replace("%2B", "%20") == expected
        || (found.contains('+') && found.replace('+', " ") == decode(expected))
    {
        Slip::PlusForSpace
    } else if decode(found).strip_prefix("b'").and_then(|text| text.strip_suffix('\'')) == Some(&decode(expected)) {
        Slip::BytesPrinted
    } else if upper_escapes(expected) == upper_escapes(found) {
        Slip::LowerCaseEscapes
    } else if found != decode(found) && decode(found) == expected {
        // Which an encoder that encodes twice would have left alone.
        if escapes(found).any(|(_, byte)| is_unreserved(byte)) { Slip::UnreservedEncoded } else { Slip::DoubleEncoding }
    } else if decode(expected) == found && !only_marks_are_bare(expected) {
        Slip::SingleEncoding
    } else if decode(expected) == decode(found) {
        // The one has more escapes than the other.
        if escapes_unreserved(found) && !escapes_unreserved(expected) {
            Slip::UnreservedEncoded
        } else {
            Slip::ReservedNotEncoded
        }
    } else {
        Slip::Value
    }
}

/// The escapes of a text: the offset of each, and the byte that it stands for.
fn escapes(text: &str) -> impl Iterator<Item = (usize, u8)> + '_ {
    text.match_indices('%').filter_map(|(at, _)| {
        let digits = text.get(at + 1..at + 3)?;
        Some((at, u8::from_str_radix(digits, 16).ok()?))
    })
}

fn upper_escapes(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for (at, _) in escapes(text) {
        if let Some(digits) = bytes.get_mut(at + 1..at + 3) {
            digits.make_ascii_uppercase();
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn escapes_unreserved(text: &str) -> bool {
    escapes(text).any(|(_, byte)| is_unreserved(byte))
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// Whether nothing is encoded in the text but the marks that some encoders leave alone.
fn only_marks_are_bare(expected: &str) -> bool {
    escapes(expected).all(|(_, byte)| b"!'()*/".contains(&byte))
}

/// How much is shown around a difference, in characters.
const CONTEXT: usize = 30;

/// The texts around their first difference.
pub(super) fn excerpts(expected: Option<&str>, found: Option<&str>) -> (Option<String>, Option<String>) {
    let common = match (expected, found) {
        (Some(expected), Some(found)) => {
            expected.chars().zip(found.chars()).take_while(|(ours, theirs)| ours == theirs).count()
        }
        _ => 0,
    };
    (expected.map(|text| excerpt(text, common)), found.map(|text| excerpt(text, common)))
}

fn excerpt(text: &str, at: usize) -> String {
    let start = at.saturating_sub(CONTEXT);
    let mut chars = text.chars().skip(start);
    let mut out = String::from(if start > 0 { "…" } else { "" });
    out.extend(chars.by_ref().take(2 * CONTEXT));
    if chars.next().is_some() {
        out.push('…');
    }
    mask::printable(&out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_encoder_is_known_by_what_it_writes() {
        for (expected, found, slip_of) in [
            ("a%20b", "a+b", Slip::PlusForSpace),
            ("a%20b", "a%2Bb", Slip::PlusForSpace),
            ("a%2Cb%20c", "a,b+c", Slip::PlusForSpace),
            ("a%2Fb", "a%2fb", Slip::LowerCaseEscapes),
            ("a%2Fb", "a%252Fb", Slip::DoubleEncoding),
            ("a%2Cb", "a,b", Slip::SingleEncoding),
            ("a%2Fb", "a/b", Slip::ReservedNotEncoded),
            ("it%27s%2A%20%21", "it's*%20!", Slip::ReservedNotEncoded),
            ("a~b", "a%7Eb", Slip::UnreservedEncoded),
            ("a%2Cb", "b%27a%2Cb%27", Slip::BytesPrinted),
            ("a", "b", Slip::Value),
            ("%", "%2", Slip::Value),
            ("ü%", "%ü", Slip::Value),
        ] {
            assert_eq!(slip(expected, found), slip_of, "{expected} {found}");
        }
    }

    #[test]
    fn an_excerpt_shows_the_difference() {
        let (long, other) = (format!("{}X{}", "a".repeat(100), "b".repeat(100)), "a".repeat(100));
        let (expected, found) = excerpts(Some(&long), Some(&other));
        assert_eq!(expected.unwrap(), format!("…{}X{}…", "a".repeat(30), "b".repeat(29)));
        assert_eq!(found.unwrap(), format!("…{}", "a".repeat(30)));
        assert_eq!(excerpts(None, Some("a")), (None, Some("a".to_owned())));
    }
}
