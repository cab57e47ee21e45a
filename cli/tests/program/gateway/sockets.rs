//! Each WebSocket of a program's has one of the broker's behind it.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use super::{
    Gateway,
    frames::{CLOSE, Frame, Frames, TEXT, framed},
};
use crate::proxies::TinyProxy;

/// A program's WebSocket.
struct Socket {
    stream: TcpStream,
    frames: Frames,
}

impl Socket {
    /// The head of the answer to a request for an upgrade, and the socket if it is one.
    fn open(gateway: &Gateway, headers: &str) -> (String, Option<Self>) {
        Self::open_at(gateway, "/v1/api/ws", headers)
    }

    fn open_at(gateway: &Gateway, target: &str, headers: &str) -> (String, Option<Self>) {
        let mut stream = TcpStream::connect(gateway.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let request = format!(
            "GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let socket = head.starts_with("HTTP/1.1 101 ").then(|| Self { stream, frames: Frames::default() });
        (head, socket)
    }

    fn say(&mut self, text: &str) {
        self.stream.write_all(&framed(TEXT, text.as_bytes(), Some([1, 2, 3, 4]))).unwrap();
    }

    fn next(&mut self) -> Frame {
        loop {
            if let Some(frame) = self.frames.next().unwrap() {
                return frame;
            }
            let mut bytes = [0; 4096];
            let count = self.stream.read(&mut bytes).unwrap();
            assert!(count > 0, "the socket ended");
            self.frames.push(&bytes[..count]);
        }
    }

    /// The next message with these words.
    fn hear(&mut self, words: &str) -> String {
        loop {
            let text = String::from_utf8_lossy(&self.next().payload).into_owned();
            if text.contains(words) {
                return text;
            }
        }
    }
}

#[test]
fn two_programs_stream_each_on_a_socket_of_its_own() {
    let gateway = Gateway::start(&[], &[]).live();
    // As clients are: with a cookie that is JSON, and with none; both announce a session, and one subscribes at once.
    let (head, first) = Socket::open(&gateway, "Cookie: api={\"session\": \"abc\"}; x-sess-uuid=1\r\n");
    // RFC 6455 section 1.3.
    assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
    assert!(!head.to_ascii_lowercase().contains("set-cookie"), "{head}");
    let mut first = first.unwrap();
    first.say(r#"{"session":"abc"}"#);
    first.say(r#"smd+265598+{"fields":["31"]}"#);
    let (_, second) = Socket::open(&gateway, "");
    let mut second = second.unwrap();
    assert!(first.hear("\"sts\"").contains("authenticated"));
    assert!(first.hear("smd+265598").contains("\"31\""));
    second.hear("\"sts\"");
    second.say("tic");
    second.hear("\"tic\"");
    assert_eq!(gateway.get("/health").json()["web_sockets"], 2);
    // What may trade does not pass.
    second.say(r#"inp+exercise+{"action":"user_input"}"#);
    assert!(second.hear("inp").contains("--allow-orders"));
    // One ends; the other goes on.
    first.stream.write_all(&framed(CLOSE, &[3, 232], Some([0; 4]))).unwrap();
    drop(first);
    second.say(r#"smd+8314+{"fields":["31"]}"#);
    second.hear("smd+8314");
    // The end of the gateway is the end of each.
    gateway.running.signal("TERM");
    while second.next().opcode != CLOSE {}
    let outcome = gateway.running.end();
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
}

#[test]
fn whatever_a_program_shows_of_a_login_its_socket_has_the_gateways_own() {
    let gateway = Gateway::start(&["--strict"], &[]).live();
    for (target, headers) in [
        ("/v1/api/ws", ""),
        ("/v1/portal/ws", ""),
        ("/v1/api/ws", "Cookie: api=0123456789abcdef\r\n"),
        ("/v1/api/ws", "Cookie: api={\"session\": \"0123456789abcdef\"}\r\n"),
        ("/v1/api/ws", "Cookie: api=%7B%22session%22%3A%220123456789abcdef%22%7D\r\n"),
        ("/v1/api/ws", "Cookie: x-sess-uuid=0123456789abcdef\r\n"),
        ("/v1/api/ws?oauth_token=0123456789abcdef", "Cookie: api=0123456789abcdef\r\nAuthorization: Bearer x\r\n"),
    ] {
        let (head, socket) = Socket::open_at(&gateway, target, headers);
        let Some(mut socket) = socket else { panic!("{target} {headers}: {head}") };
        // A login that is not the broker's would have it wait for another.
        assert!(socket.hear("\"sts\"").contains("\"authenticated\":true"), "{target} {headers}");
        socket.stream.write_all(&framed(CLOSE, &[3, 232], Some([0; 4]))).unwrap();
    }
    let said = gateway.stop();
    assert!(!said.broker.contains("0123456789abcdef"), "{}", said.broker);
    assert_eq!((said.count("refused"), said.count("deviates")), (0, 0), "{}", said.broker);
}

#[test]
fn a_socket_needs_a_session_and_a_page_of_this_origin() {
    let gateway = Gateway::start(&[], &[]).live();
    let (head, _) = Socket::open(&gateway, "Origin: https://evil.example\r\n");
    assert!(head.starts_with("HTTP/1.1 403 "), "{head}");
    gateway.action("start-competing-session");
    gateway.post("/v1/api/tickle", "");
    gateway.wait_for("displaced");
    let (head, _) = Socket::open(&gateway, "");
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    gateway.stop();
}

#[test]
fn requests_and_sockets_go_through_the_proxy_that_is_set() {
    let proxy = TinyProxy::start();
    let setting = format!("http://us3r:s3cret@{}", proxy.address);
    let gateway = Gateway::start_with(&[("HTTP_PROXY", &setting)]).live();
    let broker = gateway.broker_ready["address"].as_str().unwrap().to_owned();
    // The session's own requests, a program's, and its WebSocket, each on a connection of its own.
    let asked = |what: &str| {
        let asked = proxy.asked();
        let expected = format!("connect dXMzcjpzM2NyZXQ= to {broker}");
        assert!(!asked.is_empty() && asked.iter().all(|asked| *asked == expected), "{what}: {asked:?}");
    };
    asked("the session");
    assert_eq!(gateway.get("/v1/api/portfolio/accounts").json()[0]["id"], "DU0000001");
    asked("a request");
    let (head, socket) = Socket::open(&gateway, "");
    let mut socket = socket.unwrap_or_else(|| panic!("{head}"));
    socket.hear("\"sts\"");
    asked("a socket");
    socket.say(r#"smd+265598+{"fields":["31"]}"#);
    socket.hear("smd+265598");
    let said = gateway.stop();
    assert!(!said.gateway.contains("s3cret") && !said.gateway.contains("us3r"), "{}", said.gateway);
}
