//! Where a request goes, and the headers that need no OAuth.

use http::{HeaderValue, Method, header};
use ibkr_oauth::exchange::ParameterPlacement;

use crate::deviations::good::{BASE, Good, HARD_QUERY, names};

const ACCOUNTS: &str = "/portfolio/accounts";

fn get() -> Good {
    Good::protected(Method::GET, ACCOUNTS)
}

fn post() -> Good {
    Good::protected(Method::POST, "/tickle")
}

fn negotiation() -> Good {
    Good::live_session_token(ParameterPlacement::Header)
}

#[test]
fn the_method_of_a_protected_request() {
    for (other, good) in [(Method::POST, get()), (Method::PUT, get()), (Method::GET, post())] {
        let original = good.request.method().clone();
        let expected = good.base_string.replacen(original.as_str(), other.as_str(), 1);
        let request = good.mutated(|request| *request.method_mut() = other);
        let refusal = good.refuses("signature_differs", &request);
        assert_eq!(refusal.expected_base_string.as_deref(), Some(expected.as_str()));
        names(&refusal, &format!("the method {original} was signed"));
    }
}

#[test]
pub(crate) fn the_method_of_a_sign_in() {
    let good = negotiation();
    let request = good.mutated(|request| *request.method_mut() = Method::GET);
    good.refuses("method_not_allowed", &request);
}

#[test]
fn a_method_that_the_resource_does_not_know_though_signed() {
    let mut good = Good::protected(Method::GET, "/logout");
    let request = good.request.clone();
    good.turns_down("method_not_allowed", &request);
}

#[test]
pub(crate) fn the_scheme() {
    for good in [get(), negotiation()] {
        let request = good.at(&good.request.uri().to_string().replacen("https", "http", 1));
        good.refuses("scheme_differs", &request);
    }
}

#[test]
pub(crate) fn the_host() {
    for good in [get(), negotiation()] {
        let request = good.at(&good.request.uri().to_string().replacen("api.", "1.api.", 1));
        good.refuses("host_differs", &request);
    }
}

#[test]
fn the_host_header() {
    for host in ["1.api.ibkr.com", "user@api.ibkr.com", "api.ibkr.com:8443:1", ""] {
        let good = get();
        let request = good.mutated(|request| {
            request.headers_mut().insert(header::HOST, HeaderValue::from_static(host));
        });
        good.refuses("host_differs", &request);
    }
}

#[test]
pub(crate) fn the_port() {
    for good in [get(), negotiation()] {
        let request = good.at(&good.request.uri().to_string().replacen("ibkr.com", "ibkr.com:8443", 1));
        good.refuses("port_differs", &request);
    }
}

#[test]
fn the_default_port_and_the_case_of_the_host_are_no_deviations() {
    for (from, to) in [("ibkr.com", "ibkr.com:443"), ("api.ibkr", "API.ibkr")] {
        let mut good = get();
        let request = good.at(&good.request.uri().to_string().replacen(from, to, 1));
        good.takes(&request);
    }
}

#[test]
pub(crate) fn a_relative_uri() {
    let good = get();
    let request = good.at(good.request.uri().path());
    good.refuses("uri_not_absolute", &request);
}

#[test]
pub(crate) fn a_user_in_the_uri() {
    let good = get();
    let request = good.at(&good.request.uri().to_string().replacen("https://", "https://user:word@", 1));
    let refusal = good.refuses("userinfo_present", &request);
    assert!(!refusal.subject.contains("word"), "{refusal}");
}

#[test]
pub(crate) fn a_path_outside_the_base() {
    let good = get();
    for path in ["/portfolio/accounts", "/v1/apix/portfolio/accounts", "/v1/portal/portfolio/accounts"] {
        let request = good.at(&format!("https://api.ibkr.com{path}"));
        get().refuses("path_outside_base", &request);
    }
}

#[test]
pub(crate) fn a_path_with_two_spellings() {
    let good = get();
    for path in [
        "//portfolio/accounts",
        "/portfolio//accounts",
        "/portfolio/accounts/",
        "/x/../portfolio/accounts",
        "/portfolio/./accounts",
        "/x/%2e%2E/portfolio/accounts",
    ] {
        let request = good.at(&format!("{BASE}{path}"));
        get().refuses("path_not_normal", &request);
    }
}

#[test]
fn another_path() {
    for (path, other) in [(ACCOUNTS, "/iserver/accounts"), (HARD_QUERY, "/marketdata/snapshot")] {
        let good = Good::protected(Method::GET, path);
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let request = good.at(&format!("{BASE}{other}?{query}"));
        let encoded = |path: &str| path.replace('/', "%2F");
        let expected = good.base_string.replacen(&encoded(path), &encoded(other), 1);
        let refusal = good.refuses("signature_differs", &request);
        assert_eq!(refusal.expected_base_string.as_deref(), Some(expected.as_str()));
    }
}

/// The challenge is not the callback: a request for one endpoint is none for another.
#[test]
fn another_endpoint() {
    let good = Good::request_token(ParameterPlacement::Header);
    let request = good.at(&format!("{BASE}/oauth/access_token"));
    good.refuses("parameter_missing", &request);
}

#[test]
pub(crate) fn no_user_agent() {
    for good in [get(), negotiation()] {
        let request = good.mutated(|request| {
            request.headers_mut().remove(header::USER_AGENT);
        });
        good.refuses("user_agent_missing", &request);
    }
    let good = get();
    let request = good.mutated(|request| {
        request.headers_mut().insert(header::USER_AGENT, HeaderValue::from_static(""));
    });
    good.refuses("user_agent_missing", &request);
}

#[test]
pub(crate) fn no_content_length() {
    for good in [post(), negotiation()] {
        let request = good.mutated(|request| {
            request.headers_mut().remove(header::CONTENT_LENGTH);
        });
        good.refuses("content_length_missing", &request);
    }
}

#[test]
pub(crate) fn another_content_length() {
    for (good, length) in [(post(), "1"), (negotiation(), "00"), (get(), "-0")] {
        let request = good.mutated(|request| {
            request.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from_static(length));
        });
        good.refuses("content_length_differs", &request);
    }
}
