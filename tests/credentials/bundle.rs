//! Credential bundles: what is read, what is refused, and what no error shows.

use std::io;

use ibkr_oauth::{CredentialBundle, ErrorKind, QueryPolicy, Secret, Stage, key::KeyLocation};
use serde_json::{Map, Value, json};

/// Stands in every value that no error and no `Debug` may show.
const MARKER: &str = "M4rk3r";

fn fields() -> Map<String, Value> {
    let value = json!({
        "consumer_key": "TESTVECTR",
        "access_token": "218c1d970d85a8442825",
        "access_token_secret": "c2VjcmV0",
        "signature_key": {"file": "signature.pem"},
        "encryption_key": {"env": "ENCRYPTION_KEY"},
        "dh_params": {"file": "dh.pem"},
    });
    value.as_object().unwrap().clone()
}

fn text_with(name: &str, value: Value) -> String {
    let mut fields = fields();
    fields.insert(name.to_owned(), value);
    Value::Object(fields).to_string()
}

fn text_without(name: &str) -> String {
    let mut fields = fields();
    fields.remove(name).unwrap();
    Value::Object(fields).to_string()
}

/// The error for a text that is refused, after a look at whether it is of the right kind and shows nothing.
fn refusal(text: &str) -> String {
    let error = CredentialBundle::from_json(text).unwrap_err();
    assert_eq!((error.stage(), error.kind()), (Stage::Bundle, ErrorKind::Config), "{text}");
    let shown = format!("{error} {error:?} {}", error.remedy());
    assert!(!shown.contains(MARKER), "{shown}");
    assert!(!error.to_string().contains('\n'), "{error}");
    error.to_string()
}

/// Errors name files and variables, so that a key that slipped there must not be taken for one.
#[test]
fn a_key_in_place_of_a_name_is_refused_and_not_shown() {
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{MARKER}\n-----END PRIVATE KEY-----");
    let one_line = format!("-----BEGIN PRIVATE KEY-----{MARKER}");
    let base64 = MARKER.repeat(200);
    for field in ["signature_key", "encryption_key", "dh_params"] {
        for key in [&pem, &one_line, &base64, &String::new()] {
            for place in ["file", "env"] {
                let message = refusal(&text_with(field, json!({ place: key })));
                assert!(message.contains(&format!("`{field}`: `{place}` must be the name of")), "{message}");
            }
        }
    }
    let passphrase = json!({"file": "a", "passphrase": {"env": format!("{MARKER} of many words")}});
    let message = refusal(&text_with("signature_key", passphrase));
    assert!(message.contains("`env` must be the name of an environment variable"), "{message}");
    for location in [json!({"file": "C:\\Keys of mine\\schlüssel.pem"}), json!({"env": "ProgramFiles(x86)"})] {
        assert!(CredentialBundle::from_json(&text_with("signature_key", location)).is_ok());
    }
}

