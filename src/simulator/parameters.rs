//! The OAuth parameters of a request, read from the `Authorization` header or from a JSON body.

use std::fmt;

use bytes::Bytes;
use http::{Request, header};
use serde::de::{Deserializer, MapAccess, Visitor};

use super::{
    content::is_media_type,
    judge::{Deviation, Judge},
    percent,
    reason::Reason,
    refusal::{Objection, ensure, refuse},
};

const BLANKS: [char; 2] = [' ', '\t'];

/// The OAuth parameters of one request, decoded, in the order sent.
#[derive(Debug)]
pub(super) struct Parameters {
    pairs: Vec<(String, String)>,
    pub(super) realm: Option<String>,
    pub(super) placement: Placement,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placement {
    Header,
    JsonBody,
}

impl Parameters {
    /// Reads the header, or, where there is none and `json_allowed`, the JSON body.
    pub(super) fn read(request: &Request<Bytes>, json_allowed: bool, judge: &mut Judge) -> Result<Self, Objection> {
        let mut values = request.headers().get_all(header::AUTHORIZATION).iter();
        let parameters = match (values.next(), values.next()) {
            (Some(value), None) => {
                let text = value
                    .to_str()
                    .map_err(|_| malformed("the Authorization header has characters other than printable ASCII"))?;
                Self::from_header(text, judge)?
            }
            (Some(_), Some(_)) => {
                return refuse(Reason::AuthorizationRepeated, "the Authorization header appears more than once");
            }
            (None, _) if json_allowed && is_media_type(request, "application/json") => Self::from_json(request.body())?,
            (None, _) => return refuse(Reason::AuthorizationMissing, "there is no Authorization header"),
        };
        parameters.refuse_repeated()?;
        Ok(parameters)
    }

    fn from_header(text: &str, judge: &mut Judge) -> Result<Self, Objection> {
        let Some((scheme, mut rest)) = text.split_once(' ') else {
            return Err(malformed("the Authorization header is one word"));
        };
        ensure(
            scheme == "OAuth",
            Reason::AuthorizationSchemeUnknown,
            format_args!("the Authorization header's scheme is `{scheme}`, not `OAuth`"),
        )?;
        let mut parameters = Self { pairs: Vec::new(), realm: None, placement: Placement::Header };
        loop {
            let (name, after) = rest.split_once('=').ok_or_else(|| malformed("a parameter has no `=`"))?;
            let decoded_name = percent::decode_strictly(without_blanks(name, name, judge)?)
                .filter(|name| !name.is_empty())
                .ok_or_else(|| malformed(format!("`{name}` is not a percent-encoded parameter name")))?;
            let (value, after) = split_value(&decoded_name, after, judge)?;
            parameters.push(decoded_name, value, judge)?;
            let Some(following) = after.trim_start_matches(BLANKS).strip_prefix(',') else {
                return if without_blanks("the last parameter", after, judge)?.is_empty() {
                    Ok(parameters)
                } else {
                    Err(malformed("there is no comma between two parameters"))
                };
            };
            rest = following.trim_start_matches(BLANKS);
            if rest.is_empty() {
                let detail = "there is no parameter behind the last comma";
                judge.tolerate(Deviation::HeaderTrailingComma, Reason::AuthorizationMalformed, detail)?;
                return Ok(parameters);
            }
        }
    }

    fn push(&mut self, name: String, value: &str, judge: &mut Judge) -> Result<(), Objection> {
        // The realm is a quoted string of HTTP's, which RFC 5849 section 3.5.1 does not have percent-encoded.
        if name == "realm" {
            return if self.realm.replace(value.to_owned()).is_some() { Err(repeated("realm")) } else { Ok(()) };
        }
        let value = decode_value(&name, value, judge)?;
        self.pairs.push((name, value));
        Ok(())
    }

    fn from_json(body: &[u8]) -> Result<Self, Objection> {
        let mut deserializer = serde_json::Deserializer::from_slice(body);
        let pairs = deserializer.deserialize_map(Pairs).and_then(|pairs| deserializer.end().map(|()| pairs));
        match pairs {
            Ok(pairs) => Ok(Self { pairs, realm: None, placement: Placement::JsonBody }),
            Err(error) => {
                refuse(Reason::ParametersMalformed, format_args!("the body is not one JSON object of strings: {error}"))
            }
        }
    }

