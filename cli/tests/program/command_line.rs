//! The command line, run as its users run it.

use std::{
    io::Read,
    net::TcpListener,
    path::PathBuf,
    process::{Output, Stdio},
    time::Duration,
};

use crate::terminal::{
    Folder, Outcome, command, run_in,
    user::{User, start, start_with},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ibkr_oauth::{Secret, Signer, simulator::Fault};
use ibkr_oauth_sockets::{
    Address,
    broker::{Account, with_context},
};
use serde_json::{Value, json};

#[test]
fn token_prints_one_object_with_which_requests_can_be_signed() {
    let (server, user) = start();
    let outcome = user.run(&["token"]);
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
    let object: Value = serde_json::from_str(outcome.text()).unwrap();
    assert_eq!(object.as_object().unwrap().len(), 2);
    let expires_at = object["expires_at"].as_str().unwrap();
    assert!(expires_at.len() == 24 && expires_at.starts_with("20") && expires_at.ends_with('Z'), "{expires_at}");
    let token = STANDARD.decode(object["live_session_token"].as_str().unwrap()).unwrap();
    let signer =
        Signer::from_stored(&server.account.consumer, server.account.access_token.token(), &Secret::from(token))
            .unwrap();
    let agent: ureq::Agent = ureq::Agent::config_builder().proxy(None).build().into();
    let tickle = with_context(|cx| signer.brokerage().tickle(cx).unwrap());
    tickle.send(&agent).unwrap();

    server.broker().inject("no-expiration".parse().unwrap());
    let object: Value = serde_json::from_str(user.run(&["token"]).text()).unwrap();
    assert_eq!(object["expires_at"], Value::Null);
}

#[test]
fn the_bundles_files_are_found_from_every_folder() {
    let (_server, user) = start();
    let elsewhere = user.folder.0.join("elsewhere");
    for (folder, bundle) in [
        (&user.folder.0, "bundle.json"),
        (&elsewhere, "../bundle.json"),
        (&elsewhere, user.bundle.to_str().unwrap()),
        (&std::env::temp_dir(), user.bundle.to_str().unwrap()),
    ] {
        let outcome = run_in(folder, &["token", "--bundle", bundle]);
        assert_eq!(outcome.status, 0, "{}", outcome.stderr);
        let outcome = run_in(folder, &["request", "--bundle", bundle, "GET", "/portfolio/accounts"]);
        assert_eq!((outcome.status, outcome.stderr.as_str()), (0, "HTTP/1.1 200 OK\n"));
    }
}

#[test]
fn request_signs_queries_forms_and_json() {
    let (server, user) = start();
    let hard = "/iserver/secdef/search?symbol=BRK%20B&symbol=a%2Cb&name=x,y&empty=&bare&plus=a+b";
    let outcome = user.run(&["request", "--open", "get", hard]);
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, "HTTP/1.1 200 OK\n"));
    let received = server.server.received().last().unwrap().clone();
    assert_eq!(received.target().1, format!("/v1/api{hard}"));

    let arguments = [
        "request",
        "POST",
        "/accounts/DU0000001/order_impact",
        "--form",
        "Note=a=b c",
        "--form",
        "Note=ü&+",
        "--form",
        "-e=",
    ];
    let outcome = user.run(&arguments);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    let received = server.server.received().last().unwrap().clone();
    assert_eq!(received.body, "Note=a%3Db%20c&Note=%C3%BC%26%2B&-e=");
    assert_eq!(received.header("content-type"), ["application/x-www-form-urlencoded"]);

    let orders = r#"{"orders": [ {"conid":265598} ]}"#;
    let outcome = user.run(&["request", "--open", "POST", "/iserver/account/DU0000001/orders", "--json", orders]);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    let received = server.server.received().last().unwrap().clone();
    assert_eq!((&received.body[..], received.header("content-type")), (orders.as_bytes(), vec!["application/json"]));

    let outcome = user.run(&["request", "POST", "/tickle"]);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    assert_eq!(server.server.received().last().unwrap().header("content-length"), ["0"]);

    let url = format!("{}/portfolio/accounts", server.account.base_url().replace("http://", "HTTP://"));
    assert_eq!(user.run(&["request", "GET", &url]).status, 0);
    assert!(server.broker().refusals().is_empty(), "{:?}", server.broker().refusals());
}