#[test]
fn each_wrong_field_is_named_and_its_value_not_shown() {
    let texts =
        ["consumer_key", "realm", "base_url", "authorize_url", "query_policy", "access_token", "access_token_secret"];
    let keys = ["signature_key", "encryption_key", "dh_params", "dh_prime"];
    let wrong = [json!(true), json!(1_234_567), json!(-1_234_567), json!(1_234_567.5), json!(null), json!([MARKER])];
    for field in texts.into_iter().chain(keys) {
        for value in &wrong {
            let message = refusal(&text_with(field, value.clone()));
            assert!(message.contains(&format!("`{field}`")), "{message}");
            assert!(message.contains("line 1 column"), "{message}");
            assert!(!message.contains("1234567") && !message.contains("true"), "{message}");
        }
    }
    for field in texts {
        let message = refusal(&text_with(field, json!({ MARKER: MARKER })));
        assert!(message.contains(&format!("`{field}`")), "{message}");
    }
    for field in keys {
        for value in [
            json!({}),
            json!({"file": "a", "env": "B"}),
            json!({"file": 1_234_567}),
            json!({"env": [MARKER]}),
            json!({"fil": MARKER}),
            json!({"file": "a", "passphrase": MARKER}),
            json!({"file": "a", "passphrase": {"file": MARKER}}),
            json!({"file": "a", "passphrase": {"env": "B", "passphrase": {"env": "C"}}}),
            json!({"passphrase": {"env": "B"}}),
        ] {
            let message = refusal(&text_with(field, value.clone()));
            assert!(message.contains(&format!("`{field}`")) && !message.contains("1234567"), "{value}: {message}");
        }
    }
    for (field, value) in [
        ("consumer_key", format!("{MARKER}\u{fc}")),
        ("consumer_key", String::new()),
        ("realm", format!("\"{MARKER}")),
        ("base_url", format!("ftp://{MARKER}/")),
        ("base_url", format!("https://api.ibkr.com/{MARKER}#")),
        ("authorize_url", format!("https://www.interactivebrokers.com/authorize?{MARKER}")),
        ("query_policy", MARKER.to_owned()),
    ] {
        let message = refusal(&text_with(field, json!(value)));
        assert!(message.contains(&format!("`{field}`")), "{message}");
    }
    for field in ["dh_params", "dh_prime"] {
        let message = refusal(&text_with(field, json!({"file": "a", "passphrase": {"env": "B"}})));
        assert!(message.contains(&format!("`{field}`")) && message.contains("passphrase"), "{message}");
    }
}

#[test]
fn missing_unknown_and_repeated_fields_are_named() {
    for field in ["consumer_key", "access_token", "access_token_secret", "signature_key", "encryption_key", "dh_params"]
    {
        let message = refusal(&text_without(field));
        assert!(message.contains(&format!("`{field}` is missing")), "{message}");
    }
    assert!(refusal(&text_with("signing_key", json!(MARKER))).contains("`signature_key`"));
    let message = refusal(&text_with(&format!("-----BEGIN {MARKER}-----"), json!("")));
    assert!(message.contains("unknown name"), "{message}");

    let text = Value::Object(fields()).to_string();
    let twice = text.replacen('{', "{\"realm\":\"a\",\"realm\":\"b\",", 1);
    assert!(refusal(&twice).contains("`realm`: duplicate field"));
    let twice = text.replacen("{\"file\"", "{\"file\":\"x\",\"file\"", 1);
    assert!(refusal(&twice).contains("`file`: duplicate field"));
}

#[test]
fn broken_json_is_refused_at_its_place() {
    let lost_escape = format!("{{\n  \"consumer_key\": \"A\",\n  \"signature_key\": \"-----BEGIN\n{MARKER}\"\n}}");
    let error = CredentialBundle::from_json(&lost_escape).unwrap_err();
    assert!(error.to_string().contains("`signature_key`") && error.to_string().contains("line 4"), "{error}");
    assert!(error.remedy().contains("`\\n`"), "{}", error.remedy());

    let whole = Value::Object(fields()).to_string();
    for length in 0..whole.len() {
        refusal(&whole[..length]);
    }
    for text in [
        format!("\"{MARKER}\""),
        "1234567".to_owned(),
        format!("[\"{MARKER}\"]"),
        "null".to_owned(),
        format!("{whole} {MARKER}"),
        format!("{{\"realm\": {}", "[".repeat(100_000)),
        format!("{{\"realm\": {MARKER}}}"),
        format!("{{{MARKER}: 1}}"),
    ] {
        assert!(!refusal(&text).contains("1234567"));
    }
}

