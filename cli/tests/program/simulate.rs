//! `simulate`, spoken to as clients in any language do.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    time::Duration,
};

use crate::terminal::{Folder, Outcome, Running, run_in};
use ibkr_oauth::CredentialBundle;
use serde_json::{Value, json};

struct Simulator {
    folder: Folder,
    running: Running,
    ready: Value,
}

impl Simulator {
    fn start(arguments: &[&str]) -> Self {
        let folder = Folder::new();
        let mut running = Running::start(&folder.0, &[&["simulate", "--out", "sim"], arguments].concat());
        let ready = serde_json::from_str(&running.line()).unwrap();
        Self { folder, running, ready }
    }

    fn run(&self, arguments: &[&str]) -> Outcome {
        let bundle = self.ready["bundle"].as_str().unwrap();
        run_in(&self.folder.0, &[&arguments[..1], &["--bundle", bundle], &arguments[1..]].concat())
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.ready["address"].as_str().unwrap()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream
    }

    /// What comes back before the connection ends.
    fn say(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect();
        stream.write_all(bytes).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        reply
    }

    /// Ends it, and returns what it said of refused requests.
    fn stop(self, signal: &str) -> String {
        self.running.signal(signal);
        let outcome = self.running.end();
        assert_eq!((outcome.status, outcome.text()), (0, ""), "{}", outcome.stderr);
        outcome.stderr
    }
}

/// A reply whose body has the stated length.
fn read_reply(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        bytes.push(byte[0]);
    }
    let head = String::from_utf8(bytes).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).unwrap();
    head + &String::from_utf8(body).unwrap()
}

#[test]
fn it_announces_itself_and_its_bundle_is_whole() {
    let simulator = Simulator::start(&["--query-policy", "omit"]);
    let address = simulator.ready["address"].as_str().unwrap();
    assert_eq!(simulator.ready["base_url"], format!("http://{address}/v1/api"));
    assert_eq!(simulator.ready.as_object().unwrap().len(), 3);
    let path = std::path::Path::new(simulator.ready["bundle"].as_str().unwrap());
    assert!(path.is_absolute() && path.ends_with("sim/bundle.json"));
    let text = fs::read_to_string(path).unwrap();
    let bundle: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&bundle["base_url"], &bundle["query_policy"]), (&simulator.ready["base_url"], &json!("omit")));
    assert!(!text.contains("\"env\""));
    let read = CredentialBundle::from_json(&text).unwrap();
    assert!(read.access_token().unwrap().is_some() && read.consumer().is_ok());
    let mut names: Vec<String> = fs::read_dir(path.parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["bundle.json", "dhparam.pem", "private_encryption.pem", "private_signature.pem"]);
    for name in names {
        let mode = fs::metadata(path.with_file_name(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0);
    }
    assert_eq!(simulator.run(&["token"]).status, 0);
    assert_eq!(simulator.stop("TERM"), "");
}

#[test]
fn the_host_header_says_nothing_and_connections_stay() {
    let simulator = Simulator::start(&[]);
    let mut stream = simulator.connect();
    for target in ["/v1/api/tickle", "http://api.ibkr.com/v1/api/tickle"] {
        for host in ["api.ibkr.com", "127.0.0.1", "nonsense here"] {
            let request =
                format!("POST {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: x\r\nContent-Length: 2\r\n\r\n{{}}");
            stream.write_all(request.as_bytes()).unwrap();
            let reply = read_reply(&mut stream);
            assert!(reply.starts_with("HTTP/1.1 401 Unauthorized\r\n") && reply.contains("keep-alive"), "{reply}");
            assert!(reply.contains("missing Authorization"), "{reply}");
        }
    }
    // Two requests at once.
    let one = "GET /v1/api/tickle HTTP/1.1\r\nHost: x\r\nUser-Agent: x\r\n\r\n";
    stream.write_all(one.repeat(2).as_bytes()).unwrap();
    assert!(read_reply(&mut stream).contains("missing") && read_reply(&mut stream).contains("missing"));
    let refusals = simulator.stop("INT");
    assert_eq!(refusals.lines().count(), 8, "{refusals}");
    assert!(refusals.lines().all(|line| line.starts_with("refused: ")), "{refusals}");
}