#[test]
fn the_query_policy_comes_from_the_option_then_from_the_bundle() {
    let (server, user) = start();
    let path = "/marketdata/snapshot?conids=1%2C2";
    let bundle = user.change(&json!({"query_policy": "omit"}));
    let bundle = bundle.to_str().unwrap();
    let outcome = run_in(&user.folder.0, &["request", "--bundle", bundle, "GET", path]);
    assert_eq!(outcome.status, 1, "the broker verifies by RFC 5849");
    assert_eq!(server.broker().refusals().len(), 1);
    let arguments = ["request", "--bundle", bundle, "--query-policy", "rfc5849", "GET", path];
    assert_eq!(run_in(&user.folder.0, &arguments).status, 0);
}

#[test]
fn the_brokerage_session_is_opened_on_demand() {
    let (server, user) = start();
    let outcome = user.run(&["request", "GET", "/iserver/accounts"]);
    outcome.assert_failure(1, "HTTP/1.1 400 Bad Request\n", "no bridge", "--open");
    assert!(outcome.text().contains("no bridge"));

    server
        .broker()
        .inject(Fault::status(200).with_body("application/json", r#"{"wait":1}"#).at("/iserver/auth/ssodh/init"));
    assert_eq!(user.run(&["request", "--open", "GET", "/iserver/accounts"]).status, 0);

    server.broker().inject(Fault::no_bridge_for(Duration::from_millis(100)).at("/iserver/auth/ssodh/init"));
    assert_eq!(user.run(&["request", "--open", "GET", "/iserver/accounts"]).status, 0);

    // A status has an empty `fail` where nothing failed.
    server.broker().inject(Fault::no_bridge_for(Duration::from_millis(1500)).at("/iserver/auth/ssodh/init"));
    server.broker().inject(Fault::set_field("fail", "").at("/iserver/auth/status"));
    assert_eq!(user.run(&["request", "--open", "GET", "/iserver/accounts"]).status, 0);

    server.broker().inject(Fault::competing().at("/iserver/auth/ssodh/init"));
    let outcome = user.run(&["request", "--open", "GET", "/iserver/accounts"]);
    outcome.assert_failure(1, "", "another session", "log out");
    assert_eq!(outcome.text(), "");
}

#[test]
fn the_body_of_the_reply_comes_byte_for_byte() {
    const BODY: &[u8] = b"\xff\x00\xfe no line end";
    let (_server, user) = start_with(b"HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n\xff\x00\xfe no line end");
    let outcome = user.run(&["request", "GET", "/anything"]);
    assert_eq!((outcome.status, &outcome.stdout[..], outcome.stderr.as_str()), (0, BODY, "HTTP/1.1 200 OK\n"));

    let (_server, user) = start_with(b"HTTP/1.1 503 Oh\r\ncontent-length: 15\r\n\r\n\xff\x00\xfe no line end");
    let outcome = user.run(&["request", "GET", "/anything"]);
    assert_eq!(outcome.stdout, BODY);
    outcome.assert_failure(1, "HTTP/1.1 503 Service Unavailable\n", "503", "wait");

    let (server, user) = start_with(b"HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n");
    let outcome = user.run(&["request", "GET", "/anything"]);
    outcome.assert_failure(1, "HTTP/1.1 302 Found\n", "302", "base URL");
    assert!(server.received().iter().all(|received| received.target().1 != "/elsewhere"));
}

#[test]
fn a_broker_that_says_no_or_is_not_there_is_status_1() {
    let (server, user) = start();
    server.broker().inject("invalid-consumer".parse().unwrap());
    user.run(&["token"]).assert_failure(1, "", "invalid consumer", "reset");
    server.broker().inject("wrong-proof".parse().unwrap());
    user.run(&["token"]).assert_failure(1, "", "proof", "key");
    server.broker().inject(Fault::drop_response());
    user.run(&["token"]).assert_failure(1, "", "no response from 127.0.0.1", "");
    let base_url = format!("{}/v1/api", Address::new().origin());
    let bundle = user.change(&json!({ "base_url": base_url }));
    let outcome = run_in(&user.folder.0, &["token", "--bundle", bundle.to_str().unwrap()]);
    outcome.assert_failure(1, "", "no response from 127.0.0.1", "network");
}

#[test]
fn https_is_spoken() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let origin = format!("https://{}", listener.local_addr().unwrap());
    let user = User::new(&origin, &Account::at(&origin, None).access_token);
    let first_byte = std::thread::spawn(move || {
        let mut byte = [0];
        listener.accept().unwrap().0.read_exact(&mut byte).map(|()| byte[0])
    });
    user.run(&["token"]).assert_failure(1, "", "no response from 127.0.0.1", "");
    assert_eq!(first_byte.join().unwrap().unwrap(), 0x16, "a TLS handshake starts so");
}

#[test]
fn an_unusable_bundle_is_status_2_and_named_by_field() {
    let (server, user) = start();
    for (changes, what) in [
        (json!({"signature_key": {"file": "keys/none.pem"}}), "`signature_key`"),
        (json!({"signature_key": {"file": "keys/dh.pem"}}), "`signature_key`"),
        (json!({"encryption_key": {"env": "TEST_NO_SUCH_VARIABLE"}}), "`encryption_key`"),
        (json!({"dh_params": "xyz"}), "`dh_params`"),
        (json!({"access_token_secret": "*"}), "`access_token_secret`"),
        (json!({"access_token_secret": "c2VjcmV0"}), "access token secret"),
        (json!({"base_url": "ftp://127.0.0.1"}), "`base_url`"),
        (json!({"unknown": 1}), "`unknown`"),
    ] {
        let bundle = user.change(&changes);
        let outcome = run_in(&user.folder.0, &["token", "--bundle", bundle.to_str().unwrap()]);
        outcome.assert_failure(2, "", what, "");
        user.assert_no_secret_in(&outcome);
        let outcome = run_in(&user.folder.0, &["request", "--bundle", bundle.to_str().unwrap(), "GET", "/tickle"]);
        outcome.assert_failure(2, "", what, "");
    }
    run_in(&user.folder.0, &["token", "--bundle", "none.json"]).assert_failure(2, "", "none.json", "--bundle");
    let not_text = user.folder.write("not_text.json", b"\xff\xfe");
    run_in(&user.folder.0, &["token", "--bundle", not_text.to_str().unwrap()]).assert_failure(2, "", "UTF-8", "UTF-8");
    assert!(server.server.received().is_empty());
}

#[test]
fn an_unusable_command_line_is_status_2_and_nothing_is_sent() {
    let (server, user) = start();
    let port = server.server.origin().rsplit(':').next().unwrap().to_owned();
    for url in [
        "portfolio/accounts",
        "https://api.ibkr.com/v1/api/portfolio/accounts",
        "http://127.0.0.1/v1/api/portfolio/accounts",
        &format!("https://127.0.0.1:{port}/v1/api/portfolio/accounts"),
        &format!("http://localhost:{port}/v1/api/portfolio/accounts"),
        &format!("http://127.0.0.1:{port}@example.com/v1/api"),
        "/portfolio/../accounts",
        "/portfolio/%2e%2e/accounts",
        "/portfolio#accounts",
        "/pörtfolio",
        "/portfolio?oauth_token=1",
        "",
    ] {
        let outcome = user.run(&["request", "GET", url]);
        outcome.assert_failure(2, "", "", "");
    }
    for arguments in [
        vec!["request", "GET", "/tickle", "--form", "no pair"],
        vec!["request", "POST", "/tickle", "--form", "a=b", "--json", "{}"],
        vec!["request", "POST", "/tickle", "--json", "{"],
        vec!["request", "G ET", "/tickle"],
        vec!["request", "GET", "/tickle", "--query-policy", "other"],
        vec!["request", "GET"],
        vec!["token", "more"],
    ] {
        let outcome = user.run(&arguments);
        assert_eq!((outcome.status, outcome.text()), (2, ""), "{arguments:?}");
        assert!(!outcome.stderr.is_empty());
    }
    assert_eq!(run_in(&user.folder.0, &["token"]).status, 2);
    assert_eq!(run_in(&user.folder.0, &[]).status, 2);
    assert!(server.server.received().is_empty());
}

#[test]
fn help_and_version_are_status_0() {
    let folder = Folder::new();
    for arguments in
        [vec!["--help"], vec!["--version"], vec!["token", "--help"], vec!["request", "-h"], vec!["sign", "-h"]]
    {
        let outcome = run_in(&folder.0, &arguments);
        assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
        assert!(outcome.text().contains("ibkr-oauth"));
    }
}

/// A bundle for the vectors, whose keys nobody can read.
fn vectors_bundle(folder: &Folder, base_url: &str) -> PathBuf {
    let bundle = json!({
        "base_url": base_url,
        "consumer_key": "TESTVECTR",
        "access_token": "218c1d970d85a8442825",
        "access_token_secret": "c2VjcmV0",
        "signature_key": {"file": "/no/such/file"},
        "encryption_key": {"env": "TEST_NO_SUCH_VARIABLE"},
        "dh_params": "neither PEM nor hexadecimal",
    });
    folder.write("vectors.json", bundle.to_string())
}

#[test]
fn sign_prints_the_header_of_each_vector() {
    let vectors: Value = serde_json::from_str(include_str!("../../../tests/data/vectors.json")).unwrap();
    let token = vectors["step4_live_session_token"]["live_session_token_base64"].as_str().unwrap();
    let folder = Folder::new();
    let mut compared = 0;
    for request in vectors["protected_requests"].as_array().unwrap() {
        let url = request["url_on_the_wire"].as_str().unwrap();
        let bundle = vectors_bundle(&folder, url.split_once('?').map_or(url, |(base_url, _)| base_url));
        let parameters = &request["oauth_parameters_without_signature"];
        let pairs = request["form_parameters_decoded"].as_array().unwrap().iter();
        let form: Vec<String> =
            pairs.map(|pair| format!("--form={}={}", pair[0].as_str().unwrap(), pair[1].as_str().unwrap())).collect();
        for (variant, expected) in request["variants"].as_object().unwrap() {
            let policy = match variant.as_str() {
                "rfc5849" => "rfc5849",
                "ibkr_python_sample_values_encoded_once" => "decoded-once",
                "ibind_client_query_left_out" => "omit",
                "query_inside_url_as_in_marchenko_and_ibkr_conduit" => "in-url",
                other => panic!("{other}"),
            };
            let mut arguments = vec!["sign", "--bundle", bundle.to_str().unwrap(), "--live-session-token", token];
            arguments.extend(["--nonce", parameters["oauth_nonce"].as_str().unwrap()]);
            arguments.extend([
                "--timestamp",
                parameters["oauth_timestamp"].as_str().unwrap(),
                "--query-policy",
                policy,
            ]);
            arguments.extend([request["method"].as_str().unwrap(), url]);
            arguments.extend(form.iter().map(String::as_str));
            let outcome = run_in(&folder.0, &arguments);
            assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""), "{}", request["name"]);
            let header = expected["authorization_header_realm_first"].as_str().unwrap();
            assert_eq!(outcome.text(), format!("{header}\n"), "{} {variant}", request["name"]);
            compared += 1;
        }
    }
    assert_eq!(compared, 28);
}

