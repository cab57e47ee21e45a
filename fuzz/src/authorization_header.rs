//! The strict parser of `Authorization: OAuth`, and the writer.

use std::collections::HashSet;

use ibkr_oauth::oauth1::AuthorizationHeader;

use crate::canonical;

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(header) = text.parse::<AuthorizationHeader>() {
        accepted(text, &header);
    }
    written(text);
}

fn accepted(text: &str, header: &AuthorizationHeader) {
    let scheme = text.get(..6).unwrap_or_default();
    assert!(scheme.eq_ignore_ascii_case("oauth "), "{text}");
    let mut names = HashSet::new();
    for (name, value) in header.parameters() {
        assert!(names.insert(name) && !name.is_empty() && name != "realm", "{text}");
        assert_eq!(header.get(name), Some(value));
        // It stands in the text, encoded as RFC 5849 wants it, but for digits in lower case and what needed no encoding.
        let found = text.split('"').collect::<Vec<_>>().chunks(2).any(|pair| {
            let spelled = pair[0].trim_start_matches([',', ' ', '\t']);
            let spelled = spelled.rsplit([',', ' ']).next().unwrap_or_default().trim_end_matches('=');
            canonical::decode(spelled.trim().as_bytes()) == name.as_bytes()
                && pair.get(1).is_some_and(|pair| canonical::decode(pair.as_bytes()) == value.as_bytes())
        });
        assert!(found, "{name} = {value} does not stand in {text}");
    }
    if let Some(realm) = header.realm() {
        assert!(!realm.contains('"') && text.contains(&format!("\"{realm}\"")), "{text}");
    }
    let again = header.to_string();
    assert_eq!(again.parse().as_ref(), Ok(header), "{again}");
    assert_eq!(again.parse::<AuthorizationHeader>().map(|header| header.to_string()), Ok(again));
}

/// Lines of the text as names and values: what is written reads back.
fn written(text: &str) {
    let mut lines = text.split('\n');
    let realm = lines.next().filter(|realm| !realm.is_empty() && !realm.contains('"'));
    let mut names = HashSet::from(["realm", ""]);
    let parameters: Vec<(&str, &str)> =
        lines.filter_map(|line| line.split_once('\t')).filter(|(name, _)| names.insert(name)).collect();
    if realm.is_none() && parameters.is_empty() {
        return;
    }
    let header = AuthorizationHeader::new(realm, &parameters);
    let shown = header.to_string();
    assert_eq!(shown.parse(), Ok(header), "{shown}");
    for (name, value) in parameters {
        let expected = format!("{}=\"{}\"", canonical::encode(name.as_bytes()), canonical::encode(value.as_bytes()));
        assert!(shown.contains(&expected), "{shown} lacks {expected}");
    }
}
