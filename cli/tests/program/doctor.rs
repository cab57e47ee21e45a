//! `doctor` on credentials and brokers of which one thing is broken ends with the advice that mends just that.

use std::{
    io::Write,
    net::{SocketAddr, TcpListener},
    thread,
};

use crate::terminal::{
    Folder, run_in,
    user::{User, start},
};
#[cfg(feature = "simulate")]
use crate::terminal::{command, outcome};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ibkr_oauth::simulator::{Fault, test_keys};
use ibkr_oauth_sockets::{
    Address,
    broker::{BrokerServer, with_context},
};
use serde_json::{Value, json};

const OTHER_KEY: &str = include_str!("../../../tests/data/keys/pkcs8.pem");
/// Encrypted to [`test_keys::ENCRYPTION_KEY`], the same at each run: another key opens one in a hundred to something that is
/// as long as a secret.
const SECRET: &str = include_str!("../../../tests/data/keys/simulator_secret.txt");
const OPEN: &str = "/iserver/auth/ssodh/init";

/// What is broken, how it shows first, and what to do about it.
struct Case {
    name: &'static str,
    /// The fields of the bundle that are other than they should be; `null` takes one away.
    changes: Value,
    faults: Vec<Fault>,
    subject: &'static str,
    advice: &'static str,
}

fn bundle(name: &'static str, changes: Value, subject: &'static str, advice: &'static str) -> Case {
    Case { name, changes, faults: Vec::new(), subject, advice }
}

fn fault(name: &'static str, fault: Fault, subject: &'static str, advice: &'static str) -> Case {
    Case { name, changes: json!({}), faults: vec![fault], subject, advice }
}

fn check(user: &User, server: &BrokerServer, case: Case) {
    let Case { name, changes, faults, subject, advice } = case;
    let path = user.change(&changes);
    for fault in faults {
        server.broker().inject(fault);
    }
    let arguments = ["doctor", "--bundle", path.to_str().unwrap()];
    let outcome = run_in(&user.folder.0, &[&arguments[..], &["--output", "json"]].concat());
    user.assert_no_secret_in(&outcome);
    let report: Value =
        serde_json::from_slice(&outcome.stdout).unwrap_or_else(|_| panic!("{name}: {}", outcome.stderr));
    let findings = report["findings"].as_array().unwrap();
    let first = findings.iter().find(|finding| finding["severity"] == "error");
    let first = first.unwrap_or_else(|| panic!("{name}: no error in {report:#}"));
    assert_eq!(first["subject"], subject, "{name}: {report:#}");
    let next = report["next"].as_str().unwrap();
    assert!(next.contains(advice), "{name}: {next}");
    assert_eq!((outcome.status, outcome.stderr.as_str(), &report["severity"]), (1, "", &json!("error")), "{name}");
}

/// Each with a server, and a user whose bundle fits it; all at once, since the program mostly waits.
fn each(cases: Vec<Case>) {
    thread::scope(|scope| {
        for case in cases {
            scope.spawn(|| {
                let (server, user) = start();
                check(&user, &server, case);
            });
        }
    });
}

fn secret_of(server: &BrokerServer) -> String {
    STANDARD.encode(server.account.access_token.encrypted_secret())
}

/// Diffie-Hellman parameters without the zero byte that keeps the prime positive.
fn negative_dh_parameters() -> String {
    let pem: String = test_keys::DH_PARAMETERS.lines().filter(|line| !line.starts_with("---")).collect();
    let der = STANDARD.decode(pem).unwrap();
    // SEQUENCE (4 bytes of head), INTEGER (4 bytes of head), and the zero byte.
    assert_eq!(der[4..9], [0x02, 0x82, 0x01, 0x01, 0x00]);
    let mut content = vec![0x02, 0x82, 0x01, 0x00];
    content.extend_from_slice(&der[9..]);
    let mut negative = vec![0x30, 0x82];
    negative.extend_from_slice(&u16::try_from(content.len()).unwrap().to_be_bytes());
    negative.extend(content);
    format!("-----BEGIN DH PARAMETERS-----\n{}\n-----END DH PARAMETERS-----\n", STANDARD.encode(negative))
}

