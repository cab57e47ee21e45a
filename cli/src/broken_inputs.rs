//! Whatever is broken, and whatever the broker says, no command shows a credential, or a character that is not seen.
//!
//! `BROKEN_INPUTS=10000 cargo test --all-features --bin ibkr-oauth` takes as many inputs as that; without it there are
//! some hundreds. The seed is fixed, so that an input that failed is found again by its number.

#![allow(clippy::print_stdout, reason = "a test says what it tried")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may fail")]

use std::{
    ffi::OsString,
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::ffi::OsStringExt,
    path::PathBuf,
    thread,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ibkr_oauth::{
    bytes::Bytes,
    diagnose::{escape_invisible, is_invisible},
    http::Request,
    oauth1::percent_encode,
    simulator::{Broker, test_keys},
};
use serde_json::{Value, json};

use crate::{credentials::with_context, hidden, output, run, simulate};

/// The consumer key of texts that are explained without a bundle.
const KEY: &str = "QZWXECRVT";
const SIGNATURE: &str = "Zk9+q/3LwT0pRz7VxY2bHd8nJm4cQe6uGs1oKi5aFhE=";

const INVISIBLE: [&str; 14] = [
    "\u{1b}[31m",
    "\u{0}",
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

/// xorshift64*: the same numbers each time.
struct Rng(u64);

impl Rng {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(number).unwrap() % limit
    }

    fn pick<'a>(&mut self, among: &[&'a str]) -> &'a str {
        among[self.below(among.len())]
    }

    fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    /// The text with some of its characters lost, doubled, exchanged or beside one that is not seen.
    fn broken(&mut self, text: &str) -> String {
        let mut chars: Vec<char> = text.chars().collect();
        for _ in 0..self.below(4) {
            let at = self.below(chars.len().max(1)).min(chars.len());
            match self.below(6) {
                0 if at < chars.len() => drop(chars.remove(at)),
                1 if at < chars.len() => chars.insert(at, chars[at]),
                2 => chars.truncate(at),
                3 if at > 0 && at < chars.len() => chars.swap(at, at - 1),
                _ => {
                    let more = self.pick(&[&INVISIBLE[..], &["\"", "&", "=", "%", ",", "{", "\\", "oauth_"]].concat());
                    chars.splice(at..at, more.chars());
                }
            }
        }
        chars.into_iter().collect()
    }
}

/// The broker and its user.
struct User {
    folder: PathBuf,
    bundle: Value,
    token: String,
    secrets: Vec<String>,
}

impl User {
    /// With a broker that listens, and answers as it likes.
    fn new() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let base_url = format!("{origin}/v1/api");
        let account = simulate::Account {
            consumer_key: test_keys::CONSUMER_KEY.to_owned(),
            realm: None,
            keys: simulate::Keys::for_tests().unwrap_or_else(|_| panic!()),
            base_url: base_url.clone(),
            authorize_url: format!("{origin}/authorize"),
        };
        let opened = account.open(Broker::builder().strict()).unwrap_or_else(|_| panic!());
        let (broker, token) = (opened.broker, opened.token);
        let secret = STANDARD.encode(token.encrypted_secret());
        let bundle = json!({
            "consumer_key": test_keys::CONSUMER_KEY,
            "base_url": base_url,
            "access_token": token.token(),
            "access_token_secret": secret,
            "signature_key": test_keys::SIGNATURE_KEY,
            "encryption_key": test_keys::ENCRYPTION_KEY,
            "dh_params": test_keys::DH_PARAMETERS,
        });
        let keys = test_keys::SIGNATURE_KEY.lines().chain(test_keys::ENCRYPTION_KEY.lines());
        let lines = keys.filter(|line| !line.starts_with("---") && line.len() >= 20).map(str::to_owned);
        let secrets = lines.chain([secret[..60].to_owned(), secret[200..260].to_owned()]).collect();
        let token = token.token().to_owned();
        let said = token.clone();
        thread::spawn(move || serve(&listener, &origin, broker, &said));
        let folder = std::env::temp_dir().join(format!("ibkr_oauth_broken_inputs_{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self { folder, bundle, token, secrets }
    }

    /// Whether the broken bundle still has the token: nobody could hide what is in none.
    fn is_token_in_bundle(&self) -> bool {
        fs::read_to_string(self.folder.join("bundle.json")).is_ok_and(|text| text.contains(&self.token))
    }

    /// Writes the text where a bundle is looked for.
    fn write(&self, text: &str) -> String {
        let path = self.folder.join("bundle.json");
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for User {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn serve(listener: &TcpListener, origin: &str, mut broker: Broker, token: &str) {
    let mut rng = Rng(7);
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        let Some(request) = read(&mut stream, origin) else { continue };
        let is_sign_in = request.uri().path().contains("/oauth/");
        let answer = if rng.one_in(if is_sign_in { 2 } else { 4 }) {
            let response = with_context(|cx| broker.handle(cx, &request));
            let body = response.body();
            let head = format!("HTTP/1.1 {}\r\ncontent-length: {}\r\n\r\n", response.status(), body.len());
            [head.as_bytes(), body].concat()
        } else {
            hostile(&mut rng, token)
        };
        let _ = stream.write_all(&answer);
    }
}

fn read(stream: &mut TcpStream, origin: &str) -> Option<Request<Bytes>> {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let mut words = head.split(' ');
            let mut request = Request::builder().method(words.next()?).uri(format!("{origin}{}", words.next()?));
            let mut length = 0;
            for (name, value) in head.lines().skip(1).filter_map(|line| line.split_once(':')) {
                request = request.header(name, value.trim());
                if name.eq_ignore_ascii_case("content-length") {
                    length = value.trim().parse().ok()?;
                }
            }
            if bytes.len() >= end + 4 + length {
                return request.body(Bytes::copy_from_slice(&bytes[end + 4..])).ok();
            }
        }
        let count = stream.read(&mut chunk).ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&chunk[..count]);
    }
}

