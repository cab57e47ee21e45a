//! The commands that make keys, ask for consent, keep a session and explain, run as their users run them.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    path::Path,
    time::SystemTime,
};

use crate::terminal::{
    Folder, Outcome, Running, run_in, run_with_input,
    user::{User, start},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ibkr_oauth::{
    OsEntropy,
    dh::DhGroup,
    http::Uri,
    key::{DecryptionKey as _, RsaKey},
    simulator::{Fault, test_keys},
};
use ibkr_oauth_sockets::{
    Address,
    broker::{BrokerServer, with_context},
    stream::certificate,
};
use serde_json::{Value, json};

const KEY_FILES: [&str; 5] =
    ["private_signature.pem", "private_encryption.pem", "public_signature.pem", "public_encryption.pem", "dhparam.pem"];

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap()
}

#[test]
fn keygen_makes_keys_that_are_whole_and_private() {
    let folder = Folder::new();
    let outcome = run_in(&folder.0, &["keygen", "--out", "new/keys"]);
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
    let keys = folder.0.join("new/keys");
    for (private, public) in [(KEY_FILES[0], KEY_FILES[2]), (KEY_FILES[1], KEY_FILES[3])] {
        let text = read(&keys, private);
        assert!(text.starts_with("-----BEGIN PRIVATE KEY-----\n") && text.ends_with("-----END PRIVATE KEY-----\n"));
        assert!(text.lines().all(|line| line.len() <= 64) && !text.contains('\r'));
        let key = RsaKey::from_pem(&text).unwrap();
        assert_eq!((key.public_key().modulus_bits(), key.public_key().to_pem()), (2048, read(&keys, public)));
        assert!(outcome.text().contains(&key.public_key().fingerprint()));
        assert_eq!(fs::metadata(keys.join(private)).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!outcome.text().contains(text.lines().nth(1).unwrap()));
    }
    assert_ne!(read(&keys, KEY_FILES[0]), read(&keys, KEY_FILES[1]));
    assert_eq!(read(&keys, KEY_FILES[4]), DhGroup::modp_2048().to_pem());
    for words in ["ndcdyn.interactivebrokers.com", "weekend", "as the public signing key"] {
        assert!(outcome.text().contains(words), "{words}");
    }

    let before: Vec<String> = KEY_FILES.iter().map(|name| read(&keys, name)).collect();
    run_in(&folder.0, &["keygen", "--out", "new/keys"]).assert_failure(2, "", "never overwritten", "--out");
    assert_eq!(before, KEY_FILES.map(|name| read(&keys, name)));
    // One file in the way is enough, and then nothing is written.
    folder.write("elsewhere/dhparam.pem", "mine");
    run_in(&folder.0, &["keygen", "--out", "elsewhere"]).assert_failure(2, "", "dhparam.pem", "--out");
    assert_eq!(fs::read_dir(folder.0.join("elsewhere")).unwrap().count(), 1);
    folder.write("file", "");
    run_in(&folder.0, &["keygen", "--out", "file"]).assert_failure(2, "", "cannot be written", "--out");

    let outcome = run_in(&folder.0, &["keygen", "--out", "more", "--output", "json"]);
    let object: Value = serde_json::from_slice(&outcome.stdout).unwrap();
    let key = RsaKey::from_pem(&read(&folder.0.join("more"), KEY_FILES[0])).unwrap();
    assert_eq!(object["fingerprints"]["public_signature.pem"], key.public_key().fingerprint());
    let group = DhGroup::read(read(&folder.0.join("more"), "dhparam.pem")).unwrap();
    assert_eq!(object["dh_prime"], group.prime_hex());
}

fn bundle_before_consent(server: &BrokerServer) -> String {
    let base_url = server.account.base_url();
    format!(
        r#"{{"dh_params": {{"file": "keys/dh.pem"}}, "signature_key": {{"file": "keys/signature.pem"}},
               "encryption_key": {{"env": "TEST_ENCRYPTION_KEY"}}, "consumer_key": "{}", "base_url": "{base_url}"}}"#,
        test_keys::CONSUMER_KEY
    )
}

/// A bundle from before the consent, in an order and with permissions of its own.
fn before_consent(user: &User, server: &BrokerServer) -> std::path::PathBuf {
    let path = user.folder.write("new.json", bundle_before_consent(server));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    path
}

/// What the browser of a consenting user is sent to.
fn consent(server: &BrokerServer, page: &str) -> String {
    let url: Uri = page.parse().unwrap();
    with_context(|cx| server.broker().consent(cx, &url)).unwrap()
}

