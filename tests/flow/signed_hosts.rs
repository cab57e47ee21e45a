//! A signature goes to the consumer's hosts only, and to the host that the request names: whatever way it is made.

use http::{
    HeaderMap, HeaderValue, Method, Request, Uri,
    header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName},
    request::Parts,
};
use ibkr_oauth::{
    Consumer, ConsumerBuilder, Context, Endpoints, Entropy, EntropyError, Error, ErrorKind, Secret, Signer, Stage,
    Timestamp,
};
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
const TICKLE: &str = "https://api.ibkr.com/v1/api/tickle";

struct Fixed;

impl Entropy for Fixed {
    fn fill(&mut self, destination: &mut [u8]) -> Result<(), EntropyError> {
        destination.fill(7);
        Ok(())
    }
}

fn builder() -> ConsumerBuilder {
    Consumer::builder("TESTCONS")
}

fn at(base_url: &str) -> ConsumerBuilder {
    builder().endpoints(Endpoints::new(base_url).unwrap())
}

fn signer(consumer: ConsumerBuilder) -> Signer {
    signer_of(&consumer.build().unwrap())
}

fn signer_of(consumer: &Consumer) -> Signer {
    Signer::from_stored(consumer, "218c1d970d85a8442825", &Secret::from([7; 20].as_slice())).unwrap()
}

fn get(url: &str) -> Request<&'static [u8]> {
    Request::get(url).body(&b""[..]).unwrap()
}

fn with_host(url: &str, host: &str) -> Request<&'static [u8]> {
    let mut request = get(url);
    request.headers_mut().insert(HOST, HeaderValue::from_str(host).unwrap());
    request
}

type Head = (Method, Uri, HeaderMap);

fn head(request: &Request<&[u8]>) -> Head {
    (request.method().clone(), request.uri().clone(), request.headers().clone())
}

fn parts(request: &Request<&[u8]>) -> Parts {
    request.clone().into_parts().0
}

/// What every way to sign leads to; they agree, and leave a request alone that they refuse.
fn outcome(signer: &Signer, request: &Request<&'static [u8]>) -> Result<HeaderValue, Error> {
    let (mut entropy, before, parts) = (Fixed, head(request), parts(request));
    let mut cx = Context::new(NOW, &mut entropy);
    let header_of = |request: &Request<&'static [u8]>, result: Result<_, Error>| match result {
        Ok(_) => Ok(request.headers().get(AUTHORIZATION).cloned().unwrap()),
        Err(error) => {
            assert_eq!(head(request), before, "the request is untouched");
            assert_eq!((error.kind(), error.stage()), (ErrorKind::Config, Stage::Sign));
            Err(error)
        }
    };
    let mut plain = request.clone();
    let result = signer.sign(&mut cx, &mut plain);
    let result = header_of(&plain, result);
    let text = |result: &Result<HeaderValue, Error>| match result {
        Ok(value) => value.to_str().unwrap().to_owned(),
        Err(error) => format!("{error} {}", error.remedy()),
    };
    let expected = text(&result);

    let mut form = request.clone();
    form.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    let form_result = signer.sign_form(&mut cx, &mut form);
    assert_eq!(form_result.as_ref().err().map(ToString::to_string), result.as_ref().err().map(ToString::to_string));
    assert_eq!(form.headers().contains_key(AUTHORIZATION), form_result.is_ok());

    let mut by_parts = parts.clone();
    let parts_result = signer.sign_parts(&mut cx, &mut by_parts, None);
    assert_eq!(text(&header_of(&Request::from_parts(by_parts, request.body()), parts_result)), expected);

    let made = signer.sign_with(&parts, None, "07".repeat(16).as_str(), NOW.as_secs());
    assert_eq!(text(&made.map(|signature| signature.authorization)), expected);

    result
}

#[track_caller]
fn refused(signer: &Signer, request: &Request<&'static [u8]>, message: &str, remedy: &str) {
    let error = outcome(signer, request).expect_err(&format!("{request:?} is signed"));
    assert!(error.to_string().contains(message), "{request:?}: {error}");
    assert!(error.remedy().contains(remedy), "{request:?}: {}", error.remedy());
}

