//! Taking a base string apart, whoever made it, as long as it has the three parts of one.

use crate::{
    diagnose::mask::{self, Mask},
    oauth1::percent_decode_lossy as decode,
};

const METHODS: [&str; 8] = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE"];

/// A base string in its parts.
pub(super) struct BaseString<'a> {
    /// What stands before the method. It is secret, and is never shown.
    pub(super) prepend: &'a str,
    pub(super) method: &'a str,
    /// The second part as it stands there.
    pub(super) raw_uri: &'a str,
    /// The second part without its encoding.
    pub(super) uri: String,
    /// How often the second part was encoded, where that is not once.
    pub(super) uri_encoding: Encoding,
    /// The third part as it stands there.
    pub(super) raw_pairs: &'a str,
    /// The pairs without the encoding of the whole, each name and value as encoded by itself.
    pub(super) pairs: Vec<Pair>,
    pub(super) pairs_encoding: Encoding,
    /// All but what stands before the method.
    pub(super) text: &'a str,
}

/// How often a part of a base string is encoded as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Never,
    Once,
    Twice,
}

/// A pair as it stands in the base string when the encoding of the whole is undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) name: String,
    pub(super) value: Option<String>,
}

impl Pair {
    /// The name as it was meant, whatever its encoding.
    pub(super) fn key(&self) -> String {
        decode(&decode(&self.name.replace('+', " ")))
    }

    pub(super) fn value(&self) -> &str {
        self.value.as_deref().unwrap_or_default()
    }

    /// The pair as it may be shown.
    pub(super) fn masked(&self, mask: &Mask) -> String {
        mask.pair(&self.name, self.value.as_deref())
    }
}

impl<'a> BaseString<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let text = text.trim_end_matches(['\r', '\n']);
        let mut parts = text.splitn(3, '&');
        let (head, raw_uri, raw_pairs) = (parts.next()?, parts.next()?, parts.next()?);
        let (prepend, method) = split_method(head)?;
        let uri_encoding = if raw_uri.contains("://") {
            Encoding::Never
        } else if raw_uri.contains("%25") && !decode(raw_uri).contains("://") {
            Encoding::Twice
        } else {
            Encoding::Once
        };
        let uri = undo(raw_uri, uri_encoding);
        let pairs_encoding = if raw_pairs.contains(['=', '&']) {
            Encoding::Never
        } else if raw_pairs.contains("%25") && !decode(raw_pairs).contains('=') {
            Encoding::Twice
        } else {
            Encoding::Once
        };
        let pairs = undo(raw_pairs, pairs_encoding)
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| match pair.split_once('=') {
                Some((name, value)) => Pair { name: name.to_owned(), value: Some(value.to_owned()) },
                None => Pair { name: pair.to_owned(), value: None },
            })
            .collect();
        let text = text.get(prepend.len()..)?;
        Some(Self { prepend, method, raw_uri, uri, uri_encoding, raw_pairs, pairs, pairs_encoding, text })
    }

    /// The base string, without what stands before it, as it may be shown.
    pub(super) fn masked(&self, mask: &Mask) -> String {
        let pairs: Vec<String> = self.pairs.iter().map(|pair| mask::encoded(&pair.masked(mask))).collect();
        format!("{}&{}&{}", self.method, mask::encoded(&mask.uri(&self.uri)), pairs.join("%26"))
    }
}

fn undo(text: &str, encoding: Encoding) -> String {
    match encoding {
        Encoding::Never => text.to_owned(),
        Encoding::Once => decode(text),
        Encoding::Twice => decode(&decode(text)),
    }
}

/// What stands in `head` before the method, and the method. What ends in no method may be anything, and must not be shown.
fn split_method(head: &str) -> Option<(&str, &str)> {
    METHODS.into_iter().find_map(|method| {
        let (prepend, found) = head.split_at_checked(head.len().checked_sub(method.len())?)?;
        found.eq_ignore_ascii_case(method).then_some((prepend, found))
    })
}
