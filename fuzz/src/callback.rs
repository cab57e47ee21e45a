//! The URL at which the user's browser comes back.

use std::sync::LazyLock;

use crate::authorization_header::AuthorizationHeader;
use ibkr_oauth::{Consent, Context, ErrorKind, Stage, Verifier};

use crate::simulation::{LimitedEntropy, NOW, REMOTE, SIGNATURE};

static CONSENT: LazyLock<Consent> = LazyLock::new(|| {
    let stored = r#"{"request_token":"8d2b6c6c2b1e4f5a9c3d","url":"https://www.interactivebrokers.com/authorize?oauth_token=8d2b6c6c2b1e4f5a9c3d"}"#;
    serde_json::from_str(stored).expect("a consent")
});

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    arrived(text);
    sent(text);
    stored(text);
}

fn arrived(text: &str) {
    match CONSENT.verifier(text) {
        Ok(verifier) => {
            let verifier = value_of(&verifier);
            let wanted = |name: &str| {
                let query = text.split('#').next().unwrap_or_default().trim();
                let all: Vec<_> = [query, query.split_once('?').map_or("", |(_, query)| query)]
                    .iter()
                    .map(|query| {
                        let pairs = form_urlencoded::parse(query.as_bytes());
                        pairs.filter(|(key, _)| key == name).map(|(_, value)| value.into_owned()).collect::<Vec<_>>()
                    })
                    .collect();
                all
            };
            assert!(wanted("oauth_token").contains(&vec![CONSENT.request_token().to_owned()]), "{text}");
            assert!(wanted("oauth_verifier").contains(&vec![verifier.clone()]), "{text}: {verifier}");
            assert!(!verifier.is_empty() && !verifier.contains(char::is_control), "{text}");
        }
        Err(error) => {
            assert_eq!(error.stage(), Stage::Authorize);
            assert!(matches!(error.kind(), ErrorKind::Rejected | ErrorKind::Unverified | ErrorKind::Malformed));
            assert!(!error.remedy().is_empty());
            for said in [error.to_string(), format!("{error:?}"), error.remedy().to_owned()] {
                assert!(!said.contains(char::is_control) && said.chars().count() < 1000, "{said}");
            }
        }
    }
}

/// The verifier has no way out but into the request that it is for.
fn value_of(verifier: &Verifier) -> String {
    let mut rng = LimitedEntropy::new(1);
    let unsigned = verifier.prepare_access_token(&REMOTE, &mut Context::new(NOW, &mut rng)).expect("random numbers");
    let exchange = unsigned.attach(&SIGNATURE).expect("a signature");
    let header = exchange.request().headers()[http::header::AUTHORIZATION].to_str().expect("ASCII");
    let header: AuthorizationHeader = header.parse().expect("what we write");
    assert_eq!(header.get("oauth_token"), Some(CONSENT.request_token()));
    header.get("oauth_verifier").expect("it is there").to_owned()
}

/// A callback as a broker would write it, with the text as its verifier and other parameters around.
fn sent(text: &str) {
    let (verifier, other) = text.split_once('\n').unwrap_or((text, ""));
    let mut query = form_urlencoded::Serializer::new(String::new());
    for line in other.split('\n') {
        let (name, value) = line.split_once('\t').unwrap_or((line, ""));
        if name != "oauth_token" && name != "oauth_verifier" {
            query.append_pair(name, value);
        }
    }
    query.append_pair("oauth_token", CONSENT.request_token()).append_pair("oauth_verifier", verifier);
    let query = query.finish();
    let usable = !verifier.is_empty() && !verifier.contains(char::is_control);
    for before in ["https://www.example.com/callback?", "/callback?", "?"] {
        let callback = format!("{before}{query}");
        match CONSENT.verifier(&callback) {
            Ok(read) => assert!(usable && value_of(&read) == verifier, "{callback}"),
            Err(error) => assert!(!usable, "{callback}: {error:?}"),
        }
    }
}

/// A consent that was stored, and perhaps damaged.
fn stored(text: &str) {
    let Ok(consent) = serde_json::from_str::<Consent>(text) else { return };
    let _ = consent.verifier("?oauth_token=a&oauth_verifier=b");
    let _ = consent.url_with_redirect(text);
    let again = serde_json::to_string(&consent).expect("it is text");
    assert_eq!(serde_json::from_str::<Consent>(&again).expect("what we write"), consent);
}
