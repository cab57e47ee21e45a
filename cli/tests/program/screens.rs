//! What users see of `doctor` and `keygen`, as it stands in `docs/screens`: a test compares, so that no screen
//! in the documentation rots. `UPDATE_SCREENS=1 cargo test --features cli --test screens` writes them anew.

use std::{env, fs, path::Path};

use crate::terminal::{Folder, Outcome, run_in, user::start};
use ibkr_oauth::{
    key::RsaKey,
    simulator::{Fault, test_keys},
};
#[cfg(feature = "rsa")]
use serde_json::json;

/// Compares a command and its output with the screen of this name.
fn assert_screen(name: &str, command: &str, output: &str) {
    let screen = format!("$ ibkr-oauth {command}\n{output}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/screens").join(name);
    if env::var_os("UPDATE_SCREENS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &screen).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
    assert_eq!(screen, kept, "{} is not what users see any more; see the head of this test", path.display());
}

fn text(outcome: &Outcome, status: i32) -> String {
    assert_eq!((outcome.status, outcome.stderr.as_str()), (status, ""));
    outcome.text().to_owned()
}

/// One of the keys has three primes.
#[cfg(feature = "rsa")]
#[test]
fn offline_with_swapped_keys() {
    let (_server, user) = start();
    let swapped = user.change(&json!({
        "base_url": "https://api.ibkr.com/v1/api",
        "access_token_secret": include_str!("../../../tests/data/keys/rsa_three_primes_secret.txt"),
        "signature_key": include_str!("../../../tests/data/keys/rsa_three_primes_pkcs8.pem"),
        "encryption_key": include_str!("../../../tests/data/keys/pkcs8.pem"),
    }));
    let outcome = run_in(&user.folder.0, &["doctor", "--offline", "--bundle", swapped.to_str().unwrap()]);
    assert_screen("offline.txt", "doctor --offline --bundle bundle.json", &text(&outcome, 1));
}

#[test]
fn doctor_with_an_inactive_consumer() {
    let (server, user) = start();
    server.broker().inject("invalid-consumer".parse::<Fault>().unwrap().at("/oauth/live_session_token"));
    let output = text(&user.run(&["doctor"]), 1);
    // The port is another each time, and so is the number in the broker's words.
    let (_, port) = server.server.origin().rsplit_once(':').unwrap();
    let output = output.replace(&format!("127.0.0.1:{port}"), "127.0.0.1:41234");
    let number: String = output.split("id: ").nth(1).unwrap().chars().take_while(char::is_ascii_digit).collect();
    assert_screen("doctor.txt", "doctor --bundle bundle.json", &output.replace(&format!("id: {number}"), "id: 10003"));
}

#[test]
fn keygen() {
    let folder = Folder::new();
    let mut output = text(&run_in(&folder.0, &["keygen", "--out", "new"]), 0);
    for (name, fixed) in
        [("private_signature.pem", test_keys::SIGNATURE_KEY), ("private_encryption.pem", test_keys::ENCRYPTION_KEY)]
    {
        let made = RsaKey::from_pem(&fs::read_to_string(folder.0.join("new").join(name)).unwrap()).unwrap();
        output = output
            .replace(&made.public_key().fingerprint(), &RsaKey::from_pem(fixed).unwrap().public_key().fingerprint());
    }
    assert_screen("keygen.txt", "keygen --out new", &output);
}
