//! What the broker, or whoever else, writes reaches nobody's terminal as it was written.

use std::fs;
#[cfg(feature = "simulate")]
use std::net::TcpStream;

use crate::terminal::{
    Folder, Outcome, Running, run_in,
    user::{User, start},
};
use ibkr_oauth::diagnose::{escape_invisible, is_invisible};
use ibkr_oauth_sockets::{Address, broker::Account};
use serde_json::{Value, json};

/// One of each kind that is seen by nobody, or garbles a line.
const INVISIBLE: [char; 30] = [
    '\u{0}',
    '\u{7}',
    '\u{1b}',
    '\u{7f}',
    '\u{85}',
    '\u{9b}',
    '\u{ad}',
    '\u{61c}',
    '\u{180e}',
    '\u{200b}',
    '\u{200c}',
    '\u{200d}',
    '\u{200e}',
    '\u{200f}',
    '\u{2028}',
    '\u{2029}',
    '\u{202a}',
    '\u{202e}',
    '\u{2060}',
    '\u{2066}',
    '\u{2069}',
    '\u{206f}',
    '\u{3164}',
    '\u{fe0f}',
    '\u{feff}',
    '\u{fff9}',
    '\u{e0001}',
    '\u{e0041}',
    '\u{e007f}',
    '\u{e0100}',
];

/// Nothing but line ends is there that is not seen.
#[track_caller]
fn assert_visible(outcome: &Outcome) {
    for text in [outcome.text(), &outcome.stderr] {
        let hidden = text.chars().find(|char| *char != '\n' && is_invisible(*char));
        assert_eq!(hidden, None, "{}", escape_invisible(text));
    }
}

#[test]
fn every_invisible_character_is_escaped_and_nothing_else() {
    for char in INVISIBLE {
        assert_eq!(escape_invisible(&format!("a{char}b")), format!("a{}b", char.escape_unicode()));
    }
    for text in ["", "plain", "ü ß 漢字 🙂", "“quoted” – and – dashed…", "\u{a0}"] {
        assert_eq!(escape_invisible(text), text);
    }
    assert_eq!(escape_invisible("one\r\ntwo\tthree"), "one  two three");
}

/// A user whose broker refuses what is protected, in words with everything in them that garbles; `{token}` is hers.
fn start_with_words(status: &'static str) -> (ibkr_oauth_sockets::Loopback, User, String) {
    let address = Address::new();
    let account = Account::at(&address.origin(), None);
    let user = User::new(account.base_url(), &account.access_token);
    let token = account.access_token.token().to_owned();
    let encoded = token.bytes().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat();
    let words: String = INVISIBLE.iter().collect();
    let error = format!("token {token} of {} is {encoded} no {words}good\nfine  all is well", token.to_uppercase());
    let body = json!({ "error": error, token.clone(): [token] }).to_string();
    let reply = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nx-words: \u{202e}{}\u{9b}\r\n\r\n{body}",
        body.len(),
        token
    );
    let server = address.serve_on(move |received| match received.target() {
        (_, target) if target.contains("/oauth/") => account.answer(received),
        _ => reply.clone().into_bytes(),
    });
    (server, user, token)
}

#[track_caller]
fn assert_hidden(token: &str, outcome: &Outcome) {
    let shown = format!("{}{}", outcome.text(), outcome.stderr).to_lowercase();
    assert!(!shown.contains(token), "{shown}");
    assert_visible(outcome);
}

#[test]
fn a_refusal_that_names_the_token_and_garbles_lines_is_shown_without_either() {
    for status in ["403 Forbidden", "500 Internal Server Error", "200 OK"] {
        let (_server, user, token) = start_with_words(status);
        for format in ["text", "json"] {
            assert_hidden(&token, &user.run(&["doctor", "--output", format]));
            let outcome = user.run(&["request", "GET", "/portfolio/accounts", "--output", format]);
            if format == "json" {
                assert_hidden(&token, &outcome);
                let object: Value = serde_json::from_slice(&outcome.stdout).unwrap();
                assert_eq!(object["body"]["[hidden]"], json!(["[hidden]"]));
                let words = object["body"]["error"].as_str().unwrap();
                // What is data for a program stays what it was: JSON has escapes of its own.
                assert!(words.contains('\u{202e}') && words.contains('\u{e0001}'), "{words:?}");
            } else {
                let shown = outcome.text().to_lowercase();
                assert!(!shown.contains(&token) && shown.contains("[hidden]"), "{shown}");
                assert!(!outcome.stderr.to_lowercase().contains(&token));
            }
        }
    }
}