fn assert_authorized(user: &User, server: &BrokerServer, path: &Path) {
    let text = fs::read_to_string(path).unwrap();
    // All that was there is as it was, and the two come after it.
    let (before, after) = text.split_once(",\n  \"access_token\": ").unwrap();
    assert_eq!(format!("{before}}}"), bundle_before_consent(server));
    assert_eq!(after.matches("\n  \"").count(), 1, "{after}");
    assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(run_in(&user.folder.0, &["token", "--bundle", path.to_str().unwrap()]).status, 0);
    let bundle: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(bundle["access_token"], server.account.access_token.token());
}

#[test]
fn authorize_takes_what_is_pasted() {
    let (server, user) = start();
    let path = before_consent(&user, &server);
    let arguments = ["authorize", "--bundle", path.to_str().unwrap()];
    for only_verifier in [false, true] {
        let mut running = Running::start(&user.folder.0, &arguments);
        let page = running.line();
        assert!(page.starts_with("https://www.interactivebrokers.com/authorize?oauth_token="), "{page}");
        let callback = consent(&server, &page);
        running.type_line("");
        running.type_line("a slip of the hand");
        running.type_line("https://www.example.com/callback?oauth_token=another&oauth_verifier=another");
        running.type_line(if only_verifier { callback.rsplit('=').next().unwrap() } else { &callback });
        let outcome = running.end();
        user.assert_no_secret_in(&outcome);
        assert_eq!(outcome.status, 0, "{}", outcome.stderr);
        assert!(outcome.text().contains("paper login"), "{}", outcome.text());
        assert_authorized(&user, &server, &path);
    }
    let before = fs::read(&path).unwrap();
    let mut running = Running::start(&user.folder.0, &arguments);
    let page: Uri = running.line().parse().unwrap();
    let declined = with_context(|cx| server.broker().decline(cx, &page)).unwrap();
    running.type_line(&declined);
    let outcome = running.end();
    assert!(outcome.status == 1 && outcome.stderr.contains("did not consent"), "{}", outcome.stderr);
    let outcome = run_in(&user.folder.0, &arguments);
    assert!(outcome.status == 2 && outcome.stderr.contains("input ended"), "{}", outcome.stderr);
    server.broker().inject("invalid-consumer".parse().unwrap());
    run_in(&user.folder.0, &arguments).assert_failure(1, "", "invalid consumer", "reset");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn authorize_waits_for_the_browser() {
    let (server, user) = start();
    let path = before_consent(&user, &server);
    let link = user.folder.0.join("link.json");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let port = Address::new().origin().rsplit(':').next().unwrap().to_owned();
    let listen = format!("127.0.0.1:{port}");
    let arguments = ["authorize", "--bundle", link.to_str().unwrap(), "--listen", &listen, "--output", "json"];
    let mut running = Running::start(&user.folder.0, &arguments);
    let announced: Value = serde_json::from_str(&running.line()).unwrap();
    let callback = consent(&server, announced["authorize_url"].as_str().unwrap());
    assert!(callback.starts_with(&format!("http://{listen}/callback?oauth_token=")), "{callback}");
    let visit = |target: &str| {
        let mut stream = TcpStream::connect(&listen).unwrap();
        write!(stream, "GET {target} HTTP/1.1\r\nHost: {listen}\r\n\r\n").unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).unwrap();
        page
    };
    for other in ["/favicon.ico", "/", "/.well-known/appspecific/com.chrome.devtools.json?callback"] {
        assert!(visit(other).starts_with("HTTP/1.1 404"), "{other}: a browser asks for more than the callback");
    }
    assert!(visit("/callback?oauth_token=forged&oauth_verifier=forged").starts_with("HTTP/1.1 400"));
    let _speculative = TcpStream::connect(&listen).unwrap();
    let target = callback.strip_prefix(&format!("http://{listen}")).unwrap();
    assert!(visit(target).contains("You may close this page"));
    let result: Value = serde_json::from_str(&running.line()).unwrap();
    assert_eq!(result["is_paper"], true);
    let outcome = running.end();
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    assert!(link.is_symlink());
    assert_authorized(&user, &server, &path);
    let wide = ["authorize", "--bundle", link.to_str().unwrap(), "--listen", "0.0.0.0:0"];
    run_in(&user.folder.0, &wide).assert_failure(2, "", "other machines", "127.0.0.1");
}

