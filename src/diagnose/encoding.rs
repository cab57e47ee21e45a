//! Two encoded texts that ought to be the same.

use super::issue::SignatureIssue;
use crate::oauth1::percent_decode_lossy as decode;

/// Why the encoded text `found` is not `expected`. `shown` is what may be shown of both, and follows the sentence.
pub(super) fn issue(place: &str, expected: &str, found: &str, shown: &str) -> SignatureIssue {
    let (what, hint) = cause(expected, found);
    SignatureIssue::new(format!("{place}: {what}{}", shown.replacen(": ", ", ", 1)), hint)
}

fn cause(expected: &str, found: &str) -> (&'static str, &'static str) {
    const DOUBLE: (&str, &str) = (
        "encoded once too often",
        "encode each name and value once, and the whole once more; decode the query's values first",
    );
    const UNRESERVED: (&str, &str) =
        ("a letter, a digit or one of `-._~` is encoded", "leave letters, digits and `-._~` as they are");
    if found.replace('+', "%20") == expected
        || found.replace("%2B", "%20") == expected
        || (found.contains('+') && found.replace('+', " ") == decode(expected))
    {
        ("a space is written as `+`", "encode a space as `%20`: take an encoder for RFC 3986, not one for forms")
    } else if decode(found).strip_prefix("b'").and_then(|text| text.strip_suffix('\'')) == Some(&decode(expected)) {
        ("written as Python prints bytes, `b'…'`", "decode the bytes to text first: `value.decode()`")
    } else if upper_escapes(expected) == upper_escapes(found) {
        ("an escape has lower-case digits", "write escapes in upper case: `%2F`, not `%2f`")
    } else if found != decode(found) && decode(found) == expected {
        // Which an encoder that encodes twice would have left alone.
        if escapes(found).any(|(_, byte)| is_unreserved(byte)) { UNRESERVED } else { DOUBLE }
    } else if decode(expected) == found && !escapes(expected).all(|(_, byte)| b"!'()*/".contains(&byte)) {
        (
            "encoded once too little",
            "encode each name and value by itself before the whole is encoded, or set the query policy `decoded-once`",
        )
    } else if decode(expected) == decode(found) {
        let has_needless = |text: &str| escapes(text).any(|(_, byte)| is_unreserved(byte));
        if has_needless(found) && !has_needless(expected) {
            UNRESERVED
        } else {
            ("a reserved character is not encoded", "encode everything but letters, digits and `-._~`")
        }
    } else {
        ("another text was signed than is sent", "sign the value that is sent")
    }
}

/// The escapes of a text: the offset of each, and its byte.
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

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_encoder_is_known_by_what_it_writes() {
        for (expected, found, what) in [
            ("a%20b", "a+b", "a space"),
            ("a%20b", "a%2Bb", "a space"),
            ("a%2Cb%20c", "a,b+c", "a space"),
            ("a%2Fb", "a%2fb", "an escape has lower-case"),
            ("a%2Fb", "a%252Fb", "encoded once too often"),
            ("a%2Cb", "a,b", "encoded once too little"),
            ("a%2Fb", "a/b", "a reserved"),
            ("it%27s%2A%20%21", "it's*%20!", "a reserved"),
            ("a~b", "a%7Eb", "a letter, a digit"),
            ("a%2Cb", "b%27a%2Cb%27", "written as Python"),
            ("a", "b", "another text"),
            ("%", "%2", "another text"),
            ("ü%", "%ü", "another text"),
        ] {
            assert!(cause(expected, found).0.starts_with(what), "{expected} {found}: {:?}", cause(expected, found));
        }
    }
}
