//! The credential bundle: read, resolved, and made a consumer of.
//!
//! Files that a bundle names have one of these contents, by the first letter of the name; a name with another is refused.

use std::io;

use ibkr_oauth::{CredentialBundle, Error, ErrorKind, Secret, key::KeyLocation};
use serde_json::Value;

const MARKER: &str = "M4RK3R";
const CONTENTS: [&[u8]; 6] = [
    include_bytes!("../../tests/data/keys/pkcs8.pem"),
    include_bytes!("../../tests/data/keys/pkcs1.der"),
    include_bytes!("../../tests/data/keys/dh.pem"),
    include_bytes!("../../tests/data/keys/encrypted_pkcs8.pem"),
    b"correct-horse",
    b"\xff\xfe M4RK3R",
];

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let secrets = Secrets::of(text);
    let bundle = match CredentialBundle::from_json(text) {
        Ok(bundle) => bundle,
        Err(error) => return secrets.check(&error),
    };
    secrets.absent_from(&format!("{bundle:?} {bundle:#?}"));
    is_whole(text, &bundle);
    match serde_json::from_str::<CredentialBundle>(text.trim_start_matches('\u{feff}')) {
        Ok(same) => assert_eq!(format!("{same:?}"), format!("{bundle:?}")),
        Err(error) => panic!("`from_json` takes it, serde does not: {error}"),
    }
    if let Err(error) = bundle.access_token() {
        secrets.check(&error);
    }
    if let Err(error) = bundle.consumer() {
        secrets.check(&error);
    }
    let mut asked = 0;
    let resolved = bundle.resolve(|location| {
        asked += 1;
        let (KeyLocation::File(name) | KeyLocation::Env(name)) = location else { unreachable!("there is no other") };
        let content = name.bytes().next().and_then(|letter| CONTENTS.get(usize::from(letter.wrapping_sub(b'a'))));
        content.map(|content| Secret::from(*content)).ok_or_else(|| io::Error::other("there is none"))
    });
    assert!(asked <= 6);
    match resolved {
        Err(error) => {
            secrets.check(&error);
            assert_eq!(error.kind(), ErrorKind::Config);
        }
        Ok(bundle) => {
            secrets.absent_from(&format!("{bundle:?}"));
            match bundle.consumer() {
                Ok(consumer) => assert_eq!(consumer.consumer_key(), bundle.consumer_key()),
                Err(error) => secrets.check(&error),
            }
        }
    }
}

/// What another reader of JSON makes of a bundle that was accepted.
fn is_whole(text: &str, bundle: &CredentialBundle) {
    let value: Value = serde_json::from_str(text.trim_start_matches('\u{feff}')).expect("it was read");
    let object = value.as_object().expect("an object");
    assert_eq!(object.get("consumer_key").and_then(Value::as_str), Some(bundle.consumer_key()));
    for field in ["signature_key", "encryption_key", "dh_params"] {
        assert!(object.get(field).is_some_and(|value| value.is_string() || value.is_object()), "{text}");
    }
    assert_eq!(object.get("access_token").is_some_and(Value::is_string), has_token(bundle), "{text}");
}

fn has_token(bundle: &CredentialBundle) -> bool {
    !matches!(bundle.access_token(), Ok(None))
}

/// Whether the marker stands in secret fields of the text, and nowhere else.
struct Secrets(bool);

impl Secrets {
    fn of(text: &str) -> Self {
        let Ok(Value::Object(object)) = serde_json::from_str(text) else { return Self(false) };
        let hidden = ["access_token_secret", "signature_key", "encryption_key", "dh_params", "access_token"]
            .iter()
            .filter_map(|field| object.get(*field)?.as_str())
            .map(|value| value.matches(MARKER).count());
        let hidden: usize = hidden.sum();
        Self(hidden > 0 && hidden == text.matches(MARKER).count() && !text.contains('\\'))
    }

    fn absent_from(&self, shown: &str) {
        assert!(!self.0 || !shown.contains(MARKER), "{shown}");
        assert!(!shown.contains("PRIVATE KEY-----\\nMII"), "{shown}");
    }

    fn check(&self, error: &Error) {
        self.absent_from(&format!("{error} {error:#} {error:?} {error:#?} {}", error.remedy()));
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            self.absent_from(&format!("{cause} {cause:?}"));
            source = cause.source();
        }
        assert!(matches!(error.kind(), ErrorKind::Config | ErrorKind::Key), "{error:?}");
        assert!(!error.remedy().is_empty() && !error.to_string().contains(char::is_control), "{error:?}");
    }
}
