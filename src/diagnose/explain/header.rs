//! Reading an `Authorization` header as it is, whatever is wrong with it.

use super::slip::Slip;
use crate::{
    diagnose::mask::{self, Mask},
    error::{Error, Stage},
    oauth1::percent_decode_lossy as percent_decode,
};

/// A header's parameters, decoded, `realm` among them, in their order.
pub(super) struct Read {
    pub(super) parameters: Vec<(String, String)>,
    pub(super) slips: Vec<Slip>,
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
    let mut read = Read { parameters: Vec::new(), slips: Vec::new() };
    for item in rest.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        let Some((name, value)) = item.split_once('=') else {
            return Err(not_a_list(rest));
        };
        let bare = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        if bare.is_none() {
            read.note(Slip::HeaderValueUnquoted);
        }
        let (name, value) = (name.trim(), bare.unwrap_or(value.trim_matches('"')));
        // RFC 5849 encodes all values but the realm's.
        // One that swallowed its neighbour.
        if value.contains('"') || (name != "oauth_callback" && percent_decode(value).contains("oauth_")) {
            return Err(not_a_list(rest));
        }
        let decoded = if name == "realm" { value.to_owned() } else { percent_decode(value) };
        let decoded = if name == "oauth_signature" { read.signature(value, decoded) } else { decoded };
        read.parameters.push((percent_decode(name), decoded));
    }
    Ok(read)
}

fn not_a_list(rest: &str) -> Error {
    let structure = mask::structure(rest);
    Error::config(
        Stage::Sign,
        format!("the header is not a list of `name=\"value\"` with commas between, but {structure}"),
    )
    .with_remedy("copy the whole header again, and see that a comma stands between its parameters")
}

impl Read {
    fn note(&mut self, slip: Slip) {
        if !self.slips.contains(&slip) {
            self.slips.push(slip);
        }
    }

    /// The signature as it was meant.
    fn signature(&mut self, sent: &str, decoded: String) -> String {
        if sent.contains(['+', '/', '=']) {
            self.note(Slip::SignatureNotEncoded);
        }
        if decoded.contains('%') {
            self.note(Slip::SignatureEncodedTwice);
            return percent_decode(&decoded);
        }
        decoded
    }
}

/// The header as it ought to be written, credentials hidden.
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
