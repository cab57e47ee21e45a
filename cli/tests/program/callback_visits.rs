//! What counts as the user's answer among the visits to the program's address.

use crate::visit::{Meaning, OwnAddress};
use ibkr_oauth::{
    Consent,
    http::{Request, Uri, request::Parts},
};
use proptest::prelude::*;
use serde_json::json;

const ANSWER: &str = "/callback?oauth_token=25ebcc75204da80b73f4&oauth_verifier=v0";

fn consent() -> Consent {
    let stored =
        json!({ "request_token": "25ebcc75204da80b73f4", "url": "https://h/a?oauth_token=25ebcc75204da80b73f4" });
    serde_json::from_value(stored).unwrap()
}

/// The head of a request; `None` if it cannot be one.
fn parts(head: &str) -> Option<Parts> {
    let mut lines = head.lines();
    let mut words = lines.next()?.split(' ');
    let mut request = Request::builder().method(words.next()?).uri(words.next()?);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        request = request.header(name, value.trim());
    }
    Some(request.body(()).ok()?.into_parts().0)
}

/// The status, and what the visit means: `consented`, `nothing`, or the note.
fn judge(listener: &str, callback: Option<&str>, head: &str) -> (u16, String) {
    let callback = callback.map(|url| url.parse::<Uri>().unwrap());
    let own = OwnAddress::new(listener.parse().unwrap(), callback.as_ref());
    let request = parts(head).unwrap();
    let visit = own.judge(&request, &consent());
    let meaning = match visit.meaning {
        Meaning::Consented(verifier) => {
            assert!(format!("{verifier:?}").contains("25ebcc75204da80b73f4"));
            "consented".to_owned()
        }
        Meaning::Note(note) => note,
        Meaning::Nothing => "nothing".to_owned(),
    };
    assert_eq!(visit.page.contains("You may close this page"), meaning == "consented");
    (visit.status.as_u16(), meaning)
}

#[test]
fn only_a_navigation_with_this_request_token_to_this_address_is_an_answer() {
    let own = "Host: 127.0.0.1:5002";
    let (listener, callback) = ("127.0.0.1:5002", Some("http://127.0.0.1:5002/callback"));
    for (line, headers, status, meaning) in [
        (&*format!("GET {ANSWER}"), own, 200, "consented"),
        (&*format!("GET {ANSWER}&state=1"), own, 200, "consented"),
        // The broker's path, where it is another one.
        (&*format!("GET {}", ANSWER.replace("callback", "else")), own, 200, "consented"),
        (&*format!("GET http://127.0.0.1:5002{ANSWER}"), own, 200, "consented"),
        (&*format!("GET {ANSWER}"), "host: LocalHost:5002", 200, "consented"),
        (
            &*format!("GET {ANSWER}"),
            "Host: 127.0.0.1:5002\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Site: cross-site",
            200,
            "consented",
        ),
        ("GET /callback", own, 200, "perhaps the user declined"),
        ("GET /callback?", own, 200, "perhaps the user declined"),
        ("GET /callback?x=1&denied=25ebcc75204da80b73f4", own, 200, "perhaps the user declined"),
        ("GET /callback?oauth_token=25ebcc75204da80b73f4", own, 400, "no `oauth_verifier`"),
        ("GET /callback?oauth_token=25ebcc75204da80b73f&oauth_verifier=v0", own, 400, "another request token"),
        ("GET /callback?oauth_verifier=v0", own, 400, "no `oauth_token`"),
        ("GET /callback?oauth_token=25ebcc75204da80b73f4&oauth_verifier=", own, 400, "is empty"),
        (&*format!("GET {ANSWER}&oauth_verifier=v1"), own, 400, "twice"),
        ("GET /", own, 404, "nothing"),
        ("GET /callback/x", own, 404, "nothing"),
        ("GET /favicon.ico", "Host: 127.0.0.1:5002\r\nSec-Fetch-Dest: image", 404, "nothing"),
        (&*format!("HEAD {ANSWER}"), own, 405, "no user made"),
        (&*format!("POST {ANSWER}"), own, 405, "no user made"),
        (&*format!("GET {ANSWER}"), "Host: 127.0.0.1:5002\r\nSec-Fetch-Dest: image", 403, "no user made"),
        (&*format!("GET {ANSWER}"), "Host: 127.0.0.1:5002\r\nSec-Fetch-Dest: iframe", 403, "no user made"),
        (&*format!("GET {ANSWER}"), "Host: 127.0.0.1:5002\r\nSec-Fetch-Dest: empty", 403, "no user made"),
        (&*format!("GET {ANSWER}"), "Host: 127.0.0.1:5002\r\nSec-Fetch-Mode: cors", 403, "no user made"),
        (
            &*format!("GET {ANSWER}"),
            "Host: 127.0.0.1:5002\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Dest: image",
            403,
            "no user made",
        ),
        (&*format!("GET {ANSWER}"), "Host: 127.0.0.1", 421, "another host"),
        (&*format!("GET {ANSWER}"), "Host: 127.0.0.1:5003", 421, "another host"),
        (&*format!("GET {ANSWER}"), "Host: evil.example:5002", 421, "another host"),
        (&*format!("GET {ANSWER}"), "Host: 127.0.0.1:5002.evil.example", 421, "another host"),
        (&*format!("GET {ANSWER}"), "Host:", 421, "another host"),
        (&*format!("GET http://evil.example{ANSWER}"), own, 421, "another host"),
        (&*format!("GET {ANSWER}"), "X: y", 400, "without the name"),
        (&*format!("GET {ANSWER}"), "Host: 127.0.0.1:5002\r\nHost: 127.0.0.1:5002", 400, "without the name"),
        ("GET /favicon.ico", "Host: evil.example", 421, "another host"),
    ] {
        let found = judge(listener, callback, &format!("{line} HTTP/1.1\r\n{headers}"));
        assert!(found.0 == status && found.1.contains(meaning), "{line} {headers}: {found:?}");
        assert!(!found.1.contains("25ebcc") && !found.1.contains("evil"), "{found:?}");
        if found.0 != 404 && meaning != "consented" {
            assert!(found.1.contains("waiting goes on"), "{found:?}");
        }
    }
}

