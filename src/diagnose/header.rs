//! Reading an `Authorization` header as it is, whatever is wrong with it.

use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{
    comparison::{is_in_milliseconds, milliseconds},
    issue::SignatureIssue,
    mask::{self, Mask},
    mistakes::{AS_PYTHON_PRINTS, exchanged_methods},
};
use crate::{
    error::{Error, Stage},
    oauth1::percent_decode_lossy as percent_decode,
};

/// Many times what OAuth has.
const MOST_PARAMETERS: usize = 100;

/// A header's parameters, decoded, `realm` among them, in their order.
pub(super) struct Read {
    pub(super) parameters: Vec<(String, String)>,
    pub(super) issues: Vec<SignatureIssue>,
}

/// Reads `OAuth name="value", …`, with or without the header's name before it.
pub(super) fn read(text: &str) -> Result<Read, Error> {
    let text = mask::printable(text);
    let text = text.trim();
    let text = match text.split_once(':') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("authorization") => value.trim(),
        _ => text,
    };
    let rest = match text.split_once(' ') {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("oauth") => rest,
        _ => {
            return Err(Error::config(Stage::Sign, "the header does not start with `OAuth `")
                .with_remedy("give the value of the `Authorization` header: `OAuth realm=\"…\", oauth_…`"));
        }
    };
    let mut read = Read { parameters: Vec::new(), issues: Vec::new() };
    for item in rest.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        let Some((name, value)) = item.split_once('=') else {
            return Err(not_a_list(rest));
        };
        let bare = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        if bare.is_none() {
            read.note("a value in the header has no quotes around it", "write `name=\"value\"`");
        }
        let (name, value) = (name.trim(), bare.unwrap_or(value.trim_matches('"')));
        // One that swallowed its neighbour.
        if value.contains('"') || (name != "oauth_callback" && percent_decode(value).contains("oauth_")) {
            return Err(not_a_list(rest));
        }
        // RFC 5849 encodes all values but the realm's.
        let decoded = if name == "realm" { value.to_owned() } else { percent_decode(value) };
        let decoded = if name == "oauth_signature" { read.signature(value, decoded) } else { decoded };
        read.parameters.push((percent_decode(name), decoded));
        if read.parameters.len() > MOST_PARAMETERS {
            return Err(Error::config(Stage::Sign, "the header has more than a hundred parameters")
                .with_remedy("give the value of one `Authorization` header alone"));
        }
    }
    Ok(read)
}

fn not_a_list(rest: &str) -> Error {
    let structure = mask::structure(rest);
    Error::config(
        Stage::Sign,
        format!("the header is not a list of `name=\"value\"` with commas between, but {structure}"),
    )
    .with_remedy("copy the whole header again, and see that its parameters are separated by commas")
}

impl Read {
    fn note(&mut self, what: &str, hint: &str) {
        let issue = SignatureIssue::new(what, hint);
        if !self.issues.contains(&issue) {
            self.issues.push(issue);
        }
    }

    /// The signature as it was meant.
    fn signature(&mut self, sent: &str, decoded: String) -> String {
        if sent.contains(['+', '/', '=']) {
            self.note(
                "`oauth_signature` is not percent-encoded in the header",
                "percent-encode the Base64 once: `+` becomes `%2B`, `/` becomes `%2F`, `=` becomes `%3D`",
            );
        }
        if decoded.contains('%') {
            self.note(
                "`oauth_signature` is percent-encoded twice in the header",
                "percent-encode the Base64 once: `%2B`, not `%252B`",
            );
            return percent_decode(&decoded);
        }
        decoded
    }
}

/// What is wrong with the decoded parameters of a header, for a request to `path`.
pub(super) fn issues(parameters: &[(String, String)], path: &str) -> Vec<SignatureIssue> {
    let value = |wanted: &str| parameters.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    let is_sign_in = path.contains("/oauth/");
    let mut issues = Vec::new();
    let needed = ["oauth_consumer_key", "oauth_nonce", "oauth_signature_method", "oauth_timestamp", "oauth_signature"];
    for name in needed.into_iter().filter(|name| value(name).is_none()) {
        issues.push(SignatureIssue::new(
            format!("the header lacks `{name}`"),
            "send `oauth_consumer_key`, `oauth_nonce`, `oauth_signature_method`, `oauth_timestamp` and `oauth_signature`",
        ));
    }
    if path.ends_with("/oauth/live_session_token") && value("diffie_hellman_challenge").is_none() {
        issues.push(SignatureIssue::new(
            "the header lacks `diffie_hellman_challenge`",
            "send the challenge as a parameter of the header, where it is signed too, and not in the query or body",
        ));
    }
    if value("oauth_timestamp").is_some_and(is_in_milliseconds) {
        issues.push(milliseconds());
    }
    let method = value("oauth_signature_method");
    if method.is_some_and(|method| method != if is_sign_in { "RSA-SHA256" } else { "HMAC-SHA256" }) {
        issues.push(SignatureIssue::new(
            "`oauth_signature_method` is not the one that this request needs",
            "sign the three requests of the sign-in with RSA-SHA256, all others with HMAC-SHA256",
        ));
    }
    let signature = value("oauth_signature").and_then(|text| STANDARD.decode(text).ok());
    issues.extend(signature.and_then(|signature| exchanged_methods(signature.len(), is_sign_in)));
    if parameters.iter().any(|(_, value)| value.starts_with("b'") && value.ends_with('\'')) {
        issues.push(SignatureIssue::new(AS_PYTHON_PRINTS.0, AS_PYTHON_PRINTS.1));
    }
    if value("oauth_version").is_some() {
        issues.push(SignatureIssue::new(
            "`oauth_version` is sent",
            "leave `oauth_version` out, of the header and of the base string",
        ));
    }
    let mut names = BTreeSet::new();
    if !parameters.iter().all(|(name, _)| names.insert(name)) {
        issues.push(SignatureIssue::new("a parameter is in the header twice", "send each OAuth parameter once"));
    }
    issues
}

/// The header as it should be written, credentials hidden.
pub(super) fn masked(parameters: &[(String, String)], mask: &Mask) -> String {
    let list: Vec<String> = parameters
        .iter()
        .map(|(name, value)| match name.as_str() {
            "realm" => format!("realm=\"{}\"", mask.value(name, value)),
            _ => format!("{}=\"{}\"", mask::encoded(&mask.name(name)), mask::encoded(&mask.value(name, value))),
        })
        .collect();
    format!("OAuth {}", list.join(", "))
}