#[test]
fn a_sound_bundle_is_told_so() {
    let (server, user) = start();
    let outcome = user.run(&["doctor"]);
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""), "{}", outcome.text());
    assert!(outcome.text().lines().last().unwrap().starts_with("next: nothing is wrong"));
    for layer in ["reachability", "clock", "live_session_token", "proof", "requests", "brokerage_session", "websocket"]
    {
        assert!(outcome.text().contains(&format!("ok       {layer} ")), "{layer}: {}", outcome.text());
    }
    assert_eq!(server.broker().brokerage_sessions_opened(), 1);
    // It leaves alone what is open.
    assert_eq!(user.run(&["doctor"]).status, 0);
    assert_eq!(server.broker().brokerage_sessions_opened(), 1);
}

#[cfg(not(feature = "simulate"))]
#[test]
fn a_simulated_account_is_no_promise_of_a_program_without_simulate() {
    run_in(&Folder::new().0, &["doctor", "--simulated"]).assert_failure(
        2,
        "",
        "without `simulate`",
        "default features",
    );
}

#[cfg(feature = "simulate")]
#[test]
fn without_a_bundle_a_simulated_account_is_offered() {
    let folder = Folder::new();
    run_in(&folder.0, &["doctor"]).assert_failure(2, "", "no bundle", "`ibkr-oauth doctor --simulated`");
    // A proxy that the environment names does not lead to this machine.
    let mut simulated = command(&folder.0);
    simulated.args(["doctor", "--simulated"]).env("HTTP_PROXY", "http://no-such-host.invalid:1");
    let outcome = outcome(simulated.output().unwrap());
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""), "{}", outcome.text());
    let steps: Vec<&str> = outcome.text().lines().filter(|line| line.starts_with("next: ")).collect();
    assert_eq!(steps.len(), 2, "{}", outcome.text());
    assert!(steps[0].contains("nothing is wrong") && steps[1].contains("weekend reset"), "{steps:?}");
    let json = run_in(&folder.0, &["doctor", "--simulated", "--output", "json"]);
    let severities: Vec<Value> = json.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(severities.iter().map(|report| &report["severity"]).collect::<Vec<_>>(), ["ok", "error"]);
    // Nothing is left here.
    assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 2);
    assert_eq!(run_in(&folder.0, &["doctor", "--simulated", "--offline"]).status, 2);
}

#[test]
fn offline_nothing_is_sent() {
    let (server, user) = start();
    let outcome = user.run(&["doctor", "--offline"]);
    assert_eq!(outcome.status, 0);
    let next = outcome.text().lines().last().unwrap().to_owned();
    assert!(next.starts_with("next: ") && next.contains("`invalid consumer`, only waiting is left"), "{next}");
    let path = user.change(&json!({ "access_token_secret": "c2VjcmV0" }));
    assert_eq!(run_in(&user.folder.0, &["doctor", "--offline", "--bundle", path.to_str().unwrap()]).status, 1);
    assert!(server.server.received().is_empty());
}

