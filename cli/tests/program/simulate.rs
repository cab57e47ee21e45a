//! `simulate`, spoken to as clients in any language do.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    time::Duration,
};

use crate::terminal::{Folder, Outcome, Running, run_in};
use ibkr_oauth::{CredentialBundle, dh::DhGroup, simulator::Fault};
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
    assert_eq!(simulator.ready["authorize_url"], format!("http://{address}/authorize"));
    assert_eq!(simulator.ready.as_object().unwrap().len(), 4);
    let path = std::path::Path::new(simulator.ready["bundle"].as_str().unwrap());
    assert!(path.is_absolute() && path.ends_with("sim/bundle.json"));
    let text = fs::read_to_string(path).unwrap();
    let bundle: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&bundle["base_url"], &bundle["query_policy"]), (&simulator.ready["base_url"], &json!("omit")));
    let group = DhGroup::read(bundle["dh_params"].as_str().unwrap()).unwrap();
    assert_eq!(bundle["dh_prime"], group.prime_hex());
    assert_eq!(bundle["authorize_url"], simulator.ready["authorize_url"]);
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
    assert_eq!(simulator.stop("TERM"), "200: POST /v1/api/oauth/live_session_token\n");
}

#[test]
fn a_host_of_another_name_is_a_deviation_and_connections_stay() {
    let simulator = Simulator::start(&[]);
    let address = simulator.ready["address"].as_str().unwrap();
    let mut stream = simulator.connect();
    for target in ["/v1/api/tickle", "http://api.ibkr.com/v1/api/tickle"] {
        for host in [address, "api.ibkr.com", "127.0.0.1"] {
            let request =
                format!("POST {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: x\r\nContent-Length: 2\r\n\r\n{{}}");
            stream.write_all(request.as_bytes()).unwrap();
            let reply = read_reply(&mut stream);
            assert!(reply.starts_with("HTTP/1.1 401 Unauthorized\r\n") && !reply.contains("close"), "{reply}");
            assert!(reply.contains("missing Authorization"), "{reply}");
            let is_named = reply.contains("x-simulator-deviation: host_of_another_name\r\n");
            assert_eq!(is_named, host != address, "{reply}");
        }
    }
    // Two requests at once.
    let one = "GET /v1/api/tickle HTTP/1.1\r\nHost: x\r\nUser-Agent: x\r\n\r\n";
    stream.write_all(one.repeat(2).as_bytes()).unwrap();
    assert!(read_reply(&mut stream).contains("missing") && read_reply(&mut stream).contains("missing"));
    let refusals = simulator.stop("INT");
    assert_eq!(refusals.lines().count(), 8, "{refusals}");
    assert!(refusals.lines().all(|line| line.starts_with("refused: ")), "{refusals}");
    assert_eq!(refusals.lines().filter(|line| line.ends_with("; deviates: host_of_another_name")).count(), 6);
}

#[test]
fn a_host_of_another_name_is_refused_where_it_is_strict_and_what_is_none_everywhere() {
    for (options, host) in [(&["--strict"][..], "api.ibkr.com"), (&[], "nonsense here"), (&[], "user@api.ibkr.com")] {
        let simulator = Simulator::start(options);
        let one = format!("GET /v1/api/tickle HTTP/1.1\r\nHost: {host}\r\nUser-Agent: x\r\nConnection: close\r\n\r\n");
        assert!(simulator.say(one.as_bytes()).starts_with("HTTP/1.1 421 "), "{host}");
        let said = simulator.stop("TERM");
        assert!(said.contains(&format!("the Host header is \"{host}\", the broker is 127.0.0.1:")), "{said}");
    }
    // Whatever led a request here from the base URL may have put the true address there.
    let simulator = Simulator::start(&["--strict", "--base-url", "https://api.ibkr.com/v1/api"]);
    for host in ["api.ibkr.com", simulator.ready["address"].as_str().unwrap()] {
        let one = format!("GET /v1/api/tickle HTTP/1.1\r\nHost: {host}\r\nUser-Agent: x\r\nConnection: close\r\n\r\n");
        assert!(simulator.say(one.as_bytes()).starts_with("HTTP/1.1 401 "), "{host}");
    }
    simulator.stop("TERM");
}