/// An answer that names the token, in one spelling or another, among what garbles.
fn hostile(rng: &mut Rng, token: &str) -> Vec<u8> {
    let escaped = token.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat();
    let spellings = [token.to_owned(), token.to_uppercase(), escaped.clone(), percent_encode(escaped.as_bytes())];
    let mut words = String::new();
    for _ in 0..=rng.below(6) {
        words.push_str(rng.pick(&["invalid consumer", "no bridge", "token", "oauth_token=", "<html>", "ü "]));
        words.push_str(&spellings[rng.below(spellings.len())]);
        words.push_str(rng.pick(&INVISIBLE));
    }
    if rng.one_in(8) {
        // So that it is cut in the middle of the token.
        words = format!("{}{token}", "x".repeat(580 + rng.below(30)));
    }
    let body = match rng.below(5) {
        0 => json!({ "error": words }).to_string(),
        1 => json!({ "error": words, "statusCode": 401, token: [words] }).to_string(),
        2 => json!({ "fail": words, "message": words, "authenticated": false, "competing": false }).to_string(),
        3 => json!({
            "diffie_hellman_response": words, "live_session_token_signature": words, "live_session_token_expiration": 1,
            "oauth_token": words, "oauth_token_secret": words,
        })
        .to_string(),
        _ => words.clone(),
    };
    let status =
        rng.pick(&["200 OK", "400 Bad", "401 No", "403 No", "404 No", "410 Gone", "429 Slow", "500 Oh", "503 Oh"]);
    let header: String = words.chars().filter(|char| !char.is_ascii_control()).collect();
    let mut answer = format!("HTTP/1.1 {status}\r\nx-words: {header}\r\ncontent-length: {}\r\n\r\n", body.len());
    if rng.one_in(10) {
        answer = words;
    }
    answer.push_str(&body);
    answer.into_bytes()
}

/// The OAuth parameters of another client, joined in some way.
fn list(rng: &mut Rng, user: &User, key: &str) -> String {
    let (separator, equals, quote) = (
        rng.pick(&[", ", ",", " ", "&", ";", ".", ":", "\n", "%26", "%2526", "\t", ""]),
        rng.pick(&["=", "=", "%3D", "%253D", ":", " ", ""]),
        rng.pick(&["\"", "", "'", "%22", "\\\""]),
    );
    let signature = percent_encode(SIGNATURE.as_bytes());
    let mut pairs = vec![
        ("realm", "limited_poa"),
        ("oauth_consumer_key", key),
        ("oauth_nonce", "7d8f3e4a"),
        ("oauth_signature", rng.pick(&[SIGNATURE, &signature]).to_owned().leak()),
        ("oauth_signature_method", "HMAC-SHA256"),
        ("oauth_timestamp", "1700000000"),
        ("oauth_token", &user.token),
    ];
    if rng.one_in(3) {
        let (one, other) = (rng.below(pairs.len()), rng.below(pairs.len()));
        (pairs[one].1, pairs[other].1) = (pairs[other].1, pairs[one].1);
    }
    if rng.one_in(10) {
        return serde_json::to_string(&pairs).unwrap();
    }
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}{equals}{quote}{value}{quote}")).collect();
    pairs.join(separator)
}

