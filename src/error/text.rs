//! What an error keeps of other people's words.

use std::borrow::Cow;

/// The longest part of a response that an error keeps, in characters.
const DETAIL_LIMIT: usize = 600;

/// Cuts `text` to what an error keeps, and takes from it what could forge or garble a line of a log.
pub(super) fn printable(text: &str) -> String {
    let text = text.trim();
    if text.chars().nth(DETAIL_LIMIT).is_none() {
        return text.chars().map(plain).collect();
    }
    text.chars().take(DETAIL_LIMIT - 1).map(plain).chain(['…']).collect()
}

/// A text in which the words of others may stand: a key store's, a system's.
pub(super) fn one_line(text: Cow<'static, str>) -> Cow<'static, str> {
    if text.contains(is_garbling) { text.chars().map(plain).collect() } else { text }
}

fn plain(char: char) -> char {
    if is_garbling(char) { ' ' } else { char }
}

/// Control characters, the line and paragraph separators, and what turns the direction of writing around (Unicode's
/// `Bidi_Control`).
pub(crate) fn is_garbling(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether a text names a field whose value is secret: the session in quotes, since an error's words may be of one too.
pub(crate) fn names_secret(text: &str) -> bool {
    !is_page(text) && ["\"session\"", "oauth_token_secret"].iter().any(|name| text.contains(name))
}

/// Whether a text is a page of HTML, or XML.
pub(crate) fn is_page(text: &str) -> bool {
    text.trim_start().starts_with('<')
}

pub(super) fn without_secret(text: String) -> String {
    if names_secret(&text) { String::new() } else { text }
}
