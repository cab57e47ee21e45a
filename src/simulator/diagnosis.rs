//! Why a signature is not the right one: the mistakes that clients are known to make.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::registry::AccessGrant;
use crate::diagnose::mistakes::Signed;

/// Text to append to a refusal; empty where no known mistake explains the signature.
pub(super) fn of_rsa(signed: &Signed<'_>, expected: &str, prepend: &str, verifies: impl Fn(&str) -> bool) -> String {
    if !prepend.is_empty() && verifies(expected) {
        return cause("the access token's secret does not precede the base string");
    }
    let upper = prepend.to_ascii_uppercase();
    if upper != prepend && verifies(&format!("{upper}{expected}")) {
        return cause("the access token's secret is in upper-case hexadecimal");
    }
    signed.explain(|text| verifies(&format!("{prepend}{text}"))).map(|issue| cause(&issue.what)).unwrap_or_default()
}

/// Text to append to a refusal; empty where no known mistake explains the signature.
pub(super) fn of_hmac(
    signed: &Signed<'_>,
    expected: &str,
    grant: &AccessGrant,
    signs: impl Fn(&[u8], &str) -> bool,
) -> String {
    if signs(grant.secret.expose(), expected) {
        return cause("the key was the access token's secret, in place of the live session token");
    }
    for token in grant.live_session_tokens() {
        if token.without_sign_byte.as_ref().is_some_and(|mistake| signs(mistake.expose(), expected)) {
            return cause("the live session token was computed without the sign byte of K");
        }
        if signs(STANDARD.encode(token.token.expose()).as_bytes(), expected) {
            return cause("the key was the live session token's Base64 text, in place of its bytes");
        }
        if let Some(issue) = signed.explain(|text| signs(token.token.expose(), text)) {
            return cause(&issue.what);
        }
    }
    String::new()
}

/// How a mistake is named.
pub(super) fn cause(what: &str) -> String {
    format!("; cause: {what}")
}
