//! What may be shown of a request and of another client's texts: the one place that decides it.
//!
//! Such a text may be broken in any way, so nothing is shown because of where it was found alone: a value is shown where
//! it could be no credential whatever it was meant to be, and all else is hidden. What is known to be one is hidden by its
//! value, too.

use std::{borrow::Cow, collections::BTreeSet};

use http::Uri;

use crate::{
    error::escape_invisible,
    oauth1::{parameters, percent_decode_lossy, percent_encode},
};

/// The placeholder for a value that is not shown.
pub(super) const HIDDEN: &str = "[hidden]";

/// The parameters of the protocol, which are named in every text.
const KNOWN: [&str; 12] = [
    "realm",
    "oauth_callback",
    "oauth_consumer_key",
    "oauth_nonce",
    "oauth_signature",
    "oauth_signature_method",
    "oauth_timestamp",
    "oauth_token",
    "oauth_token_secret",
    "oauth_verifier",
    "oauth_version",
    "diffie_hellman_challenge",
];

/// The signature methods that clients are known to name.
const SIGNATURE_METHODS: [&str; 7] =
    ["HMAC-SHA1", "HMAC-SHA256", "HMAC-SHA512", "RSA-SHA1", "RSA-SHA256", "RSA-SHA512", "PLAINTEXT"];

/// The paths with words that are near credentials elsewhere.
const ENDPOINTS: [&str; 3] = ["/oauth/request_token", "/oauth/access_token", "/oauth/live_session_token"];

/// What names a credential, or is near one, once all but letters and digits is taken away.
const NEAR_CREDENTIALS: [&str; 10] = [
    "oauth",
    "consumer",
    "token",
    "secret",
    "signature",
    "verifier",
    "password",
    "passphrase",
    "bearer",
    "authorization",
];

/// The longest name that is shown although neither the protocol nor the request has it, in bytes.
const LONGEST_NAME: usize = 24;
/// The longest nonce or realm that is shown, in bytes.
const LONGEST_WORD: usize = 64;
/// The shortest text that is hidden wherever it is, for being the value of a credential, in letters and digits.
const SHORTEST_CREDENTIAL: usize = 6;
/// The least hexadecimal digits in a row that may be a token, with a letter among them and without.
const HEXADECIMAL: (usize, usize) = (16, 20);
/// The letters of a consumer key.
const CONSUMER_KEY: usize = 9;
/// The least characters of Base64 in a row that may be a signature.
const BASE64: usize = 20;
/// How often a text may be encoded; more of it is done by nobody.
const ENCODINGS: usize = 8;

/// What is known of a request: which names are its own, and what its credentials are.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Mask {
    names: BTreeSet<String>,
    nonce: Option<String>,
    /// Their letters and digits alone, in lower case.
    credentials: Vec<String>,
}

impl Mask {
    /// For texts about this request. The names of its query and of its form are no secret.
    pub(super) fn of_request(uri: &Uri, form: Option<&[u8]>) -> Self {
        let pairs = parameters(uri.query().unwrap_or_default().as_bytes()).chain(parameters(form.unwrap_or_default()));
        let names = pairs.map(|(name, _)| String::from_utf8_lossy(&name).into_owned()).collect();
        Self { names, ..Self::default() }
    }

    /// Shows this nonce, which we made.
    pub(super) fn with_nonce(self, nonce: Option<&str>) -> Self {
        Self { nonce: nonce.map(str::to_owned), ..self }
    }

    /// Hides the value wherever it is, if it is that of a credential.
    pub(super) fn learn(&mut self, name: &str, value: &str) {
        let value = letters_and_digits(&decoded(value));
        if names_credential(name) && value.len() >= SHORTEST_CREDENTIAL {
            self.credentials.push(value);
        }
    }