fn explain(rng: &mut Rng, user: &User) -> Vec<String> {
    let with_bundle = rng.one_in(2);
    let key = if with_bundle { test_keys::CONSUMER_KEY } else { KEY };
    let url = rng.pick(&[
        "https://api.ibkr.com/v1/api/x?symbol=BRK%20B",
        "https://h/x",
        "https://h/oauth/live_session_token",
    ]);
    let mut arguments = vec!["explain".to_owned(), "GET".to_owned(), url.to_owned()];
    if with_bundle {
        arguments.extend(["--bundle".to_owned(), user.write(&user.bundle.to_string())]);
    }
    if rng.one_in(2) {
        let list = list(rng, user, key);
        let scheme = rng.pick(&["OAuth ", "Authorization: OAuth ", "curl -H 'Authorization: OAuth ", ""]);
        arguments.push(format!("--header={scheme}{}", rng.broken(&list)));
    }
    if rng.one_in(2) {
        let list = list(rng, user, key);
        let list = match rng.below(3) {
            0 => list,
            1 => percent_encode(list.as_bytes()),
            _ => percent_encode(percent_encode(list.as_bytes()).as_bytes()),
        };
        let start =
            rng.pick(&["GET&https%3A%2F%2Fapi.ibkr.com%2Fv1%2Fapi%2Fx&", "GET&https://h/x&", "GET https://h/x?", ""]);
        arguments.push(format!("--base-string={}", rng.broken(&format!("{start}{list}"))));
    }
    arguments
}

fn wrong_arguments(rng: &mut Rng, user: &User) -> Vec<String> {
    let commands = ["token", "request", "sign", "doctor", "explain", "authorize", "keygen", "session", "simulate", ""];
    let bogus = format!("--bogus{}", rng.pick(&INVISIBLE));
    let mut arguments = vec![rng.pick(&commands).to_owned(), bogus];
    for _ in 0..rng.below(6) {
        let list = list(rng, user, KEY);
        let word = rng.pick(&[
            "--header",
            "--bundle",
            "GET",
            "--output=text",
            "--query-policy",
            "--listen",
            &list,
            &user.token,
        ]);
        arguments.push(rng.broken(word));
    }
    arguments.rotate_left(usize::from(rng.one_in(4)));
    arguments
}

/// A command that reads a bundle.
fn command(rng: &mut Rng) -> Vec<String> {
    let commands: [&[&str]; 7] = [
        &["token"],
        &["request", "GET", "/portfolio/accounts"],
        &["doctor", "--offline"],
        &["doctor", "--offline"],
        &["explain", "GET", "https://h/x"],
        &["sign", "--live-session-token", "c2hvcnQ=", "GET", "https://h/x"],
        &["sign", "--live-session-token", "c2hvcnQ=", "GET", "/"],
    ];
    commands[rng.below(commands.len())].iter().map(|word| (*word).to_owned()).collect()
}

fn broken_bundle(rng: &mut Rng, user: &User) -> Vec<String> {
    let names =
        ["consumer_key", "access_token", "access_token_secret", "signature_key", "encryption_key", "realm", "base_url"];
    let mut bundle = user.bundle.clone();
    let text = match rng.below(4) {
        0 => rng.broken(&bundle.to_string()),
        1 => {
            let (one, other) = (rng.pick(&names), rng.pick(&names));
            let (first, second) = (bundle[one].clone(), bundle[other].clone());
            (bundle[one], bundle[other]) = (second, first);
            bundle.as_object_mut().unwrap().retain(|_, value| !value.is_null());
            bundle.to_string()
        }
        2 => {
            let name = rng.pick(&names);
            let value = bundle[name].as_str().unwrap_or(&user.token).to_owned();
            bundle[name] = match rng.below(5) {
                0 => json!({ "file": rng.broken(&value) }),
                1 => json!({ "env": rng.broken("IBKR_NO_SUCH_VARIABLE") }),
                2 => json!([value]),
                3 => json!({ value: name }),
                _ => json!(rng.broken(&value)),
            };
            bundle.to_string()
        }
        _ => {
            let exchanged: serde_json::Map<String, Value> = bundle
                .as_object()
                .unwrap()
                .iter()
                .map(|(name, it)| (it.as_str().unwrap().to_owned(), json!(name)))
                .collect();
            Value::Object(exchanged).to_string()
        }
    };
    let mut arguments = command(rng);
    let mut path = user.write(&text);
    if rng.one_in(6) {
        path.push_str(rng.pick(&INVISIBLE));
    }
    arguments.extend(["--bundle".to_owned(), path]);
    arguments
}

