//! What the program reads: files, pipes and standard input, none of them without limit or without end.

use std::{
    fs::{self, File},
    io::Write,
    os::unix::net::UnixListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use crate::terminal::{Folder, Outcome, command, outcome, run_with_input, user};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ibkr_oauth::simulator::test_keys;
use serde_json::{Value, json};

/// The longest that is read, in bytes.
const LIMIT: u64 = 1 << 20;

/// What the program reads, each by a command of its own.
#[derive(Clone, Copy, Debug)]
enum Reads {
    Bundle,
    SignatureKey,
    EncryptionKey,
    DhParams,
    Certificate,
}

const ALL: [Reads; 5] = [Reads::Bundle, Reads::SignatureKey, Reads::EncryptionKey, Reads::DhParams, Reads::Certificate];

fn bundle() -> Value {
    json!({
        "consumer_key": test_keys::CONSUMER_KEY,
        "base_url": "http://127.0.0.1:1/v1/api",
        "access_token": "218c1d970d85a8442825",
        "access_token_secret": "c2VjcmV0",
        "signature_key": test_keys::SIGNATURE_KEY,
        "encryption_key": test_keys::ENCRYPTION_KEY,
        "dh_params": test_keys::DH_PARAMETERS,
    })
}

impl Reads {
    /// The arguments that read this file.
    fn arguments(self, folder: &Folder, file: &Path) -> Vec<String> {
        let mut bundle = bundle();
        let path = file.to_str().unwrap();
        let field = match self {
            Self::Bundle => {
                return vec!["doctor".to_owned(), "--offline".to_owned(), "--bundle".to_owned(), path.to_owned()];
            }
            Self::SignatureKey => Some("signature_key"),
            Self::EncryptionKey => Some("encryption_key"),
            Self::DhParams => Some("dh_params"),
            Self::Certificate => None,
        };
        if let Some(field) = field {
            bundle[field] = json!({ "file": path });
        }
        let bundle = folder.write(&format!("{self:?}.json"), bundle.to_string());
        let mut arguments = vec!["doctor", "--bundle", bundle.to_str().unwrap()];
        // Without a network no certificate is needed.
        match field {
            None => arguments.extend(["--ca-certificate", path]),
            Some(_) => arguments.push("--offline"),
        }
        arguments.into_iter().map(str::to_owned).collect()
    }

    fn content(self) -> String {
        match self {
            Self::Bundle => bundle().to_string(),
            Self::SignatureKey => test_keys::SIGNATURE_KEY.to_owned(),
            Self::EncryptionKey => test_keys::ENCRYPTION_KEY.to_owned(),
            Self::DhParams => test_keys::DH_PARAMETERS.to_owned(),
            Self::Certificate => {
                let base64 = STANDARD.encode(ibkr_oauth_sockets::stream::certificate().0);
                format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n")
            }
        }
    }
}

/// Starts the program with no more memory than it needs.
fn start(folder: &Folder, arguments: &[String], input: Stdio) -> Child {
    let program = command(&folder.0).get_program().to_owned();
    let mut shell = Command::new("sh");
    shell.current_dir(&folder.0).args(["-c", "ulimit -v 600000; exec \"$0\" \"$@\""]).arg(program).args(arguments);
    shell.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn run(folder: &Folder, arguments: &[String]) -> Outcome {
    outcome(start(folder, arguments, Stdio::null()).wait_with_output().unwrap())
}

fn pipe(folder: &Folder, name: &str) -> PathBuf {
    let path = folder.0.join(name);
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    path
}

#[test]
fn folders_devices_sockets_and_long_files_are_refused() {
    let folder = Folder::new();
    let _socket = UnixListener::bind(folder.0.join("socket")).unwrap();
    for (name, length) in [("long", LIMIT + 1), ("huge", 1 << 30)] {
        File::create(folder.0.join(name)).unwrap().set_len(length).unwrap();
    }
    std::os::unix::fs::symlink("/dev/zero", folder.0.join("link")).unwrap();
    for reads in ALL {
        for (name, what, remedy) in [
            ("keys", "it is a folder", "regular file"),
            ("/dev/zero", "it is a device", "regular file"),
            ("/dev/null", "it is a device", "regular file"),
            ("link", "it is a device", "regular file"),
            ("socket", "it is a device or a socket", "regular file"),
            ("long", "longer than 1 MiB", "few KiB"),
            ("huge", "longer than 1 MiB", "few KiB"),
            ("nothing", "No such file", "check the path"),
        ] {
            let path = folder.0.join(name);
            let outcome = run(&folder, &reads.arguments(&folder, &path));
            outcome.assert_failure(2, "", what, remedy);
            assert!(outcome.stderr.contains(path.to_str().unwrap()), "{}", outcome.stderr);
        }
    }
}

#[test]
fn files_and_pipes_up_to_the_limit_are_read() {
    for reads in ALL {
        let folder = Folder::new();
        let mut content = reads.content();
        content.push_str(&"\n".repeat(usize::try_from(LIMIT).unwrap() - content.len()));
        let file = folder.write("file", &content);
        let whole = run(&folder, &reads.arguments(&folder, &file));
        assert!(whole.text().contains("consumer_key"), "{reads:?}: {}", whole.stderr);

        let (path, with_one_more) = (pipe(&folder, "pipe"), format!("{content}\n"));
        for (content, is_read) in [(content, true), (with_one_more, false)] {
            let child = start(&folder, &reads.arguments(&folder, &path), Stdio::null());
            // A program that reads no more has seen enough.
            let _ = fs::write(&path, content);
            let ended = outcome(child.wait_with_output().unwrap());
            if is_read {
                assert!(ended.text().contains("consumer_key"), "{reads:?}: {}", ended.stderr);
            } else {
                ended.assert_failure(2, "", "longer than 1 MiB", "few KiB");
            }
        }
    }
}

#[test]
fn a_bundle_comes_through_standard_input_too() {
    let folder = Folder::new();
    let outcome =
        run_with_input(&folder.0, &["doctor", "--offline", "--bundle", "/dev/stdin"], &Reads::Bundle.content());
    assert!(outcome.text().contains("consumer_key"), "{}", outcome.stderr);
}

/// A pipe with a writer that never ends it. It lasts until the program has failed.
fn dribble(mut pipe: impl Write + Send + 'static) {
    thread::spawn(move || {
        while pipe.write_all(b" ").and_then(|()| pipe.flush()).is_ok() {
            thread::sleep(Duration::from_millis(100));
        }
    });
}

#[test]
fn pipes_that_do_not_end_are_given_up() {
    let folder = Folder::new();
    let mut running = Vec::new();
    for reads in ALL {
        let silent = pipe(&folder, &format!("silent-{reads:?}"));
        running.push(start(&folder, &reads.arguments(&folder, &silent), Stdio::null()));
        let slow = pipe(&folder, &format!("slow-{reads:?}"));
        running.push(start(&folder, &reads.arguments(&folder, &slow), Stdio::null()));
        thread::spawn(move || dribble(File::options().write(true).open(slow).unwrap()));
    }
    let url = "https://api.ibkr.com/v1/api/tickle";
    let bundle = folder.write("bundle.json", Reads::Bundle.content());
    let mut inputs = Vec::new();
    for arguments in [
        vec!["explain", "GET", url, "--header", "-"],
        vec!["explain", "GET", url, "--base-string", "-"],
        vec!["sign", "--bundle", bundle.to_str().unwrap(), "--live-session-token", "-", "GET", url],
    ] {
        let arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
        let mut slow = start(&folder, &arguments, Stdio::piped());
        dribble(slow.stdin.take().unwrap());
        running.push(slow);
        let mut silent = start(&folder, &arguments, Stdio::piped());
        inputs.push(silent.stdin.take().unwrap());
        running.push(silent);
    }
    for child in running {
        outcome(child.wait_with_output().unwrap()).assert_failure(2, "", "did not end within 10 seconds", "closes it");
    }
}

#[test]
fn standard_input_has_a_limit_whatever_it_is() {
    let folder = Folder::new();
    let arguments = ["explain", "GET", "https://api.ibkr.com/v1/api/tickle", "--header", "-"].map(str::to_owned);
    let zeros = start(&folder, &arguments, File::open("/dev/zero").unwrap().into());
    outcome(zeros.wait_with_output().unwrap()).assert_failure(2, "", "longer", "1 MiB");
    let of_a_folder = start(&folder, &arguments, File::open(&folder.0).unwrap().into());
    outcome(of_a_folder.wait_with_output().unwrap()).assert_failure(2, "", "cannot be read", "");
}

#[test]
fn what_is_pasted_has_a_limit() {
    let (server, user) = user::start();
    let mut bundle = bundle();
    bundle["base_url"] = json!(server.account.base_url());
    let bundle = user.folder.write("pasted.json", bundle.to_string());
    let arguments = ["authorize", "--bundle", bundle.to_str().unwrap()].map(str::to_owned);
    let zeros = start(&user.folder, &arguments, File::open("/dev/zero").unwrap().into());
    let mut without_end = Command::new("yes").arg("a slip of the hand").stdout(Stdio::piped()).spawn().unwrap();
    let lines = start(&user.folder, &arguments, without_end.stdout.take().unwrap().into());
    for child in [zeros, lines] {
        let ended = outcome(child.wait_with_output().unwrap());
        assert_eq!(ended.status, 2, "{}", ended.stderr);
        assert!(ended.stderr.contains("the input ended without an address"), "{}", ended.stderr);
    }
    without_end.wait().unwrap();
}