#[test]
fn what_it_does_not_take_is_refused_with_a_status() {
    let simulator = Simulator::start(&[]);
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(70_000));
    let chunks = format!(
        "POST /v1/api/tickle HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        format!("10000\r\n{}\r\n", "x".repeat(0x10000)).repeat(17)
    );
    let many = format!("GET /v1/api/x HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(101));
    for (request, status) in [
        ("POST /v1/api/tickle HTTP/1.1\r\nContent-Length: 2000000\r\n\r\n", "413"),
        (&chunks, "413"),
        ("POST /v1/api/tickle HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n\r\n", "400"),
        ("POST /v1/api/tickle HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "400"),
        ("POST /v1/api/tickle HTTP/1.1\r\nContent-Length: +1\r\n\r\n", "400"),
        ("POST /v1/api/tickle HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n", "400"),
        ("GET * HTTP/1.1\r\n\r\n", "400"),
        ("GET tickle HTTP/1.1\r\n\r\n", "400"),
        ("CONNECT api.ibkr.com:443 HTTP/1.1\r\n\r\n", "400"),
        ("\u{16}\u{3}\u{1}\u{2}\r\n\r\n", "400"),
        ("GET /v1/api/tickle HTTP/9.9\r\n\r\n", "400"),
        (&long, "414"),
        (&many, "431"),
        ("GET /v1/api/tickle HTTP/1.1\r\nConnection: close\r\n\r\n", "403"),
        ("HEAD /v1/api/tickle HTTP/1.1\r\nConnection: close\r\nUser-Agent: x\r\n\r\n", "401"),
    ] {
        let reply = simulator.say(request.as_bytes());
        let shown: String = request.chars().take(60).collect();
        assert!(reply.starts_with(&format!("HTTP/1.1 {status} ")), "{shown:?}: {reply:?}");
        assert!(reply.contains("connection: close"), "{shown:?}: {reply:?}");
        assert!(!request.starts_with("HEAD") || reply.ends_with("\r\n\r\n"), "{reply:?}");
    }
    // In HTTP/1.0 nothing has to be said of the connection: it ends.
    assert!(simulator.say(b"GET /v1/api/tickle HTTP/1.0\r\n\r\n").starts_with("HTTP/1.0 403 "));
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
fn chunked_bodies_are_read_whole() {
    let simulator = Simulator::start(&[]);
    let mut stream = simulator.connect();
    for body in ["0\r\n\r\n", "2\r\n{}\r\n0\r\n\r\n", "1\r\n{\r\n1;x=y\r\n}\r\n0\r\nTrailer: x\r\n\r\n"] {
        let head = "POST /v1/api/tickle HTTP/1.1\r\nUser-Agent: x\r\nTransfer-Encoding: chunked\r\n\r\n";
        stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        let reply = read_reply(&mut stream);
        assert!(reply.starts_with("HTTP/1.1 401 ") && reply.contains("missing Authorization"), "{reply}");
    }
    simulator.stop("TERM");
}

#[test]
fn each_request_is_a_line_whatever_became_of_it() {
    let simulator = Simulator::start(&["--fault", "drop-response"]);
    assert_eq!(simulator.run(&["token"]).status, 1);
    assert_eq!(simulator.run(&["request", "GET", "/portfolio/accounts"]).status, 0);
    simulator.say(b"POST /v1/api/tickle HTTP/1.1\r\nContent-Length: 2000000\r\n\r\n");
    simulator.say(b"POST * HTTP/1.1\r\n\r\n");
    simulator.say(b"nonsense\r\n\r\n");
    simulator.say(b"POST /v1/api/tickle HTTP/1.1\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}");
    let said = simulator.stop("TERM");
    // What is no request at all is told once its connection ends.
    let mut lines: Vec<&str> = said.lines().collect();
    lines.sort_by_key(|line| line.contains("a connection"));
    let expected = [
        "no answer: POST /v1/api/oauth/live_session_token",
        "200: POST /v1/api/oauth/live_session_token",
        "200: GET /v1/api/portfolio/accounts",
        "refused: POST /v1/api/tickle: the body is longer than 1048576 bytes",
        "refused: POST *: its target is no path",
        "refused: POST http://127.0.0.1",
        "refused: a connection: what a client sent is no request of HTTP/1.1",
    ];
    assert_eq!(lines.len(), expected.len(), "{said}");
    for (line, start) in lines.iter().zip(expected) {
        assert!(line.starts_with(start), "{said}");
    }
}

#[test]
fn silent_and_slow_clients_keep_nobody_out() {
    let simulator = Simulator::start(&[]);
    let starts = ["", "GET /v1/api/", "POST /v1/api/tickle HTTP/1.1\r\nContent-Length: 9\r\n\r\n{"];
    let crowd: Vec<TcpStream> = (0..600)
        .map(|number| {
            let mut stream = simulator.connect();
            stream.write_all(starts[number % starts.len()].as_bytes()).unwrap();
            stream
        })
        .collect();
    assert_eq!(simulator.run(&["token"]).status, 0);
    drop(crowd);
    let said = simulator.stop("TERM");
    assert!(said.lines().all(|line| line.starts_with("200: ") || line.contains("the body did not arrive")), "{said}");
}

#[test]
fn many_clients_at_once_are_all_answered() {
    let simulator = Simulator::start(&[]);
    std::thread::scope(|scope| {
        for _ in 0..40 {
            scope.spawn(|| {
                let mut stream = simulator.connect();
                for _ in 0..10 {
                    stream.write_all(b"GET /v1/api/tickle HTTP/1.1\r\nUser-Agent: x\r\n\r\n").unwrap();
                    assert!(read_reply(&mut stream).starts_with("HTTP/1.1 401 "));
                }
            });
        }
    });
    assert_eq!(simulator.stop("TERM").lines().count(), 400);
}

#[test]
fn what_is_being_answered_at_the_end_is_answered() {
    let simulator = Simulator::start(&[]);
    let mut streams: Vec<TcpStream> = (0..20).map(|_| simulator.connect()).collect();
    for stream in &mut streams {
        stream.write_all(b"GET /v1/api/tickle HTTP/1.1\r\nUser-Agent: x\r\n\r\n").unwrap();
        assert!(read_reply(stream).starts_with("HTTP/1.1 401 "));
    }
    // Connections that stay, and one that says nothing, do not keep it from ending.
    let _silent = simulator.connect();
    simulator.stop("INT");
}

#[test]
fn delivery_may_be_led_elsewhere() {
    let simulator = Simulator::start(&["--base-url", "https://api.ibkr.com/v1/api", "--listen", "localhost:0"]);
    assert_eq!(simulator.ready["base_url"], "https://api.ibkr.com/v1/api");
    let bundle = simulator.ready["bundle"].as_str().unwrap();
    let live_session_token = "SGVsbG8sIHdvcmxkLCBhbmQgdGhlbiBzb21lIQ==";
    let url = "https://api.ibkr.com/v1/api/tickle";
    let arguments = ["sign", "--bundle", bundle, "--live-session-token", live_session_token, "GET", url];
    let header = run_in(&simulator.folder.0, &arguments);
    let request = format!(
        "GET /v1/api/tickle HTTP/1.1\r\nHost: x\r\nUser-Agent: x\r\nAuthorization: {}\r\nConnection: close\r\n\r\n",
        header.text().trim()
    );
    simulator.say(request.as_bytes());
    let said = simulator.stop("TERM");
    assert!(said.starts_with("refused: GET https://api.ibkr.com/v1/api/tickle: "), "{said} {}", header.stderr);
}

#[test]
fn keys_of_ones_own_are_used_and_not_copied() {
    let folder = Folder::new();
    assert_eq!(run_in(&folder.0, &["keygen", "--out", "mine"]).status, 0);
    let dh = folder.write("dh.pem", include_str!("../../../tests/data/keys/ffdhe_2048.pem"));
    for (more, realm) in [
        (&["--consumer-key", "TESTCONS"][..], "test_realm"),
        (&["--consumer-key", "MYCONSKEY", "--realm", "other", "--dh", dh.to_str().unwrap()][..], "other"),
        (&["--consumer-key", "MYCONSKEY", "--realm", "other", "--dh", dh.to_str().unwrap()][..], "other"),
    ] {
        let arguments = [&["simulate", "--out", more[1], "--keys", "mine"][..], more].concat();
        let mut running = Running::start(&folder.0, &arguments);
        let ready: Value = serde_json::from_str(&running.line()).unwrap();
        let path = ready["bundle"].as_str().unwrap();
        let bundle: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        assert_eq!((&bundle["consumer_key"], &bundle["realm"]), (&json!(more[1]), &json!(realm)));
        let key = folder.0.canonicalize().unwrap().join("mine/private_signature.pem");
        assert_eq!(bundle["signature_key"], json!({ "file": key.to_str().unwrap() }));
        assert_eq!(fs::read_dir(folder.0.join(more[1])).unwrap().count(), 1);
        let outcome = run_in(&folder.0, &["token", "--bundle", path]);
        assert_eq!(outcome.status, 0, "{}", outcome.stderr);
        running.signal("TERM");
        assert_eq!(running.end().status, 0);
    }
    // Its own bundle is renewed; one of other keys is not.
    let taken = run_in(&folder.0, &["simulate", "--out", "MYCONSKEY"]);
    taken.assert_failure(2, "", "is there already", "--out");
    let no_keys = run_in(&folder.0, &["simulate", "--out", "new", "--keys", "elsewhere"]);
    no_keys.assert_failure(2, "", "private_signature.pem cannot be read", "check the path");
    let no_group = run_in(&folder.0, &["simulate", "--out", "new", "--dh", "mine/public_signature.pem"]);
    no_group.assert_failure(2, "", "mine/public_signature.pem: ", "");
    assert!(!folder.0.join("new").exists());
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
        "signature key",
    );
    let arguments = ["request", "--query-policy", "rfc5849", "GET", "/trsrv/stocks?symbols=A"];
    assert_eq!(simulator.run(&arguments).status, 1);
    let refusals = simulator.stop("TERM");
    let lines: Vec<Value> = refusals.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3, "{refusals}");
    assert!(lines[0]["detail"].as_str().unwrap().contains("expected base string: [secret]POST&http"), "{refusals}");
    assert_eq!(
        (&lines[1]["request"], &lines[1]["status"]),
        (&json!("POST /v1/api/oauth/live_session_token"), &json!(200))
    );
    assert_eq!((&lines[2]["reason"], &lines[2]["status"]), (&json!("signature_differs"), &json!(401)));
    assert!(lines[2]["expected_base_string"].as_str().unwrap().starts_with("GET&http%3A%2F%2F127.0.0.1%3A"));
}