#[test]
fn the_optional_fields_reach_the_consumer() {
    let bundle = CredentialBundle::from_json(&Value::Object(fields()).to_string()).unwrap();
    let consumer = bundle.keyless_consumer_builder().build().unwrap();
    assert_eq!(consumer.consumer_key(), "TESTVECTR");
    assert_eq!(bundle.consumer_key(), "TESTVECTR");
    assert_eq!(consumer.realm(), "limited_poa");
    assert_eq!(consumer.endpoints().base_url(), "https://api.ibkr.com/v1/api");
    assert_eq!(consumer.endpoints().authorize_url(), "https://www.interactivebrokers.com/authorize");
    assert_eq!(consumer.query_policy(), QueryPolicy::Rfc5849);
    let token = bundle.access_token().unwrap().unwrap();
    assert_eq!((token.token(), token.encrypted_secret()), ("218c1d970d85a8442825", &b"secret"[..]));

    for policy in QueryPolicy::ALL {
        let mut fields = fields();
        fields.insert("query_policy".to_owned(), json!(policy.name()));
        fields.insert("realm".to_owned(), json!("test_realm"));
        fields.insert("base_url".to_owned(), json!("http://127.0.0.1:5000/v1/api/"));
        fields.insert("authorize_url".to_owned(), json!("http://127.0.0.1:5000/authorize"));
        // As Windows' Notepad saves it.
        let bundle = CredentialBundle::from_json(&format!("\u{feff}{}", Value::Object(fields))).unwrap();
        let consumer = bundle.keyless_consumer_builder().build().unwrap();
        assert_eq!(consumer.query_policy(), policy);
        assert_eq!(consumer.realm(), "test_realm");
        assert_eq!(consumer.endpoints().base_url(), "http://127.0.0.1:5000/v1/api");
        assert_eq!(consumer.endpoints().authorize_url(), "http://127.0.0.1:5000/authorize");
    }
}

#[test]
fn a_bundle_from_before_the_consent_has_no_token() {
    let mut fields = fields();
    fields.remove("access_token").unwrap();
    fields.remove("access_token_secret").unwrap();
    let bundle = CredentialBundle::from_json(&Value::Object(fields).to_string()).unwrap();
    assert!(bundle.access_token().unwrap().is_none());
}

#[test]
fn an_unusable_token_or_secret_is_named() {
    for (field, value) in [
        ("access_token", ""),
        ("access_token", "M4rk3r M4rk3r"),
        ("access_token_secret", ""),
        ("access_token_secret", "M4rk3r*"),
        ("access_token_secret", "M4rk3"),
    ] {
        let bundle = CredentialBundle::from_json(&text_with(field, json!(value))).unwrap();
        let error = bundle.access_token().unwrap_err();
        assert_eq!((error.stage(), error.kind()), (Stage::Bundle, ErrorKind::Config));
        let shown = format!("{error} {error:?} {}", error.remedy());
        assert!(error.to_string().contains(&format!("`{field}`")) && !shown.contains("M4rk3"), "{shown}");
    }
}

#[test]
fn what_a_bundle_names_is_fetched_in_order() {
    let mut fields = fields();
    fields.insert("encryption_key".to_owned(), json!({"passphrase": {"env": "PASSPHRASE"}, "env": "KEY"}));
    let bundle = CredentialBundle::from_json(&Value::Object(fields).to_string()).unwrap();
    let mut asked = Vec::new();
    let resolved = bundle
        .clone()
        .resolve(|location| -> Result<Secret, io::Error> {
            asked.push(location.clone());
            Ok(Secret::from(MARKER.to_owned()))
        })
        .unwrap();
    let (file, env) = (|path: &str| KeyLocation::File(path.to_owned()), |name: &str| KeyLocation::Env(name.to_owned()));
    assert_eq!(asked, [file("signature.pem"), env("KEY"), env("PASSPHRASE"), file("dh.pem")]);
    assert!(!format!("{resolved:?}").contains(MARKER));
    assert!(format!("{bundle:?}").contains("signature.pem"));
    resolved.resolve(|location| -> Result<Secret, io::Error> { panic!("{location} was fetched before") }).unwrap();

    for (refused, name) in
        [("signature.pem", "`signature_key`"), ("PASSPHRASE", "`encryption_key`"), ("dh.pem", "`dh_params`")]
    {
        let error = bundle.clone().resolve(|location| match location {
            KeyLocation::File(at) | KeyLocation::Env(at) if at == refused => Err(io::Error::other("not today")),
            _ => Ok(Secret::from(Vec::new())),
        });
        let error = error.unwrap_err();
        assert_eq!((error.stage(), error.kind()), (Stage::Bundle, ErrorKind::Config));
        let message = error.to_string();
        assert!(message.contains(name) && message.contains(refused) && message.contains("not today"), "{message}");
        assert!(std::error::Error::source(&error).is_some());
    }
}

