//! The `Authorization: OAuth` header (RFC 5849 section 3.5.1).

use super::encode::percent_encode;

/// The header's value, with these parameters after the realm.
pub(crate) fn write_header(realm: Option<&str>, parameters: &[(&str, &str)]) -> String {
    let encoded = |text: &str| percent_encode(text.as_bytes());
    let realm = realm.map(|realm| format!("realm=\"{realm}\""));
    let pairs = parameters.iter().map(|(name, value)| format!("{}=\"{}\"", encoded(name), encoded(value)));
    format!("OAuth {}", realm.into_iter().chain(pairs).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_encoded_and_the_realm_is_not() {
        let parameters = [("oauth_signature", "a+b="), ("oauth_\"", "\"")];
        assert_eq!(
            write_header(Some("limited_poa"), &parameters),
            r#"OAuth realm="limited_poa", oauth_signature="a%2Bb%3D", oauth_%22="%22""#
        );
        assert_eq!(write_header(None, &[("a", "1")]), r#"OAuth a="1""#);
    }
}
