//! What the program does with files that are not its own: nothing of the user's is overwritten, and nothing is half written.

#[path = "../../src/files.rs"]
#[allow(dead_code, unreachable_pub, reason = "only what cannot be provoked from outside is called here")]
mod files;

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{MetadataExt, symlink},
    path::Path,
    process::Command,
};

use crate::terminal::{Folder, Outcome, Running, run_in, run_with_room};
use ibkr_oauth::simulator::test_keys;
use serde_json::{Value, json};

/// The names that `simulate` writes.
const NAMES: [&str; 4] = ["private_signature.pem", "private_encryption.pem", "dhparam.pem", "bundle.json"];

/// All that is in a folder: what each thing is, its permissions, and what is in it or where it leads.
fn all_in(folder: &Path) -> BTreeMap<String, (u32, u64, Vec<u8>)> {
    let look = |path: &Path| {
        let metadata = path.symlink_metadata().unwrap();
        let content = if metadata.is_symlink() {
            fs::read_link(path).unwrap().into_os_string().into_encoded_bytes()
        } else if metadata.is_file() {
            fs::read(path).unwrap()
        } else {
            Vec::new()
        };
        (metadata.mode(), metadata.ino(), content)
    };
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| (entry.file_name().into_string().unwrap(), look(&entry.path()))).collect()
}

/// Runs `simulate` until it is ready or fails, and then ends it. The first line is what it announced.
fn simulate(folder: &Path, arguments: &[&str]) -> (String, Outcome) {
    let mut running = Running::start(folder, &[&["simulate"], arguments].concat());
    let line = running.line();
    if !line.is_empty() {
        running.signal("TERM");
    }
    (line, running.end())
}

/// Asserts that `simulate` refuses the folder `d`, names this file and says why, and changes nothing.
fn assert_refused(folder: &Folder, name: &str, why: &str) {
    let before = all_in(&folder.0.join("d"));
    let (line, outcome) = simulate(&folder.0, &["--out", "d"]);
    assert_eq!((line.as_str(), all_in(&folder.0.join("d")) == before), ("", true), "{name}: {}", outcome.stderr);
    outcome.assert_failure(2, "", &format!("d/{name} is there already"), "--out");
    assert!(outcome.stderr.contains(why), "{why}: {}", outcome.stderr);
}

fn assert_simulates(folder: &Path, out: &str) -> Value {
    let (line, outcome) = simulate(folder, &["--out", out]);
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
    serde_json::from_str(&line).unwrap()
}

#[test]
fn simulate_never_overwrites_keys_that_keygen_made() {
    let folder = Folder::new();
    assert_eq!(run_in(&folder.0, &["keygen", "--out", "d"]).status, 0);
    assert_refused(&folder, "private_signature.pem", "not a file of the simulator's");
}

#[test]
fn simulate_refuses_whatever_it_did_not_write_under_each_of_its_names() {
    for name in NAMES {
        let folder = Folder::new();
        let path = folder.0.join("d").join(name);
        let make = || fs::create_dir(folder.0.join("d")).unwrap();
        let again = || fs::remove_dir_all(folder.0.join("d")).unwrap();

        for content in ["", "mine", "{}"] {
            make();
            fs::write(&path, content).unwrap();
            assert_refused(&folder, name, "not a file of the simulator's");
            again();
        }
        let target = folder.write("elsewhere/target", "mine");
        for target in [target.to_str().unwrap(), "nowhere"] {
            make();
            symlink(target, &path).unwrap();
            assert_refused(&folder, name, "a link");
            again();
        }
        assert_eq!(fs::read(&target).unwrap(), b"mine");
        make();
        fs::create_dir(&path).unwrap();
        assert_refused(&folder, name, "a folder");
        again();
        make();
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        assert_refused(&folder, name, "not a file");
        again();

        // What an earlier simulation wrote, one byte of it changed, or longer by one.
        for change in [|content: &mut Vec<u8>| content[60] ^= 1, |content: &mut Vec<u8>| content.push(b'\n')] {
            assert_simulates(&folder.0, "d");
            let mut content = fs::read(&path).unwrap();
            change(&mut content);
            fs::write(&path, content).unwrap();
            assert_refused(&folder, name, "not a file of the simulator's");
            again();
        }
        // The same behind a link is not what it wrote.
        assert_simulates(&folder.0, "d");
        fs::rename(&path, folder.0.join("elsewhere/moved")).unwrap();
        symlink(folder.0.join("elsewhere/moved"), &path).unwrap();
        assert_refused(&folder, name, "a link");
    }
}