#[test]
fn debug_shows_no_secret() {
    let mut fields = fields();
    for field in ["access_token", "access_token_secret", "signature_key", "encryption_key", "dh_params", "dh_prime"] {
        fields.insert(field.to_owned(), json!(format!("{MARKER} {field}")));
    }
    let bundle = CredentialBundle::from_json(&Value::Object(fields).to_string()).unwrap();
    let shown = format!("{bundle:?} {bundle:#?}");
    assert!(!shown.contains(MARKER) && shown.contains("[redacted]"), "{shown}");
}

#[test]
fn a_bundle_is_read_from_a_larger_configuration_too() {
    let bundle: CredentialBundle = serde_json::from_value(Value::Object(fields())).unwrap();
    assert_eq!(bundle.consumer_key(), "TESTVECTR");
    let error = serde_json::from_value::<CredentialBundle>(json!({"consumer_key": MARKER})).unwrap_err();
    assert!(error.to_string().contains("`signature_key`") && !error.to_string().contains(MARKER), "{error}");
}

#[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
mod keys {
    use ibkr_oauth::{
        Context, Entropy, EntropyError, Timestamp,
        dh::DhGroup,
        diagnose::{Severity, check},
    };

    use super::*;

    const SIGNATURE_KEY: &str = include_str!("../data/keys/pkcs8.pem");
    const ENCRYPTION_KEY: &str = include_str!("../data/keys/pkcs1.pem");
    const DH_PARAMS: &str = include_str!("../data/keys/dh.pem");

    struct NoDice;

    impl Entropy for NoDice {
        fn fill(&mut self, _: &mut [u8]) -> Result<(), EntropyError> {
            Err(EntropyError::default())
        }
    }

    fn bundle_of(signature_key: &str, encryption_key: &str, dh_params: &str) -> CredentialBundle {
        let mut fields = fields();
        fields.insert("signature_key".to_owned(), json!(signature_key));
        fields.insert("encryption_key".to_owned(), json!(encryption_key));
        fields.insert("dh_params".to_owned(), json!(dh_params));
        CredentialBundle::from_json(&Value::Object(fields).to_string()).unwrap()
    }

    /// A bundle with the prime as `prime`, alone or beside parameters.
    fn with_prime(prime: Value, dh_params: Option<&str>) -> CredentialBundle {
        let mut fields = fields();
        fields.insert("signature_key".to_owned(), json!(SIGNATURE_KEY));
        fields.insert("encryption_key".to_owned(), json!(ENCRYPTION_KEY));
        fields.insert("dh_prime".to_owned(), prime);
        fields.remove("dh_params");
        fields.extend(dh_params.map(|text| ("dh_params".to_owned(), json!(text))));
        CredentialBundle::from_json(&Value::Object(fields).to_string()).unwrap()
    }

    /// Only `rsa` works with a key of three primes: so one sees who reads it.
    #[test]
    fn keys_are_read_by_the_other_backend_only_where_rsa_is_off() {
        let three_primes = include_str!("../data/keys/rsa_three_primes.pem");
        let consumer = bundle_of(three_primes, ENCRYPTION_KEY, DH_PARAMS).consumer();
        assert_eq!(consumer.is_ok(), cfg!(feature = "rsa"));
        if let Err(error) = consumer {
            assert!(error.to_string().contains("3 primes; 2 are accepted by the backend `aws-lc-rs`"), "{error}");
        }
    }