#[test]
fn broken_keys() {
    each(vec![
        bundle(
            "swapped keys",
            json!({
                "access_token_secret": SECRET,
                "signature_key": test_keys::ENCRYPTION_KEY,
                "encryption_key": test_keys::SIGNATURE_KEY,
            }),
            "access_token_secret",
            "exchange `signature_key` and `encryption_key`",
        ),
        bundle(
            "another signature key",
            json!({ "signature_key": OTHER_KEY }),
            "live_session_token",
            "the signature key is the likeliest cause",
        ),
        bundle(
            "another encryption key",
            json!({ "access_token_secret": SECRET, "encryption_key": OTHER_KEY }),
            "access_token_secret",
            "compare the encryption key's fingerprint",
        ),
        bundle(
            "a public key for the private one",
            json!({ "signature_key": ibkr_oauth::key::RsaKey::from_pem(test_keys::SIGNATURE_KEY).unwrap().public_key().to_pem() }),
            "signature_key",
            "private",
        ),
        bundle(
            "parameters for a key",
            json!({ "encryption_key": test_keys::DH_PARAMETERS }),
            "encryption_key",
            "openssl genrsa",
        ),
        bundle(
            "an encrypted key without a passphrase",
            json!({ "signature_key": include_str!("../../../tests/data/keys/encrypted_pkcs8.pem") }),
            "signature_key",
            "passphrase",
        ),
        bundle(
            "one key twice",
            json!({ "access_token_secret": SECRET, "encryption_key": test_keys::SIGNATURE_KEY }),
            "access_token_secret",
            "encryption key",
        ),
    ]);
}

#[test]
fn broken_tokens() {
    let (server, user) = start();
    let secret = secret_of(&server);
    for case in [
        bundle(
            "a secret cut by a shell",
            json!({ "access_token_secret": &secret[..129] }),
            "access_token_secret",
            "copy the access token secret from the portal again, whole: 344 characters",
        ),
        bundle(
            "a secret cut to whole bytes",
            json!({ "access_token_secret": &secret[..340] }),
            "access_token_secret",
            "copy the access token secret",
        ),
        bundle(
            "an empty secret",
            json!({ "access_token_secret": "" }),
            "access_token_secret",
            "copy the access token secret",
        ),
        bundle(
            "a changed secret",
            json!({ "access_token_secret": secret.replace(&secret[100..104], "AAAA") }),
            "access_token_secret",
            "generate a new access token",
        ),
        bundle(
            "token and secret exchanged",
            json!({ "access_token": secret, "access_token_secret": server.account.access_token.token() }),
            "access_token",
            "each in its own field",
        ),
        bundle(
            "an unknown token",
            json!({ "access_token": "0123456789abcdef0123" }),
            "live_session_token",
            "generate a new access token in the portal",
        ),
        bundle(
            "no token yet",
            json!({ "access_token": null, "access_token_secret": null }),
            "live_session_token",
            "put `access_token` and `access_token_secret`",
        ),
    ] {
        check(&user, &server, case);
    }
    // The user generated a new token, whose secret is not in the bundle yet.
    let renewed = with_context(|cx| {
        let mut broker = server.broker();
        let consumer = &server.account.consumer;
        let exchange = consumer.request_token(cx, ibkr_oauth::Callback::OutOfBand).unwrap();
        let reply = broker.handle(cx, exchange.request());
        let consent = exchange.complete(reply).unwrap();
        let callback = broker.consent(cx, consent.url()).unwrap();
        let exchange = consent.verifier(&callback).unwrap().access_token(consumer, cx).unwrap();
        let reply = broker.handle(cx, exchange.request());
        exchange.complete(reply).unwrap()
    });
    assert_eq!(renewed.token(), server.account.access_token.token());
    check(
        &user,
        &server,
        bundle("the secret before the newest", json!({}), "live_session_token", "generate a new access token"),
    );
}

#[test]
fn broken_groups() {
    let mut composite = test_keys::DH_PARAMETERS.to_owned();
    composite.replace_range(200..202, if &composite[200..202] == "AA" { "BB" } else { "AA" });
    each(vec![
        bundle(
            "another group",
            json!({ "dh_params": include_str!("../../../tests/data/keys/ffdhe_2048.pem") }),
            "proof",
            "the Diffie-Hellman parameters are not the registered ones",
        ),
        bundle(
            "a negative prime",
            json!({ "dh_params": negative_dh_parameters() }),
            "dh_params",
            "makes new parameters",
        ),
        bundle("a digit changed", json!({ "dh_params": composite }), "dh_params", "copy the parameters again"),
        bundle("no parameters at all", json!({ "dh_params": "nothing" }), "dh_params", ""),
    ]);
}

