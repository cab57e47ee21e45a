//! The application's pairs as they are signed, in memory that is used again and again.

use http::Uri;

use super::{
    append::{append_encoded, append_encoded_twice},
    base_string::QueryPolicy,
    encode::compare_encoded,
    parameters::wire_pairs,
};

/// What all names of the protocol's own parameters start with, and none of the application's may.
const PROTOCOL_PREFIX: &[u8] = b"oauth_";

/// The pairs of a request's query and form, sorted as one [`QueryPolicy`] wants it.
///
/// No name starts with `oauth_`, so that the protocol's own parameters stand between two of these pairs and nothing
/// stands between two of the protocol's: their text can be made once.
#[derive(Debug, Default)]
pub(crate) struct Pairs {
    /// All names and values, one behind the other.
    text: Vec<u8>,
    spans: Vec<Span>,
    encoded_twice: bool,
}

/// Where in the text a pair stands: its name up to `middle`, its value from there.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: usize,
    middle: usize,
    end: usize,
    /// Only a pair taken raw from the wire can have no value at all.
    has_value: bool,
}

/// A name starts with `oauth_`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProtocolName;

impl Pairs {
    /// Without any memory yet.
    pub(crate) const fn new() -> Self {
        Self { text: Vec::new(), spans: Vec::new(), encoded_twice: false }
    }

    /// How many bytes of memory are kept.
    pub(crate) fn capacity(&self) -> usize {
        self.text.capacity().saturating_add(self.spans.capacity().saturating_mul(size_of::<Span>()))
    }

    /// Replaces what is here by the pairs of a request.
    pub(crate) fn collect(&mut self, query: &[u8], form: &[u8], policy: QueryPolicy) -> Result<(), ProtocolName> {
        self.text.clear();
        self.spans.clear();
        self.encoded_twice = policy.encodes_twice();
        match policy {
            QueryPolicy::Rfc5849 | QueryPolicy::DecodedOnce => {
                self.push_decoded(query)?;
                self.push_decoded(form)?;
            }
            QueryPolicy::RawPairs => {
                self.push_raw(query)?;
                self.push_decoded(form)?;
            }
            QueryPolicy::Omit | QueryPolicy::InUrl => {
                refuse_protocol_names(query)?;
                refuse_protocol_names(form)?;
            }
        }
        self.sort();
        Ok(())
    }

    /// Takes pairs as they stand on the wire, decoding and splitting them in one pass.
    fn push_decoded(&mut self, mut wire: &[u8]) -> Result<(), ProtocolName> {
        while !wire.is_empty() {
            let start = self.text.len();
            let mut middle = None;
            loop {
                let (byte, rest) = match wire {
                    [] => break,
                    [b'&', rest @ ..] => {
                        wire = rest;
                        break;
                    }
                    [b'=', rest @ ..] if middle.is_none() => {
                        middle = Some(self.text.len());
                        wire = rest;
                        continue;
                    }
                    [b'+', rest @ ..] => (b' ', rest),
                    [b'%', rest @ ..] => decode_escape(rest),
                    [byte, rest @ ..] => (*byte, rest),
                };
                self.text.push(byte);
                wire = rest;
            }
            let end = self.text.len();
            if middle.is_none() && end == start {
                continue; // `&&` holds no pair
            }
            let span = Span { start, middle: middle.unwrap_or(end), end, has_value: true };
            if span.name(&self.text).starts_with(PROTOCOL_PREFIX) {
                return Err(ProtocolName);
            }
            self.spans.push(span);
        }
        Ok(())
    }

    fn push_raw(&mut self, wire: &[u8]) -> Result<(), ProtocolName> {
        refuse_protocol_names(wire)?;
        for (name, value) in wire_pairs(wire) {
            let start = self.text.len();
            self.text.extend_from_slice(name);
            let middle = self.text.len();
            self.text.extend_from_slice(value.unwrap_or_default());
            self.spans.push(Span { start, middle, end: self.text.len(), has_value: value.is_some() });
        }
        Ok(())
    }

    /// Sorts by name, then value, then place: raw pairs `a` and `a=` are equals that read differently, and stay in the
    /// order of the wire. With the place, no two are equal, and a sort may be one that needs no memory.
    fn sort(&mut self) {
        let Self { text, spans, encoded_twice } = self;
        let compare = if *encoded_twice { compare_encoded } else { <[u8]>::cmp };
        spans.sort_unstable_by(|left, right| {
            compare(left.name(text), right.name(text))
                .then_with(|| compare(left.value(text), right.value(text)))
                .then_with(|| left.start.cmp(&right.start))
        });
    }

    /// Writes the pairs that sort before the protocol's own, each with the `&` behind it.
    pub(crate) fn append_before_protocol(&self, out: &mut Vec<u8>) {
        for span in self.halves().0 {
            self.append(out, *span);
            out.extend_from_slice(b"%26");
        }
    }

    /// Writes the pairs that sort after the protocol's own, each with the `&` before it.
    pub(crate) fn append_after_protocol(&self, out: &mut Vec<u8>) {
        for span in self.halves().1 {
            out.extend_from_slice(b"%26");
            self.append(out, *span);
        }
    }

    /// The pairs before and after the place of `oauth_…`, whose own bytes sort the same encoded or not.
    fn halves(&self) -> (&[Span], &[Span]) {
        let compare = if self.encoded_twice { compare_encoded } else { <[u8]>::cmp };
        let place = self.spans.partition_point(|span| compare(span.name(&self.text), PROTOCOL_PREFIX).is_lt());
        self.spans.split_at_checked(place).unwrap_or_default()
    }

    fn append(&self, out: &mut Vec<u8>, span: Span) {
        let append = if self.encoded_twice { append_encoded_twice } else { append_encoded };
        append(out, span.name(&self.text));
        if span.has_value {
            out.extend_from_slice(b"%3D");
            append(out, span.value(&self.text));
        }
    }
}

impl Span {
    fn name(self, text: &[u8]) -> &[u8] {
        text.get(self.start..self.middle).unwrap_or_default()
    }

    fn value(self, text: &[u8]) -> &[u8] {
        text.get(self.middle..self.end).unwrap_or_default()
    }
}

/// Looks for what [`Pairs::collect`] refuses.
pub(crate) fn check_names(uri: &Uri, form: Option<&[u8]>) -> Result<(), ProtocolName> {
    refuse_protocol_names(uri.query().unwrap_or_default().as_bytes())?;
    refuse_protocol_names(form.unwrap_or_default())
}

fn refuse_protocol_names(wire: &[u8]) -> Result<(), ProtocolName> {
    // `+` is a space, and there is none in the prefix.
    let is_protocol = |name| percent_encoding::percent_decode(name).take(PROTOCOL_PREFIX.len()).eq(*b"oauth_");
    if wire_pairs(wire).any(|(name, _)| is_protocol(name)) { Err(ProtocolName) } else { Ok(()) }
}

/// The byte that a `%` and what follows it stand for, and the rest behind. Without two digits it stands for itself.
fn decode_escape(behind: &[u8]) -> (u8, &[u8]) {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    if let [high, low, rest @ ..] = behind {
        if let (Some(high), Some(low)) = (digit(*high), digit(*low)) {
            return (high << 4 | low, rest);
        }
    }
    (b'%', behind)
}
