//! Bundles from files, with the files and variables that they name.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use ibkr_oauth::{CredentialBundle, ErrorKind, Stage, key::RsaKey, simulator::test_keys};
use serde_json::{Value, json};

/// Stands in every file that cannot be used; no error may show it.
const MARKER: &str = "M4rk3r";

/// A folder of a test's own.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("ibkr-oauth-from-file-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// A bundle with this field changed.
    fn bundle_with(&self, field: &str, value: Value) -> PathBuf {
        let mut bundle = bundle();
        bundle[field] = value;
        self.write(&format!("{field}.json"), bundle.to_string())
    }

    #[cfg(unix)]
    fn pipe(&self, name: &str) -> PathBuf {
        let path = self.0.join(name);
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn bundle() -> Value {
    json!({
        "consumer_key": test_keys::CONSUMER_KEY,
        "signature_key": test_keys::SIGNATURE_KEY,
        "encryption_key": test_keys::ENCRYPTION_KEY,
        "dh_params": test_keys::DH_PARAMETERS,
    })
}

/// The message and the remedy, after a look at whether the error is of the right kind and shows nothing.
#[track_caller]
fn refusal(path: impl AsRef<Path>) -> (String, String) {
    let error = CredentialBundle::from_file(path).unwrap_err();
    assert_eq!((error.stage(), error.kind()), (Stage::Bundle, ErrorKind::Config), "{error}");
    let mut source: Option<&dyn std::error::Error> = Some(&error);
    while let Some(cause) = source {
        assert!(!format!("{cause} {cause:?}").contains(MARKER), "{cause:?}");
        source = cause.source();
    }
    (error.to_string(), error.remedy().to_owned())
}

#[track_caller]
fn assert_refused(path: impl AsRef<Path>, parts: &[&str], remedy: &str) {
    let (message, tried) = refusal(path);
    for part in parts {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert!(tried.contains(remedy), "{remedy}: {tried}");
}

/// A test cannot set variables: it runs itself again, where they are set.
fn run_again(test: &str, variables: &[(&str, &std::ffi::OsStr)]) -> bool {
    if std::env::var_os("FROM_FILE_AGAIN").is_some() {
        return false;
    }
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", &format!("from_file::{test}"), "--nocapture"]).env("FROM_FILE_AGAIN", "1");
    again.envs(variables.iter().copied());
    let output = again.output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && shown.contains("1 passed"),
        "{shown}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    true
}

#[test]
fn files_are_looked_for_beside_the_bundle() {
    let folder = Folder::new();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/keys");
    folder.write("account/keys/signature.pem", test_keys::SIGNATURE_KEY);
    folder.write("account/encryption.der", fs::read(data.join("pkcs8.der")).unwrap());
    folder.write("dh.pem", test_keys::DH_PARAMETERS);
    let text = json!({
        "consumer_key": "TESTVECTR",
        "signature_key": {"file": "keys/signature.pem"},
        "encryption_key": {"file": "encryption.der"},
        "dh_params": {"file": folder.0.join("dh.pem")},
    });
    let with_mark = format!("\u{feff}{text}");
    for text in [text.to_string(), with_mark] {
        let path = folder.write("account/bundle.json", text);
        let consumer = CredentialBundle::from_file(&path).unwrap().consumer().unwrap();
        assert_eq!(consumer.consumer_key(), "TESTVECTR");
    }
    assert!(RsaKey::read(fs::read(data.join("pkcs8.der")).unwrap(), None).is_ok());
}

#[test]
fn variables_are_read() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/keys");
    let signature_key = test_keys::SIGNATURE_KEY.as_ref();
    if run_again("variables_are_read", &[("KEY_OF_TEST", signature_key), ("WORD_OF_TEST", "correct-horse".as_ref())]) {
        return;
    }
    let folder = Folder::new();
    let mut bundle = bundle();
    bundle["signature_key"] = json!({"env": "KEY_OF_TEST"});
    bundle["encryption_key"] = json!({"file": data.join("encrypted_pkcs8.pem"), "passphrase": {"env": "WORD_OF_TEST"}});
    let bundle = CredentialBundle::from_file(folder.write("bundle.json", bundle.to_string())).unwrap();
    if cfg!(feature = "encrypted-keys") {
        bundle.consumer().unwrap();
    } else {
        let error = bundle.consumer().unwrap_err();
        assert!(error.to_string().contains("built without support for that"), "{error}");
    }
}

#[test]
fn a_variable_that_cannot_be_used_is_named() {
    let folder = Folder::new();
    let path = folder.bundle_with("dh_params", json!({"env": "NOT_SET_IN_ANY_TEST"}));
    let parts = ["dh_params.json", "`dh_params`", "environment variable `NOT_SET_IN_ANY_TEST`", "it is not set"];
    assert_refused(path, &parts, "set it for this program");
    let passphrase = json!({"file": folder.write("key.pem", MARKER), "passphrase": {"env": "NOT_SET_IN_ANY_TEST"}});
    let path = folder.bundle_with("signature_key", passphrase);
    assert_refused(path, &["`signature_key`: `passphrase`", "it is not set"], "set it for this program");
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_text_is_named_and_not_shown() {
    use std::os::unix::ffi::OsStrExt;

    let value = [MARKER.as_bytes(), b"\xff"].concat();
    let name = "a_variable_that_is_not_text_is_named_and_not_shown";
    if run_again(name, &[("BINARY_OF_TEST", std::ffi::OsStr::from_bytes(&value))]) {
        return;
    }
    let folder = Folder::new();
    let path = folder.bundle_with("encryption_key", json!({"env": "BINARY_OF_TEST"}));
    assert_refused(path, &["`encryption_key`", "`BINARY_OF_TEST`", "it is not UTF-8"], "in UTF-8");
}

#[test]
fn what_is_no_file_is_refused_by_its_path() {
    let folder = Folder::new();
    fs::create_dir(folder.0.join("folder")).unwrap();
    File::create(folder.0.join("long")).unwrap().set_len((1 << 20) + 1).unwrap();
    let mut cases = vec![
        (folder.0.join("nothing"), "cannot be read: ", "check the path"),
        (folder.0.join("folder"), "it is a folder", "regular file or a pipe"),
        (folder.0.join("long"), "it is longer than 1 MiB", "few KiB"),
    ];
    if cfg!(unix) {
        cases.push(("/dev/zero".into(), "it is a device or a socket", "regular file or a pipe"));
    }
    for (path, why, remedy) in cases {
        let shown = path.to_str().unwrap();
        assert_refused(&path, &[shown, why], remedy);
        for field in ["signature_key", "encryption_key", "dh_params"] {
            let bundle = folder.bundle_with(field, json!({"file": shown}));
            assert_refused(&bundle, &[bundle.to_str().unwrap(), &format!("`{field}`"), shown, why], remedy);
        }
    }
}

#[cfg(unix)]
#[test]
fn a_file_that_may_not_be_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;

    let folder = Folder::new();
    let key = folder.write("key.pem", MARKER);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o000)).unwrap();
    if File::open(&key).is_ok() {
        return; // The superuser may read everything.
    }
    assert_refused(&key, &["cannot be read"], "this program may read it");
    let bundle = folder.bundle_with("signature_key", json!({"file": "key.pem"}));
    assert_refused(bundle, &["`signature_key`", "key.pem"], "this program may read it");
}

