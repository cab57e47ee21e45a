//! The credentials that no output shows: they are hidden by their value, wherever they stand.
//!
//! Known to the whole program, as standard output is: whatever thread writes, and whatever it writes, [`hide`] is asked. Of
//! the consumer key, which everybody who sees a request knows, only `explain` promises that it is hidden.

use std::{
    borrow::Cow,
    sync::{PoisonError, RwLock},
};

use ibkr_oauth::{Secret, diagnose::is_credential_shaped};
use serde_json::Value;
use zeroize::Zeroizing;

/// What stands in place of a credential.
const HIDDEN: &[u8] = b"[hidden]";
/// What stands where the rest of a long text was cut off.
const CUT: &[u8] = "…".as_bytes();

/// The shortest credential, in bytes: what is shorter stands in many a word.
const SHORTEST: usize = 6;
/// The shortest passphrase that is hidden, in bytes.
const SHORTEST_PASSPHRASE: usize = 8;
/// The longest passphrase, in bytes.
const LONGEST_PASSPHRASE: usize = 256;
/// How much of a credential must stand before a cut to be hidden, in bytes.
const SHORTEST_BEGINNING: usize = 8;
/// The most credentials: a file that is not what it is said to be may have any number of words.
const MOST: usize = 4096;

/// The fields of a bundle whose values say where something is: what looks like a credential there may be a folder's name.
const PLACES: [&str; 4] = ["authorize_url", "base_url", "env", "file"];
/// The longest place that is one, in bytes; keys are pasted there, too.
const LONGEST_PLACE: usize = 160;
/// The fields of a bundle whose values are credentials, whatever they look like.
const CREDENTIALS: [&str; 3] = ["access_token", "access_token_secret", "passphrase"];

type Credential = Zeroizing<Vec<u8>>;

/// The credentials, by their first byte in lower case.
static CREDENTIALS_BY_BYTE: RwLock<Vec<(u8, Credential)>> = RwLock::new(Vec::new());

/// Keeps the credential out of everything that is written from now on.
pub(crate) fn add(credential: &str) {
    let credential = credential.trim().as_bytes();
    let Some(first) = credential.first().map(u8::to_ascii_lowercase) else { return };
    let mut known = CREDENTIALS_BY_BYTE.write().unwrap_or_else(PoisonError::into_inner);
    if credential.len() < SHORTEST || known.len() >= MOST {
        return;
    }
    // Of two that begin alike the longer one is found first.
    let order = |(byte, other): &(u8, Credential)| {
        byte.cmp(&first).then(credential.len().cmp(&other.len())).then_with(|| other.as_slice().cmp(credential))
    };
    if let Err(at) = known.binary_search_by(order) {
        known.insert(at, (first, Zeroizing::new(credential.to_vec())));
    }
}

/// Keeps out what a bundle has, also one that cannot be used.
pub(crate) fn add_bundle(text: &str) {
    match serde_json::from_str(text.trim_start_matches('\u{feff}')) {
        Ok(bundle) => add_values(&bundle),
        Err(_) => add_words(text),
    }
}

fn add_values(value: &Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                add_words(name);
                match value {
                    Value::String(text) if PLACES.contains(&name.as_str()) && is_place(text) => {}
                    Value::String(text) if CREDENTIALS.contains(&name.as_str()) => {
                        add(text);
                        add_words(text);
                    }
                    value => add_values(value),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(add_values),
        Value::String(text) => add_words(text),
        _ => {}
    }
}

fn is_place(text: &str) -> bool {
    let is_token = |word: &str| word.len() == 20 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    text.len() <= LONGEST_PLACE && !text.contains('\n') && !text.split(['/', '\\', '.']).any(is_token)
}

/// Keeps out what a bundle's file or environment variable has: a key, or a passphrase.
pub(crate) fn add_content(content: &Secret) {
    let Ok(text) = str::from_utf8(content.expose()) else { return };
    let passphrase = text.trim();
    if (SHORTEST_PASSPHRASE..=LONGEST_PASSPHRASE).contains(&passphrase.len()) && !passphrase.contains('\n') {
        add(passphrase);
    }
    add_words(text);
}

/// Keeps out each word that looks like a credential.
pub(crate) fn add_words(text: &str) {
    let is_end = |char: char| !char.is_ascii_alphanumeric() && !"+/=".contains(char);
    text.split(is_end).filter(|word| is_credential_shaped(word)).for_each(add);
}

/// Wipes them. Only for the end of the program.
pub(crate) fn forget() {
    CREDENTIALS_BY_BYTE.write().unwrap_or_else(PoisonError::into_inner).clear();
}

/// The text without credentials, in whatever case they are and if they are percent-encoded, once or twice.
pub(crate) fn hide(text: &str) -> Cow<'_, str> {
    match hide_bytes(text.as_bytes()) {
        Cow::Borrowed(_) => Cow::Borrowed(text),
        Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

/// As [`hide`], of bytes that may be no text.
pub(crate) fn hide_bytes(bytes: &[u8]) -> Cow<'_, [u8]> {
    let known = CREDENTIALS_BY_BYTE.read().unwrap_or_else(PoisonError::into_inner);
    let (mut shown, mut rest, mut copied) = (Vec::new(), bytes, 0_usize);
    while let Some((first, _)) = next_byte(rest) {
        let from = known.partition_point(|(byte, _)| *byte < first);
        let mut candidates = known.iter().skip(from).take_while(|(byte, _)| *byte == first);
        if let Some(length) = candidates.find_map(|(_, credential)| length_of(credential, rest)) {
            let at = bytes.len() - rest.len();
            shown.extend_from_slice(bytes.get(copied..at).unwrap_or_default());
            shown.extend_from_slice(HIDDEN);
            copied = at + length;
            rest = bytes.get(copied..).unwrap_or_default();
        } else {
            rest = rest.get(1..).unwrap_or_default();
        }
    }
    if copied == 0 {
        return Cow::Borrowed(bytes);
    }
    shown.extend_from_slice(bytes.get(copied..).unwrap_or_default());
    Cow::Owned(shown)
}

/// The length in which the text begins with the credential, or with what was left of it by a cut.
fn length_of(credential: &[u8], text: &[u8]) -> Option<usize> {
    let mut rest = text;
    for (index, expected) in credential.iter().enumerate() {
        match next_byte(rest) {
            Some((found, length)) if found == expected.to_ascii_lowercase() => {
                rest = rest.get(length..).unwrap_or_default();
            }
            _ if index >= SHORTEST_BEGINNING && rest.starts_with(CUT) => break,
            _ => return None,
        }
    }
    Some(text.len() - rest.len())
}

/// The byte with which the text goes on, in lower case and without its percent-encoding, and the length of its spelling.
fn next_byte(text: &[u8]) -> Option<(u8, usize)> {
    let digit = |at: usize| char::from(*text.get(at)?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (length, escape) = match text {
        [b'%', b'2', b'5', ..] => (5, 3),
        [b'%', ..] => (3, 1),
        [byte, ..] => return Some((byte.to_ascii_lowercase(), 1)),
        [] => return None,
    };
    match digit(escape).zip(digit(escape + 1)) {
        Some((high, low)) => Some(((high << 4 | low).to_ascii_lowercase(), length)),
        None => Some((b'%', 1)),
    }
}
