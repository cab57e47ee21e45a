//! What of a credential may be shown.

use std::borrow::Cow;

use crate::{error::is_garbling, oauth1::percent_encode};

/// What stands in place of a value that is not shown.
pub(super) const HIDDEN: &str = "[hidden]";

/// The first three characters, by which its owner knows it, and no word about the length.
pub(super) fn beginning(text: &str) -> String {
    if text.chars().count() < 6 {
        return HIDDEN.to_owned();
    }
    text.chars().take(3).chain(['…']).collect()
}

/// What may be shown of a parameter of a request.
pub(super) fn value<'a>(name: &str, value: &'a str) -> Cow<'a, str> {
    let name = name.to_ascii_lowercase();
    match name.as_str() {
        "oauth_consumer_key" => Cow::Owned(beginning(value)),
        "oauth_timestamp" | "oauth_nonce" | "oauth_signature_method" | "oauth_version" | "oauth_callback" => {
            Cow::Borrowed(value)
        }
        // Another client's base string may hold anything.
        _ if ["token", "secret", "signature", "verifier", "password", "key"].iter().any(|word| name.contains(word)) => {
            Cow::Borrowed(HIDDEN)
        }
        _ => Cow::Borrowed(value),
    }
}

/// Percent-encodes what is shown of a value, but for the words that stand in place of a hidden one.
pub(super) fn encoded(shown: &str) -> String {
    shown
        .split(HIDDEN)
        .map(|part| part.split('…').map(|part| percent_encode(part.as_bytes())).collect::<Vec<_>>().join("…"))
        .collect::<Vec<_>>()
        .join(HIDDEN)
}

/// The text without what could forge or garble a line.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|char| if is_garbling(char) { ' ' } else { char }).collect()
}
