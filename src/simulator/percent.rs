//! Percent-encoding (RFC 3986 section 2.1, RFC 5849 section 3.6), the broker's own.

/// Writes every byte except RFC 3986's unreserved ones as `%XX`, in upper case.
pub(super) fn encode(bytes: &[u8]) -> String {
    let mut text = String::new();
    for &byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => text.push(char::from(byte)),
            _ => {
                text.push('%');
                text.extend([byte >> 4, byte & 15].into_iter().filter_map(upper_case_digit));
            }
        }
    }
    text
}

/// Reads `%XX`, in either case; `None` where a `%` is not followed by two hexadecimal digits.
pub(super) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::new();
    let mut rest = text.iter().copied();
    while let Some(byte) = rest.next() {
        decoded.push(if byte == b'%' { 16 * hex_digit(rest.next()?)? + hex_digit(rest.next()?)? } else { byte });
    }
    Some(decoded)
}

/// As [`decode`], with `+` for a space: `application/x-www-form-urlencoded`.
pub(super) fn decode_form(text: &[u8]) -> Option<Vec<u8>> {
    let spaced: Vec<u8> = text.iter().map(|&byte| if byte == b'+' { b' ' } else { byte }).collect();
    decode(&spaced)
}

/// Reads what [`encode`] writes and nothing else: lower-case digits, a needless `%41` and a bare reserved character
/// are `None`, and so is what is not UTF-8.
pub(super) fn decode_strictly(text: &str) -> Option<String> {
    let decoded = decode(text.as_bytes())?;
    if encode(&decoded) == text { String::from_utf8(decoded).ok() } else { None }
}

/// How a list of pairs is encoded as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spelling {
    /// As RFC 5849 section 3.6 has it.
    Rfc3986,
    /// As Python's `quote_plus`: a space is `+`.
    SpaceAsPlus,
    /// As Python's `quote`: a slash is itself.
    SlashRaw,
    /// As Java's `URLEncoder`: a space is `+`, `*` is itself, and `~` is `%7E`.
    UrlEncoder,
}

impl Spelling {
    pub(super) const ALL: [Self; 4] = [Self::Rfc3986, Self::SpaceAsPlus, Self::SlashRaw, Self::UrlEncoder];

    pub(super) fn encode(self, bytes: &[u8]) -> String {
        let encoded = encode(bytes);
        match self {
            Self::Rfc3986 => encoded,
            Self::SpaceAsPlus => encoded.replace("%20", "+"),
            Self::SlashRaw => encoded.replace("%2F", "/"),
            Self::UrlEncoder => encoded.replace("%20", "+").replace("%2A", "*").replace('~', "%7E"),
        }
    }
}

fn upper_case_digit(digit: u8) -> Option<char> {
    char::from_digit(u32::from(digit), 16).map(|digit| digit.to_ascii_uppercase())
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
