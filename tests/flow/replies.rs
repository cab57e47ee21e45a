//! Replies that are cut off, garbled or hostile: each exchange answers with a typed error, and never panics.

use crate::cases::cases;
use crate::fixture;
use crate::fixture::reply;
use crate::steps::Step;
use bytes::Bytes;
use ibkr_oauth::{Consumer, ErrorKind};
use proptest::prelude::*;
use serde_json::{Value, json};

fn consumer() -> Consumer {
    fixture::consumer_builder().build().unwrap()
}

#[test]
fn a_good_reply_is_read_whatever_the_order_of_its_fields_and_its_white_space() {
    let consumer = consumer();
    for step in Step::ALL {
        let good = step.good_reply(&consumer);
        let expected = step.read(&consumer, reply(200, good.clone())).unwrap();
        let value: Value = serde_json::from_slice(&good).unwrap();
        let pretty = format!("\r\n {}\n\t ", serde_json::to_string_pretty(&value).unwrap());
        assert_eq!(step.read(&consumer, reply(200, pretty)).unwrap(), expected);
        let reversed: Vec<String> =
            value.as_object().unwrap().iter().rev().map(|(name, value)| format!("{name:?}:{value}")).collect();
        let reversed = format!("{{{},\"unknown\":[{{}}]}}", reversed.join(","));
        assert_eq!(step.read(&consumer, reply(201, reversed)).unwrap(), expected, "{step:?}");
    }
}

#[test]
fn every_beginning_of_a_good_reply_is_malformed_and_tells_no_secret() {
    let consumer = consumer();
    for step in Step::ALL {
        let good = step.good_reply(&consumer);
        let value: Value = serde_json::from_slice(&good).unwrap();
        let secret = value["session"].as_str().or(value["oauth_token_secret"].as_str()).unwrap_or("no secret in it");
        for length in 0..good.len() {
            let error = step.fail(&consumer, reply(200, good.slice(..length)));
            assert_eq!(error.kind(), ErrorKind::Malformed, "{step:?} cut after {length}: {error:?}");
            assert!(!format!("{error} {error:?}").contains(&secret[..8]), "{step:?} cut after {length}: {error:?}");
        }
    }
}