#[test]
fn unless_strict_it_takes_any_policy_and_names_what_it_let_pass() {
    let simulator = Simulator::start(&[]);
    for policy in ["rfc5849", "raw-pairs", "decoded-once", "omit", "in-url"] {
        let outcome = simulator.run(&["request", "--query-policy", policy, "GET", "/portfolio/accounts?a=1,2"]);
        assert_eq!(outcome.status, 0, "{policy}: {}", outcome.stderr);
    }
    assert_eq!(simulator.run(&["request", "GET", "/logout"]).status, 0);
    let said = simulator.stop("TERM");
    for policy in ["rfc5849", "raw-pairs", "decoded-once", "omit", "in-url"] {
        let accepted =
            said.lines().filter(|line| line.starts_with("200: GET /v1/api/portfolio/accounts; query policy: "));
        assert!(accepted.into_iter().any(|line| line.contains(policy)), "{policy}: {said}");
    }
    assert!(said.ends_with("200: GET /v1/api/logout; deviates: logout_by_get\n"), "{said}");

    let simulator = Simulator::start(&["--strict", "--query-policy", "omit", "--output", "json"]);
    assert_eq!(simulator.run(&["request", "GET", "/logout"]).status, 1);
    let refusals = simulator.stop("TERM");
    assert!(refusals.contains("\"method_not_allowed\"") && refusals.lines().count() == 2, "{refusals}");

    let simulator = Simulator::start(&["--output", "json"]);
    assert_eq!(simulator.run(&["request", "GET", "/logout"]).status, 0);
    let said = simulator.stop("TERM");
    let last: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    let expected = json!({ "request": "GET /v1/api/logout", "status": 200, "deviations": ["logout_by_get"] });
    assert_eq!(last, expected);
}

#[test]
fn faults_strike_as_often_as_told() {
    let arguments = ["--fault", "invalid-consumer*2", "--fault", "drop-response", "--fault", "unavailable"];
    let simulator = Simulator::start(&arguments);
    for what in ["invalid consumer", "invalid consumer", "no response", "503"] {
        simulator.run(&["token"]).assert_failure(1, "", what, "");
    }
    assert_eq!(simulator.run(&["token"]).status, 0);
    simulator.stop("TERM");
    let folder = Folder::new();
    let help = run_in(&folder.0, &["simulate", "--help"]);
    let names = help.text().lines().skip_while(|line| !line.contains("The names:")).skip(2);
    let names: Vec<&str> = names.map_while(|line| line.split_whitespace().next()).collect();
    let known: Vec<&str> = Fault::names().map(|(name, _)| name).collect();
    assert_eq!(names, known);
    for name in names {
        let fault = format!("{name}*3");
        let simulator = Simulator::start(&["--fault", &fault]);
        simulator.stop("TERM");
    }
    for wrong in ["nothing", "gone*", "gone*-1", "gone*x", "gone:2", "gone@tickle", ""] {
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
