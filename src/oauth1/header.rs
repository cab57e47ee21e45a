//! The `Authorization: OAuth` header (RFC 5849 section 3.5.1).

use super::encode::push_encoded;

/// The header's value, with these parameters after the realm.
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