    /// What may be shown of the name of a parameter.
    pub(super) fn name<'a>(&self, name: &'a str) -> Cow<'a, str> {
        let plain = decoded(name);
        let is_like_a_name = plain.len() <= LONGEST_NAME
            && plain.starts_with(|char: char| char.is_ascii_lowercase())
            && plain.bytes().all(is_of_words)
            && !has_key_shape(&plain)
            && self.is_harmless(&plain);
        if self.is_expected(&plain) || is_like_a_name { Cow::Borrowed(name) } else { Cow::Borrowed(HIDDEN) }
    }

    /// What may be shown of the value of the parameter of this name.
    pub(super) fn value<'a>(&self, name: &str, value: &'a str) -> Cow<'a, str> {
        let name = decoded(name).to_ascii_lowercase();
        let is_shown = match name.as_str() {
            "oauth_consumer_key" if value.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
                return Cow::Owned(beginning(value));
            }
            "oauth_timestamp" => value.len() <= 20 && value.bytes().all(|byte| byte.is_ascii_digit()),
            "oauth_signature_method" => SIGNATURE_METHODS.iter().any(|known| known.eq_ignore_ascii_case(value)),
            "oauth_version" => value.len() <= 5 && value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'),
            "oauth_nonce" => self.nonce.as_deref() == Some(value) || self.is_word(value),
            "realm" => self.is_word(value),
            "oauth_callback" => self.is_harmless(value),
            _ if names_credential(&name) => false,
            _ => self.is_harmless(value) && (self.names.contains(&name) || !has_key_shape(value)),
        };
        if value.is_empty() || is_shown { Cow::Borrowed(value) } else { Cow::Borrowed(HIDDEN) }
    }

    /// What may be shown of a pair as it is in a text; `None` is a pair without `=`.
    pub(super) fn pair(&self, name: &str, value: Option<&str>) -> String {
        match value {
            Some(value) => format!("{}={}", self.name(name), self.value(name, value)),
            // It may be anything, and what it is called is all that is there.
            None if !self.is_expected(&decoded(name)) => HIDDEN.to_owned(),
            None => name.to_owned(),
        }
    }

    /// What may be shown of a URL.
    pub(super) fn uri(&self, uri: &str) -> String {
        let (front, query) = uri.split_once('?').map_or((uri, None), |(front, query)| (front, Some(query)));
        let trimmed = front.trim_end_matches('/');
        let before = ENDPOINTS.iter().find_map(|endpoint| trimmed.strip_suffix(endpoint)).unwrap_or(front);
        // A user and a password come before an `@`.
        if front.contains('@') || self.is_near_credential(&decoded(before)) {
            return HIDDEN.to_owned();
        }
        let is_plain = |segment: &str| {
            // Many a resource's name has nine letters, in lower case.
            let lower = segment.bytes().all(|byte| byte.is_ascii_lowercase());
            !is_credential_shaped(&decoded(segment)) && (lower || !has_key_shape(segment))
        };
        let segments: Vec<&str> =
            front.split('/').map(|segment| if is_plain(segment) { segment } else { HIDDEN }).collect();
        let pairs = query.map(|query| {
            let pairs: Vec<String> = query
                .split('&')
                .map(|pair| match pair.split_once('=') {
                    Some((name, value)) => self.pair(name, Some(value)),
                    None => self.pair(pair, None),
                })
                .collect();
            format!("?{}", pairs.join("&"))
        });
        format!("{}{}", segments.join("/"), pairs.unwrap_or_default())
    }

    /// Whether the protocol or the request has a parameter of this name, so that it is none but that.
    fn is_expected(&self, name: &str) -> bool {
        KNOWN.iter().any(|known| known.eq_ignore_ascii_case(name)) || self.names.contains(name)
    }

    /// Whether the text neither is nor has a credential, nor is near one.
    fn is_harmless(&self, text: &str) -> bool {
        let plain = decoded(text);
        !self.is_near_credential(&plain) && !is_credential_shaped(&plain)
    }

    fn is_near_credential(&self, plain: &str) -> bool {
        let text = letters_and_digits(plain);
        NEAR_CREDENTIALS.iter().any(|word| text.contains(word)) || self.credentials.iter().any(|it| text.contains(it))
    }

    /// Whether the text is a word such as a realm.
    fn is_word(&self, text: &str) -> bool {
        text.len() <= LONGEST_WORD && text.bytes().all(is_of_words) && !has_key_shape(text) && self.is_harmless(text)
    }
}

