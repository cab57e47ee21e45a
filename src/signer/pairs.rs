//! The application's pairs as they are signed, in memory that is used again and again.

use std::{array, cmp::Ordering};

use percent_encoding::percent_decode;

use crate::{
    consumer::QueryPolicy,
    error::{Error, Stage},
    oauth1::{append_reserved, append_unreserved, decode_escape, is_unreserved, wire_pairs},
};

/// What all names of the protocol's own parameters start with, and none of the application's may.
const PROTOCOL_PREFIX: &[u8] = b"oauth_";

/// Its [`rank`], which no name of the application's has: none starts like that.
const PROTOCOL_RANK: u64 = u64::from_be_bytes(*b"oauth_\0\0");

/// What separates name and value in the base string.
const EQUALS: &[u8] = b"%3D";

/// What separates two pairs there.
const SEPARATOR: &[u8] = b"%26";

/// The pairs of a request's query and form, sorted as one [`QueryPolicy`] wants it.
///
/// No name starts with `oauth_`, so that the protocol's own parameters come between two of these pairs and nothing
/// comes between two of the protocol's: their text can be made once.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    /// The pairs as they are in the base string, each with a separator behind it, in the order of the wire.
    text: Vec<u8>,
    spans: Vec<Span>,
    /// How many of the spans sort before the protocol's own parameters.
    before_protocol: usize,
}

/// Where in the text a pair is.
#[derive(Clone, Copy, Debug)]
struct Span {
    /// The [`rank`] of the name: mostly all that need be compared.
    rank: u64,
    start: usize,
    name_end: usize,
    end: usize,
}

impl Pairs {
    /// How many bytes of memory are kept.
    pub(super) fn capacity(&self) -> usize {
        self.text.capacity().saturating_add(self.spans.capacity().saturating_mul(size_of::<Span>()))
    }

    /// Replaces what is here by the pairs of a request.
    pub(super) fn collect(&mut self, query: &[u8], form: &[u8], policy: QueryPolicy) -> Result<(), Error> {
        self.text.clear();
        self.spans.clear();
        match policy {
            QueryPolicy::RawPairs => {
                if wire_pairs(query).any(|(name, _)| percent_decode(name).take(PROTOCOL_PREFIX.len()).eq(*b"oauth_")) {
                    return Err(protocol_name());
                }
                self.push::<false, false>(query)?;
                self.push::<true, false>(form)?;
            }
            QueryPolicy::DecodedOnce => {
                self.push::<true, false>(query)?;
                self.push::<true, false>(form)?;
            }
            QueryPolicy::Rfc5849 | QueryPolicy::Omit | QueryPolicy::InUrl => {
                self.push::<true, true>(query)?;
                self.push::<true, true>(form)?;
            }
        }
        if matches!(policy, QueryPolicy::Omit | QueryPolicy::InUrl) {
            self.spans.clear();
        }
        if policy.encodes_twice() {
            // These sort as they would encoded once: a `%` became `%25`, and still is before all else.
            self.sort(<[u8]>::cmp);
        } else {
            self.sort(|left, right| percent_decode(left).cmp(percent_decode(right)));
        }
        Ok(())
    }

    /// Takes pairs from the wire: splits, decodes and encodes in one pass.
    fn push<const DECODE: bool, const TWICE: bool>(&mut self, mut wire: &[u8]) -> Result<(), Error> {
        while !wire.is_empty() {
            let start = self.text.len();
            let has_value;
            (has_value, wire) = self.push_half::<DECODE, TWICE, true>(wire);
            let name_end = self.text.len();
            if !has_value && name_end == start {
                continue; // `&&` holds no pair
            }
            // A decoded pair always has a value, perhaps an empty one; a raw one may have none at all.
            if has_value || DECODE {
                self.text.extend_from_slice(EQUALS);
            }
            if has_value {
                (_, wire) = self.push_half::<DECODE, TWICE, false>(wire);
            }
            let name = self.text.get(start..name_end).unwrap_or_default();
            if name.starts_with(PROTOCOL_PREFIX) {
                return Err(protocol_name());
            }
            let rank = if TWICE { rank(name.iter().copied()) } else { rank(percent_decode(name)) };
            self.spans.push(Span { rank, start, name_end, end: self.text.len() });
            self.text.extend_from_slice(SEPARATOR);
        }
        Ok(())
    }

    /// Takes a name or a value; returns whether it ended with the `=` of a name, and what is left.
    fn push_half<'a, const DECODE: bool, const TWICE: bool, const IS_NAME: bool>(
        &mut self,
        mut wire: &'a [u8],
    ) -> (bool, &'a [u8]) {
        loop {
            let (Some(reserved), rest) = append_unreserved(&mut self.text, wire) else { return (false, &[]) };
            let (byte, rest) = match reserved {
                b'&' => return (false, rest),
                b'=' if IS_NAME => return (true, rest),
                b'+' if DECODE => (b' ', rest),
                b'%' if DECODE => decode_escape(rest),
                other => (other, rest),
            };
            if is_unreserved(byte) {
                self.text.push(byte);
            } else {
                append_reserved::<TWICE>(&mut self.text, byte);
            }
            wire = rest;
        }
    }

    /// Sorts by name, then value, then place: raw pairs `a` and `a=` are equals that read differently, and stay in the
    /// order of the wire. With the place, no two are equal, and a sort may be one that needs no memory.
    fn sort(&mut self, compare: impl Fn(&[u8], &[u8]) -> Ordering) {
        let Self { text, spans, .. } = self;
        spans.sort_unstable_by(|left, right| {
            left.rank
                .cmp(&right.rank)
                .then_with(|| compare(left.name(text), right.name(text)))
                .then_with(|| compare(left.value(text), right.value(text)))
                .then_with(|| left.start.cmp(&right.start))
        });
        self.before_protocol = spans.partition_point(|span| span.rank < PROTOCOL_RANK);
    }

    /// Writes the pairs that sort before the protocol's own, each with the `&` behind it.
    pub(super) fn append_before_protocol(&self, out: &mut Vec<u8>) {
        for span in self.spans.iter().take(self.before_protocol) {
            out.extend_from_slice(self.text.get(span.start..span.end + SEPARATOR.len()).unwrap_or_default());
        }
    }

    /// Writes the pairs that sort after the protocol's own, each with the `&` before it.
    pub(super) fn append_after_protocol(&self, out: &mut Vec<u8>) {
        for span in self.spans.iter().skip(self.before_protocol) {
            out.extend_from_slice(SEPARATOR);
            out.extend_from_slice(self.text.get(span.start..span.end).unwrap_or_default());
        }
    }
}

fn protocol_name() -> Error {
    Error::config(Stage::Sign, "a parameter of the request is called `oauth_…`")
        .with_remedy("leave the protocol's parameters to the signer, which puts them into the header")
}

/// The first eight bytes of a name, with zeros behind a shorter one. Where two differ, they sort as the names do.
fn rank(mut name: impl Iterator<Item = u8>) -> u64 {
    u64::from_be_bytes(array::from_fn(|_| name.next().unwrap_or_default()))
}

impl Span {
    fn name(self, text: &[u8]) -> &[u8] {
        text.get(self.start..self.name_end).unwrap_or_default()
    }

    /// Empty where there is none.
    fn value(self, text: &[u8]) -> &[u8] {
        text.get(self.name_end + EQUALS.len()..self.end).unwrap_or_default()
    }
}