const HOST_DIFFERS: &str = "`Host` header names another host";
const OTHER_HOST: &str = "is not the consumer's";

#[test]
fn a_host_header_that_names_another_host_than_the_url_is_refused() {
    let signer = signer(builder());
    for host in [
        "",
        "1.api.ibkr.com",
        "api.ibkr.com.",
        "api.ibkr.com:80",
        "api.ibkr.com:8443",
        "api.ibkr.com:",
        "api.ibkr.com:x",
        "api.ibkr.com:+443",
        "api.ibkr.com:65979",
        "api.ibkr.comm",
        "xapi.ibkr.com",
        "api.ibkr.co",
        "user@api.ibkr.com",
        "https://api.ibkr.com",
        "api.ibkr.com/",
        "api.ibkr.com, api.ibkr.com",
        "api.ibkr.com api.ibkr.com",
    ] {
        refused(&signer, &with_host(TICKLE, host), HOST_DIFFERS, "leave the `Host` header to the HTTP client");
    }
    let mut request = get(TICKLE);
    request.headers_mut().insert(HOST, HeaderValue::from_bytes(b"api.\xfcbkr.com").unwrap());
    refused(&signer, &request, HOST_DIFFERS, "");
    refused(&signer, &with_host("https://api.ibkr.com:443/v1/api/tickle", "api.ibkr.com:80"), HOST_DIFFERS, "");
    for (url, host) in [
        ("http://127.0.0.1:5000/v1/api/tickle", "127.0.0.1"),
        ("http://127.0.0.1:5000/v1/api/tickle", "127.0.0.1:443"),
        ("http://[::1]:5000/v1/api/tickle", "[::2]:5000"),
        ("http://[::1]:5000/v1/api/tickle", "::1:5000"),
    ] {
        refused(&self::signer(at(url)), &with_host(url, host), HOST_DIFFERS, "");
    }
}

#[test]
fn a_host_header_that_names_the_url_s_host_changes_nothing() {
    for (url, host) in [
        (TICKLE, "api.ibkr.com"),
        (TICKLE, "API.ibkr.com"),
        (TICKLE, "api.ibkr.com:443"),
        (TICKLE, " api.ibkr.com\t"),
        ("https://API.IBKR.com:443/v1/api/tickle", "api.ibkr.com"),
        ("https://api.ibkr.com:8443/v1/api/tickle", "api.ibkr.com:8443"),
        ("http://api.ibkr.com/v1/api/tickle", "api.ibkr.com:80"),
        ("http://[2001:DB8::A]:5000/v1/api/tickle", "[2001:db8::a]:5000"),
    ] {
        let signer = signer(at(url));
        assert_eq!(
            outcome(&signer, &with_host(url, host)).unwrap(),
            outcome(&signer, &get(url)).unwrap(),
            "{url} {host}"
        );
    }
}

#[test]
fn two_host_headers_are_refused() {
    let signer = signer(builder());
    for hosts in [["api.ibkr.com", "api.ibkr.com"], ["api.ibkr.com", "1.api.ibkr.com"], ["1.api.ibkr.com", ""]] {
        let mut request = get(TICKLE);
        for host in hosts {
            request.headers_mut().append(HOST, HeaderValue::from_static(host));
        }
        refused(&signer, &request, "`Host`", "leave the `Host` header to the HTTP client");
    }
}

/// What proxies add is theirs, and `:authority` can stand in no `HeaderMap`.
#[test]
fn other_headers_about_hosts_change_nothing() {
    let signer = signer(builder());
    let expected = outcome(&signer, &get(TICKLE)).unwrap();
    for name in ["x-forwarded-host", "forwarded", "origin", "referer", "x-host"] {
        let mut request = get(TICKLE);
        let name = HeaderName::from_static(name);
        request.headers_mut().insert(name.clone(), HeaderValue::from_static("evil.example"));
        assert_eq!(outcome(&signer, &request).unwrap(), expected, "{name}");
    }
    assert!(HeaderName::from_bytes(b":authority").is_err());
}