/// Whether there is something in the text that has the shape of a token, of a secret or of a signature: 16 hexadecimal
/// digits in a row (20 without a letter among them), or 20 characters of Base64 with digits and letters of both cases.
#[must_use]
pub fn is_credential_shaped(text: &str) -> bool {
    let is_long_number = |run: &str| {
        let has_letter = run.bytes().any(|byte| byte.is_ascii_alphabetic());
        run.len() >= if has_letter { HEXADECIMAL.0 } else { HEXADECIMAL.1 }
    };
    let has_all_kinds = |run: &str| {
        let has = |kind: fn(&u8) -> bool| run.as_bytes().iter().any(kind);
        has(u8::is_ascii_digit) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase)
    };
    text.split(|char: char| !char.is_ascii_hexdigit()).any(is_long_number)
        || text
            .split(|char: char| !char.is_ascii_alphanumeric() && !"+/=-_".contains(char))
            .any(|run| run.len() >= BASE64 && has_all_kinds(run))
}

/// Whether a consumer key may be in the text: one has nine letters, and the portal writes them in upper case.
fn has_key_shape(text: &str) -> bool {
    let is_nine_letters = text.len() == CONSUMER_KEY && text.bytes().all(|byte| byte.is_ascii_alphabetic());
    is_nine_letters || text.split(|char: char| !char.is_ascii_uppercase()).any(|run| run.len() >= CONSUMER_KEY)
}

fn is_of_words(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.".contains(&byte)
}

fn names_credential(name: &str) -> bool {
    let name = letters_and_digits(&decoded(name));
    // Both are parameters of the protocol and no credentials.
    let is_harmless = ["oauthsignaturemethod", "oauthversion", "oauthtimestamp", "oauthnonce", "oauthcallback"];
    !is_harmless.contains(&name.as_str())
        && (name.contains("key") || NEAR_CREDENTIALS.iter().any(|word| name.contains(word)))
}

/// The text without any percent-encoding.
fn decoded(text: &str) -> String {
    let mut plain = text.to_owned();
    for _ in 0..ENCODINGS {
        let more = percent_decode_lossy(&plain);
        if more == plain {
            break;
        }
        plain = more;
    }
    plain
}

fn letters_and_digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|char| char.to_ascii_lowercase()).collect()
}

/// The first three characters, by which its owner knows it, and no word about the length.
pub(super) fn beginning(text: &str) -> String {
    if text.chars().count() < 6 {
        return HIDDEN.to_owned();
    }
    text.chars().take(3).chain(['…']).collect()
}

/// Which parameters of the protocol an unreadable text names, and how long it is.
pub(super) fn structure(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let mut names: Vec<(usize, &str)> = KNOWN.iter().filter_map(|name| Some((lower.find(name)?, *name))).collect();
    names.sort_unstable();
    let names: Vec<String> = names.iter().map(|(_, name)| format!("`{name}`")).collect();
    let length = text.chars().count();
    if names.is_empty() {
        return format!("{length} characters that name no parameter of OAuth");
    }
    format!("{length} characters that name {}", names.join(", "))
}

/// Percent-encodes what is shown of a value, but for the words that replace a hidden one.
pub(super) fn encoded(shown: &str) -> String {
    shown
        .split(HIDDEN)
        .map(|part| part.split('…').map(|part| percent_encode(part.as_bytes())).collect::<Vec<_>>().join("…"))
        .collect::<Vec<_>>()
        .join(HIDDEN)
}

/// The text without what could forge or garble a line.
pub(super) fn printable(text: &str) -> String {
    escape_invisible(text).into_owned()
}