#[test]
fn events_of_a_session_show_neither() {
    for format in ["text", "json"] {
        let (_server, user, token) = start_with_words("403 Forbidden");
        let mut running =
            Running::start(&user.folder.0, &["session", "--bundle", user.bundle.to_str().unwrap(), "--output", format]);
        let failed = running.line_with("next attempt at");
        assert!(!failed.to_lowercase().contains(&token), "{failed}");
        assert!(failed.contains("[hidden]") && failed.contains("u{202e}"), "{failed}");
        assert!(!failed.contains(is_invisible), "{failed:?}");
        if format == "json" {
            let event: Value = serde_json::from_str(&failed).unwrap();
            assert_eq!(event["details"]["kind"], "rejected", "{event:#}");
            assert_eq!(event["details"]["status"], 403);
            assert!(event["text"].as_str().unwrap().contains("\\u{202e}"), "{event:#}");
        }
        running.signal("TERM");
        assert_hidden(&token, &running.end());
    }
}

#[test]
fn names_and_contents_of_files_are_shown_in_one_line() {
    let folder = Folder::new();
    let name = "a\u{202e}b\u{1b}[31m\u{2028}c\n.json";
    for format in ["text", "json"] {
        for command in [&["token"][..], &["doctor", "--offline"], &["explain", "GET", "https://h/x"]] {
            let arguments = [command, &["--bundle", name, "--output", format]].concat();
            let outcome = run_in(&folder.0, &arguments);
            assert!(outcome.status == 2 && outcome.stderr.contains("u{202e}"), "{}", outcome.stderr);
            assert_visible(&outcome);
        }
    }
    folder.write("bundle.json", "{\"unkn\u{202e}\u{9b}own\": 1, \"f8d1c0de5ec4e70fbabe\": 2}");
    for format in ["text", "json"] {
        let outcome = run_in(&folder.0, &["token", "--bundle", "bundle.json", "--output", format]);
        assert_eq!(outcome.status, 2);
        assert_visible(&outcome);
    }
    folder.write("swapped.json", "{\"f8d1c0de5ec4e70fbabe\": \"access_token\"}");
    let outcome = run_in(&folder.0, &["token", "--bundle", "swapped.json"]);
    assert!(outcome.status == 2 && !outcome.stderr.contains("f8d1c0de5ec4e70fbabe"), "{}", outcome.stderr);
}

#[test]
fn credentials_of_the_bundle_are_hidden_by_value_where_signatures_are_explained() {
    let (_server, user) = start();
    let bundle: Value = serde_json::from_slice(&fs::read(&user.bundle).unwrap()).unwrap();
    let (key, token) = (bundle["consumer_key"].as_str().unwrap(), bundle["access_token"].as_str().unwrap());
    for text in [
        format!("GET&https%3A%2F%2Fh%2F{key}&a%3D{token}"),
        format!("GET&https%3A%2F%2Fh%2Fx&symbol%3D{key}"),
        format!("GET&https%3A%2F%2Fh%2Fx&{token}"),
    ] {
        for format in ["text", "json"] {
            let outcome =
                user.run(&["explain", "GET", "https://h/x?symbol=A", "--base-string", &text, "--output", format]);
            let shown = format!("{}{}", outcome.text(), outcome.stderr);
            assert!(!shown.contains(key) && !shown.contains(token), "{shown}");
        }
    }
}

