//! The user's consent: the page, the callback in all its forms, and what is kept in between.

use crate::authorization_header::AuthorizationHeader;
use crate::fixture::{self, NOW, SeededEntropy, complete};
use crate::form_pairs::form_pairs;
use http::Uri;
use ibkr_oauth::{
    AccessToken, Callback, Consent, Context, Endpoints, Error, ErrorKind, Stage, Verifier, oauth1,
    simulator::{Broker, test_keys},
};
use proptest::prelude::*;
use serde_json::json;

/// A consent that was kept while the user was away.
fn consent() -> Consent {
    let stored = json!({
        "request_token": "25ebcc75204da80b73f4",
        "url": "https://www.interactivebrokers.com/authorize?oauth_token=25ebcc75204da80b73f4",
    });
    serde_json::from_value(stored).unwrap()
}

/// The verifier as the request for an access token carries it.
fn sent(verifier: &Verifier) -> String {
    let consumer = fixture::consumer_builder().build().unwrap();
    let mut rng = SeededEntropy(1);
    let exchange = verifier.access_token(&consumer, &mut Context::new(NOW, &mut rng)).unwrap();
    let header: AuthorizationHeader = exchange.request().headers()["authorization"].to_str().unwrap().parse().unwrap();
    assert_eq!(header.get("oauth_token"), Some("25ebcc75204da80b73f4"));
    header.get("oauth_verifier").unwrap().to_owned()
}

#[test]
fn the_callback_is_read_in_every_form_in_which_people_hold_it() {
    for callback in [
        "https://www.example.com/callback?oauth_token=25ebcc75204da80b73f4&oauth_verifier=v0",
        "http://localhost:5000/?oauth_verifier=v0&oauth_token=25ebcc75204da80b73f4",
        "http://localhost:5000?oauth_verifier=v0&oauth_token=25ebcc75204da80b73f4",
        "https://[::1]/a?oauth_token=25ebcc75204da80b73f4&oauth_verifier=v0#fragment",
        "https://www.example.com/a?oauth_token=25ebcc75204da80b73f4&oauth_verifier=v0#oauth_verifier=other",
        "/callback?oauth_token=25ebcc75204da80b73f4&oauth_verifier=v0",
        "callback?oauth_token=25ebcc75204da80b73f4&oauth_verifier=v0",
        "?oauth_token=25ebcc75204da80b73f4&oauth_verifier=v0",
        "oauth_token=25ebcc75204da80b73f4&oauth_verifier=v0",
        "  oauth_token=25ebcc75204da80b73f4&oauth_verifier=v0\r\n",
        "/a?next=%2F&&oauth_token=25ebcc75204da80b73f4&x&=y&oauth_verifier=v0&OAUTH_TOKEN=other",
        "/a?oauth%5Ftoken=25ebcc75204da80b73f%34&%6Fauth_verifier=%760",
        "/a?x=%zz&oauth_token=25ebcc75204da80b73f4&oauth_verifier=v0&y=%",
        "/a?x=?&oauth_token=25ebcc75204da80b73f4&oauth_verifier=v0",
        // The query alone, with what only a path or a URL seems to have.
        "next=/home&oauth_token=25ebcc75204da80b73f4&oauth_verifier=v0",
        "oauth_token=25ebcc75204da80b73f4&oauth_verifier=v0&next=/home",
        "oauth_token=25ebcc75204da80b73f4&oauth_verifier=v0&next=https://www.example.com/?a=b",
        "oauth_token=25ebcc75204da80b73f4&oauth_verifier=v0&next=a?b",
        "x&oauth_token=25ebcc75204da80b73f4&oauth_verifier=v0&next=a?b",
    ] {
        let verifier = consent().verifier(callback).unwrap_or_else(|error| panic!("{callback}: {error}"));
        assert_eq!(sent(&verifier), "v0", "{callback}");
    }
    let verifier = consent().verifier("?oauth_token=25ebcc75204da80b73f4&oauth_verifier=a+b%2B%C3%BC").unwrap();
    assert_eq!(sent(&verifier), "a b+ü", "decoded once, and encoded once again in the header");
}