#[test]
fn session_says_what_happens_and_logs_out() {
    for (signal, format) in [("INT", "text"), ("TERM", "json"), ("HUP", "text")] {
        let (server, user) = start();
        let bundle = user.bundle.to_str().unwrap();
        let mut running = Running::start(&user.folder.0, &["session", "--bundle", bundle, "--output", format]);
        let live = running.line_with("-> Live");
        assert_eq!(format == "json", serde_json::from_str::<Value>(&live).is_ok(), "{live}");
        running.signal(signal);
        let outcome = running.end();
        user.assert_no_secret_in(&outcome);
        assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
        assert!(outcome.text().contains("closed, and logged out"), "{}", outcome.text());
        assert!(server.server.received().iter().any(|request| request.target().1.ends_with("/logout")));
    }
}

#[test]
fn session_without_brokerage_opens_none() {
    let (server, user) = start();
    let bundle = user.bundle.to_str().unwrap();
    let arguments = ["session", "--bundle", bundle, "--read-only", "--query-policy", "omit"];
    let mut running = Running::start(&user.folder.0, &arguments);
    running.line_with("-> Live");
    running.signal("TERM");
    assert_eq!(running.end().status, 0);
    assert_eq!(server.broker().brokerage_sessions_opened(), 0);
    let wrong = user.change(&json!({ "access_token": null, "access_token_secret": null }));
    let arguments = ["session", "--bundle", wrong.to_str().unwrap()];
    run_in(&user.folder.0, &arguments).assert_failure(2, "", "no access token", "authorize");
    assert_eq!(run_in(&user.folder.0, &["session", "--bundle", bundle, "--compete", "never"]).status, 2);
}

#[test]
fn the_live_session_token_comes_from_standard_input() {
    let (server, user) = start();
    let bundle = user.bundle.to_str().unwrap();
    let token = run_in(&user.folder.0, &["token", "--bundle", bundle, "--output", "text"]);
    assert_eq!((token.text().len(), token.text().ends_with("=\n")), (29, true));
    let arguments = ["sign", "--bundle", bundle, "--nonce", "1", "--timestamp", "2", "--live-session-token"];
    let url = format!("{}/tickle", server.account.consumer.endpoints().base_url());
    let url = ["GET", &url];
    let piped = run_with_input(&user.folder.0, &[&arguments[..], &["-"], &url].concat(), token.text());
    let given = run_in(&user.folder.0, &[&arguments[..], &[token.text().trim()], &url].concat());
    assert_eq!((piped.status, &piped.stdout), (0, &given.stdout));
    let json = [&arguments[..], &["-"], &url, &["--output", "json"]].concat();
    let object: Value = serde_json::from_slice(&run_with_input(&user.folder.0, &json, token.text()).stdout).unwrap();
    assert_eq!(object["authorization"], given.text().trim_end());
    for nothing in ["", "\n", &"A".repeat(5000)] {
        let outcome = run_with_input(&user.folder.0, &[&arguments[..], &["-"], &url].concat(), nothing);
        outcome.assert_failure(2, "", "live session token", "28 characters");
    }
}

#[test]
fn explain_shows_the_steps_and_names_the_mistake() {
    let folder = Folder::new();
    let explain = |more: &[&str]| run_in(&folder.0, &[&["explain", "--nonce", "1", "--timestamp", "2"], more].concat());
    let url = "https://api.ibkr.com/v1/api/iserver/secdef/search?symbol=BRK%20B";
    let outcome = explain(&["get", url]);
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
    assert!(outcome.text().contains("symbol%3DBRK%2520B"), "{}", outcome.text());
    let elsewhere = explain(&["get", "https://1.api.ibkr.com:8443/v1/api/tickle"]);
    assert!(elsewhere.text().contains("1.api.ibkr.com%3A8443"), "{}", elsewhere.text());
    let theirs = "GET&https%3A%2F%2Fapi.ibkr.com%2Fv1%2Fapi%2Fiserver%2Fsecdef%2Fsearch&oauth_consumer_key%3DCONSUMERKEY\
                  %26oauth_nonce%3D1%26oauth_signature_method%3DHMAC-SHA256%26oauth_timestamp%3D2%26oauth_token%3Daccess-token\
                  %26symbol%3DBRK%2BB";
    let outcome = explain(&["GET", url, "--base-string", theirs]);
    assert!(
        outcome.text().contains("spaces were signed as `+`: `symbol=BRK+B`, not `symbol=BRK%20B`"),
        "{}",
        outcome.text()
    );
    let piped = ["explain", "--nonce", "1", "--timestamp", "2", "GET", url, "--base-string", "-", "--output", "json"];
    let outcome = run_with_input(&folder.0, &piped, &format!("{theirs}\n"));
    let object: Value = serde_json::from_slice(&outcome.stdout).unwrap();
    assert_eq!(object["comparison"].as_array().unwrap().len(), 1, "{object:#}");
    let header = r#"OAuth realm="limited_poa", oauth_consumer_key="ABCDEFGHI", oauth_nonce="9", oauth_signature="abc%3D",
        oauth_signature_method="HMAC-SHA256", oauth_timestamp="1700000000000", oauth_token="218c1d970d85a8442825""#;
    let outcome = run_in(&folder.0, &["explain", "GET", url, "--header", &header.replace('\n', " ")]);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    assert!(outcome.text().contains("milliseconds") && !outcome.text().contains("218c1d97"), "{}", outcome.text());
    let sign_in = "https://api.ibkr.com/v1/api/oauth/live_session_token";
    explain(&["POST", sign_in]).assert_failure(2, "", "another kind of signature", "--header");
    explain(&["GET", "/tickle"]).assert_failure(2, "", "", "absolute URL");
    run_in(&folder.0, &["explain", "GET", url, "--header", "Bearer x"]).assert_failure(2, "", "", "");
    run_in(&folder.0, &["explain", "GET", url, "--header", "-", "--base-string", "-"])
        .assert_failure(2, "", "both", "");
    run_with_input(&folder.0, &piped[..piped.len() - 2], &"A".repeat((1 << 20) + 1))
        .assert_failure(2, "", "longer", "1 MiB");
}