fn hostile_broker(rng: &mut Rng, user: &User) -> Vec<String> {
    let mut arguments = match rng.below(40) {
        0 => vec!["doctor".to_owned()],
        1..10 => vec!["token".to_owned()],
        _ => ["request", "GET", "/portfolio/accounts"].map(str::to_owned).to_vec(),
    };
    arguments.extend(["--bundle".to_owned(), user.write(&user.bundle.to_string())]);
    arguments
}

fn assert_clean(what: &str, text: &str, secrets: &[String], may_be_raw: bool) {
    let lower = text.to_lowercase();
    for secret in secrets {
        assert!(!lower.contains(&secret.to_lowercase()), "{what}\nshows {secret}:\n{text}");
    }
    let seen = text.chars().all(|char| char == '\n' || !is_invisible(char));
    assert!(seen || may_be_raw, "{what}\n{}", escape_invisible(text));
}

#[test]
fn nothing_broken_shows_a_credential_or_what_is_not_seen() {
    let count = std::env::var("BROKEN_INPUTS").ok().and_then(|text| text.parse().ok()).unwrap_or(300);
    let user = User::new();
    let mut kinds = [0; 4];
    for number in 0..count {
        let mut rng = Rng(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(number + 1));
        rng.below(2);
        let kind = match rng.below(100) {
            0..50 => 0,
            50..70 => 1,
            70..92 => 2,
            _ => 3,
        };
        let make = [explain, wrong_arguments, broken_bundle, hostile_broker][kind];
        let mut arguments = make(&mut rng, &user);
        kinds[kind] += 1;
        let is_json = rng.one_in(2);
        if is_json {
            arguments.insert(0, "--output=json".to_owned());
        }
        let mut words: Vec<OsString> = vec!["ibkr-oauth".into()];
        words.extend(arguments.iter().map(OsString::from));
        if kind == 1 && rng.one_in(8) {
            words.push(OsString::from_vec(b"\xff\x9b".to_vec()));
        }
        let _ = run(&words);
        hidden::forget();
        let written = std::mem::take(&mut *output::CAPTURED.lock().unwrap());
        let what = format!("number {number}: {arguments:?}");
        let mut secrets = user.secrets.clone();
        let is = |name: &str| arguments.iter().any(|argument| argument == name);
        // What is signed has the token in it, and is what was asked for.
        if !is("sign") && (kind != 2 || user.is_token_in_bundle()) {
            secrets.push(user.token.clone());
        }
        if kind < 2 {
            secrets.extend([SIGNATURE.to_owned(), percent_encode(SIGNATURE.as_bytes()), KEY.to_owned()]);
        }
        if kind == 0 && is("--bundle") {
            secrets.push(test_keys::CONSUMER_KEY.to_owned());
        }
        let [out, err] = written.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        assert!(!out.is_empty() || !err.is_empty() || is("request"), "{what}: nothing was said");
        assert_clean(&what, &out, &secrets, is("request") && !is_json);
        assert_clean(&what, &err, &secrets, false);
        if is_json {
            let lines = out.lines().chain(err.lines());
            lines.for_each(|line| assert!(serde_json::from_str::<Value>(line).is_ok(), "{what}: {line}"));
        }
    }
    println!(
        "explained {}, wrong arguments {}, broken bundles {}, hostile answers {}",
        kinds[0], kinds[1], kinds[2], kinds[3]
    );
    assert!(count < 300 || kinds.iter().all(|count| *count > 10), "{kinds:?}");
}