fn refused(callback: &str) -> Error {
    let error = consent().verifier(callback).expect_err(callback);
    assert_eq!((error.stage(), error.status(), error.detail()), (Stage::Authorize, None, None));
    error
}

#[test]
fn a_cancelled_consent_is_told_apart_from_a_broken_callback() {
    for callback in [
        "",
        "?",
        "/",
        "https://www.example.com/callback",
        "https://www.example.com/callback?",
        "https://www.example.com/callback?state=7",
        "/callback#oauth_token=25ebcc75204da80b73f4&oauth_verifier=v0",
        "/oauth_token=25ebcc75204da80b73f4&oauth_verifier=v0",
        "?OAuth_Token=25ebcc75204da80b73f4",
    ] {
        let error = refused(callback);
        assert_eq!(error.kind(), ErrorKind::Rejected, "{callback}");
        assert!(error.to_string().contains("did not consent"), "{error}");
        assert!(error.remedy().contains("ask the user again"), "{}", error.remedy());
    }
    for (callback, what) in [
        ("3b8b2c3bb5c2ac7ea2c1", "neither an address nor a query"),
        (" 3b8b2c3bb5c2ac7ea2c1\n", "neither an address nor a query"),
        ("?oauth_token=25ebcc75204da80b73f4", "no `oauth_verifier`"),
        ("?oauth_verifier=v0", "no `oauth_token`"),
        ("?oauth_token=25ebcc75204da80b73f4&oauth_verifier=", "its `oauth_verifier` is empty"),
        ("?oauth_token=25ebcc75204da80b73f4&oauth_verifier", "its `oauth_verifier` is empty"),
        ("?oauth_token=&oauth_verifier=v0", "its `oauth_token` is empty"),
        ("?oauth_token&oauth_verifier", "its `oauth_token` is empty"),
        ("?oauth_token=25ebcc75204da80b73f4&oauth_verifier=a&oauth_verifier=b", "`oauth_verifier` twice"),
        ("?oauth_token=25ebcc75204da80b73f4&oauth_verifier=a&oauth_verifier=a", "`oauth_verifier` twice"),
        ("?oauth_token=25ebcc75204da80b73f4&oauth_token=25ebcc75204da80b73f4&oauth_verifier=a", "`oauth_token` twice"),
        ("?oauth_token=other&oauth_token=25ebcc75204da80b73f4&oauth_verifier=a", "`oauth_token` twice"),
        ("?oauth_token=25ebcc75204da80b73f4&oauth_verifier=a&oauth_verif%69er=b", "`oauth_verifier` twice"),
        ("?oauth_token=25ebcc75204da80b73f4&oauth_verifier=%ff", "its `oauth_verifier` is empty or not text"),
        ("?oauth_token=25ebcc75204da80b73f4&oauth_verifier=a%00b", "its `oauth_verifier` is empty or not text"),
        ("?oauth_token=25ebcc75204da80b73f4&oauth_verifier=a%0D%0Ab", "its `oauth_verifier` is empty or not text"),
    ] {
        let error = refused(callback);
        assert_eq!(error.kind(), ErrorKind::Malformed, "{callback}");
        assert!(error.to_string().contains(what), "{callback}: {error}");
        assert!(error.remedy().contains("whole address"), "{}", error.remedy());
    }
}

/// Where nothing listens at the callback, people copy what they see in the address bar.
#[test]
fn a_verifier_that_was_copied_alone_is_taken_as_such() {
    for (code, arrives) in [("3b8b2c3bb5c2ac7ea2c1", "3b8b2c3bb5c2ac7ea2c1"), (" v0\r\n", "v0"), ("a b+%C3", "a b+%C3")]
    {
        assert_eq!(sent(&consent().verifier_from_code(code).unwrap()), arrives);
    }
    for code in ["", " \n", "a\u{0}b", "a\r\nb"] {
        let error = consent().verifier_from_code(code).unwrap_err();
        assert_eq!((error.kind(), error.stage()), (ErrorKind::Malformed, Stage::Authorize), "{code:?}");
        assert!(error.to_string().contains("verifier is empty or not text"), "{error}");
    }
}