#[test]
fn a_bundle_that_is_not_text_is_refused() {
    let folder = Folder::new();
    let utf_16: Vec<u8> = format!("\u{feff}{}", bundle()).encode_utf16().flat_map(u16::to_le_bytes).collect();
    for content in [utf_16, [MARKER.as_bytes(), b"\xff"].concat()] {
        assert_refused(folder.write("bundle.json", content), &["bundle.json", "it is not UTF-8"], "save it as UTF-8");
    }
}

#[test]
fn what_is_wrong_in_a_bundle_is_told_with_its_path() {
    let folder = Folder::new();
    let path = folder.bundle_with("realm", json!([MARKER]));
    assert_refused(&path, &[path.to_str().unwrap(), "`realm`"], "");
    assert_refused(folder.write("bundle.json", ""), &["bundle.json: "], "correct the bundle there");
}

#[test]
fn a_text_in_place_of_a_path_is_not_shown() {
    for text in [format!("{{\"access_token_secret\": \"{MARKER}\"}}"), format!("\n{MARKER}"), MARKER.repeat(1000)] {
        assert_refused(text, &["looks like its text"], "from_json");
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_is_read_to_its_end() {
    let folder = Folder::new();
    let path = folder.pipe("pipe");
    let bundle = folder.bundle_with("signature_key", json!({"file": "pipe"}));
    let writer = thread::spawn(move || fs::write(path, test_keys::SIGNATURE_KEY).unwrap());
    CredentialBundle::from_file(bundle).unwrap().consumer().unwrap();
    writer.join().unwrap();
}
