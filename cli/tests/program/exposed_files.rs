//! The warning of files with secrets that others can read, and of a simulator that others can reach.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

#[cfg(feature = "simulate")]
use crate::terminal::Running;
use crate::terminal::{Folder, command, outcome, run_in};
use serde_json::{Value, json};

/// A folder with keys of the user's own and a bundle that names them.
fn bundle() -> (Folder, PathBuf) {
    let folder = Folder::new();
    assert_eq!(run_in(&folder.0, &["keygen", "--out", "mine"]).status, 0);
    let bundle = json!({
        "consumer_key": "MYCONSKEY",
        // Nothing listens there.
        "base_url": "http://127.0.0.1:1/v1/api",
        "access_token": "218c1d970d85a8442825",
        "access_token_secret": "c2VjcmV0",
        "signature_key": {"file": "private_signature.pem"},
        "encryption_key": {"file": "private_encryption.pem"},
        "dh_params": {"file": "dhparam.pem"},
    });
    let path = folder.write("mine/bundle.json", bundle.to_string());
    (folder, path)
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Every command that reads a bundle, and whether it reads the keys.
const COMMANDS: [(&[&str], bool); 9] = [
    (&["doctor", "--offline"], true),
    (&["doctor", "--offline"], true),
    (&["doctor"], true),
    (&["token"], true),
    (&["request", "GET", "/portfolio/accounts"], true),
    (&["session"], true),
    (&["authorize"], true),
    (&["explain", "GET", "https://api.ibkr.com/v1/api/tickle"], false),
    (
        &["sign", "--live-session-token", "AAAAAAAAAAAAAAAAAAAAAAAAAAA=", "GET", "https://api.ibkr.com/v1/api/tickle"],
        false,
    ),
];

#[test]
fn every_command_warns_once_of_each_file_that_others_can_read() {
    let (folder, bundle) = bundle();
    let keys = ["private_signature.pem", "private_encryption.pem"].map(|name| bundle.with_file_name(name));
    for mode in [0o600, 0o400, 0o640, 0o604, 0o644, 0o666] {
        for path in [&bundle, &keys[0], &keys[1]] {
            set_mode(path, mode);
        }
        for (arguments, reads_keys) in COMMANDS {
            for format in ["text", "json"] {
                let mut running = command(&folder.0);
                running.args(arguments).args(["--bundle", bundle.to_str().unwrap(), "--output", format]);
                let outcome = outcome(running.output().unwrap());
                let warnings: Vec<&str> =
                    outcome.stderr.lines().filter(|line| line.contains("others than its owner")).collect();
                let expected = match (mode & 0o077, reads_keys) {
                    (0, _) => 0,
                    (_, false) => 1,
                    (_, true) => 3,
                };
                assert_eq!(warnings.len(), expected, "{arguments:?}, {mode:o}: {}", outcome.stderr);
                for path in [&bundle, &keys[0], &keys[1]].into_iter().take(expected) {
                    let path = path.to_str().unwrap();
                    let of_path: Vec<&&str> = warnings.iter().filter(|line| line.contains(path)).collect();
                    assert!(of_path.len() == 1 && of_path[0].contains(&format!("mode {mode:04o}")), "{warnings:?}");
                    assert!(outcome.stderr.contains(&format!("chmod 600 {path}")), "{}", outcome.stderr);
                }
                for line in warnings {
                    let is_json = serde_json::from_str(line).is_ok_and(|line: Value| line["warning"].is_string());
                    assert_eq!((is_json, line.starts_with("warning: ")), (format == "json", format == "text"));
                }
            }
        }
    }
}

#[test]
fn one_file_for_two_keys_is_warned_of_once_and_a_pipe_never() {
    let (folder, path) = bundle();
    let mut bundle: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    bundle["encryption_key"] = json!({"file": "../mine/private_signature.pem"});
    fs::write(&path, bundle.to_string()).unwrap();
    set_mode(&path.with_file_name("private_signature.pem"), 0o644);
    let outcome = run_in(&folder.0, &["doctor", "--offline", "--bundle", path.to_str().unwrap()]);
    assert_eq!(outcome.stderr.matches("warning: ").count(), 1, "{}", outcome.stderr);

    bundle["signature_key"] = json!({"env": "TEST_ENCRYPTION_KEY"});
    bundle["encryption_key"] = json!({"env": "TEST_ENCRYPTION_KEY"});
    bundle["dh_params"] = json!({"file": path.with_file_name("dhparam.pem")});
    let piped = crate::terminal::run_with_input(
        &folder.0,
        &["doctor", "--offline", "--bundle", "/dev/stdin"],
        &bundle.to_string(),
    );
    assert_eq!((piped.status < 2, piped.stderr.as_str()), (true, ""));
}

#[cfg(feature = "simulate")]
#[test]
fn nobody_is_warned_of_the_simulators_own_keys() {
    let folder = Folder::new();
    let mut running = Running::start(&folder.0, &["simulate", "--out", "sim"]);
    let ready: Value = serde_json::from_str(&running.line()).unwrap();
    let path = Path::new(ready["bundle"].as_str().unwrap());
    for name in ["bundle.json", "private_signature.pem", "private_encryption.pem"] {
        set_mode(&path.with_file_name(name), 0o644);
    }
    let outcome = run_in(&folder.0, &["token", "--bundle", path.to_str().unwrap()]);
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
    let mut bundle: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    bundle["signature_key"] = json!({"file": "private_signature.pem"});
    bundle["encryption_key"] = json!({"file": "private_encryption.pem"});
    let other = folder.write("sim/other.json", bundle.to_string());
    let outcome = run_in(&folder.0, &["token", "--bundle", other.to_str().unwrap()]);
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
}

#[cfg(feature = "simulate")]
#[test]
fn a_simulator_that_others_can_reach_says_so() {
    let folder = Folder::new();
    for (listen, format, words) in [
        ("0.0.0.0:0", "text", Some("warning: whoever reaches 0.0.0.0:")),
        ("[::]:0", "json", Some("{\"try\":\"give `--listen 127.0.0.1:PORT`")),
        ("127.0.0.1:0", "text", None),
        ("[::1]:0", "text", None),
    ] {
        let mut running = Running::start(&folder.0, &["simulate", "--listen", listen, "--output", format]);
        assert!(running.line().contains("bundle.json"));
        running.signal("TERM");
        let outcome = running.end();
        assert_eq!(outcome.status, 0, "{}", outcome.stderr);
        match words {
            Some(words) => assert!(outcome.stderr.starts_with(words), "{}", outcome.stderr),
            None => assert_eq!(outcome.stderr, ""),
        }
    }
}
