//! Waiting for the browser: only the answer to the request token that is waited for ends it.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::PathBuf,
};

use crate::terminal::{
    Running,
    user::{User, start},
};
use ibkr_oauth::http::Uri;
use ibkr_oauth_sockets::{
    Address,
    broker::{BrokerServer, with_context},
};
use serde_json::{Value, json};

/// The program, waiting, and the user who is at the broker's page.
struct Waiting {
    server: BrokerServer,
    user: User,
    bundle: PathBuf,
    /// Where the program listens.
    listen: String,
    page: Uri,
    running: Running,
}

impl Waiting {
    fn start(more: &[&str]) -> Self {
        let (server, user) = start();
        let bundle = user.change(&json!({ "access_token": null, "access_token_secret": null }));
        let listen = Address::new().origin().replace("http://", "");
        let arguments = ["authorize", "--bundle", bundle.to_str().unwrap(), "--listen", &listen];
        let mut running = Running::start(&user.folder.0, &[&arguments[..], more].concat());
        let page = running.line().parse().unwrap();
        Self { server, user, bundle, listen, page, running }
    }

    /// The target that the browser of a consenting user is sent to.
    fn target(&self) -> String {
        let callback = with_context(|cx| self.server.broker().consent(cx, &self.page)).unwrap();
        callback.strip_prefix(&format!("http://{}", self.listen)).unwrap().to_owned()
    }

    fn ask(&self, head: &str) -> String {
        let mut stream = TcpStream::connect(&self.listen).unwrap();
        stream.write_all(head.replace("OWN", &self.listen).as_bytes()).unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).unwrap();
        page
    }

    fn visit(&self, target: &str) -> String {
        self.ask(&format!("GET {target} HTTP/1.1\r\nHost: OWN\r\n\r\n"))
    }

    /// Asserts that the token was fetched; what the program said on the way.
    fn assert_authorized(self) -> String {
        let token = self.server.account.access_token.token().to_owned();
        let outcome = self.running.end();
        self.user.assert_no_secret_in(&outcome);
        assert_eq!(outcome.status, 0, "{}", outcome.stderr);
        let bundle: Value = serde_json::from_slice(&fs::read(&self.bundle).unwrap()).unwrap();
        assert_eq!(bundle["access_token"], token);
        outcome.stderr
    }
}

#[test]
fn a_visit_that_is_no_answer_ends_nothing() {
    let waiting = Waiting::start(&[]);
    let target = waiting.target();
    for (head, status) in [
        ("GET /callback HTTP/1.1\r\nHost: OWN\r\n\r\n".to_owned(), 200),
        ("GET /callback?x=1 HTTP/1.1\r\nHost: OWN\r\n\r\n".to_owned(), 200),
        ("GET /callback?oauth_token=a&oauth_verifier=b HTTP/1.1\r\nHost: OWN\r\n\r\n".to_owned(), 400),
        (format!("GET {target} HTTP/1.1\r\nHost: evil.example\r\n\r\n"), 421),
        (format!("GET {target} HTTP/1.1\r\n\r\n"), 400),
        (format!("GET {target} HTTP/1.1\r\nHost: OWN\r\nSec-Fetch-Dest: image\r\n\r\n"), 403),
        (format!("GET {target} HTTP/1.1\r\nHost: OWN\r\nSec-Fetch-Mode: no-cors\r\n\r\n"), 403),
        (format!("POST {target} HTTP/1.1\r\nHost: OWN\r\ncontent-length: 0\r\n\r\n"), 405),
        ("GET /favicon.ico HTTP/1.1\r\nHost: OWN\r\n\r\n".to_owned(), 404),
        ("no HTTP at all\r\n\r\n".to_owned(), 400),
    ] {
        let page = waiting.ask(&head);
        assert!(page.starts_with(&format!("HTTP/1.1 {status} ")), "{head}: {page}");
        assert!(!page.contains("You may close this page"), "{head}: {page}");
    }
    let page = waiting.ask(&format!(
        "GET {target} HTTP/1.1\r\nHost: OWN\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\n\r\n"
    ));
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n") && page.contains("You may close this page"), "{page}");
    let said = waiting.assert_authorized();
    for note in ["perhaps the user declined", "another request token", "another host", "no user"] {
        assert!(said.contains(note), "{note}: {said}");
    }
    assert!(said.contains("Ctrl-C"), "{said}");
}

#[test]
fn a_crowd_does_not_keep_the_browser_out() {
    let waiting = Waiting::start(&[]);
    let target = waiting.target();
    let crowd: Vec<TcpStream> = (0..40)
        .map(|number| {
            let mut stream = TcpStream::connect(&waiting.listen).unwrap();
            // Some are silent, and some never come to an end.
            if number % 2 == 0 {
                stream.write_all(b"GET /callback HTTP/1.1\r\n").unwrap();
            }
            stream
        })
        .collect();
    assert!(waiting.visit(&target).contains("You may close this page"));
    waiting.assert_authorized();
    drop(crowd);
}

#[test]
fn heads_are_bounded_and_what_is_no_http_ends_nothing() {
    let waiting = Waiting::start(&[]);
    let long = |length: usize| format!("GET /{} HTTP/1.1\r\nHost: OWN\r\n\r\n", "a".repeat(length));
    assert!(waiting.ask(&long(15 << 10)).starts_with("HTTP/1.1 404 "));
    assert!(waiting.ask(&long(20 << 10)).starts_with("HTTP/1.1 431 "));
    for broken in ["a\r\n\r\n", "GET a b HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\n: x\r\n\r\n"] {
        assert!(waiting.ask(broken).starts_with("HTTP/1.1 400 "), "{broken:?}");
    }
    let target = waiting.target();
    waiting.visit(&target);
    waiting.assert_authorized();
}

#[test]
fn visits_without_end_do_not_fill_the_screen() {
    let waiting = Waiting::start(&[]);
    for _ in 0..50 {
        waiting.visit("/callback?x=1");
    }
    let target = waiting.target();
    waiting.visit(&target);
    let said = waiting.assert_authorized();
    assert!(said.lines().count() < 30 && said.contains("not reported"), "{said}");
}

#[test]
fn what_is_pasted_counts_while_the_port_is_listened_at() {
    let mut waiting = Waiting::start(&[]);
    waiting.visit("/callback");
    let target = waiting.target();
    waiting.running.type_line(&format!("http://{}{target}", waiting.listen));
    waiting.assert_authorized();
}

#[test]
fn waiting_comes_to_an_end() {
    let waiting = Waiting::start(&["--timeout", "1"]);
    // On a busy machine it may be over already.
    let _silent = TcpStream::connect(&waiting.listen).ok();
    let before = fs::read(&waiting.bundle).unwrap();
    let outcome = waiting.running.end();
    assert_eq!(outcome.status, 1, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("error: no answer came within 1 s"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("--timeout"), "{}", outcome.stderr);
    assert_eq!(fs::read(&waiting.bundle).unwrap(), before);
    let user = &waiting.user;
    assert_eq!(user.run(&["authorize", "--timeout", "0"]).status, 2);
}