#[test]
fn sign_takes_any_nonce_and_any_second() {
    let folder = Folder::new();
    let bundle = vectors_bundle(&folder, "https://api.ibkr.com/v1/api");
    let sign = |more: &[&str]| {
        let mut arguments = vec!["sign", "--bundle", bundle.to_str().unwrap(), "--live-session-token"];
        arguments.extend(["MmS6AdvuIyeI6hxIXuKSjbKxcKk=", "GET", "https://api.ibkr.com/v1/api/portfolio/accounts"]);
        arguments.extend(more);
        run_in(&folder.0, &arguments)
    };
    for nonce in ["a", "-h", "--nonce", " ", "~ !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}", &"9".repeat(4000)] {
        for timestamp in ["0", "1", "99999999999", "18446744073709551615"] {
            let first = sign(&["--nonce", nonce, "--timestamp", timestamp]);
            assert_eq!((first.status, first.stderr.as_str()), (0, ""), "{nonce}");
            assert!(first.text().contains(&format!("oauth_timestamp=\"{timestamp}\"")));
            assert_eq!(first.stdout, sign(&["--nonce", nonce, "--timestamp", timestamp]).stdout);
        }
    }
    for wrong in [["--nonce", ""], ["--nonce", "ü"], ["--nonce", "a\tb"], ["--timestamp", "-1"], ["--timestamp", "1.5"]]
    {
        let outcome = sign(&wrong);
        assert_eq!((outcome.status, outcome.text()), (2, ""), "{wrong:?}");
    }
    let (one, other) = (sign(&[]), sign(&[]));
    assert_eq!((one.status, other.status), (0, 0));
    assert_ne!(one.stdout, other.stdout);
}