#[test]
fn what_it_does_not_take_is_refused_with_a_status() {
    let simulator = Simulator::start(&[]);
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(70_000));
    let many = format!("GET /v1/api/x HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(101));
    for (request, status) in [
        ("POST /v1/api/tickle HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "411"),
        ("POST /v1/api/tickle HTTP/1.1\r\nContent-Length: 2000000\r\n\r\n", "413"),
        ("POST /v1/api/tickle HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "400"),
        ("POST /v1/api/tickle HTTP/1.1\r\nContent-Length: +1\r\n\r\n", "400"),
        ("POST /v1/api/tickle HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n", "400"),
        ("GET * HTTP/1.1\r\n\r\n", "400"),
        ("GET tickle HTTP/1.1\r\n\r\n", "400"),
        ("CONNECT api.ibkr.com:443 HTTP/1.1\r\n\r\n", "400"),
        ("\u{16}\u{3}\u{1}\u{2}\r\n\r\n", "400"),
        ("GET /v1/api/tickle HTTP/9.9\r\n\r\n", "400"),
        (&long, "431"),
        (&many, "431"),
        ("GET /v1/api/tickle HTTP/1.0\r\n\r\n", "403"),
        ("GET /v1/api/tickle HTTP/1.1\r\nConnection: close\r\n\r\n", "403"),
        ("HEAD /v1/api/tickle HTTP/1.1\r\nConnection: close\r\nUser-Agent: x\r\n\r\n", "401"),
    ] {
        let reply = simulator.say(request.as_bytes());
        let shown: String = request.chars().take(60).collect();
        assert!(reply.starts_with(&format!("HTTP/1.1 {status} ")), "{shown:?}: {reply:?}");
        assert!(reply.contains("connection: close"), "{shown:?}: {reply:?}");
        assert!(!request.starts_with("HEAD") || reply.ends_with("\r\n\r\n"), "{reply:?}");
    }
    // A body that is awaited is asked for.
    let mut stream = simulator.connect();
    let head = "POST /v1/api/tickle HTTP/1.1\r\nUser-Agent: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"{}").unwrap();
    assert!(read_reply(&mut stream).starts_with("HTTP/1.1 401"));
    // Who says nothing more, and who sends half a request, keeps nobody waiting.
    let _silent: Vec<TcpStream> = (0..10).map(|_| simulator.connect()).collect();
    simulator.connect().write_all(b"POST /v1/api/tickle HTTP/1.1\r\nContent-Length: 9\r\n\r\n{").unwrap();
    assert_eq!(simulator.run(&["token"]).status, 0);
    simulator.stop("TERM");
}

#[test]
fn more_connections_than_it_takes_are_told_so() {
    let simulator = Simulator::start(&[]);
    let open: Vec<TcpStream> = (0..64).map(|_| simulator.connect()).collect();
    let mut refused = simulator.connect();
    let mut reply = String::new();
    refused.read_to_string(&mut reply).unwrap();
    assert!(reply.starts_with("HTTP/1.1 503"), "{reply}");
    drop(open);
    for attempt in 0.. {
        match simulator.run(&["token"]).status {
            0 => break,
            _ => assert!(attempt < 20, "it never takes connections again"),
        }
    }
    simulator.stop("TERM");
}

#[test]
fn refusals_say_what_was_expected_and_hide_the_secret() {
    let simulator = Simulator::start(&["--output", "json", "--query-policy", "omit"]);
    let other = simulator.folder.write("signature.pem", include_str!("../../../tests/data/keys/pkcs8.pem"));
    let path = simulator.ready["bundle"].as_str().unwrap();
    let mut bundle: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    bundle["signature_key"] = json!({ "file": other.to_str().unwrap() });
    let wrong = simulator.folder.write("wrong.json", bundle.to_string());
    run_in(&simulator.folder.0, &["token", "--bundle", wrong.to_str().unwrap()]).assert_failure(
        1,
        "",
        "LST failed",
        "signing key",
    );
    let arguments = ["request", "--query-policy", "rfc5849", "GET", "/trsrv/stocks?symbols=A"];
    assert_eq!(simulator.run(&arguments).status, 1);
    let refusals = simulator.stop("TERM");
    let lines: Vec<Value> = refusals.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2, "{refusals}");
    assert!(lines[0]["detail"].as_str().unwrap().contains("expected base string: [secret]POST&http"), "{refusals}");
    assert_eq!(lines[1]["reason"], "signature_differs");
    assert!(lines[1]["expected_base_string"].as_str().unwrap().starts_with("GET&http%3A%2F%2F127.0.0.1%3A"));
}

#[test]
fn unless_strict_it_takes_any_policy_and_names_what_it_let_pass() {
    let simulator = Simulator::start(&[]);
    for policy in ["rfc5849", "raw-pairs", "decoded-once", "omit", "in-url"] {
        let outcome = simulator.run(&["request", "--query-policy", policy, "GET", "/portfolio/accounts?a=1,2"]);
        assert_eq!(outcome.status, 0, "{policy}: {}", outcome.stderr);
    }
    assert_eq!(simulator.run(&["request", "GET", "/logout"]).status, 0);
    assert_eq!(simulator.stop("TERM"), "deviates: GET /v1/api/logout: logout_by_get\n");

    let simulator = Simulator::start(&["--strict", "--query-policy", "omit", "--output", "json"]);
    assert_eq!(simulator.run(&["request", "GET", "/logout"]).status, 1);
    let refusals = simulator.stop("TERM");
    assert!(refusals.contains("\"method_not_allowed\"") && refusals.lines().count() == 1, "{refusals}");

    let simulator = Simulator::start(&["--output", "json"]);
    assert_eq!(simulator.run(&["request", "GET", "/logout"]).status, 0);
    let said: Value = serde_json::from_str(&simulator.stop("TERM")).unwrap();
    assert_eq!(said, json!({ "deviates": "GET /v1/api/logout", "deviations": ["logout_by_get"] }));
}

#[test]
fn faults_strike_as_often_as_told() {
    let arguments = ["--fault", "invalid-consumer:2", "--fault", "drop-response", "--fault", "unavailable"];
    let simulator = Simulator::start(&arguments);
    for what in ["invalid consumer", "invalid consumer", "no reply", "503"] {
        simulator.run(&["token"]).assert_failure(1, "", what, "");
    }
    assert_eq!(simulator.run(&["token"]).status, 0);
    simulator.stop("TERM");
    let folder = Folder::new();
    let help = run_in(&folder.0, &["simulate", "--help"]);
    let names = help.text().lines().skip_while(|line| !line.contains("The names:")).skip(2);
    let names: Vec<&str> = names.map_while(|line| line.split_whitespace().next()).collect();
    assert_eq!(names.len(), 18, "{names:?}");
    for name in names {
        let fault = format!("{name}:3");
        let simulator = Simulator::start(&["--fault", &fault]);
        simulator.stop("TERM");
    }
    for wrong in ["nothing", "gone:", "gone:-1", "gone:x", ""] {
        assert_eq!(run_in(&folder.0, &["simulate", "--fault", wrong]).status, 2);
    }
}

#[test]
fn folders_are_made_and_what_is_in_them_is_left_alone() {
    let folder = Folder::new();
    for name in ["ibkr-simulator", "ibkr-simulator-2"] {
        let mut running = Running::start(&folder.0, &["simulate"]);
        let ready: Value = serde_json::from_str(&running.line()).unwrap();
        let bundle = folder.0.canonicalize().unwrap().join(name).join("bundle.json");
        assert_eq!(ready["bundle"], bundle.to_str().unwrap());
        running.signal("TERM");
        assert_eq!(running.end().status, 0);
    }
    // The bundle of an earlier simulation may be replaced, and nothing else.
    let again = |out: &str| Running::start(&folder.0, &["simulate", "--out", out]);
    let mut running = again("ibkr-simulator");
    assert!(running.line().contains("bundle.json"));
    running.signal("TERM");
    assert_eq!(running.end().status, 0);
    folder.write("elsewhere/bundle.json", r#"{"consumer_key":"MYCONSKEY"}"#);
    again("elsewhere").end().assert_failure(2, "", "there already", "--out");
    folder.write("file", "");
    again("file").end().assert_failure(2, "", "cannot be written", "--out");
    let outcome = run_in(&folder.0, &["simulate", "--listen", "192.0.2.1:1"]);
    outcome.assert_failure(2, "", "192.0.2.1:1 cannot be listened at", "--listen");
}