#[test]
fn a_callback_for_another_request_token_is_not_trusted() {
    for callback in [
        "?oauth_token=other&oauth_verifier=v0",
        "?oauth_token=25EBCC75204DA80B73F4&oauth_verifier=v0",
        "?oauth_token=25ebcc75204da80b73f4%20&oauth_verifier=v0",
        "?oauth_token=25ebcc75204da80b73f&oauth_verifier=v0",
        "?oauth_token=other",
    ] {
        let error = refused(callback);
        assert_eq!(error.kind(), ErrorKind::Unverified, "{callback}");
        assert!(!error.to_string().to_lowercase().contains("25ebcc"), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn hostile_callbacks_never_panic(text: String, bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let consent = consent();
        let _ = consent.verifier(&text);
        let encoded = oauth1::percent_encode(&bytes);
        let _ = consent.verifier(&format!("?oauth_token={encoded}&oauth_verifier={encoded}"));
        let callback = format!("{text}?oauth_token=25ebcc75204da80b73f4&oauth_verifier={encoded}");
        if let Ok(verifier) = consent.verifier(&callback) {
            prop_assert_eq!(sent(&verifier).into_bytes(), bytes);
        }
    }

    #[test]
    fn whatever_redirect_uri_is_it_arrives(redirect: String, next in "[a-z?&=/#%+]{0,12}") {
        for redirect in [&redirect, &next] {
            let url = consent().url_with_redirect(redirect).unwrap();
            let pairs = form_pairs(url.query().unwrap());
            prop_assert_eq!(pairs.len(), 2);
            prop_assert_eq!(&pairs[1], &(b"redirect_uri".to_vec(), redirect.as_bytes().to_vec()));
        }
    }
}

#[test]
fn the_whole_way_leads_through_the_page_and_back() {
    let consumer = test_keys::consumer().unwrap();
    let (mut broker, mut rng) = (Broker::builder().strict().build().unwrap(), SeededEntropy(1));
    for (callback, redirect, arrives) in [
        (Callback::OutOfBand, None, "https://www.example.com/callback?"),
        (Callback::OutOfBand, Some("/oauth/v2beta"), "https://www.example.com/oauth/v2beta?"),
        (Callback::OutOfBand, Some("https://other.example/a?b=c"), "https://other.example/a?b=c&"),
        (Callback::Url("https://third.example/d"), None, "https://third.example/d?"),
    ] {
        let exchange = consumer.request_token(&mut Context::new(NOW, &mut rng), callback).unwrap();
        let consent = complete(&mut broker, &mut rng, exchange).unwrap();
        // A web application keeps it until the browser comes back.
        let kept = serde_json::to_string(&consent).unwrap();
        let url = redirect.map_or_else(|| consent.url().clone(), |to| consent.url_with_redirect(to).unwrap());
        drop(consent);
        let arrived = broker.consent(&mut Context::new(NOW, &mut rng), &url).unwrap();
        assert!(arrived.starts_with(arrives), "{arrived}");
        let consent: Consent = serde_json::from_str(&kept).unwrap();
        let verifier = consent.verifier(&arrived).unwrap();
        let exchange = verifier.access_token(&consumer, &mut Context::new(NOW, &mut rng)).unwrap();
        let token = complete(&mut broker, &mut rng, exchange).unwrap();
        assert_eq!(token.is_paper(), Some(true));
        let kept = serde_json::to_string(&token).unwrap();
        assert_eq!(serde_json::from_str::<AccessToken>(&kept).unwrap(), token);
        assert!(consumer.unlock(&mut Context::new(NOW, &mut rng), &token).is_ok());

        let exchange = consumer.request_token(&mut Context::new(NOW, &mut rng), callback).unwrap();
        let consent = complete(&mut broker, &mut rng, exchange).unwrap();
        let arrived = broker.decline(&mut Context::new(NOW, &mut rng), consent.url()).unwrap();
        assert_eq!(consent.verifier(&arrived).unwrap_err().kind(), ErrorKind::Rejected);
    }
    assert!(broker.refusals().is_empty());
}

#[test]
fn the_page_is_where_the_endpoints_say() {
    let endpoints = Endpoints::default().with_authorize_url("https://interactivebrokers.com/authorize").unwrap();
    let consumer = fixture::consumer_builder().endpoints(endpoints).build().unwrap();
    let (mut broker, mut rng) = (Broker::builder().strict().build().unwrap(), SeededEntropy(1));
    let exchange = consumer.request_token(&mut Context::new(NOW, &mut rng), Callback::OutOfBand).unwrap();
    let consent = complete(&mut broker, &mut rng, exchange).unwrap();
    let expected = format!("https://interactivebrokers.com/authorize?oauth_token={}", consent.request_token());
    assert_eq!(*consent.url(), expected.parse::<Uri>().unwrap());
    for wrong in ["authorize", "https://u@h/authorize", "https://h/authorize?a=b", "https://h/authorize#a"] {
        let error = Endpoints::default().with_authorize_url(wrong).unwrap_err();
        assert_eq!((error.kind(), error.stage()), (ErrorKind::Config, Stage::Consumer), "{wrong}");
        assert!(error.to_string().contains("authorization URL"), "{error}");
    }
}

#[test]
fn paper_accounts_are_known_by_either_name() {
    let read = |text: &str| serde_json::from_str::<AccessToken>(text).map(|token| token.is_paper());
    let token = r#""oauth_token":"a","oauth_token_secret":"QUJD""#;
    assert_eq!(read(&format!("{{{token}}}")).unwrap(), None);
    for name in ["is_paper", "is_true"] {
        assert_eq!(read(&format!("{{{token},\"{name}\":true}}")).unwrap(), Some(true));
        assert_eq!(read(&format!("{{{token},\"{name}\":false}}")).unwrap(), Some(false));
        assert_eq!(read(&format!("{{{token},\"{name}\":null}}")).unwrap(), None);
        assert!(read(&format!("{{{token},\"{name}\":\"true\"}}")).is_err());
    }
    for is_paper in ["", r#","is_paper":true"#, r#","is_paper":false"#] {
        let token: AccessToken = serde_json::from_str(&format!("{{{token}{is_paper}}}")).unwrap();
        let kept = serde_json::to_value(&token).unwrap();
        assert_eq!(serde_json::from_value::<AccessToken>(kept).unwrap(), token);
    }
}

#[test]
fn a_stored_consent_that_was_tampered_with_is_refused() {
    for stored in [
        json!({}),
        json!({ "request_token": "a" }),
        json!({ "request_token": "a", "url": "" }),
        json!({ "request_token": "a", "url": "https://h/?oauth_token=a", "more": 1 }),
        json!({ "request_token": 1, "url": "https://h/?oauth_token=a" }),
        json!({ "request_token": "a", "url": "https:// h" }),
        json!({ "request_token": "", "url": "https://h/?oauth_token=" }),
        json!({ "request_token": "a b", "url": "https://h/?oauth_token=a%20b" }),
        json!({ "request_token": "a", "url": "https://h/?oauth_token=b" }),
        json!({ "request_token": "a", "url": "https://h/" }),
        json!({ "request_token": "a", "url": "/authorize?oauth_token=a" }),
        json!({ "request_token": "a", "url": "javascript:alert(1)?oauth_token=a" }),
    ] {
        assert!(serde_json::from_value::<Consent>(stored.clone()).is_err(), "{stored}");
    }
    for stored in [
        json!({ "oauth_token": "", "oauth_token_secret": "QUJD" }),
        json!({ "oauth_token": "a b", "oauth_token_secret": "QUJD" }),
        json!({ "oauth_token": "a", "oauth_token_secret": "" }),
        json!({ "oauth_token": "a", "oauth_token_secret": "QUJ" }),
    ] {
        assert!(serde_json::from_value::<AccessToken>(stored.clone()).is_err(), "{stored}");
    }
}