#[test]
fn the_method_connect_is_refused() {
    let signer = signer(builder());
    for url in [TICKLE, "https://api.ibkr.com/", "https://elsewhere.example/", "api.ibkr.com:443"] {
        let mut request = get(url);
        *request.method_mut() = Method::CONNECT;
        refused(&signer, &request, "CONNECT", "sign the request that goes through it");
    }
    for method in ["connect", "CONNECTED", "X-CONNECT"] {
        let mut request = get(TICKLE);
        *request.method_mut() = Method::from_bytes(method.as_bytes()).unwrap();
        outcome(&signer, &request).unwrap();
    }
}

#[test]
fn a_url_of_another_host_is_refused() {
    let signer = signer(builder());
    for url in [
        "https://1.api.ibkr.com/v1/api/tickle",
        "https://api.ibkr.com./v1/api/tickle",
        "https://api.ibkr.com.evil.example/v1/api/tickle",
        "https://evil.example/https://api.ibkr.com/v1/api/tickle",
        "https://evil.example",
        "http://api.ibkr.com/v1/api/tickle",
        "http://api.ibkr.com:443/v1/api/tickle",
        "https://api.ibkr.com:8443/v1/api/tickle",
        "https://www.interactivebrokers.com/authorize",
        "http://127.0.0.1:5000/v1/api/tickle",
    ] {
        refused(&signer, &get(url), OTHER_HOST, "`ConsumerBuilder::allow_host`");
    }
    let error = outcome(&signer, &get("HTTPS://Evil.example:8443/v1/api/a?account=U123#f")).unwrap_err();
    let text = format!("{error} {}", error.remedy());
    assert!(text.contains("https://evil.example:8443") && text.contains("https://api.ibkr.com"), "{text}");
    assert!(!text.contains("U123"), "no query is shown: {text}");
}

#[test]
fn each_path_at_the_host_of_the_base_url_is_signed() {
    for base_url in ["https://api.ibkr.com/v1/api", "HTTPS://API.ibkr.com:443/alpha/api/"] {
        let signer = signer(at(base_url));
        for url in [
            TICKLE,
            "https://api.ibkr.com",
            "https://api.ibkr.com/",
            "https://api.ibkr.com/oauth/anything?a=b",
            "https://API.IBKR.COM:443/v1/api/tickle",
            "https://api.ibkr.com:00443/v1/api/tickle",
        ] {
            outcome(&signer, &get(url)).unwrap();
        }
    }
}

#[test]
fn what_cannot_be_signed_at_all_is_still_told_as_such() {
    let signer = signer(builder());
    for (url, message) in [
        ("/v1/api/tickle", "no host"),
        ("ftp://api.ibkr.com/", "scheme"),
        ("https://user@api.ibkr.com/v1/api/tickle", "user name"),
        ("https://api.ibkr.com/v1/api/../tickle", "segment"),
    ] {
        refused(&signer, &get(url), message, "");
    }
}

#[test]
fn an_allowed_host_is_signed_for() {
    let consumer = builder()
        .allow_host("1.api.ibkr.com")
        .allow_host("Gateway.Example:8443")
        .allow_host("http://127.0.0.1:5000")
        .allow_host("https://[::1]/")
        .build()
        .unwrap();
    let signer = signer_of(&consumer);
    for url in [
        TICKLE,
        "https://1.api.ibkr.com/v1/api/tickle",
        "https://1.API.ibkr.com:443/v1/api/tickle",
        "https://gateway.example:8443/",
        "http://127.0.0.1:5000/v1/api/tickle",
        "https://[::1]/v1/api/tickle",
    ] {
        outcome(&signer, &get(url)).unwrap();
    }
    for url in [
        "http://1.api.ibkr.com/v1/api/tickle",
        "https://2.api.ibkr.com/v1/api/tickle",
        "https://1.api.ibkr.com:8443/v1/api/tickle",
        "https://gateway.example/",
        "https://127.0.0.1:5000/v1/api/tickle",
        "http://127.0.0.1:5001/v1/api/tickle",
        "http://[::1]/v1/api/tickle",
    ] {
        refused(&signer, &get(url), OTHER_HOST, "allow_host");
    }
    let url = "https://1.api.ibkr.com/v1/api/tickle";
    let elsewhere = signer_of(&at(url).build().unwrap());
    assert_eq!(outcome(&signer, &get(url)).unwrap(), outcome(&elsewhere, &get(url)).unwrap());
    refused(&signer, &with_host(url, "api.ibkr.com"), HOST_DIFFERS, "");
}