#[test]
fn broken_names() {
    each(vec![
        fault(
            "an inactive consumer",
            at_sign_in("invalid-consumer".parse::<Fault>().unwrap()),
            "live_session_token",
            "weekend reset",
        ),
        bundle(
            "another consumer key",
            json!({ "consumer_key": "SIMULATED" }),
            "live_session_token",
            "compare the consumer key",
        ),
        bundle(
            "a consumer key in lower case",
            json!({ "consumer_key": "simulator" }),
            "live_session_token",
            "consumer key",
        ),
        bundle("the realm of the test consumer", json!({ "realm": "test_realm" }), "realm", "leave the realm out"),
        bundle("an unknown realm", json!({ "realm": "somewhere" }), "live_session_token", "`limited_poa`"),
        bundle("another query policy", json!({ "query_policy": "omit" }), "requests", "\"query_policy\": \"rfc5849\""),
    ]);
}

fn at_sign_in(fault: Fault) -> Fault {
    fault.at("/oauth/live_session_token")
}

#[test]
fn broken_brokers() {
    let not_entitled =
        Fault::status(500).with_body("application/json", r#"{"error":"failed to generate sso dh token"}"#).at(OPEN);
    each(vec![
        fault("a clock that is slow", Fault::clock_step(600), "clock", "set the clock"),
        fault("a clock that is fast", Fault::clock_step(-600), "clock", "set the clock"),
        fault(
            "a secret that the broker lost",
            "no-access-secret".parse::<Fault>().unwrap(),
            "live_session_token",
            "generate a new access token",
        ),
        fault(
            "a proof that does not fit",
            "wrong-proof".parse::<Fault>().unwrap(),
            "proof",
            "Diffie-Hellman parameters",
        ),
        fault("too many requests", at_sign_in(Fault::status(429)), "live_session_token", "10 to 15 minutes"),
        fault("maintenance", at_sign_in(Fault::status(503).with_body("", "")), "live_session_token", "wait"),
        fault("a lost reply", at_sign_in(Fault::drop_response()), "live_session_token", "network"),
        fault("another session", Fault::competing().at(OPEN), "brokerage_session", "log out there"),
        fault("no permission to trade", not_entitled, "brokerage_session", "check the account"),
        fault(
            "a session that ends at once",
            Fault::status(401).times(5).at("/trsrv/stocks"),
            "requests",
            "negotiate a new live session token",
        ),
    ]);
}

/// A server that answers a TLS handshake as plain web servers do.
fn speak_no_tls() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    // One connection to see that somebody is there, and one that is used.
    thread::spawn(move || {
        for stream in listener.incoming().take(2) {
            let _ = stream.unwrap().write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
        }
    });
    address
}

#[test]
fn broken_ways() {
    let (server, user) = start();
    let unused = Address::new().origin();
    let plain = speak_no_tls();
    let origin = server.server.origin();
    for case in [
        bundle("nobody there", json!({ "base_url": format!("{unused}/v1/api") }), "reachability", "check `base_url`"),
        bundle(
            "no such host",
            json!({
                "base_url": "https://no-such-host.invalid/v1/api",
                "access_token_secret": include_str!("../../../tests/data/keys/pkcs8_secret.txt"),
                "signature_key": include_str!("../../../tests/data/keys/rsa_4096.pem"),
                "encryption_key": include_str!("../../../tests/data/keys/pkcs8.pem"),
            }),
            "reachability",
            "check the host in `base_url`",
        ),
        bundle("no TLS", json!({ "base_url": "http://no-such-host.invalid/v1/api" }), "base_url", "write `https`"),
        bundle(
            "bad TLS",
            json!({ "base_url": format!("https://{plain}/v1/api") }),
            "tls",
            "speaks no TLS that can be trusted",
        ),
        bundle(
            "another path",
            json!({ "base_url": format!("{origin}/v2/api") }),
            "live_session_token",
            "check the base URL",
        ),
    ] {
        check(&user, &server, case);
    }
}