#[test]
fn a_bundle_is_the_users_when_anything_in_it_is() {
    let folder = Folder::new();
    assert_simulates(&folder.0, "d");
    let path = folder.0.join("d/bundle.json");
    let written = fs::read_to_string(&path).unwrap();
    let bundle: Value = serde_json::from_str(&written).unwrap();
    assert_eq!(bundle["consumer_key"], test_keys::CONSUMER_KEY);
    let mine = rsa_key();
    for (field, value) in [
        ("signature_key", json!(mine)),
        ("encryption_key", json!({"file": "private_encryption.pem"})),
        ("dh_params", json!("mine")),
        ("consumer_key", json!("MYCONSKEY")),
        ("realm", json!("test_realm")),
        ("note", json!("mine")),
    ] {
        let mut changed = bundle.clone();
        changed[field] = value;
        fs::write(&path, format!("{changed:#}\n")).unwrap();
        assert_refused(&folder, "bundle.json", "not a file of the simulator's");
    }
    // Linked under another name, which would go on naming the old one.
    fs::write(&path, &written).unwrap();
    fs::hard_link(&path, folder.0.join("elsewhere/bundle.json")).unwrap();
    assert_refused(&folder, "bundle.json", "hard link");
}

/// A private key that is not the simulator's.
fn rsa_key() -> String {
    let folder = Folder::new();
    assert_eq!(run_in(&folder.0, &["keygen", "--out", "new"]).status, 0);
    fs::read_to_string(folder.0.join("new/private_signature.pem")).unwrap()
}

#[test]
fn an_earlier_simulation_is_renewed_and_all_else_is_left_alone() {
    let folder = Folder::new();
    let first = assert_simulates(&folder.0, "d");
    folder.write("d/other.json", "{}");
    folder.write("d/public_signature.pem", "mine");
    for lost in [None, Some("dhparam.pem"), Some("bundle.json")] {
        if let Some(name) = lost {
            fs::remove_file(folder.0.join("d").join(name)).unwrap();
        }
        let again = assert_simulates(&folder.0, "d");
        assert_eq!(again["bundle"], first["bundle"]);
        let found = all_in(&folder.0.join("d"));
        assert_eq!(found.len(), 6, "{:?}", found.keys());
        let bundle: Value = serde_json::from_slice(&found["bundle.json"].2).unwrap();
        assert_eq!(bundle["base_url"], again["base_url"]);
        assert_eq!(found["dhparam.pem"].2, test_keys::DH_PARAMETERS.as_bytes());
        assert_eq!((&found["other.json"].2[..], &found["public_signature.pem"].2[..]), (&b"{}"[..], &b"mine"[..]));
    }
    // Others in the folder, JSON or not, are in nobody's way.
    folder.write("elsewhere/settings.json", r#"{"consumer_key":"MYCONSKEY"}"#);
    assert_simulates(&folder.0, "elsewhere");
    assert_eq!(all_in(&folder.0.join("elsewhere")).len(), 5);
}

#[test]
fn on_a_full_disk_all_is_written_or_nothing() {
    let folder = Folder::new();
    fs::create_dir(folder.0.join("d")).unwrap();
    // Room for nothing; for public keys; for private keys, but not for the bundle.
    for (command, most) in [("keygen", 3), ("simulate", 8)] {
        for blocks in 0..=most {
            for out in ["d", "new"] {
                let outcome = run_with_room(&folder.0, blocks, &[command, "--out", out]);
                outcome.assert_failure(2, "", "cannot be written", "--out");
                assert_eq!(fs::read_dir(folder.0.join("d")).unwrap().count(), 0, "{command}, {blocks} blocks");
            }
            assert!(!folder.0.join("new").exists(), "{command}, {blocks} blocks");
        }
    }
    // The next run is not blocked by what is left of the one before.
    assert_eq!(run_in(&folder.0, &["keygen", "--out", "d"]).status, 0);

    assert_simulates(&folder.0, "sim");
    fs::remove_file(folder.0.join("sim/dhparam.pem")).unwrap();
    let before = all_in(&folder.0.join("sim"));
    run_with_room(&folder.0, 4, &["simulate", "--out", "sim"]).assert_failure(2, "", "cannot be written", "--out");
    assert!(all_in(&folder.0.join("sim")) == before);
}

#[test]
fn what_appears_while_files_are_created_is_kept_and_the_others_are_taken_back() {
    use files::{NewFile, Readers};

    let new = |name| NewFile { name, content: b"new", readers: Readers::Owner };
    for other in ["a", "b", "c"] {
        let folder = Folder::new();
        folder.write(&format!("keys/{other}"), "mine");
        let before = all_in(&folder.0.join("keys"));
        let result = files::create_all(&folder.0.join("keys"), &[new("a"), new("b"), new("c")]);
        let (path, error) = result.map(|_| ()).unwrap_err();
        assert_eq!((path, error.kind()), (folder.0.join("keys").join(other), std::io::ErrorKind::AlreadyExists));
        assert!(all_in(&folder.0.join("keys")) == before);
    }
    let folder = Folder::new();
    let path = folder.write("mine", "old");
    let before = all_in(&folder.0);
    assert!(!files::replace(&path, b"new", || false).unwrap());
    assert!(all_in(&folder.0) == before);
    assert!(files::replace(&path, b"new", || true).unwrap());
    assert_eq!(fs::read(&path).unwrap(), b"new");
}
