//! The program as a process, with broken inputs and a hostile broker: no command shows a credential, or a character that
//! is not seen. `BROKEN_INPUTS=300 cargo test --all-features --test broken_inputs` starts as many processes as that.

use std::io::Write as _;

use crate::terminal::{Outcome, Running, run_in, run_with_input, user::User};
use ibkr_oauth::diagnose::{escape_invisible, is_invisible};
use ibkr_oauth_sockets::{Address, Loopback, broker::Account};
use serde_json::{Value, json};

const INVISIBLE: [&str; 13] = [
    "\u{1b}[31m",
    "\u{7}",
    "\u{9b}2J",
    "\u{85}",
    "\u{200b}",
    "\u{200e}",
    "\u{2028}",
    "\u{202e}",
    "\u{2066}",
    "\u{feff}",
    "\u{e0041}",
    "\r",
    "\n",
];
const STATUS: [&str; 8] = ["200 OK", "400 Bad", "401 No", "403 No", "410 Gone", "429 Slow", "500 Oh", "503 Oh"];

/// What a number picks among these.
fn pick<'a>(number: usize, among: &[&'a str]) -> &'a str {
    among[number % among.len()]
}

/// An answer that names the token in several spellings, among what garbles.
fn hostile(number: usize, token: &str) -> Vec<u8> {
    let escaped = token.bytes().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat();
    let garbling = pick(number, &INVISIBLE);
    let words = format!("{garbling}no {token}{garbling} of {} {escaped} oauth_token={token}", token.to_uppercase());
    let body = match number % 4 {
        0 => json!({ "error": words, token: words }).to_string(),
        1 => json!({ "fail": words, "message": words, "authenticated": false, "competing": false }).to_string(),
        2 => json!({
            "oauth_token": words, "oauth_token_secret": words, "diffie_hellman_response": words,
            "live_session_token_signature": words,
        })
        .to_string(),
        _ => words,
    };
    let status = pick(number / 3, &STATUS);
    format!("HTTP/1.1 {status}\r\nx: {token}\u{202e}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// A user whose broker answers the sign-in rightly every other time, and else as [`hostile`] does.
fn start(number: usize) -> (Loopback, User, String) {
    let address = Address::new();
    let account = Account::at(&address.origin(), None);
    let user = User::new(account.base_url(), &account.access_token);
    let token = account.access_token.token().to_owned();
    let (said, mut count) = (token.clone(), number);
    let server = address.serve_on(move |received| {
        count += 1;
        let signs_in = received.target().1.contains("/oauth/");
        if (signs_in && number.is_multiple_of(2)) || count.is_multiple_of(7) {
            account.answer(received)
        } else {
            hostile(count, &said)
        }
    });
    (server, user, token)
}

/// Runs the command that the number stands for.
fn run(number: usize, user: &User, token: &str, format: &str) -> Outcome {
    let bundle = user.bundle.to_str().unwrap();
    let garbling = pick(number, &INVISIBLE);
    let folder = &user.folder.0;
    let with_bundle = |words: &[&str]| run_in(folder, &[words, &["--bundle", bundle, "--output", format]].concat());
    let header = format!(
        "OAuth realm=\"limited_poa\"{0}oauth_consumer_key=\"SIMULATOR\"{0}oauth_token=\"{token}\"{0}oauth_nonce=1{garbling}",
        pick(number / 11, &[" ", ";", "&", ".", ":", ", ", "%26"])
    );
    match number % 11 {
        0 => with_bundle(&["token"]),
        1 => with_bundle(&["request", "GET", "/portfolio/accounts"]),
        2 => with_bundle(&["explain", "GET", "https://h/x", "--header", &header]),
        3 => {
            let broken =
                json!({ "access_token": format!("{token}{garbling}"), format!("{token}{garbling}"): garbling });
            let path = user.change(&broken);
            run_in(folder, &["doctor", "--offline", "--bundle", path.to_str().unwrap(), "--output", format])
        }
        4 => {
            let arguments =
                ["explain", "GET", "https://h/x", "--bundle", bundle, "--output", format, "--base-string", "-"];
            run_with_input(folder, &arguments, &header.replace("OAuth ", "GET&https%3A%2F%2Fh%2Fx&"))
        }
        5 => with_bundle(&["authorize"]),
        6 => run_in(folder, &["token", "--output", format, &header, garbling]),
        7 => {
            // The first events come at once; what follows a failure waits.
            let arguments = ["session", "--read-only", "--bundle", bundle, "--output", format];
            let mut running = Running::start(folder, &arguments);
            let lines: String = (0..2).map(|_| running.line() + "\n").collect();
            running.signal("TERM");
            let mut outcome = running.end();
            outcome.stdout.splice(0..0, lines.into_bytes());
            outcome
        }
        8 => {
            let name = format!("{garbling}sim");
            let mut running = Running::start(folder, &["simulate", "--out", &name, "--output", format]);
            let announced: Value = serde_json::from_str(&running.line()).unwrap();
            let mut stream = std::net::TcpStream::connect(announced["address"].as_str().unwrap()).unwrap();
            let head = format!("GET /v1/api/{token} HTTP/1.1\r\nuser-agent: u\r\nauthorization: {header}\r\n\r\n");
            stream.write_all(head.as_bytes()).unwrap();
            drop(stream);
            running.signal("TERM");
            running.end()
        }
        9 => run_in(folder, &["keygen", "--out", &format!("file{garbling}/"), "--output", format, "--bogus"]),
        _ => with_bundle(&["doctor", "--offline"]),
    }
}

#[test]
fn no_process_shows_a_credential_or_what_is_not_seen() {
    let count = std::env::var("BROKEN_INPUTS").ok().and_then(|text| text.parse().ok()).unwrap_or(44);
    for number in 0..count {
        let (_server, user, token) = start(number);
        let format = if number / 11 % 2 == 0 { "text" } else { "json" };
        let outcome = run(number, &user, &token, format);
        let (out, err) = (String::from_utf8_lossy(&outcome.stdout).into_owned(), &outcome.stderr);
        user.assert_no_secret_in(&outcome);
        let what = format!("number {number}, {format}, status {}:\n{out}\n{err}", outcome.status);
        // The simulator has no user, and says what its clients send.
        assert!(number % 11 == 8 || !format!("{out}{err}").to_lowercase().contains(&token), "{what}");
        // A body that is piped on is not ours to change.
        let is_raw = number % 11 == 1 && format == "text";
        for text in [if is_raw { "" } else { &out }, err] {
            let seen = text.chars().all(|char| char == '\n' || !is_invisible(char));
            assert!(seen, "{}", escape_invisible(&what));
            let is_json = format == "json" && !(number % 11 == 5 && text == err.as_str());
            let lines = text.lines().filter(|_| is_json);
            lines.for_each(|line| assert!(serde_json::from_str::<Value>(line).is_ok(), "{what}"));
        }
    }
}
