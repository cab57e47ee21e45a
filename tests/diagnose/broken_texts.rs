//! Whatever another client's header or base string looks like, no credential in it is shown: a cross product of what
//! stands between the parts, what was done to the text, and where it was pasted from.

use http::{Method, Uri};
use ibkr_oauth::{Error, QueryPolicy, diagnose::Explanation, oauth1::percent_encode};

use crate::form_pairs::form_pairs;

const URL: &str = "https://api.ibkr.com/v1/api/iserver/secdef/search?symbol=BRK%20B&conids=1%2C2";
const KEY: &str = "QZWXECRVT";
const TOKEN: &str = "a9f31c07be52d4486e1b";
const SIGNATURE: &str = "Zk9+q/3LwT0pRz7VxY2bHd8nJm4cQe6uGs1oKi5aFhE=";
const VERIFIER: &str = "7f3d91ab0c44e2d85b61";
/// The opened secret, which stands before the base string in the request for a live session token.
const SECRET: &str = "4766f306ad7408bbdaa1950cf4f337101555d0fa42ab904871e2fe57e365b272";

const PAIRS: [(&str, &str); 7] = [
    ("realm", "limited_poa"),
    ("oauth_consumer_key", KEY),
    ("oauth_nonce", "7d8f3e4a"),
    ("oauth_signature", SIGNATURE),
    ("oauth_timestamp", "1700000000"),
    ("oauth_token", TOKEN),
    ("oauth_verifier", VERIFIER),
];

const SEPARATORS: [&str; 18] =
    [", ", ",", " ", "&", ";", "; ", ".", ":", "|", "\n", "\r\n", "\t", "%2C", "%26", "%2526", "%20", "", "\u{a0}"];
const EQUALS: [&str; 9] = ["=", "%3D", "%253D", ":", ": ", " ", "", "&", "=="];
const QUOTES: [&str; 6] = ["\"", "", "'", "%22", "\\\"", "\u{201d}"];

