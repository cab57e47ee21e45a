//! Taking a base string apart, from whatever client, if it has the three parts of one.

use std::fmt;

use super::mask::{self, Mask};
use crate::oauth1::{percent_decode_lossy as decode, percent_encode};

const METHODS: [&str; 8] = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE"];

/// A base string in its parts.
#[derive(Clone)]
pub(super) struct BaseString<'a> {
    /// What precedes the method. It is secret, and is never shown.
    pub(super) prepend: &'a str,
    pub(super) method: &'a str,
    /// The second part without its encoding.
    pub(super) uri: String,
    /// The pairs without the encoding of the whole, each name and value as encoded by itself.
    pub(super) pairs: Vec<Pair>,
    /// All but what precedes the method.
    pub(super) text: &'a str,
}

/// A pair as it is in the base string when the encoding of the whole is undone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pair {
    pub(super) name: String,
    pub(super) value: Option<String>,
}

impl Pair {
    fn parse(text: &str) -> Self {
        match text.split_once('=') {
            Some((name, value)) => Self { name: name.to_owned(), value: Some(value.to_owned()) },
            None => Self { name: text.to_owned(), value: None },
        }
    }

    /// The name as it was meant, whatever its encoding.
    pub(super) fn key(&self) -> String {
        decode(&decode(&self.name.replace('+', " ")))
    }

    pub(super) fn value(&self) -> &str {
        self.value.as_deref().unwrap_or_default()
    }

    /// Whether it is one of OAuth's, not one of the application's.
    pub(super) fn is_protocol(&self) -> bool {
        is_protocol(&self.name)
    }

    pub(super) fn edited(&self, edit: impl Fn(&str) -> String) -> Self {
        Self { name: edit(&self.name), value: self.value.as_deref().map(edit) }
    }

    pub(super) fn with_value(&self, edit: impl Fn(&str) -> String) -> Self {
        Self { name: self.name.clone(), value: self.value.as_deref().map(edit) }
    }

    /// The pair as it may be shown.
    pub(super) fn masked(&self, mask: &Mask) -> String {
        mask.pair(&self.name, self.value.as_deref())
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.value.as_ref().map_or(Ok(()), |value| write!(f, "={value}"))
    }
}

/// Whether a parameter of this name is one of OAuth's.
pub(super) fn is_protocol(name: &str) -> bool {
    name.starts_with("oauth_") || name == "realm" || name.starts_with("diffie_hellman_")
}

impl<'a> BaseString<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let text = text.trim_end_matches(['\r', '\n']);
        let mut parts = text.splitn(3, '&');
        let (head, raw_uri, raw_pairs) = (parts.next()?, parts.next()?, parts.next()?);
        let (prepend, method) = split_method(head)?;
        let uri = undone(raw_uri, "://");
        let pairs = undone(raw_pairs, "=").split('&').filter(|pair| !pair.is_empty()).map(Pair::parse).collect();
        let text = text.get(prepend.len()..)?;
        Some(Self { prepend, method, uri, pairs, text })
    }

    /// The base string of other pairs, in their order.
    pub(super) fn with_pairs(&self, pairs: &[Pair]) -> String {
        let pairs: Vec<String> = pairs.iter().map(Pair::to_string).collect();
        format!("{}&{}&{}", self.method, encoded(&self.uri), encoded(&pairs.join("&")))
    }

    /// The base string of another URL.
    pub(super) fn with_uri(&self, uri: String) -> String {
        let other = Self { uri, ..self.clone() };
        other.with_pairs(&other.pairs)
    }

    /// The base string, without what precedes it, as it may be shown.
    pub(super) fn masked(&self, mask: &Mask) -> String {
        let pairs: Vec<String> = self.pairs.iter().map(|pair| mask::encoded(&pair.masked(mask))).collect();
        format!("{}&{}&{}", self.method, mask::encoded(&mask.uri(&self.uri)), pairs.join("%26"))
    }
}

fn encoded(text: &str) -> String {
    percent_encode(text.as_bytes())
}

/// The text without the encoding of the whole, however often it was encoded: `mark` is in what is not.
fn undone(text: &str, mark: &str) -> String {
    if text.contains(mark) || text.contains('&') {
        return text.to_owned();
    }
    let once = decode(text);
    if once.contains(mark) || !text.contains("%25") { once } else { decode(&once) }
}

/// What precedes the method in `head`, and the method. What ends in no method may be anything, and must not be shown.
fn split_method(head: &str) -> Option<(&str, &str)> {
    METHODS.into_iter().find_map(|method| {
        let (prepend, found) = head.split_at_checked(head.len().checked_sub(method.len())?)?;
        found.eq_ignore_ascii_case(method).then_some((prepend, found))
    })
}