#[cfg(feature = "simulate")]
#[test]
fn the_simulator_reports_what_clients_send_in_one_line() {
    use std::io::Write as _;

    for format in ["text", "json"] {
        let folder = Folder::new();
        let mut running = Running::start(&folder.0, &["simulate", "--out", "sim", "--output", format]);
        let announced: Value = serde_json::from_str(&running.line()).unwrap();
        let mut stream = TcpStream::connect(announced["address"].as_str().unwrap()).unwrap();
        let hostile = "\u{202e}\u{9b}\u{e0001}\u{2028}";
        let head = format!(
            "POST /v1/api/tickle HTTP/1.1\r\nhost: h\r\nuser-agent: u\r\ncontent-length: 0\r\nconnection: close\r\n\
             authorization: OAuth realm=\"{hostile}\", oauth_consumer_key=\"{hostile}\"\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        std::io::copy(&mut stream, &mut std::io::sink()).unwrap();
        running.signal("TERM");
        let outcome = running.end();
        assert!(outcome.stderr.contains("refused"), "{}", outcome.stderr);
        assert_visible(&outcome);
    }
}

#[test]
fn a_wrong_command_line_is_json_where_that_is_asked_for() {
    let folder = Folder::new();
    for arguments in [
        &["token", "--output", "json"][..],
        &["--output=json"],
        &["token", "--bogus\u{202e}", "--output", "json"],
        &["--output", "json", "request", "--bundle", "b.json", "G\u{1b}[31m ET", "/x"],
        &["nonsense", "--output=json"],
        &["explain", "--output=json", "GET", "https://h/x", "--header", "OAuth", "oauth_consumer_key=QZWXECRVT,"],
        &["explain", "--output=json", "GET", "https://h/x", "f8d1c0de5ec4e70fbabe"],
    ] {
        let outcome = run_in(&folder.0, arguments);
        assert_eq!((outcome.status, outcome.text()), (2, ""), "{arguments:?}");
        let object: Value = serde_json::from_str(&outcome.stderr).unwrap_or_else(|_| panic!("{}", outcome.stderr));
        assert_eq!(object["kind"], "config", "{object:#}");
        assert!(!object["error"].as_str().unwrap().is_empty() && !object["try"].as_str().unwrap().is_empty());
        assert!(!outcome.stderr.contains("QZWXECRVT") && !outcome.stderr.contains("f8d1c0de"), "{}", outcome.stderr);
        assert_visible(&outcome);
        let text = arguments.iter().filter(|argument| !["--output", "json", "--output=json"].contains(argument));
        let outcome = run_in(&folder.0, &text.copied().collect::<Vec<_>>());
        assert!(outcome.status == 2 && serde_json::from_str::<Value>(&outcome.stderr).is_err(), "{}", outcome.stderr);
        assert!(!outcome.stderr.contains("QZWXECRVT") && !outcome.stderr.contains("f8d1c0de"), "{}", outcome.stderr);
        assert_visible(&outcome);
    }
    for arguments in [&["--help", "--output", "json"][..], &["token", "--help", "--output=json"], &["--version"]] {
        let outcome = run_in(&folder.0, arguments);
        assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
        assert!(serde_json::from_str::<Value>(outcome.text()).is_err() && outcome.text().contains("ibkr-oauth"));
    }
}

#[test]
fn an_error_in_json_says_what_is_known_of_it() {
    let (server, user) = start();
    server.broker().inject("invalid-consumer".parse().unwrap());
    let outcome = user.run(&["token", "--output", "json"]);
    let object: Value = serde_json::from_str(&outcome.stderr).unwrap();
    assert_eq!((outcome.status, &object["kind"], &object["status"]), (1, &json!("rejected"), &json!(401)));
    assert_eq!(object["stage"], "live session token");
    assert_eq!(object["cause"], "consumer_not_active_or_unknown");
    let outcome = user.run(&["request", "GET", "/iserver/accounts", "--output", "json"]);
    let object: Value = serde_json::from_str(&outcome.stderr).unwrap();
    assert_eq!((&object["status"], &object["cause"]), (&json!(400), &json!("no_brokerage_session")));
    let outcome = run_in(&user.folder.0, &["token", "--bundle", "none.json", "--output", "json"]);
    let object: Value = serde_json::from_str(&outcome.stderr).unwrap();
    assert_eq!((outcome.status, &object["kind"], &object["status"]), (2, &json!("config"), &Value::Null));
}

/// A terminal is lent by `script`, of util-linux; a machine without it cannot tell.
#[cfg(target_os = "linux")]
#[test]
fn on_a_terminal_a_body_controls_nothing() {
    let (_server, user, token) = start_with_words("200 OK");
    let command = crate::terminal::command(&user.folder.0);
    let program = command.get_program().to_str().unwrap().to_owned();
    let line = format!("'{program}' request --bundle bundle.json GET /portfolio/accounts");
    let mut terminal = std::process::Command::new("script");
    terminal.current_dir(&user.folder.0).args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    terminal.env("TERM", "xterm").stdin(std::process::Stdio::null());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => terminal.env(name, value),
            None => terminal.env_remove(name),
        };
    }
    let output = match terminal.env("NO_COLOR", "1").output() {
        Ok(output) => output,
        Err(error) => return eprintln!("not tried: {error}"),
    };
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("[hidden]") && text.contains("\\u{202e}"), "{text:?}");
    assert!(!text.to_lowercase().contains(&token), "{text:?}");
    assert!(text.chars().all(|char| "\r\n".contains(char) || !is_invisible(char)), "{text:?}");
}