type Pairs = Vec<(String, String)>;
/// A change, and what it is called.
type Change = (&'static str, fn(Pairs) -> Pairs);

const CHANGES: [Change; 15] = [
    ("nothing", |pairs| pairs),
    ("reversed", |pairs| pairs.into_iter().rev().collect()),
    ("values rotated", |pairs| rotated(pairs, 1)),
    ("values rotated back", |pairs| rotated(pairs, 6)),
    ("names and values exchanged", |pairs| pairs.into_iter().map(|(name, value)| (value, name)).collect()),
    ("upper case", |pairs| renamed(&pairs, str::to_uppercase)),
    ("hyphens", |pairs| renamed(&pairs, |name| name.replace('_', "-"))),
    ("no underscores", |pairs| renamed(&pairs, |name| name.replace('_', ""))),
    ("blanks", |pairs| renamed(&pairs, |name| name.replace('_', " "))),
    ("encoded underscores", |pairs| renamed(&pairs, |name| name.replace('_', "%5F"))),
    ("other names", |pairs| renamed(&pairs, |name| name.trim_start_matches("oauth_").to_owned())),
    ("names cut", |pairs| renamed(&pairs, |name| name.chars().take(8).collect())),
    ("encoded", |pairs| with_values(&pairs, |value| percent_encode(value.as_bytes()))),
    ("encoded twice", |pairs| with_values(&pairs, encoded_twice)),
    ("as Python prints bytes", |pairs| with_values(&pairs, |value| format!("b'{value}'"))),
];

fn encoded_twice(text: &str) -> String {
    percent_encode(percent_encode(text.as_bytes()).as_bytes())
}

fn rotated(pairs: Pairs, by: usize) -> Pairs {
    let values: Vec<String> = pairs.iter().map(|(_, value)| value.clone()).collect();
    pairs.into_iter().enumerate().map(|(at, (name, _))| (name, values[(at + by) % values.len()].clone())).collect()
}

fn renamed(pairs: &Pairs, rename: impl Fn(&str) -> String) -> Pairs {
    pairs.iter().map(|(name, value)| (rename(name), value.clone())).collect()
}

fn with_values(pairs: &Pairs, change: impl Fn(&str) -> String) -> Pairs {
    pairs.iter().map(|(name, value)| (name.clone(), change(value))).collect()
}

/// Each text, with a word about how it was made.
fn lists() -> Vec<(String, String)> {
    let pairs: Pairs = PAIRS.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let mut out = Vec::new();
    for (change, apply) in CHANGES {
        let pairs = apply(pairs.clone());
        for separator in SEPARATORS {
            for equals in EQUALS {
                for quote in QUOTES {
                    let list: Vec<String> =
                        pairs.iter().map(|(name, value)| format!("{name}{equals}{quote}{value}{quote}")).collect();
                    let how = format!("{change}, {separator:?}, {equals:?}, {quote:?}");
                    out.push((how, list.join(separator)));
                }
            }
        }
        // One value swallows what follows it.
        for at in 0..pairs.len() - 1 {
            for between in ["", " ", ";", "\"", "=", "&", "%26", "%2C", "\n"] {
                let list = pairs.iter().enumerate().map(|(index, (name, value))| {
                    let end = if index == at { between } else { "\", " };
                    format!("{name}=\"{value}{end}")
                });
                out.push((format!("{change}, {at} swallows {between:?}"), list.collect()));
                let list = pairs
                    .iter()
                    .enumerate()
                    .map(|(index, (name, value))| format!("{name}={value}{}", if index == at { between } else { "&" }));
                out.push((format!("{change}, {at} swallows {between:?} in a base string"), list.collect()));
            }
        }
        let object: serde_json::Map<String, serde_json::Value> =
            pairs.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
        let json = serde_json::Value::from(object);
        out.push((format!("{change}, JSON"), json.to_string()));
        out.push((format!("{change}, JSON in many lines"), format!("{json:#}")));
        out.push((format!("{change}, JSON in JSON"), serde_json::Value::from(json.to_string()).to_string()));
        out.push((format!("{change}, a dictionary"), json.to_string().replace('"', "'")));
        out.push((format!("{change}, debug"), format!("{pairs:?}")));
    }
    out
}

fn headers(list: &str) -> Vec<String> {
    vec![
        format!("OAuth {list}"),
        format!("Authorization: OAuth {list}"),
        format!("OAuth realm=\"limited_poa\", {list}"),
        format!("OAuth realm=\"limited_poa\", oauth_nonce={list}"),
        format!("OAuth oauth_timestamp=\"{list}\""),
        format!("curl -X GET '{URL}' -H 'Authorization: OAuth {list}'"),
        format!("OAuth {}", percent_encode(list.as_bytes())),
        list.to_owned(),
    ]
}

fn base_strings(list: &str) -> Vec<String> {
    let uri = percent_encode(b"https://api.ibkr.com/v1/api/iserver/secdef/search");
    let (once, twice) = (percent_encode(list.as_bytes()), encoded_twice(list));
    vec![
        format!("GET&{uri}&{once}"),
        format!("GET&{uri}&{list}"),
        format!("GET&{uri}&{twice}"),
        format!("{SECRET}GET&{uri}&{once}"),
        format!("GET&{once}&{uri}"),
        format!("GET&{uri}%3F{once}&symbol%3DBRK%2520B"),
        format!("GET&{uri}%2F{once}&symbol%3DBRK%2520B"),
        format!("GET&{uri}&symbol%3D{twice}%26conids%3D1"),
        format!("GET&{uri}&symbol%3DBRK%2520B%26{once}"),
        format!("GET&https://api.ibkr.com/v1/api/iserver/secdef/search?{list}&symbol=BRK"),
        format!("GET {URL} {list}"),
        format!("OAuth {list}"),
        list.to_owned(),
    ]
}

/// All that must not be seen: pieces of each credential, however it is spelt. Of the consumer key, which its owner may
/// know again, the first three letters are shown.
struct Pieces {
    pieces: Vec<Vec<u8>>,
    /// Which two bytes a piece begins with.
    beginnings: Vec<bool>,
}

impl Pieces {
    fn new() -> Self {
        let (mut pieces, mut beginnings) = (Vec::new(), vec![false; 1 << 16]);
        for (credential, length) in [(KEY, 5), (TOKEN, 8), (SIGNATURE, 8), (VERIFIER, 8), (SECRET, 8)] {
            let plain = credential.to_ascii_lowercase().into_bytes();
            pieces.extend(plain.windows(length).map(<[u8]>::to_vec));
        }
        for piece in &pieces {
            beginnings[usize::from(u16::from_be_bytes([piece[0], piece[1]]))] = true;
        }
        Self { pieces, beginnings }
    }

    #[track_caller]
    fn check(&self, shown: &str, how: &str, text: &str) {
        let mut decoded = shown.to_ascii_lowercase();
        for _ in 0..4 {
            let bytes = decoded.as_bytes();
            for (at, two) in bytes.windows(2).enumerate() {
                let may_begin = self.beginnings[usize::from(u16::from_be_bytes([two[0], two[1]]))];
                let is_shown = may_begin && self.pieces.iter().any(|piece| bytes[at..].starts_with(piece));
                assert!(!is_shown, "{how}\n\ntext:\n{text}\n\nshown:\n{shown}");
            }
            if !decoded.contains('%') {
                break;
            }
            decoded = decode(&decoded);
        }
    }
}

fn decode(text: &str) -> String {
    let query = format!("a={}", text.replace(['&', '+'], " "));
    String::from_utf8_lossy(&form_pairs(&query)[0].1).into_owned()
}

fn shown(what: &(impl std::fmt::Display + std::fmt::Debug + serde::Serialize)) -> String {
    format!("{what}\n{what:?}\n{}", serde_json::to_string(what).unwrap())
}

fn shown_error(error: &Error) -> String {
    format!("{error}\n{error:?}\n{}", error.remedy())
}

fn explanation(header: &str, policy: QueryPolicy) -> Result<Explanation, Error> {
    let uri: Uri = URL.parse().unwrap();
    Explanation::from_signed(&Method::GET, &uri, header, None, policy)
}

/// Every `n`-th of the texts, so that a plain test takes seconds; `BROKEN_TEXTS=1` takes all.
fn step() -> usize {
    std::env::var("BROKEN_TEXTS").ok().and_then(|text| text.parse().ok()).unwrap_or(19)
}

#[test]
fn no_broken_header_shows_a_credential() {
    let (pieces, mut count) = (Pieces::new(), 0);
    let texts =
        lists().into_iter().flat_map(|(how, list)| headers(&list).into_iter().map(move |text| (how.clone(), text)));
    for (index, (how, text)) in texts.enumerate().step_by(step()) {
        let policy = QueryPolicy::ALL[index % QueryPolicy::ALL.len()];
        let shown = match explanation(&text, policy) {
            Ok(explanation) => format!("{}\n{:?}", shown(&explanation), explanation.issues()),
            Err(error) => shown_error(&error),
        };
        pieces.check(&shown, &how, &text);
        count += 1;
    }
    assert!(count > 5_000, "{count}");
}

#[test]
fn no_broken_base_string_shows_a_credential() {
    let header = "OAuth realm=\"limited_poa\", oauth_consumer_key=\"QZWXECRVT\", oauth_nonce=\"7d8f3e4a\", \
                  oauth_signature_method=\"HMAC-SHA256\", oauth_timestamp=\"1700000000\", \
                  oauth_token=\"a9f31c07be52d4486e1b\", oauth_signature=\"abc\"";
    let ours = explanation(header, QueryPolicy::Rfc5849).unwrap();
    // Without any of the credentials, so that none is known by its value.
    let others =
        explanation(&header.replace(KEY, "OTHERKEYS").replace(TOKEN, "00000000000000000000"), QueryPolicy::Omit);
    let others = others.unwrap();
    let (pieces, mut count) = (Pieces::new(), 0);
    let texts = lists()
        .into_iter()
        .flat_map(|(how, list)| base_strings(&list).into_iter().map(move |text| (how.clone(), text)));
    for (index, (how, text)) in texts.enumerate().step_by(step()) {
        for issue in if index % 2 == 0 { &ours } else { &others }.compare(&text) {
            pieces.check(&shown(&issue), &how, &text);
        }
        count += 1;
    }
    assert!(count > 8_000, "{count}");
}

#[test]
fn a_good_text_is_still_explained() {
    let good: Vec<String> =
        PAIRS.iter().map(|(name, value)| format!("{name}=\"{}\"", percent_encode(value.as_bytes()))).collect();
    let explanation = explanation(&format!("OAuth {}", good.join(", ")), QueryPolicy::Rfc5849).unwrap();
    let text = explanation.to_string();
    for visible in
        ["QZW…", "limited_poa", "1700000000", "7d8f3e4a", "symbol%3DBRK%2520B", "conids = 1,2", "oauth_verifier"]
    {
        assert!(text.contains(visible), "{visible}: {text}");
    }
    let theirs = explanation.base_string().replace("BRK%2520B", "BRK%2BB");
    let comparison = &explanation.compare(&theirs)[0].what;
    assert!(comparison.contains("symbol=BRK%20B") && comparison.contains("symbol=BRK+B"), "{comparison}");
}