#[test]
fn a_consumer_at_another_host_signs_for_that_one_and_for_those_allowed() {
    let consumer = builder().allow_host("2.api.ibkr.com").build().unwrap();
    let moved = consumer.with_endpoints(Endpoints::new("https://1.api.ibkr.com/v1/api").unwrap());
    let signer = signer_of(&moved);
    outcome(&signer, &get("https://1.api.ibkr.com/v1/api/tickle")).unwrap();
    outcome(&signer, &get("https://2.api.ibkr.com/v1/api/tickle")).unwrap();
    refused(&signer, &get(TICKLE), OTHER_HOST, "allow_host");
}

#[test]
fn what_is_no_host_cannot_be_allowed() {
    for host in [
        "",
        " ",
        " 1.api.ibkr.com",
        "*",
        "*.api.ibkr.com",
        "1.api.ibkr.com/v1/api",
        "https://1.api.ibkr.com/v1/api",
        "https://1.api.ibkr.com?",
        "https://1.api.ibkr.com/?a=b",
        "https://1.api.ibkr.com/#f",
        "user:password@1.api.ibkr.com",
        "1.api.ibkr.com:",
        "1.api.ibkr.com:65536",
        "1.api.ibkr.com:https",
        "ftp://1.api.ibkr.com",
        "https://",
        "://1.api.ibkr.com",
        "münchen.example",
        "2001:db8::a",
        "a,b",
    ] {
        let error = builder().allow_host("1.api.ibkr.com").allow_host(host).build().expect_err(host);
        assert_eq!((error.kind(), error.stage()), (ErrorKind::Config, Stage::Consumer));
        assert!(error.to_string().contains("allowed host"), "{error}");
        assert!(error.remedy().contains("`1.api.ibkr.com`"), "{}", error.remedy());
        assert!(!error.to_string().contains("user:"), "no password is shown: {error}");
    }
}

proptest! {
    /// As servers verify it: scheme, host in lower case, and the port where it is not the scheme's own.
    #[test]
    fn a_signature_goes_where_the_base_url_leads_and_nowhere_else(
        base in origins(),
        other in origins(),
        allowed in prop::option::of(origins()),
    ) {
        let mut consumer = at(&format!("{base}/v1/api"));
        if let Some(allowed) = &allowed {
            consumer = consumer.allow_host(allowed.as_str());
        }
        let is_expected = std::iter::once(&base).chain(&allowed).any(|one| same_server(one, &other));
        let is_signed = outcome(&signer(consumer), &get(&format!("{other}/v1/api/tickle"))).is_ok();
        prop_assert_eq!(is_signed, is_expected, "{} for {} and {:?}", other, base, allowed);
    }
}

fn origins() -> impl Strategy<Value = String> {
    let scheme = prop::sample::select(vec!["https", "http", "HTTPS"]);
    let host = prop::sample::select(vec!["api.ibkr.com", "API.IBKR.COM", "api.ibkr.com.", "1.api.ibkr.com", "[::1]"]);
    let port = prop::sample::select(vec!["", ":443", ":80", ":0443", ":8443"]);
    (scheme, host, port).prop_map(|(scheme, host, port)| format!("{scheme}://{host}{port}"))
}

fn same_server(one: &str, other: &str) -> bool {
    let parts = |text: &str| {
        let text = text.to_lowercase();
        let (scheme, authority) = text.split_once("://").unwrap();
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port.parse::<u16>().unwrap()),
            _ => (authority, if scheme == "https" { 443 } else { 80 }),
        };
        (scheme.to_owned(), host.to_owned(), port)
    };
    parts(one) == parts(other)
}