#[test]
fn json_is_one_object_and_errors_too() {
    let (server, user) = start();
    let outcome = user.run(&["request", "--output", "json", "GET", "/portfolio/accounts"]);
    let object: Value = serde_json::from_slice(&outcome.stdout).unwrap();
    assert_eq!((outcome.status, outcome.stderr.as_str(), &object["status"]), (0, "", &json!(200)));
    assert_eq!(object["body"][0]["id"], "DU0000001");
    assert!(object["headers"]["content-type"].is_string());
    server.broker().inject("invalid-consumer".parse().unwrap());
    let outcome = user.run(&["token", "--output", "json"]);
    let object: Value = serde_json::from_str(&outcome.stderr).unwrap();
    assert!(outcome.status == 1 && object["error"].as_str().unwrap().contains("invalid consumer"));
    assert!(object["try"].as_str().unwrap().contains("reset"));
}

#[test]
fn certificates_of_ones_own_must_be_some() {
    let (server, user) = start();
    let not_one = user.folder.write("key.pem", test_keys::SIGNATURE_KEY);
    let not_one = not_one.to_str().unwrap();
    for command in [&["token"][..], &["request", "GET", "/tickle"], &["session"], &["doctor"], &["authorize"]] {
        let given = |path| user.run(&[command, &["--ca-certificate", path]].concat());
        given("none.pem").assert_failure(2, "", "none.pem cannot be read", "path");
        given(not_one).assert_failure(2, "", "no certificate", "BEGIN CERTIFICATE");
    }
    assert!(server.server.received().is_empty());
    let certificate = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/keys/certificate.pem");
    assert_eq!(user.run(&["token", "--ca-certificate", certificate]).status, 0);
}

#[test]
fn certificates_of_ones_own_vouch_for_the_server() {
    let (own, config) = certificate();
    let (of_another, _) = certificate();
    let server = BrokerServer::frozen(Address::with_tls(config), SystemTime::now().into());
    let user = User::new(server.account.base_url(), &server.account.access_token);
    let pem = |name: &str, certificate: &[u8]| {
        let text = STANDARD.encode(certificate);
        let pem = format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n");
        user.folder.write(name, pem).to_str().unwrap().to_owned()
    };
    let (own, of_another) = (pem("own.pem", &own), pem("another.pem", &of_another));

    user.run(&["token"]).assert_failure(1, "", "certificate", "nothing was sent");
    let refused = user.run(&["token", "--ca-certificate", &of_another]);
    refused.assert_failure(1, "", "certificate", "nothing was sent");
    assert!(server.server.received().is_empty());

    for command in [&["token"][..], &["request", "--open", "GET", "/iserver/accounts"]] {
        let outcome = user.run(&[command, &["--ca-certificate", &own]].concat());
        assert_eq!(outcome.status, 0, "{command:?}: {}", outcome.stderr);
    }
    assert!(server.broker().refusals().is_empty(), "{:?}", server.broker().refusals());
    let outcome = user.run(&["doctor", "--ca-certificate", &own]);
    assert_eq!(outcome.status, 0, "{}", outcome.text());
    assert!(outcome.text().contains("the certificate is good"), "{}", outcome.text());
}

