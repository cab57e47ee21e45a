//! Nothing of the diagnosis shows a secret: marker secrets through every `Display`, `Debug` and `Serialize`.

use std::fmt::{Debug, Display};

use crate::fixture::{self, NOW, SeededEntropy};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{Method, Request};
use ibkr_oauth::{
    Context, CredentialBundle, Error, QueryPolicy, Secret,
    diagnose::{self, Explanation},
    simulator::test_keys,
};
use serde::Serialize;

const MARKER: &str = "MARKER";

#[track_caller]
fn assert_hidden(what: &(impl Display + Debug + Serialize)) {
    let shown = format!("{what} {what:#} {what:?} {what:#?} {}", serde_json::to_string(what).unwrap());
    assert!(!shown.contains(MARKER), "{shown}");
    for pem in [test_keys::SIGNATURE_KEY, test_keys::ENCRYPTION_KEY] {
        let mut lines = pem.lines().filter(|line| !line.starts_with("-----")).skip(1);
        assert!(lines.all(|line| !shown.contains(line)), "{shown}");
    }
}

#[test]
fn examinations() {
    let marked = |length: usize| MARKER.chars().cycle().take(length).collect::<String>();
    let mut rng = SeededEntropy(1);
    let mut cx = Context::new(NOW, &mut rng);
    for secret in [marked(344), marked(343), marked(129), format!("{}!", marked(343)), STANDARD.encode(marked(256))] {
        for key in [test_keys::ENCRYPTION_KEY, MARKER, "-----BEGIN MARKER-----\nMARKER\n-----END MARKER-----"] {
            let bundle = serde_json::json!({
                "consumer_key": "ABCMARKER",
                "access_token": marked(20),
                "access_token_secret": secret,
                "signature_key": key,
                "encryption_key": key.replace("BEGIN", "BEGlN"),
                "dh_params": format!("{MARKER}\n{key}"),
                "realm": format!("{MARKER} realm"),
            });
            let swapped = serde_json::json!({
                "consumer_key": "ABC MARKER",
                "base_url": format!("https://{MARKER}.example/v1/api"),
                "access_token": secret,
                "access_token_secret": marked(20),
                "signature_key": {"file": "binary.der"},
                "encryption_key": test_keys::SIGNATURE_KEY,
                "dh_params": MARKER,
            });
            for bundle in [bundle, swapped] {
                let bundle = CredentialBundle::from_json(&bundle.to_string()).unwrap();
                let binary = |_: &_| Ok::<_, std::io::Error>(Secret::from(b"\xff\xfeMARKER".as_slice()));
                let findings = diagnose::check(&bundle.resolve(binary).unwrap(), &mut cx);
                for finding in &findings {
                    assert_hidden(finding);
                }
            }
        }
    }
}

#[test]
fn explanations_and_comparisons() {
    let header = "OAuth realm=\"r\", oauth_consumer_key=\"ABCMARKER\", oauth_token=\"MARKER\", oauth_verifier=\"MARKER\", \
                  oauth_signature=\"MARKER%2B\", oauth_nonce=\"1\", oauth_token_secret=\"MARKER\"";
    for url in ["https://api.ibkr.com/v1/api/oauth/live_session_token", "https://api.ibkr.com/x?access_token=MARKER"] {
        for policy in QueryPolicy::ALL {
            let uri = url.parse().unwrap();
            let explanation = Explanation::from_signed(&Method::POST, &uri, header, None, policy).unwrap();
            assert_hidden(&explanation);
            explanation.issues().iter().for_each(|issue| assert_hidden(issue));
            let own = explanation.base_string();
            assert!(own.contains(MARKER), "whole on demand");
            for other in [
                format!("{MARKER}{own}"),
                own.replace(MARKER, "MARKERS"),
                own.replace("oauth_", "OAUTH_"),
                own.replacen('&', "", 1),
                own.to_lowercase().replace("marker", MARKER),
                MARKER.to_owned(),
                format!("{MARKER}&{MARKER}&{MARKER}"),
                format!("{}GET&https%3A%2F%2Fh%2F&{}", MARKER.repeat(9), MARKER.repeat(9)),
            ] {
                for issue in explanation.compare(&other) {
                    assert_hidden(&issue);
                }
            }
        }
    }
    let error = Explanation::from_signed(&Method::GET, &"https://h/".parse().unwrap(), MARKER, None, QueryPolicy::Omit);
    shows_no_marker(&error.unwrap_err());
    let consumer = fixture::consumer_builder().build().unwrap();
    let parts = Request::get("https://h/?oauth_token=MARKER").body(()).unwrap().into_parts().0;
    shows_no_marker(&Explanation::for_request(&fixture::signer(&consumer), &parts, None, "n", 1).unwrap_err());
}

#[track_caller]
fn shows_no_marker(error: &Error) {
    assert!(!format!("{error} {error:?} {}", error.remedy()).contains(MARKER), "{error:?}");
}
