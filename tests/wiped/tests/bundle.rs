//! Credential bundles, from their JSON to their keys.
//!
//! The JSON itself is the caller's to wipe. What `serde_json` buffers is not looked at, as `SECURITY.md` says: the texts
//! here have no escapes, so that it buffers none.

use std::{fs::File, sync::LazyLock};

use ibkr_oauth::{
    Context, CredentialBundle, Secret, Timestamp, diagnose,
    key::KeyLocation,
    local::reading,
    simulator::{SeededEntropy, test_keys},
};
use ibkr_oauth_wiped::{Heap, Marker, rsa_key};

const ENCRYPTED_SECRET: &str = "c2VjcmV0IHRoYXQgaXMgZW5jcnlwdGVkLCBhbmQgb2Ygbm8gdXNlIHdpdGhvdXQgdGhlIGtleQ==";

/// The key in PEM on one line.
fn one_line(pem: &str) -> String {
    pem.replace('\n', " ")
}

/// The texts of the key, not its numbers: what becomes of those is looked at by themselves.
static MARKERS: LazyLock<Vec<Marker>> = LazyLock::new(|| {
    let mut markers = rsa_key(test_keys::SIGNATURE_KEY);
    markers.extend(rsa_key(test_keys::ENCRYPTION_KEY));
    markers.retain(|marker| marker.name().ends_with("of the key"));
    for pem in [test_keys::SIGNATURE_KEY, test_keys::ENCRYPTION_KEY] {
        markers.push(Marker::bytes("line of PEM", pem.lines().nth(12).unwrap().as_bytes()));
    }
    markers.push(Marker::bytes("encrypted secret", ENCRYPTED_SECRET.as_bytes()));
    markers
});

