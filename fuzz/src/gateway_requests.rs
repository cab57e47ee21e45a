//! What the gateway decides about a request, and what it answers in the broker's place.
//!
//! The input is the head of a request, line by line: method and target, then headers; behind an empty line what the broker
//! said.

use http::{Request, request::Parts};
use ibkr_oauth::{Secret, Timestamp, session::State};

use crate::gateway::{
    answers,
    caller::Callers,
    decision::{Decision, Local, Rules, decide},
    page,
    permission::{Effect, PathPattern, effect},
    resource::{self, Place},
    standing::{Standing, User},
};

const TOKEN: &str = "a token that nobody guesses";

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (head, said) = text.split_once("\n\n").unwrap_or((text, ""));
    decided(head);
    answered(said);
}

fn request(head: &str) -> Option<Parts> {
    let mut lines = head.lines();
    let (method, target) = lines.next()?.split_once(' ')?;
    let mut request = Request::builder().method(method).uri(target);
    for line in lines {
        let (name, value) = line.split_once(':')?;
        request = request.header(name.trim(), value.trim());
    }
    Some(request.body(()).ok()?.into_parts().0)
}

fn rules(token: bool, allow_orders: bool) -> Rules {
    let hosts = Some(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]);
    let token = token.then(|| Secret::from(TOKEN));
    let rejected = PathPattern::parse("/fyi/").into_iter().collect();
    Rules { callers: Callers { hosts, token }, allow_orders, rejected }
}

fn decided(head: &str) {
    let Some(request) = request(head) else { return };
    let knows_token = request.headers.get_all("authorization").iter().any(|value| {
        // In the clear, or in Base64.
        value.to_str().is_ok_and(|value| value.contains(TOKEN) || value.to_ascii_lowercase().starts_with("basic"))
    });
    match decide(&rules(true, true), &request) {
        Decision::Refuse(_) | Decision::Local(Local::Alive | Local::Ready) => {}
        other => assert!(knows_token, "{request:?}: {other:?}"),
    }
    let decision = decide(&rules(false, false), &request);
    let foreign = request.headers.get("origin").is_some_and(|origin| !origin.as_bytes().ends_with(b"localhost"))
        && request.headers.get("origin").is_some_and(|origin| !origin.as_bytes().contains(&b':'));
    match decision {
        Decision::Refuse(refusal) => {
            assert!(refusal.status.is_client_error(), "{refusal:?}");
            let body: serde_json::Value = serde_json::from_str(&refusal.body()).expect("JSON");
            assert!(body["error"].is_string() && body["statusCode"].is_u64());
        }
        Decision::Forward(forward) => {
            assert_eq!(forward.query.as_deref(), request.uri.query(), "the query is what it was");
            let again: http::Uri = format!("/v1/api{}", forward.path).parse().expect("a path");
            assert_eq!(resource::place(&again).ok(), Some(Place::Api(forward.path.clone())));
            assert_ne!(effect(&forward.method, &forward.path), Effect::Acts);
            let lower = forward.path.to_ascii_lowercase();
            assert!(!lower.split('/').any(|segment| matches!(segment, "." | "..")), "{lower}");
            assert!(!lower.starts_with("/oauth/") && !lower.starts_with("/fyi/") && lower != "/ws", "{lower}");
            assert!(!lower.contains("//") && lower.is_ascii() && !lower.contains([';', '\\']), "{lower}");
            for name in ["authorization", "cookie", "origin", "host", "connection", "content-length"] {
                assert!(!forward.headers.contains_key(name), "{name}");
            }
            assert!(!foreign || forward.effect == Effect::Read, "{request:?}");
        }
        Decision::Socket => assert!(!foreign && request.method == "GET", "{request:?}"),
        Decision::Local(_) => {}
    }
}

fn answered(said: &str) {
    let now = Timestamp::from_secs(1_700_000_000);
    for state in [State::Live, State::Displaced, State::BackingOff, State::Closed] {
        let standing = Standing {
            now,
            state,
            is_live: state == State::Live,
            is_signed_in: true,
            signed_in_at: None,
            expires_at: Some(now),
            next_attempt: Some(Timestamp::from_millis(said.len() as u64 * 1_000_000_007)),
            last_error: Some((said.to_owned(), said.to_owned())),
            paced_until: None,
            paced: 0,
            sockets: 0,
            allows_orders: true,
            user: User::default(),
        };
        let page = page::page(&standing);
        assert_eq!(page.contains(page::LOGIN_SUCCEEDS), state == State::Live || said.contains(page::LOGIN_SUCCEEDS));
        let plain = page::page(&Standing { last_error: Some((String::new(), String::new())), ..standing.clone() });
        let count = |page: &str, what| page.matches(what).count();
        for what in ["<", ">", "\""] {
            assert_eq!(count(&page, what), count(&plain, what), "{said:?} is no mark-up");
        }
        let tickle = answers::tickle(&standing, "ours", said.as_bytes());
        if let Ok(serde_json::Value::Object(_)) = serde_json::from_str(said) {
            let tickle: serde_json::Value = serde_json::from_slice(&tickle).expect("JSON");
            assert_eq!(tickle["session"], "ours");
            assert!(tickle["iserver"]["authStatus"].get("established").is_some());
        } else {
            assert_eq!(tickle, said.as_bytes());
        }
        let refusal = standing.refusal();
        assert!(refusal.retry_after.is_none_or(|seconds| (1..=900).contains(&seconds)));
    }
}
