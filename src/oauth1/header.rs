//! The `Authorization: OAuth` header (RFC 5849 section 3.5.1).

use std::{error, fmt};

use super::encode::{decode_strict, push_encoded};

/// The content of an `Authorization: OAuth` header, decoded.
///
/// ```
/// use ibkr_oauth::oauth1::AuthorizationHeader;
///
/// let header: AuthorizationHeader = r#"OAuth realm="limited_poa", oauth_signature="a%2Bb%3D""#.parse()?;
/// assert_eq!(header.realm(), Some("limited_poa"));
/// assert_eq!(header.get("oauth_signature"), Some("a+b="));
/// assert_eq!(header.to_string(), r#"OAuth realm="limited_poa", oauth_signature="a%2Bb%3D""#);
/// # Ok::<(), ibkr_oauth::oauth1::HeaderError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthorizationHeader {
    realm: Option<String>,
    parameters: Vec<(String, String)>,
}

impl AuthorizationHeader {
    /// A header with these parameters, in this order, after the realm.
    #[must_use]
    pub fn new(realm: Option<&str>, parameters: &[(&str, &str)]) -> Self {
        let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { realm: realm.map(str::to_owned), parameters }
    }

    /// The realm, which is never signed.
    #[must_use]
    pub fn realm(&self) -> Option<&str> {
        self.realm.as_deref()
    }

    /// The parameters but for the realm, decoded, in their order.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The decoded value of the parameter called `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.parameters().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    fn has(&self, name: &str) -> bool {
        if name == "realm" { self.realm.is_some() } else { self.get(name).is_some() }
    }
}

impl fmt::Display for AuthorizationHeader {
    /// Writes the header's value: `OAuth realm="…", name="value", …`, names and values percent-encoded.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parameters: Vec<(&str, &str)> = self.parameters().collect();
        f.write_str(&write_header(self.realm(), &parameters))
    }
}

/// Writes a header's value without collecting its content first.
pub(crate) fn write_header(realm: Option<&str>, parameters: &[(&str, &str)]) -> String {
    let sizes = parameters.iter().map(|(name, value)| name.len() + value.len() + 16);
    let mut out = String::with_capacity(64 + sizes.sum::<usize>());
    out.push_str("OAuth ");
    if let Some(realm) = realm {
        out.extend(["realm=\"", realm, "\""]);
    }
    for (index, (name, value)) in parameters.iter().enumerate() {
        if index > 0 || realm.is_some() {
            out.push_str(", ");
        }
        push_encoded(&mut out, name.as_bytes());
        out.push_str("=\"");
        push_encoded(&mut out, value.as_bytes());
        out.push('"');
    }
    out
}

/// Why a text is no `Authorization: OAuth` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeaderError {
    /// It does not start with the word `OAuth` and a space.
    Scheme,
    /// A parameter is not `name="value"`, or there is no comma between two of them.
    Syntax,
    /// A name or value is not percent-encoded as RFC 5849 section 3.6 wants it.
    Encoding,
    /// A parameter stands there twice.
    Repeated,
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "the header does not start with `OAuth `",
            Self::Syntax => "the header is not a list of `name=\"value\"` with commas between",
            Self::Encoding => "a name or value in the header is not percent-encoded as OAuth wants it",
            Self::Repeated => "a parameter stands in the header twice",
        })
    }
}

impl error::Error for HeaderError {}

impl std::str::FromStr for AuthorizationHeader {
    type Err = HeaderError;

    /// Reads a header's value, strictly: what this accepts, every OAuth server does.
    fn from_str(text: &str) -> Result<Self, HeaderError> {
        let (scheme, mut rest) = text.split_once(' ').ok_or(HeaderError::Scheme)?;
        if !scheme.eq_ignore_ascii_case("oauth") {
            return Err(HeaderError::Scheme);
        }
        let mut header = Self::default();
        loop {
            let (name, after_name) = rest.trim_start().split_once("=\"").ok_or(HeaderError::Syntax)?;
            let (value, after_value) = after_name.split_once('"').ok_or(HeaderError::Syntax)?;
            let name = decode_strict(name).filter(|name| !name.is_empty()).ok_or(HeaderError::Encoding)?;
            if header.has(&name) {
                return Err(HeaderError::Repeated);
            }
            if name == "realm" {
                header.realm = Some(value.to_owned());
            } else {
                let value = decode_strict(value).ok_or(HeaderError::Encoding)?;
                header.parameters.push((name, value));
            }
            rest = match after_value.trim_start() {
                "" => return Ok(header),
                more => more.strip_prefix(',').ok_or(HeaderError::Syntax)?,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_reads_back(values in proptest::collection::vec(any::<String>(), 1..6)) {
            let names: Vec<String> = (0..values.len()).map(|index| format!("oauth_{index}")).collect();
            let parameters: Vec<(&str, &str)> =
                names.iter().map(String::as_str).zip(values.iter().map(String::as_str)).collect();
            let header = AuthorizationHeader::new(Some("limited_poa"), &parameters);
            prop_assert_eq!(header.to_string().parse(), Ok(header));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text: String) {
            let _ = format!("OAuth {text}").parse::<AuthorizationHeader>();
        }
    }

    #[test]
    fn both_ways_to_put_commas_are_read() {
        for text in [r#"OAuth a="1", b="2""#, r#"oauth a="1",b="2""#, "OAuth  a=\"1\" ,\t b=\"2\" "] {
            let header: AuthorizationHeader = text.parse().unwrap();
            assert_eq!(header.parameters().collect::<Vec<_>>(), [("a", "1"), ("b", "2")], "{text}");
        }
    }

    #[test]
    fn what_another_server_might_read_otherwise_is_refused() {
        for (text, expected) in [
            ("", HeaderError::Scheme),
            ("OAuth", HeaderError::Scheme),
            ("Bearer a=\"1\"", HeaderError::Scheme),
            ("OAuth ", HeaderError::Syntax),
            ("OAuth a=1", HeaderError::Syntax),
            ("OAuth a=\"1", HeaderError::Syntax),
            ("OAuth a=\"1\" b=\"2\"", HeaderError::Syntax),
            ("OAuth a=\"1\",", HeaderError::Syntax),
            ("OAuth a=\"+\"", HeaderError::Encoding),
            ("OAuth a=\"%2\"", HeaderError::Encoding),
            ("OAuth =\"1\"", HeaderError::Encoding),
            ("OAuth a b=\"1\"", HeaderError::Encoding),
            ("OAuth a=\"1\", a=\"1\"", HeaderError::Repeated),
            ("OAuth realm=\"1\", realm=\"1\"", HeaderError::Repeated),
        ] {
            assert_eq!(text.parse::<AuthorizationHeader>(), Err(expected), "{text}");
        }
    }
}