    #[test]
    fn the_prime_alone_will_do_in_every_form_that_clients_write_it() {
        let prime = DhGroup::read(DH_PARAMS).unwrap().prime_hex();
        assert!(prime.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')) && !prime.starts_with('0'));
        let lines: Vec<&str> = prime.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        for text in [
            prime.clone(),
            prime.to_uppercase(),
            format!("00{prime}"),
            format!("0x{prime}"),
            format!(" {}\n", lines.join("\n  ")),
        ] {
            for dh_params in [None, Some(DH_PARAMS)] {
                let bundle = with_prime(json!(text), dh_params);
                bundle.consumer().unwrap();
                let findings = check(&bundle, &mut Context::new(Timestamp::default(), &mut NoDice));
                let mut of_the_group = findings.iter().filter(|it| it.subject.starts_with("dh_"));
                assert!(of_the_group.all(|it| it.severity == Severity::Ok), "{findings:?}");
            }
        }
        let located = with_prime(json!({"file": "prime.txt"}), None);
        assert!(located.consumer().unwrap_err().to_string().contains("`dh_prime`"));
        let resolved = located.resolve(|location| match location {
            KeyLocation::File(path) if path == "prime.txt" => Ok(Secret::from(prime.clone())),
            other => Err(io::Error::other(other.to_string())),
        });
        resolved.unwrap().consumer().unwrap();
    }

    #[test]
    fn a_prime_that_is_none_or_another_is_refused_by_name() {
        let prime = DhGroup::read(DH_PARAMS).unwrap().prime_hex();
        let another = DhGroup::read(include_str!("../data/keys/ffdhe_2048.pem")).unwrap().prime_hex();
        for (text, dh_params, expected) in [
            (another, Some(DH_PARAMS), "not the prime of `dh_params`"),
            (DH_PARAMS.to_owned(), None, "PEM"),
            (format!("{prime}g"), None, "hexadecimal"),
            (String::new(), None, "empty"),
            ("0x".to_owned(), None, "no Diffie-Hellman prime"),
            ("-17".to_owned(), None, "no hexadecimal digit"),
            ("+17".to_owned(), None, "no hexadecimal digit"),
            ("1_7".to_owned(), None, "no hexadecimal digit"),
        ] {
            let bundle = with_prime(json!(text), dh_params);
            let error = bundle.consumer().unwrap_err();
            assert!(error.to_string().contains("`dh_prime`") && error.to_string().contains(expected), "{error}");
            assert!(!error.remedy().is_empty() && !error.remedy().contains("DhGroup"), "{}", error.remedy());
            let findings = check(&bundle, &mut Context::new(Timestamp::default(), &mut NoDice));
            let of_the_prime = findings.iter().filter(|it| it.subject == "dh_prime" && it.severity == Severity::Error);
            assert_eq!(of_the_prime.count(), 1, "{findings:?}");
        }
    }

    #[test]
    fn texts_in_every_form_make_a_consumer() {
        let one_line = SIGNATURE_KEY.replace('\n', "\\n");
        for signature_key in [SIGNATURE_KEY, ENCRYPTION_KEY, &one_line, &SIGNATURE_KEY.replace('\n', "\r\n")] {
            bundle_of(signature_key, ENCRYPTION_KEY, DH_PARAMS).consumer().unwrap();
        }
        let hexadecimal = "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD1";
        for dh_params in [
            DH_PARAMS,
            include_str!("../data/keys/dh_x942.pem"),
            include_str!("../data/keys/dh_text.txt"),
            hexadecimal,
            &format!("0x{hexadecimal}"),
        ] {
            bundle_of(SIGNATURE_KEY, ENCRYPTION_KEY, dh_params).consumer().unwrap();
        }
    }

    #[test]
    fn files_of_der_make_a_consumer() {
        let bundle = CredentialBundle::from_json(&Value::Object(fields()).to_string()).unwrap();
        let resolved = bundle.resolve(|location| -> Result<Secret, io::Error> {
            let content: &[u8] = match location {
                KeyLocation::Env(_) => include_bytes!("../data/keys/pkcs1.der"),
                KeyLocation::File(path) if path == "dh.pem" => include_bytes!("../data/keys/dh.der"),
                _ => include_bytes!("../data/keys/pkcs8.der"),
            };
            Ok(Secret::from(content))
        });
        let consumer = resolved.unwrap().consumer_builder().unwrap().user_agent("my-bot/7").build().unwrap();
        assert_eq!(consumer.user_agent(), "my-bot/7");
    }

    /// `openssl genrsa 2048 > private.pem` in PowerShell makes such files.
    #[test]
    fn files_of_utf_16_make_a_consumer() {
        let bundle = CredentialBundle::from_json(&Value::Object(fields()).to_string()).unwrap();
        let resolved = |encode: &dyn Fn(&str) -> Vec<u8>| {
            let resolved = bundle.clone().resolve(|location| -> Result<Secret, io::Error> {
                let content = match location {
                    KeyLocation::Env(_) => ENCRYPTION_KEY,
                    KeyLocation::File(path) if path == "dh.pem" => DH_PARAMS,
                    _ => SIGNATURE_KEY,
                };
                Ok(Secret::from(encode(&content.replace('\n', "\r\n"))))
            });
            resolved.unwrap()
        };
        let little = |text: &str| format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big = |text: &str| format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_be_bytes).collect();
        for bundle in [resolved(&little), resolved(&big)] {
            bundle.consumer().unwrap();
            let findings = check(&bundle, &mut Context::new(Timestamp::default(), &mut NoDice));
            let said: String = findings.iter().map(|finding| finding.message.as_str()).collect();
            assert!(
                said.contains("the prime has 2048 bits") && said.contains("RSA private key of 2048 bits"),
                "{said}"
            );
        }

        let cut = |text: &str| little(text).split_last().unwrap().1.to_vec();
        let lone = |text: &str| [little(text), vec![0, 0xd8]].concat();
        for damaged in [resolved(&cut), resolved(&lone)] {
            let error = damaged.consumer().unwrap_err();
            assert_eq!((error.stage(), error.kind()), (Stage::Bundle, ErrorKind::Key));
            assert!(error.to_string().contains("`signature_key`"), "{error}");
        }
    }