    fn refuse_repeated(&self) -> Result<(), Objection> {
        for (position, (name, _)) in self.pairs.iter().enumerate() {
            if self.pairs.iter().skip(position + 1).any(|(other, _)| other == name) {
                return Err(repeated(name));
            }
        }
        Ok(())
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.pairs.iter().map(|(name, _)| name.as_str())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The value of a parameter that has to be there and must not be empty.
    pub(super) fn require(&self, name: &str) -> Result<&str, Objection> {
        match self.get(name) {
            None => refuse(Reason::ParameterMissing, format_args!("missing {name}")),
            Some("") => refuse(Reason::ParameterMissing, format_args!("empty {name}")),
            Some(value) => Ok(value),
        }
    }

    /// All but the signature: what the base string takes.
    pub(super) fn signed(&self) -> Vec<(String, String)> {
        self.pairs.iter().filter(|(name, _)| name != "oauth_signature").cloned().collect()
    }
}

fn without_blanks<'t>(name: &str, text: &'t str, judge: &mut Judge) -> Result<&'t str, Objection> {
    let trimmed = text.trim_matches(BLANKS);
    if trimmed != text {
        let detail = format!("there are blanks around `{}` or before its value", name.trim());
        judge.tolerate(Deviation::HeaderBlanks, Reason::AuthorizationMalformed, detail)?;
    }
    Ok(trimmed)
}

/// The value that `text` starts with, without its quotes, and what comes after it.
fn split_value<'t>(name: &str, text: &'t str, judge: &mut Judge) -> Result<(&'t str, &'t str), Objection> {
    let start = text.trim_start_matches(BLANKS);
    if start != text {
        let blanks = text.strip_suffix(start).unwrap_or_default();
        without_blanks(name, blanks, judge)?;
    }
    if let Some(halves) = start.strip_prefix('"').and_then(|quoted| quoted.split_once('"')) {
        return Ok(halves);
    }
    let end = start.find(',').unwrap_or(start.len());
    let (value, after) = start.split_at_checked(end).unwrap_or((start, ""));
    let detail = format!("the value of {name} is not in double quotes");
    if value.contains('"') {
        return Err(malformed(detail));
    }
    judge.tolerate(Deviation::HeaderValueUnquoted, Reason::AuthorizationMalformed, detail)?;
    Ok((value.trim_end_matches(BLANKS), after))
}

fn decode_value(name: &str, text: &str, judge: &mut Judge) -> Result<String, Objection> {
    if let Some(value) = percent::decode_strictly(text) {
        return Ok(value);
    }
    let detail = format!("the value of {name} is not percent-encoded as RFC 5849 has it");
    let value = percent::decode(text.as_bytes())
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| malformed(&detail))?;
    let escapes = || text.split('%').skip(1).filter_map(|piece| piece.get(..2));
    let is_needless = |digits: &str| {
        let byte = u8::from_str_radix(digits, 16).unwrap_or_default();
        percent::encode(&[byte]).len() == 1
    };
    let raw = text.bytes().any(|byte| byte != b'%' && percent::encode(&[byte]).len() > 1);
    let lower = escapes().any(|digits| digits.bytes().any(|digit| digit.is_ascii_lowercase()));
    for (found, deviation) in [
        (raw, Deviation::HeaderValueRaw),
        (lower, Deviation::HeaderEscapeInLowerCase),
        (escapes().any(is_needless), Deviation::HeaderEscapeNeedless),
    ] {
        if found {
            judge.tolerate(deviation, Reason::AuthorizationMalformed, &detail)?;
        }
    }
    Ok(value)
}

fn malformed(detail: impl fmt::Display) -> Objection {
    Objection::new(Reason::AuthorizationMalformed, detail)
}

fn repeated(name: &str) -> Objection {
    Objection::new(Reason::ParameterRepeated, format!("{name} appears more than once"))
}

/// Reads a JSON object of strings without losing a name that appears twice.
struct Pairs;

impl<'de> Visitor<'de> for Pairs {
    type Value = Vec<(String, String)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(pairs)
    }
}
