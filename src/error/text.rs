//! What an error keeps of other people's words.

use std::borrow::Cow;

use super::invisible::{escape_invisible, is_invisible};

/// The longest part of a response that an error keeps, in characters.
const DETAIL_LIMIT: usize = 600;

/// Cuts `text` to what an error keeps, and takes from it what could forge or garble a line of a log.
pub(super) fn printable(text: &str) -> String {
    // No more than could be kept is looked at: the text may be a long one.
    let start: String = text.trim().chars().take(DETAIL_LIMIT + 1).collect();
    let text = escape_invisible(&start);
    if text.chars().nth(DETAIL_LIMIT).is_none() {
        return text.into_owned();
    }
    text.chars().take(DETAIL_LIMIT - 1).chain(['…']).collect()
}

/// A text that may quote others: a key store, the operating system.
pub(super) fn one_line(text: Cow<'static, str>) -> Cow<'static, str> {
    if text.contains(is_invisible) { escape_invisible(&text).into_owned().into() } else { text }
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