#[test]
fn proxies_are_taken_from_the_environment() {
    let (server, user) = start();
    let run = |no_proxy: &str| {
        let mut command = crate::terminal::command(&user.folder.0);
        command.args(["token", "--bundle", user.bundle.to_str().unwrap()]);
        command.env("HTTP_PROXY", "http://127.0.0.1:1").env("NO_PROXY", no_proxy).output().unwrap().status.code()
    };
    assert_eq!(run(""), Some(1));
    assert!(server.server.received().is_empty());
    assert_eq!(run("127.0.0.1"), Some(0));
}

/// Everything that the user has and nobody else may see.
fn secrets(user: &User, server: &BrokerServer) -> Vec<String> {
    let token = &server.account.access_token;
    let key = RsaKey::from_pem(test_keys::ENCRYPTION_KEY).unwrap();
    let opened = key.decrypt(token.encrypted_secret(), &mut OsEntropy).unwrap();
    let digits: Vec<String> = opened.expose().iter().map(|byte| format!("{byte:02x}")).collect();
    let more = [token.token().to_owned(), digits.concat(), STANDARD.encode(opened.expose())];
    user.secrets.iter().cloned().chain(more).collect()
}

fn assert_hidden(secrets: &[String], outcome: &Outcome) {
    let shown = format!("{}{}", outcome.text(), outcome.stderr);
    for secret in secrets {
        assert!(!shown.contains(secret), "{shown}");
    }
}

/// Whether there is anything that may be a live session token: 20 bytes in Base64.
fn shows_a_token(outcome: &Outcome) -> bool {
    let shown = format!("{}{}", outcome.text(), outcome.stderr);
    let is_of_base64 = |char: char| char.is_ascii_alphanumeric() || "+/=".contains(char);
    shown.split(|char| !is_of_base64(char)).any(|word| word.len() == 28 && word.ends_with('=') && !word.ends_with("=="))
}

#[test]
fn no_command_shows_a_secret() {
    let commands: [&[&str]; 9] = [
        &["token"],
        &["request", "--open", "GET", "/iserver/accounts"],
        &["request", "GET", "/iserver/accounts"],
        &["doctor"],
        &["doctor", "--offline"],
        &["authorize"],
        &["session", "--read-only"],
        &["explain", "GET", "https://api.ibkr.com/v1/api/tickle"],
        &["session", "--compete", "yield"],
    ];
    let broken = [
        json!({}),
        json!({ "access_token_secret": "TTRya2VyU2VjcmV0" }),
        json!({ "access_token_secret": "*M4rk3r" }),
        json!({ "signature_key": test_keys::ENCRYPTION_KEY, "encryption_key": test_keys::SIGNATURE_KEY }),
        json!({ "encryption_key": &test_keys::SIGNATURE_KEY[..900] }),
        json!({ "signature_key": "M4rk3r" }),
        json!({ "dh_params": test_keys::SIGNATURE_KEY }),
        json!({ "access_token": test_keys::SIGNATURE_KEY }),
        json!({ "unknown": "M4rk3r" }),
    ];
    let (server, user) = start();
    let mut secrets = secrets(&user, &server);
    secrets.extend(["M4rk3r", "TTRya2VyU2VjcmV0"].map(str::to_owned));
    for changes in broken {
        let path = user.change(&changes);
        for command in commands {
            // It would run until somebody stops it.
            if command[0] == "session" && changes == json!({}) {
                continue;
            }
            for fault in [
                "no-access-secret".parse::<Fault>().unwrap().times(2),
                "wrong-proof".parse::<Fault>().unwrap().times(2),
            ] {
                server.broker().inject(fault);
            }
            for format in ["text", "json"] {
                let options = ["--bundle", path.to_str().unwrap(), "--output", format];
                if command[0] == "session" {
                    // Refused before it starts, or stopped as soon as it speaks.
                    let mut running =
                        Running::start(&user.folder.0, &[&command[..1], &options, &command[1..]].concat());
                    running.line();
                    running.signal("TERM");
                    let outcome = running.end();
                    assert_hidden(&secrets, &outcome);
                    assert!(!shows_a_token(&outcome));
                } else {
                    let outcome = run_in(&user.folder.0, &[&command[..1], &options, &command[1..]].concat());
                    assert_hidden(&secrets, &outcome);
                    // Only one is asked to show it.
                    assert_eq!(shows_a_token(&outcome), command[0] == "token" && outcome.status == 0);
                }
            }
        }
    }
}