fn fields() -> [(&'static str, String); 6] {
    [
        ("consumer_key", "\"SIMULATOR\"".to_owned()),
        ("access_token", "\"218c1d970d85a8442825\"".to_owned()),
        ("access_token_secret", format!("{ENCRYPTED_SECRET:?}")),
        ("signature_key", format!("{:?}", one_line(test_keys::SIGNATURE_KEY))),
        ("encryption_key", format!("{:?}", one_line(test_keys::ENCRYPTION_KEY))),
        ("dh_params", format!("{:?}", one_line(test_keys::DH_PARAMETERS))),
    ]
}

fn json(fields: &[(&str, String)]) -> String {
    let pairs: Vec<_> = fields.iter().map(|(name, value)| format!("{name:?}:{value}")).collect();
    format!("{{{}}}", pairs.join(","))
}

fn assert_wiped(work: impl FnOnce(&Heap)) {
    LazyLock::force(&MARKERS);
    let heap = Heap::record();
    work(&heap);
    let freed = heap.freed();
    MARKERS.iter().for_each(|marker| freed.assert_without(marker));
}

#[test]
fn a_bundle_is_wiped_with_all_that_is_made_of_it() {
    let text = json(&fields());
    assert_wiped(|heap| {
        let bundle = CredentialBundle::from_json(&text).unwrap();
        let held = heap.held();
        for name in ["line of PEM", "encrypted secret"] {
            held.assert_with(MARKERS.iter().find(|marker| marker.name() == name).unwrap());
        }
        drop((bundle.consumer().unwrap(), bundle.access_token().unwrap()));
        let mut entropy = SeededEntropy::new(1);
        let mut cx = Context::new(Timestamp::from_secs(1_700_000_000), &mut entropy);
        assert!(!diagnose::check(&bundle, &mut cx).is_empty());
        drop(bundle.clone());
        drop(bundle);
    });
}

#[test]
fn a_bundle_s_files_are_wiped() {
    let mut fields = fields();
    fields[3].1 = r#"{"file":"signature.pem"}"#.to_owned();
    fields[4].1 = r#"{"file":"encryption.pem","passphrase":{"env":"PASSPHRASE"}}"#.to_owned();
    let text = json(&fields);
    let passphrase = Marker::bytes("passphrase", b"a passphrase that nobody guesses");
    assert_wiped(|heap| {
        let bundle = CredentialBundle::from_json(&text).unwrap();
        let resolved = bundle.resolve(|location| match location {
            KeyLocation::File(name) if name == "signature.pem" => Ok(Secret::from(test_keys::SIGNATURE_KEY.as_bytes())),
            KeyLocation::File(_) => Ok(Secret::from(test_keys::ENCRYPTION_KEY.as_bytes())),
            KeyLocation::Env(_) => Ok(Secret::from(b"a passphrase that nobody guesses".as_slice())),
            _ => Err("another"),
        });
        let resolved = resolved.unwrap();
        heap.held().assert_with(&passphrase);
        drop(resolved.consumer().unwrap());
        drop(resolved);
    });
}

/// What is read is wiped, also where it is not taken.
#[test]
fn a_bundle_read_from_files_is_wiped() {
    let folder = std::env::temp_dir().join(format!("ibkr-oauth-wiped-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut fields = fields();
    fields[3].1 = r#"{"file":"signature.pem"}"#.to_owned();
    let write = |name: &str, content: &str| std::fs::write(folder.join(name), content).unwrap();
    write("signature.pem", test_keys::SIGNATURE_KEY);
    write("bundle.json", &json(&fields));
    write("broken.json", &json(&fields).replace('}', ""));
    fields[5].1 = r#"{"file":"nothing.pem"}"#.to_owned();
    write("incomplete.json", &json(&fields));
    std::fs::write(folder.join("binary.json"), [json(&fields).as_bytes(), b"\xff"].concat()).unwrap();
    // Files are read on another thread, which nobody watches: this is what it does there.
    assert_wiped(|heap| {
        let read = |limit| reading::to_end(File::open(folder.join("signature.pem")).unwrap(), limit);
        let content = read(reading::LIMIT).unwrap();
        heap.held().assert_with(MARKERS.iter().find(|marker| marker.name() == "line of PEM").unwrap());
        drop(content);
        drop(read(1000).unwrap_err());
    });
    // What is held is not asked for, since the other thread frees blocks of this one.
    assert_wiped(|_| {
        drop(CredentialBundle::from_file(folder.join("bundle.json")).unwrap());
        for name in ["broken.json", "incomplete.json", "binary.json"] {
            drop(CredentialBundle::from_file(folder.join(name)).unwrap_err());
        }
    });
    std::fs::remove_dir_all(folder).unwrap();
}

/// The last field is the wrong one, so that everything has been read before.
#[test]
fn a_bundle_that_is_refused_is_wiped() {
    let key = format!("{:?}", one_line(test_keys::SIGNATURE_KEY));
    let with = |name: &'static str, value: &str| json(&[fields().as_slice(), &[(name, value.to_owned())]].concat());
    let without = |name: &str| {
        let mut fields = fields().to_vec();
        fields.retain(|(field, _)| *field != name);
        json(&fields)
    };
    let in_place_of = |name: &str, value: &str| {
        let mut fields = fields();
        fields.iter_mut().filter(|(field, _)| *field == name).for_each(|(_, old)| *old = value.to_owned());
        json(&fields)
    };
    let texts = [
        with("another", "1"),
        with("realm", "5"),
        with("query_policy", "\"none\""),
        with("access_token_secret", "\"twice\""),
        without("access_token"),
        without("dh_params"),
        without("consumer_key"),
        in_place_of("signature_key", &format!("{{\"file\":{key}}}")),
        in_place_of("encryption_key", &format!("{{\"env\":{key}}}")),
        in_place_of("encryption_key", &format!("{{\"file\":\"a.pem\",\"passphrase\":{key}}}")),
        json(&fields()).replace('}', ""),
    ];
    for text in texts {
        println!("{text}");
        assert_wiped(|_| drop(CredentialBundle::from_json(&text).unwrap_err()));
    }
}
