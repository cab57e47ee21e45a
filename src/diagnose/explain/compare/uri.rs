//! The second part of two base strings: the URL.

use super::{
    difference::{Difference, Place},
    text,
};
use crate::diagnose::{
    explain::{parse::BaseString, slip::Slip},
    mask::Mask,
};

/// A URL in its parts, as it stands there.
struct Parts<'a> {
    scheme: &'a str,
    host: &'a str,
    port: Option<&'a str>,
    path: &'a str,
    query: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(uri: &'a str) -> Self {
        let (scheme, rest) = uri.split_once("://").unwrap_or(("", uri));
        let (rest, query) = match rest.split_once('?') {
            Some((rest, query)) => (rest, Some(query)),
            None => (rest, None),
        };
        let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
        // The colons of an IPv6 address stand within its brackets.
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port)),
            _ => (authority, None),
        };
        Self { scheme, host, port, path, query }
    }

    fn is_default_port(&self, port: &str) -> bool {
        matches!((self.scheme.to_ascii_lowercase().as_str(), port), ("https", "443") | ("http", "80"))
    }
}

pub(super) fn compare(ours: &BaseString<'_>, theirs: &BaseString<'_>, mask: &Mask, differences: &mut Vec<Difference>) {
    let mut add = |slip| {
        let (expected, found) = (mask.uri(&ours.uri), mask.uri(&theirs.uri));
        differences.push(Difference::new(Place::Uri, slip).showing(Some(&expected), Some(&found)));
    };
    if ours.uri == theirs.uri {
        if ours.uri_encoding == theirs.uri_encoding && ours.raw_uri != theirs.raw_uri {
            add(text::slip(ours.raw_uri, theirs.raw_uri));
        }
        return;
    }
    let (expected, found) = (Parts::of(&ours.uri), Parts::of(&theirs.uri));
    if expected.scheme != found.scheme {
        add(if expected.scheme.eq_ignore_ascii_case(found.scheme) { Slip::HostCase } else { Slip::Scheme });
    }
    if expected.host != found.host {
        add(if expected.host.eq_ignore_ascii_case(found.host) { Slip::HostCase } else { Slip::Host });
    }
    if expected.port != found.port {
        let is_default = expected.port.is_none() && found.port.is_some_and(|port| found.is_default_port(port));
        add(if is_default { Slip::DefaultPort } else { Slip::Port });
    }
    if expected.path != found.path {
        add(path(expected.path, found.path));
    }
    match (expected.query, found.query) {
        (None, Some(_)) => add(Slip::QueryInUrl),
        (Some(_), None) => add(Slip::QueryNotInUrl),
        (Some(expected), Some(found)) if expected != found => add(text::slip(expected, found)),
        _ => {}
    }
}

fn path(expected: &str, found: &str) -> Slip {
    if expected.trim_end_matches('/') == found.trim_end_matches('/') {
        Slip::TrailingSlash
    } else if found.contains("//") && found.replace("//", "/") == expected {
        Slip::DoubleSlash
    } else {
        match text::slip(expected, found) {
            Slip::Value => Slip::Path,
            slip => slip,
        }
    }
}