#[test]
fn the_address_has_the_names_by_which_browsers_come() {
    for (listener, callback, host, status) in [
        ("127.0.0.1:80", None, "127.0.0.1", 200),
        ("127.0.0.1:80", None, "localhost:80", 200),
        ("127.0.0.1:8080", None, "127.0.0.1:80", 421),
        ("[::1]:5002", None, "[::1]:5002", 200),
        ("[::1]:5002", None, "localhost:5002", 200),
        ("[::1]:5002", None, "127.0.0.1:5002", 421),
        ("127.0.0.1:5002", Some("https://my.example.com/callback"), "my.example.com", 200),
        ("127.0.0.1:5002", Some("https://my.example.com:443/callback"), "my.example.com", 200),
        ("127.0.0.1:5002", Some("http://my.example.com:5000/callback"), "my.example.com:5000", 200),
        ("127.0.0.1:5002", Some("http://my.example.com:5000/callback"), "my.example.com", 421),
        ("127.0.0.1:5002", Some("http://my.example.com/callback"), "127.0.0.1:5002", 200),
    ] {
        let found = judge(listener, callback, &format!("GET {ANSWER} HTTP/1.1\r\nHost: {host}"));
        assert_eq!(found.0, status, "{listener} {callback:?} {host}: {found:?}");
    }
    // Where only the broker knows the path.
    for (target, status) in [("/", 200), ("/registered?x=1", 200), ("/favicon.ico", 404), ("/.well-known/x", 404)] {
        let found = judge("127.0.0.1:5002", None, &format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1:5002"));
        assert_eq!(found.0, status, "{target}: {found:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_visit_makes_it_panic_or_take_another_answer(
        query in "[ -~]{0,60}",
        token in "(25ebcc75204da80b73f4|[0-9a-f]{1,20})",
    ) {
        let target = format!("/callback?{}&oauth_token={token}&oauth_verifier=v", query.replace(' ', "+"));
        if let Some(request) = parts(&format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1:5002")) {
            let own = OwnAddress::new("127.0.0.1:5002".parse().unwrap(), None);
            let is_answer = matches!(own.judge(&request, &consent()).meaning, Meaning::Consented(_));
            prop_assert!(!is_answer || token == "25ebcc75204da80b73f4");
        }
    }
}