    #[test]
    fn what_is_not_fetched_or_not_a_key_is_named() {
        let unresolved = CredentialBundle::from_json(&Value::Object(fields()).to_string()).unwrap();
        let error = unresolved.consumer().unwrap_err();
        assert_eq!((error.stage(), error.kind()), (Stage::Bundle, ErrorKind::Config));
        assert!(error.to_string().contains("`signature_key`") && error.remedy().contains("resolve"), "{error}");

        let certificate = include_str!("../data/keys/certificate.pem");
        let public = include_str!("../data/keys/public.pem");
        let encrypted = include_str!("../data/keys/encrypted_pkcs8.pem");
        for (bundle, field) in [
            (bundle_of(MARKER, ENCRYPTION_KEY, DH_PARAMS), "signature_key"),
            (bundle_of(public, ENCRYPTION_KEY, DH_PARAMS), "signature_key"),
            (bundle_of(SIGNATURE_KEY, certificate, DH_PARAMS), "encryption_key"),
            (bundle_of(SIGNATURE_KEY, encrypted, DH_PARAMS), "encryption_key"),
            (bundle_of(SIGNATURE_KEY, ENCRYPTION_KEY, SIGNATURE_KEY), "dh_params"),
            (bundle_of(SIGNATURE_KEY, ENCRYPTION_KEY, "12"), "dh_params"),
            (bundle_of(SIGNATURE_KEY, ENCRYPTION_KEY, MARKER), "dh_params"),
        ] {
            let error = bundle.consumer().unwrap_err();
            assert_eq!((error.stage(), error.kind()), (Stage::Bundle, ErrorKind::Key));
            let shown = format!("{error} {error:?} {}", error.remedy());
            assert!(error.to_string().contains(&format!("`{field}`")) && !shown.contains(MARKER), "{shown}");
        }
        let error = bundle_of(encrypted, ENCRYPTION_KEY, DH_PARAMS).consumer().unwrap_err();
        assert!(error.remedy().contains("passphrase"), "{}", error.remedy());
    }
}