/// Bodies that are no reply of any step.
fn garbage() -> Vec<(&'static str, Vec<u8>)> {
    let deep = |open: &str, count: usize| open.repeat(count).into_bytes();
    let mut megabyte = br#"{"oauth_token":""#.to_vec();
    megabyte.resize(1 << 20, b'a');
    megabyte.extend(b"\"}");
    let mut nul_before = vec![0; 3];
    nul_before.extend(br#"{"oauth_token":"a"}"#);
    vec![
        ("empty", vec![]),
        ("white space", b" \r\n\t ".to_vec()),
        ("HTML", b"<html><body><h1>Resource not found</h1></body></html>".to_vec()),
        ("1 MiB", megabyte),
        ("deep arrays", deep("[", 100_000)),
        ("deep objects", deep("{\"a\":", 40_000)),
        ("a deep value", format!("{{\"a\":{}{}}}", "[".repeat(5000), "]".repeat(5000)).into_bytes()),
        ("NUL", vec![0; 64]),
        ("NUL before", nul_before),
        ("NUL behind", b"{\"oauth_token\":\"a\",\"status\":true}\0".to_vec()),
        ("invalid UTF-8", b"{\xff\"oauth_token\":\"a\",\xc3\x28\"status\":true}".to_vec()),
        ("lone surrogate", br#"{"oauth_token":"\ud800","session":"\udfff"}"#.to_vec()),
        ("UTF-16", "{\"oauth_token\":\"a\"}".encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("two replies", br#"{"oauth_token":"a"}{"oauth_token":"b"}"#.to_vec()),
        ("null", b"null".to_vec()),
        ("a boolean", b"true".to_vec()),
        ("a number", b"1e400".to_vec()),
        ("a text", br#""oauth_token""#.to_vec()),
        ("an empty array", b"[]".to_vec()),
        ("an array of texts", br#"["a","QUJD",null]"#.to_vec()),
        ("an array of flags", b"[true,true,false,true,null]".to_vec()),
        ("a form", b"oauth_token=a&oauth_token_secret=b".to_vec()),
        ("chunks", b"5\r\nhello\r\n0\r\n\r\n".to_vec()),
        ("gzip", vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]),
        ("escape codes", b"\x1b[2J\x1b]0;owned\x07\r\nINFO all is well".to_vec()),
        ("bidirectional text", "safe\u{202e}desrever\u{2066}\u{2028}forged line\u{85}".into()),
    ]
}

#[test]
fn what_is_no_reply_is_malformed() {
    let consumer = consumer();
    for step in Step::ALL {
        for (name, body) in garbage() {
            let error = step.fail(&consumer, reply(200, body));
            assert_eq!(error.kind(), ErrorKind::Malformed, "{step:?}, {name}: {error:?}");
            assert!(error.remedy().contains("base URL"), "{step:?}, {name}: {error:?}");
        }
        let error = step.fail(&consumer, reply(200, "<h1>Resource not found</h1>"));
        assert_eq!(error.detail(), Some("<h1>Resource not found</h1>"), "a page is shown");
        let error = step.fail(&consumer, reply(204, ""));
        assert!(error.to_string().ends_with("the response is empty"), "{error}");
    }
}

#[test]
fn garbage_beside_a_refusal_changes_no_classification() {
    let consumer = consumer();
    for step in Step::ALL {
        for (name, body) in garbage() {
            for (status, kind) in [
                (401, ErrorKind::Rejected),
                (418, ErrorKind::Rejected),
                (429, ErrorKind::Unavailable),
                (503, ErrorKind::Unavailable),
                (302, ErrorKind::Malformed),
            ] {
                let error = step.fail(&consumer, reply(status, body.clone()));
                assert_eq!(error.kind(), kind, "{step:?}, {status} with {name}: {error:?}");
            }
        }
    }
}

#[test]
fn a_text_that_garbles_logs_is_shown_without_its_teeth() {
    let consumer = consumer();
    let error = Step::Logout.fail(&consumer, reply(401, "a\u{85}b\r\nc\u{1b}[2J\u{202e}d\u{2028}e"));
    assert_eq!(error.detail(), Some(r"a\u{85}b  c\u{1b}[2J\u{202e}d\u{2028}e"));
    // All of Unicode's Bidi_Control.
    for char in
        "\u{61c}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}".chars()
    {
        let error = Step::Logout.fail(&consumer, reply(401, format!("a{char}b")));
        assert_eq!(error.detail(), Some(format!("a{}b", char.escape_unicode()).as_str()), "{char:?}");
    }
    let error = Step::Logout.fail(&consumer, reply(500, "ü".repeat(600)));
    assert_eq!(error.detail(), Some("ü".repeat(600).as_str()), "as long as may be");
    let error = Step::Logout.fail(&consumer, reply(500, "ü".repeat(601)));
    assert_eq!(error.detail(), Some(format!("{}…", "ü".repeat(599)).as_str()), "cut, and it shows");
}

#[test]
fn a_value_of_the_wrong_type_is_named_and_not_repeated() {
    let consumer = consumer();
    let marker = "MARKER".repeat(30_000);
    for (step, body) in [
        (Step::RequestToken, json!({ "oauth_token": { "a": marker } })),
        (Step::AccessToken, json!({ "oauth_token": "a", "oauth_token_secret": "QUJD", "is_paper": marker })),
        (Step::Tickle, json!({ "session": 123_456_789, "userId": 1 })),
        (Step::Tickle, json!({ "session": ["MARKER"] })),
        (Step::Tickle, json!({ "session": "MARKER", "iserver": { "authStatus": { "competing": marker } } })),
        (Step::Tickle, json!({ "session": "MARKER", "iserver": "MARKER, expected nothing" })),
        (Step::Open, json!({ "authenticated": marker })),
        (Step::Status, json!({ "fail": 123_456_789 })),
        (Step::Logout, json!({ "status": "MARKER\u{7}" })),
    ] {
        let error = step.fail(&consumer, reply(200, body.to_string()));
        assert_eq!(error.kind(), ErrorKind::Malformed);
        let text = format!("{error} {error:?}");
        assert!(!text.contains("MARKER") && !text.contains("123456789"), "{text:.900}");
        assert!(text.contains("expected"), "{text}");
    }
    let error = Step::AccessToken.fail(&consumer, reply(200, r#"{"oauth_token":"a"}"#));
    assert!(error.to_string().contains("missing field `oauth_token_secret`"), "{error}");
}

#[test]
fn tokens_that_no_header_could_carry_are_malformed() {
    let consumer = consumer();
    for token in ["", " ", "a b", "a\u{0}", "a\r\nb", "ü", "\u{feff}a"] {
        let error = Step::RequestToken.fail(&consumer, reply(200, json!({ "oauth_token": token }).to_string()));
        assert_eq!(error.kind(), ErrorKind::Malformed, "{token:?}");
        let body = json!({ "oauth_token": token, "oauth_token_secret": "QUJD" });
        let error = Step::AccessToken.fail(&consumer, reply(200, body.to_string()));
        assert_eq!(error.kind(), ErrorKind::Malformed, "{token:?}");
    }
    for secret in ["", "QUJ", "QU-D", "not base64", "\u{0}"] {
        let body = json!({ "oauth_token": "a", "oauth_token_secret": secret });
        let error = Step::AccessToken.fail(&consumer, reply(200, body.to_string()));
        assert_eq!(error.kind(), ErrorKind::Malformed, "{secret:?}");
    }
    let long = "a".repeat(70_000);
    let error = Step::RequestToken.fail(&consumer, reply(200, json!({ "oauth_token": long }).to_string()));
    assert_eq!(error.kind(), ErrorKind::Malformed, "longer than a URL may be");
}

#[test]
fn of_a_field_that_stands_there_twice_the_last_counts() {
    let consumer = consumer();
    let read = |step: Step, body: &'static str| step.read(&consumer, reply(200, body)).unwrap();
    assert!(read(Step::RequestToken, r#"{"oauth_token":"a","oauth_token":"b"}"#).contains("\"b\""));
    assert!(read(Step::Status, r#"{"authenticated":true,"authenticated":false}"#).contains("Some(false)"));
    // A refusal must not be hidden behind a second field of that name.
    let error = Step::Logout.fail(&consumer, reply(200, r#"{"status":true,"error":"a","error":"b"}"#));
    assert_eq!(error.detail(), Some("b"));
}

/// A field and what it is to become.
fn mutations() -> impl Strategy<Value = (usize, Value)> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[0-9a-fA-F]{0,600}".prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map("(error|status|session|iserver|authStatus|[a-z]{0,3})", inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    });
    (any::<usize>(), value)
}

proptest! {
    #![proptest_config(cases(128))]

    #[test]
    fn random_bytes_never_panic(body in prop::collection::vec(any::<u8>(), 0..300), status in 200u16..600) {
        let consumer = consumer();
        for step in Step::ALL {
            // Few random bytes are JSON, and none of those a reply.
            step.fail(&consumer, reply(status, body.clone()));
        }
    }

    #[test]
    fn random_changes_to_good_replies_never_panic(
        changes in prop::collection::vec(mutations(), 1..3),
        which in 0usize..7,
        cut in any::<prop::sample::Index>(),
        flip in any::<u8>(),
    ) {
        let consumer = consumer();
        let step = Step::ALL[which];
        let mut value: Value = serde_json::from_slice(&step.good_reply(&consumer)).unwrap();
        for (index, change) in changes {
            let fields = value.as_object_mut().unwrap();
            let name = fields.keys().nth(index % fields.len()).unwrap().clone();
            fields.insert(name, change);
        }
        let mut body = value.to_string().into_bytes();
        let check = |body: Vec<u8>| {
            if let Err(error) = step.read(&consumer, reply(200, body)) {
                assert_eq!(error.status(), Some(http::StatusCode::OK), "{error:?}");
                step.check(&error);
            }
        };
        check(body.clone());
        let place = cut.index(body.len());
        body[place] ^= flip;
        check(body);
    }
}

#[test]
fn a_body_just_short_enough_is_read() {
    let consumer = consumer();
    let padded = |length: usize| {
        let mut body = br#"{"oauth_token":"a"}"#.to_vec();
        body.resize(length, b' ');
        reply(200, Bytes::from(body))
    };
    assert!(Step::RequestToken.read(&consumer, padded(256 * 1024)).is_ok());
    let error = Step::RequestToken.fail(&consumer, padded(256 * 1024 + 1));
    assert!(error.to_string().contains("262145 bytes"), "{error}");
}