#[test]
fn sign_refuses_what_it_cannot_sign_and_shows_no_token() {
    let folder = Folder::new();
    let bundle = vectors_bundle(&folder, "https://api.ibkr.com/v1/api");
    let token = "MmS6AdvuIyeI6hxIXuKSjbKxcKk=";
    let url = "https://api.ibkr.com/v1/api/tickle";
    for (token, url) in [
        ("MmS6AdvuIyeI6hxIXuKSjbKxcKk", url),
        ("MmS6AdvuIyeI6hxIXuKSjbKx", url),
        ("", url),
        (token, "/tickle"),
        (token, "https://user:M4rk3r@api.ibkr.com/tickle"),
        (token, "https://api.ibkr.com/tickle#x"),
        (token, "https://api.ibkr.com/a/../tickle"),
        (token, "https://api.ibkr.com/tickle?oauth_nonce=1"),
        (token, "https://münchen.example/"),
    ] {
        let arguments = ["sign", "--bundle", bundle.to_str().unwrap(), "--live-session-token", token, "GET", url];
        let outcome = run_in(&folder.0, &arguments);
        outcome.assert_failure(2, "", "", "");
        assert!(!outcome.stderr.contains("MmS6") && !outcome.stderr.contains("M4rk3r"), "{}", outcome.stderr);
    }
}

