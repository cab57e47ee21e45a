//! The consumer's settings: what is assumed where nothing is said, and what is refused before anything is signed.

use ibkr_oauth::{Consumer, Endpoints, Error, ErrorKind, QueryPolicy, Stage, oauth1::parse_uri};
use proptest::prelude::*;

#[test]
fn only_the_consumer_key_is_needed() {
    let consumer = Consumer::builder("MYCONSKEY").build().unwrap();
    assert_eq!(consumer.consumer_key(), "MYCONSKEY");
    assert_eq!(*consumer.endpoints(), Endpoints::default());
    assert_eq!(consumer.endpoints().base_url(), "https://api.ibkr.com/v1/api");
    assert_eq!(consumer.endpoints().authorize_url(), "https://www.interactivebrokers.com/authorize");
    assert_eq!(consumer.query_policy(), QueryPolicy::Rfc5849);
    assert_eq!(*consumer.user_agent(), format!("ibkr-oauth/{}", env!("CARGO_PKG_VERSION")));
}

#[test]
fn the_realm_is_the_test_consumer_s_or_everybody_else_s_or_the_given_one() {
    let realm = |key: &str| Consumer::builder(key).build().unwrap().realm().to_owned();
    assert_eq!(realm("TESTCONS"), "test_realm");
    for key in ["MYCONSKEY", "testcons", "TESTCONS1"] {
        assert_eq!(realm(key), "limited_poa", "{key}");
    }
    for realm in ["test_realm", "limited_poa", "another realm"] {
        let consumer = Consumer::builder("MYCONSKEY").realm(realm).build().unwrap();
        assert_eq!(consumer.realm(), realm);
    }
}

#[test]
fn another_host_changes_nothing_else() {
    let one = Consumer::builder("MYCONSKEY").realm("test_realm").query_policy(QueryPolicy::Omit).user_agent("my-bot/7");
    let one = one.build().unwrap();
    let other = one.with_endpoints(Endpoints::new("https://1.api.ibkr.com/v1/api").unwrap());
    assert_eq!(other.endpoints().base_url(), "https://1.api.ibkr.com/v1/api");
    assert_eq!(one.endpoints().base_url(), "https://api.ibkr.com/v1/api");
    assert_eq!((other.consumer_key(), other.realm()), (one.consumer_key(), one.realm()));
    assert_eq!((other.query_policy(), other.user_agent()), (one.query_policy(), one.user_agent()));
}

#[test]
fn a_base_url_loses_the_slashes_at_its_end() {
    for url in ["https://h/v1/api", "https://h/v1/api/", "https://h/v1/api///"] {
        let endpoints = Endpoints::new(url).unwrap();
        assert_eq!(endpoints.base_url(), "https://h/v1/api");
        assert_eq!(endpoints.url("/tickle").unwrap(), "https://h/v1/api/tickle");
    }
    assert_eq!(Endpoints::new("https://h/").unwrap().url("/").unwrap(), "https://h/");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_url_of_a_resource_is_that_of_the_whole_text(
        base in "https?://[a-z]{1,5}(:[0-9]{1,5})?(/[a-z.%2]{0,3}){0,3}",
        path in prop_oneof![4 => "(/(\\.|%2[eE]|[a-z]){0,3}){1,4}([?][!-~é ]{0,9})?", 1 => "[!-~é ]{0,9}"],
    ) {
        let Ok(endpoints) = Endpoints::new(&base) else { return Ok(()) };
        match endpoints.url(&path) {
            Ok(url) => prop_assert_eq!(Some(url), parse_uri(&format!("{}{path}", endpoints.base_url())).ok()),
            Err(error) => prop_assert!(
                !path.starts_with('/') || parse_uri(&format!("{}{path}", endpoints.base_url())).is_err(),
                "{}", error
            ),
        }
    }
}

#[test]
fn a_resource_that_is_too_long_for_a_url_is_refused() {
    let endpoints = Endpoints::default();
    assert!(endpoints.url(&format!("/{}", "a".repeat(60_000))).is_ok());
    for path in [format!("/{}", "a".repeat(70_000)), format!("/a?{}", "a".repeat(70_000))] {
        assert_eq!(endpoints.url(&path).unwrap_err().kind(), ErrorKind::Config);
    }
}

#[track_caller]
fn assert_refused<T: std::fmt::Debug>(outcome: Result<T, Error>, words: &str) {
    let error = outcome.unwrap_err();
    assert_eq!((error.kind(), error.stage()), (ErrorKind::Config, Stage::Consumer));
    assert!(error.to_string().contains(words), "{error} lacks {words:?}");
}

#[test]
fn what_no_header_could_carry_is_refused() {
    for (text, words) in [
        ("", "is empty"),
        (" \n", "is empty"),
        ("MYCONSKEY\n", "has blanks or line breaks around it"),
        (" MYCONSKEY", "has blanks or line breaks around it"),
        ("\u{a0}MYCONSKEY", "has blanks or line breaks around it"),
        ("MY\nCONSKEY", "has characters other than printable ASCII"),
        ("MY\u{7f}CONSKEY", "has characters other than printable ASCII"),
        ("MÜCONSKEY", "has characters other than printable ASCII"),
    ] {
        assert_refused(Consumer::builder(text).build(), &format!("the consumer key {words}"));
        assert_refused(Consumer::builder("A").user_agent(text).build(), &format!("the user agent {words}"));
        assert_refused(Consumer::builder("A").realm(text).build(), &format!("the realm {words}"));
    }
    for text in ["a\"b", "a\\b"] {
        assert_refused(Consumer::builder("A").realm(text).build(), "a quote or a backslash");
        assert!(Consumer::builder("A").user_agent(text).build().is_ok(), "{text}");
    }
    for text in ["a b", "limited_poa", "~!@#$%^&*()"] {
        assert!(Consumer::builder(text).user_agent(text).build().is_ok(), "{text}");
        assert!(Consumer::builder("A").realm(text).build().is_ok(), "{text}");
    }
}
