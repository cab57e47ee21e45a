//! An `Authorization: OAuth` header in its parts, as tests read one and write one.

use std::{fmt, str::FromStr};

use ibkr_oauth::oauth1::percent_encode;

/// The parameters are decoded, and in the header's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AuthorizationHeader {
    realm: Option<String>,
    parameters: Vec<(String, String)>,
}

#[allow(dead_code, reason = "not every test needs all of it")]
impl AuthorizationHeader {
    pub(crate) fn new(realm: Option<&str>, parameters: &[(&str, &str)]) -> Self {
        let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { realm: realm.map(str::to_owned), parameters }
    }

    pub(crate) fn realm(&self) -> Option<&str> {
        self.realm.as_deref()
    }

    /// But for the realm.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.parameters().find(|(key, _)| *key == name).map(|(_, value)| value)
    }
}

impl fmt::Display for AuthorizationHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let realm = self.realm.iter().map(|realm| format!("realm=\"{realm}\""));
        let encode = |text: &str| percent_encode(text.as_bytes());
        let parameters = self.parameters().map(|(name, value)| format!("{}=\"{}\"", encode(name), encode(value)));
        write!(f, "OAuth {}", realm.chain(parameters).collect::<Vec<_>>().join(", "))
    }
}

impl FromStr for AuthorizationHeader {
    type Err = String;

    /// Strictly: only what every server reads alike.
    fn from_str(text: &str) -> Result<Self, String> {
        let list = text.strip_prefix("OAuth ").ok_or_else(|| format!("no OAuth: {text}"))?;
        let mut header = Self::default();
        for item in list.split(", ") {
            let (name, value) = item
                .split_once("=\"")
                .and_then(|(name, value)| Some((name, value.strip_suffix('"')?)))
                .filter(|(_, value)| !value.contains('"'))
                .ok_or_else(|| format!("no `name=\"value\"`: {item}"))?;
            let is_new = if name == "realm" {
                header.realm.replace(value.to_owned()).is_none()
            } else {
                let parameter = (decode(name)?, decode(value)?);
                let is_new = header.get(&parameter.0).is_none();
                header.parameters.push(parameter);
                is_new
            };
            if !is_new {
                return Err(format!("there twice: {name}"));
            }
        }
        Ok(header)
    }
}

/// Nothing but what an encoder for RFC 5849 writes.
fn decode(text: &str) -> Result<String, String> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = if first == '%' { 3 } else { first.len_utf8() };
        let (piece, after) = rest.split_at_checked(length).ok_or_else(|| format!("cut: {text}"))?;
        match piece.strip_prefix('%') {
            Some(digits) => bytes.push(u8::from_str_radix(digits, 16).map_err(|error| error.to_string())?),
            None => bytes.extend_from_slice(piece.as_bytes()),
        }
        rest = after;
    }
    let decoded = String::from_utf8(bytes).map_err(|error| error.to_string())?;
    if percent_encode(decoded.as_bytes()) == text { Ok(decoded) } else { Err(format!("not as OAuth encodes: {text}")) }
}