#[test]
fn an_encrypted_key_is_opened_with_the_passphrase_beside_it() {
    let (_server, user) = start();
    let encrypted =
        user.folder.write("keys/encrypted.pem", include_str!("../../../tests/data/keys/encrypted_pkcs8.pem"));
    let key = json!({"file": encrypted.to_str().unwrap(), "passphrase": {"env": "TEST_PASSPHRASE"}});
    let bundle = user.change(&json!({ "signature_key": key }));
    let outcome = |passphrase: Option<&str>| {
        let mut command = command(&user.folder.0);
        passphrase.map(|passphrase| command.env("TEST_PASSPHRASE", passphrase));
        let Output { status, stdout, stderr } =
            command.args(["token", "--bundle", bundle.to_str().unwrap()]).output().unwrap();
        Outcome { status: status.code().unwrap(), stdout, stderr: String::from_utf8(stderr).unwrap() }
    };
    // It is not the registered key, so the broker refuses what it signed.
    outcome(Some("correct-horse")).assert_failure(1, "", "401", "");
    outcome(Some("wrong-horse")).assert_failure(2, "", "`signature_key`", "");
    outcome(None).assert_failure(2, "", "`passphrase`", "");
}

#[cfg(unix)]
#[test]
fn nobody_reading_on_is_no_panic() {
    let (_server, user) = start();
    let bundle = user.bundle.to_str().unwrap();
    let mut child = command(&user.folder.0)
        .args(["token", "--bundle", bundle])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap().as_str()), (Some(0), ""));
}
