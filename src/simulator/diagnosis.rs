//! What a wrong signature would have been right for: the mistakes that clients are known to make.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{canonical::Signed, registry::AccessGrant};
use crate::consumer::QueryPolicy;

const METHODS: [&str; 4] = ["GET", "POST", "PUT", "DELETE"];

/// The base strings of requests that differ in one thing from the one received, each with what that is.
fn variants(signed: &Signed<'_>, policy: QueryPolicy) -> Vec<(String, String)> {
    let mut variants = Vec::new();
    let mut add = |what: String, signed: Signed<'_>, policy: QueryPolicy| {
        if let Some(text) = signed.base_string(policy) {
            variants.push((what, text));
        }
    };
    for other in METHODS.into_iter().filter(|method| *method != signed.method) {
        add(format!("the method {other}"), Signed { method: other, ..*signed }, policy);
    }
    for (from, to) in [("https:", "http:"), ("http:", "https:")] {
        if let Some(rest) = signed.base_uri.strip_prefix(from) {
            let base_uri = format!("{to}{rest}");
            add(format!("the scheme {to}"), Signed { base_uri: &base_uri, ..*signed }, policy);
        }
    }
    let slashed = format!("{}/", signed.base_uri);
    add("a slash at the end of the URL".to_owned(), Signed { base_uri: &slashed, ..*signed }, policy);
    for other in QueryPolicy::ALL.into_iter().filter(|other| *other != policy) {
        add(format!("the query policy {}", other.name()), *signed, other);
    }
    variants
}

/// Text to append to a refusal; empty where no known mistake explains the signature.
pub(super) fn of_rsa(signed: &Signed<'_>, prepend: &str, verifies: impl Fn(&str) -> bool) -> String {
    let expected = signed.base_string(QueryPolicy::Rfc5849).unwrap_or_default();
    if !prepend.is_empty() && verifies(&expected) {
        return said("a base string without the access token's secret before it");
    }
    let upper = prepend.to_ascii_uppercase();
    if upper != prepend && verifies(&format!("{upper}{expected}")) {
        return said("the access token's secret in upper-case hexadecimal");
    }
    variants(signed, QueryPolicy::Rfc5849)
        .into_iter()
        .find(|(_, text)| verifies(&format!("{prepend}{text}")))
        .map(|(what, _)| said(&what))
        .unwrap_or_default()
}

/// Text to append to a refusal; empty where no known mistake explains the signature.
pub(super) fn of_hmac(
    signed: &Signed<'_>,
    policy: QueryPolicy,
    grant: &AccessGrant,
    signs: impl Fn(&[u8], &str) -> bool,
) -> String {
    let expected = signed.base_string(policy).unwrap_or_default();
    if signs(grant.secret.expose(), &expected) {
        return said("the access token's secret in place of the live session token");
    }
    for token in grant.live_session_tokens() {
        if token.without_sign_byte.as_ref().is_some_and(|mistake| signs(mistake.expose(), &expected)) {
            return said("a live session token computed without the sign byte of K");
        }
        if signs(STANDARD.encode(token.token.expose()).as_bytes(), &expected) {
            return said("the live session token's Base64 text in place of its bytes");
        }
        if let Some((what, _)) =
            variants(signed, policy).into_iter().find(|(_, text)| signs(token.token.expose(), text))
        {
            return said(&what);
        }
    }
    String::new()
}

/// How a mistake is named.
pub(super) fn said(what: &str) -> String {
    format!("; it would be right for {what}")
}
