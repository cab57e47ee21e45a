//! What is signed is what is sent: URLs, headers and bodies, each either signed as they are or refused and left alone.

use crate::fixture::{self, NOW, SeededEntropy};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Uri, header};
use ibkr_oauth::{
    Compete, Consumer, Context, Endpoints, Error, ErrorKind, Stage,
    oauth1::{UriError, parse_uri},
    simulator::Broker,
};

fn consumer() -> Consumer {
    fixture::consumer_builder().build().unwrap()
}

fn get(uri: Uri) -> Request<Bytes> {
    Request::builder().uri(uri).header(header::USER_AGENT, "test").body(Bytes::new()).unwrap()
}

fn post(content_type: &str, body: &'static str) -> Request<Bytes> {
    Request::builder()
        .method(Method::POST)
        .uri("https://api.ibkr.com/v1/api/accounts/DU0000001/order_impact?a=b")
        .header(header::USER_AGENT, "test")
        .header(header::CONTENT_TYPE, content_type)
        .body(Bytes::from(body))
        .unwrap()
}

/// Why the broker refused; `None` where it found nothing wrong with the request but that it leads nowhere.
fn refusal(broker: &mut Broker, request: &Request<Bytes>) -> Option<&'static str> {
    let before = broker.refusals().len();
    broker.handle(&mut Context::new(NOW, &mut SeededEntropy(1)), request);
    broker.refusals().get(before).map(|refusal| refusal.reason).filter(|reason| *reason != "resource_unknown")
}

type Head = (Method, Uri, HeaderMap, http::Version, Bytes, Option<u8>);

fn all_of(request: &Request<Bytes>) -> Head {
    let (method, uri, headers) = (request.method().clone(), request.uri().clone(), request.headers().clone());
    (method, uri, headers, request.version(), request.body().clone(), request.extensions().get().copied())
}

fn sign(request: &mut Request<Bytes>) -> Result<(), Error> {
    fixture::signer(&consumer()).sign(&mut Context::new(NOW, &mut SeededEntropy(2)), request).map(drop)
}

fn sign_form(request: &mut Request<Bytes>) -> Result<(), Error> {
    fixture::signer(&consumer()).sign_form(&mut Context::new(NOW, &mut SeededEntropy(2)), request).map(drop)
}

type Sign = fn(&mut Request<Bytes>) -> Result<(), Error>;

/// The refusal of a request, which must have been left as it was.
fn refused(mut request: Request<Bytes>, sign: Sign) -> Error {
    *request.version_mut() = http::Version::HTTP_2;
    request.extensions_mut().insert(7u8);
    let before = all_of(&request);
    let error = sign(&mut request).expect_err(&format!("{request:?}"));
    assert_eq!(all_of(&request), before, "the request is untouched");
    assert_eq!((error.kind(), error.stage(), error.status()), (ErrorKind::Config, Stage::Sign, None));
    error
}

#[test]
fn every_host_port_and_path_is_signed_as_the_broker_sees_it() {
    for (base_url, broker_base_url) in [
        ("https://api.ibkr.com/v1/api", "https://api.ibkr.com/v1/api"),
        ("https://api.ibkr.com/v1/api///", "https://api.ibkr.com/v1/api"),
        ("HTTPS://API.IBKR.com:443/v1/api", "https://api.ibkr.com/v1/api"),
        ("https://api.ibkr.com:0443/v1/API", "https://api.ibkr.com/v1/API"),
        ("https://api.ibkr.com", "https://api.ibkr.com"),
        ("http://LocalHost:80", "http://localhost"),
        ("http://localhost:5000/v1/api", "http://localhost:5000/v1/api"),
        ("http://localhost:443/v1/api", "http://localhost:443/v1/api"),
        ("https://localhost:80/v1/api", "https://localhost:80/v1/api"),
        ("https://127.0.0.1:65535", "https://127.0.0.1:65535"),
        ("https://127.0.0.1:0", "https://127.0.0.1:0"),
        ("http://[::1]:5000/v1/api", "http://[::1]:5000/v1/api"),
        ("http://[2001:DB8::A]/v1/api", "http://[2001:db8::a]/v1/api"),
        ("https://xn--mnchen-3ya.example/v1/api", "https://xn--mnchen-3ya.example/v1/api"),
        ("https://XN--MNCHEN-3YA.example/v1/api", "https://xn--mnchen-3ya.example/v1/api"),
        ("https://a-b_c.example./v1;x=y/it's", "https://a-b_c.example./v1;x=y/it's"),
    ] {
        let endpoints = Endpoints::new(base_url).unwrap();
        let consumer = consumer().with_endpoints(endpoints);
        let mut broker = fixture::broker_builder().base_url(broker_base_url).build().unwrap();
        let (signer, mut rng) = (fixture::signer(&consumer), SeededEntropy(2));
        for path in [
            "/portfolio/accounts",
            "/a;b=c,d;e/f",
            "/it's",
            "/a%20b%2Fc%2fd",
            "/%C3%BC%ff",
            "/(a)*!$&+,=:@~._-",
            "/.hidden/a..b/...",
            "/a%2e/%2ea",
            "/marketdata/snapshot?conids=265598,8314&fields=31%2C84&a='&b=a/b?c&d=[]{}&e",
            "/marketdata/snapshot?",
        ] {
            let uri = consumer.endpoints().url(path).unwrap();
            assert!(uri.to_string().ends_with(path), "{uri}");
            let mut request = get(uri);
            signer.sign(&mut Context::new(NOW, &mut rng), &mut request).unwrap();
            let reason = refusal(&mut broker, &request);
            assert_eq!(reason, None, "{base_url}{path}: {}", broker.refusals().last().unwrap());
        }
        let exchange = signer.brokerage().tickle(&mut Context::new(NOW, &mut rng)).unwrap();
        assert!(fixture::complete(&mut broker, &mut rng, exchange).is_ok());
        let exchange = fixture::unlocked().live_session_token(&consumer, &mut Context::new(NOW, &mut rng)).unwrap();
        assert!(fixture::complete(&mut broker, &mut rng, exchange).is_ok());
    }
}

/// The broker has no such paths, yet must be told of the one that was asked for.
#[test]
fn double_slashes_are_neither_dropped_nor_added() {
    for path in ["//portfolio/accounts", "/portfolio//accounts", "/portfolio/accounts/", "//"] {
        let mut request = get(consumer().endpoints().url(path).unwrap());
        sign(&mut request).unwrap();
        assert_eq!(request.uri().path(), format!("/v1/api{path}"));
        let (parts, _) = request.clone().into_parts();
        let mut unsigned = parts.clone();
        unsigned.headers.remove(header::AUTHORIZATION);
        let signature = fixture::signer(&consumer()).sign_with(&unsigned, None, "n", 1).unwrap();
        let expected = ibkr_oauth::oauth1::percent_encode(format!("https://api.ibkr.com/v1/api{path}").as_bytes());
        assert_eq!(signature.base_string.split('&').nth(1), Some(expected.as_str()));
        let mut broker = fixture::broker_builder().build().unwrap();
        assert_eq!(refusal(&mut broker, &request), Some("path_not_normal"));
    }
}

/// What no text of a URL may have, with a word of the error that names the cause.
const BAD_URLS: [(&str, &str); 26] = [
    ("", "not a valid"),
    ("/v1/api", "no host"),
    ("api.ibkr.com", "scheme"),
    ("api.ibkr.com/v1", "not a valid"),
    ("ftp://api.ibkr.com/v1", "scheme"),
    ("wss://api.ibkr.com/v1", "scheme"),
    ("https://user@api.ibkr.com/v1", "user name or password"),
    ("https://user:pass@api.ibkr.com/v1", "user name or password"),
    ("https://@api.ibkr.com/v1", "user name or password"),
    ("https://api.ibkr.com@evil.example/v1", "user name or password"),
    ("https://münchen.example/v1", "`xn--`"),
    ("https://api.ibkr.com/ü", "outside ASCII"),
    ("https://api.ibkr.com/v1?q=ü", "outside ASCII"),
    ("https://api.ibkr.com/v1/./a", "segment `.` or `..`"),
    ("https://api.ibkr.com/v1/../a", "segment `.` or `..`"),
    ("https://api.ibkr.com/v1/..", "segment `.` or `..`"),
    ("https://api.ibkr.com/v1/%2e%2E/a", "segment `.` or `..`"),
    ("https://api.ibkr.com/v1/.%2e", "segment `.` or `..`"),
    ("https://api.ibkr.com/v1#", "fragment"),
    ("https://api.ibkr.com/v1?a=b#c", "fragment"),
    ("#", "fragment"),
    ("https://api.ibkr.com:65536/v1", "port"),
    ("https://api.ibkr.com:443a/v1", "port"),
    ("https://api!ibkr.com/v1", "host"),
    ("https://[v1.x]/v1", "host"),
    ("https://api.ibkr.com/a b", "not a valid"),
];

#[test]
fn a_url_that_might_be_sent_otherwise_is_refused_wherever_text_is_read() {
    for (url, word) in BAD_URLS {
        assert!(parse_uri(url).unwrap_err().to_string().contains(word), "{url}");
        let error = Endpoints::new(url).unwrap_err();
        assert_eq!((error.kind(), error.stage()), (ErrorKind::Config, Stage::Consumer), "{url}");
        assert!(error.to_string().contains(word) && error.to_string().contains("base URL"), "{url}: {error}");
        assert!(std::error::Error::source(&error).unwrap().is::<UriError>());
    }
    assert!(Endpoints::new("https://h/a?b=c").unwrap_err().to_string().contains("query"));
    assert!(Endpoints::new("https://h/a?").unwrap_err().to_string().contains("query"));
    for path in ["/a/../b", "/..", "/a#b", "/ü", "/a b", "portfolio", "", "@evil.example/", ":80/", "?a=b"] {
        let error = Endpoints::default().url(path).unwrap_err();
        assert_eq!((error.kind(), error.stage()), (ErrorKind::Config, Stage::Sign), "{path}");
    }
}

#[test]
fn a_finished_uri_that_might_be_sent_otherwise_is_refused_and_left_alone() {
    for (url, word) in BAD_URLS {
        // `http::Uri` drops a fragment silently, and takes bytes outside ASCII in a path or query.
        let Ok(uri) = Uri::from_maybe_shared(url.as_bytes()) else { continue };
        if word == "fragment" {
            continue;
        }
        let error = refused(get(uri), sign);
        assert!(error.to_string().contains(word), "{url}: {error}");
    }
    let error = refused(get(Uri::from_static("*")), sign);
    assert!(error.to_string().contains("no host"), "{error}");
}

#[test]
fn a_second_authorization_is_refused_and_the_first_left_alone() {
    for value in ["", "Bearer x", "OAuth realm=\"limited_poa\""] {
        let mut request = get(Uri::from_static("https://api.ibkr.com/v1/api/tickle"));
        request.headers_mut().insert(header::AUTHORIZATION, value.parse().unwrap());
        let error = refused(request, sign);
        assert!(error.to_string().contains("`Authorization` header already"), "{error}");
        assert!(error.remedy().contains("fresh request"), "{}", error.remedy());
    }
    let mut request = get(Uri::from_static("https://api.ibkr.com/v1/api/tickle"));
    sign(&mut request).unwrap();
    refused(request, sign);
}

#[test]
fn the_protocol_s_own_parameters_are_refused_in_query_and_form() {
    for pair in [
        "oauth_token=a",
        "oauth_token",
        "oauth_=",
        "oauth_unheard_of=1",
        "a=b&oauth_nonce=c",
        "%6Fauth_token=a",
        "oauth%5Ftoken=a",
        "o%61uth%5ftoken",
        "%6f%61%75%74%68%5f%74",
    ] {
        let error = refused(get(format!("https://api.ibkr.com/v1/api/tickle?{pair}").parse().unwrap()), sign);
        assert!(error.to_string().contains("`oauth_…`"), "{pair}: {error}");
        let mut request = post("application/x-www-form-urlencoded", "");
        *request.body_mut() = Bytes::from(pair);
        let error = refused(request, sign_form);
        assert!(error.to_string().contains("`oauth_…`"), "{pair}: {error}");
    }
    for pair in ["oauth=a", "OAUTH_TOKEN=a", "xoauth_token=a", "a=oauth_token", "%256Fauth_token=a", "+oauth_token=a"] {
        let uri = format!("https://api.ibkr.com/v1/api/marketdata/snapshot?{pair}").parse().unwrap();
        let mut request = get(uri);
        sign(&mut request).unwrap();
        assert_eq!(refusal(&mut fixture::broker_builder().build().unwrap(), &request), None, "{pair}");
    }
}

#[test]
fn forms_are_known_by_their_media_type_alone() {
    for content_type in [
        "application/x-www-form-urlencoded",
        "application/x-www-form-urlencoded; charset=utf-8",
        "application/x-www-form-urlencoded;charset=UTF-8",
        "Application/X-WWW-Form-URLEncoded ; boundary=x",
    ] {
        let error = refused(post(content_type, "a=1"), sign);
        assert!(error.remedy().contains("sign_form"), "{}", error.remedy());
        let mut request = post(content_type, "a=1&b=x+y");
        sign_form(&mut request).unwrap();
        assert_eq!(refusal(&mut fixture::broker_builder().build().unwrap(), &request), None, "{content_type}");
        let mut changed = request.clone();
        *changed.body_mut() = Bytes::from("a=2&b=x+y");
        let reason = refusal(&mut fixture::broker_builder().build().unwrap(), &changed);
        assert_eq!(reason, Some("signature_differs"), "the form is signed");
    }
    for content_type in ["application/json", "text/plain", "multipart/form-data; boundary=x", "x-www-form-urlencoded"] {
        let error = refused(post(content_type, "a=1"), sign_form);
        assert!(error.remedy().contains("application/x-www-form-urlencoded"), "{}", error.remedy());
        // Not signed: neither the body nor what looks like a parameter of the protocol in it.
        let mut request = post(content_type, r#"oauth_token=1&{"a":1}"#);
        sign(&mut request).unwrap();
        *request.body_mut() = Bytes::from("another");
        let reason = refusal(&mut fixture::broker_builder().build().unwrap(), &request);
        assert_eq!(reason, Some("body_malformed"), "verified, and then of no use to this resource");
    }
    let mut request = get(Uri::from_static("https://api.ibkr.com/v1/api/tickle"));
    assert!(refused(request.clone(), sign_form).to_string().contains("media type"));
    let values = ["application/json", "application/x-www-form-urlencoded"];
    for value in values {
        request.headers_mut().append(header::CONTENT_TYPE, value.parse().unwrap());
    }
    assert!(refused(request, sign).to_string().contains("form"), "one of two types is enough");
}

/// A body that nobody can look at.
struct Opaque;

#[test]
fn a_signature_adds_authorization_and_nothing_else() {
    let mut request = get(Uri::from_static("https://API.ibkr.com:443/v1/api/marketdata/snapshot?a=b&c"));
    request.headers_mut().append(header::ACCEPT, "a/b".parse().unwrap());
    request.headers_mut().append(header::ACCEPT, "c/d".parse().unwrap());
    request.extensions_mut().insert(7u8);
    let before = all_of(&request);
    sign(&mut request).unwrap();
    let added = request.headers_mut().remove(header::AUTHORIZATION).unwrap();
    assert!(added.is_sensitive() && !format!("{added:?}").contains("oauth"), "{added:?}");
    assert_eq!(all_of(&request), before);
    let text = added.to_str().unwrap();
    assert!(text.starts_with("OAuth realm=\"limited_poa\", oauth_consumer_key=\"SIMULATOR\", oauth_nonce="), "{text}");
    // Also for a body of any type, which is never looked at.
    let mut request = Request::get("https://api.ibkr.com/v1/api/tickle").body(Opaque).unwrap();
    fixture::signer(&consumer()).sign(&mut Context::new(NOW, &mut SeededEntropy(2)), &mut request).unwrap();
    assert_eq!(request.headers().len(), 1);
}

fn names(headers: &HeaderMap) -> Vec<&str> {
    let mut names: Vec<&str> = headers.keys().map(header::HeaderName::as_str).collect();
    names.sort_unstable();
    names
}

#[test]
fn the_exchanges_carry_what_the_broker_insists_on() {
    let consumer = fixture::consumer_builder().user_agent("my-bot/7").build().unwrap();
    let mut rng = SeededEntropy(2);
    let mut cx = Context::new(NOW, &mut rng);
    let signer = fixture::signer(&consumer);
    let brokerage = signer.brokerage();
    let requests = [
        consumer.request_token(&mut cx, ibkr_oauth::Callback::OutOfBand).unwrap().into_parts().0,
        fixture::unlocked().live_session_token(&consumer, &mut cx).unwrap().into_parts().0,
        brokerage.status(&mut cx).unwrap().into_parts().0,
        brokerage.tickle(&mut cx).unwrap().into_parts().0,
        brokerage.logout(&mut cx).unwrap().into_parts().0,
        brokerage.open(&mut cx, Compete::Take).unwrap().into_parts().0,
    ];
    for request in &requests {
        assert_eq!(request.method(), Method::POST);
        assert_eq!(request.headers()["user-agent"], "my-bot/7");
        assert!(request.headers()["authorization"].is_sensitive());
        let second = if request.body().is_empty() { "content-length" } else { "content-type" };
        assert_eq!(names(request.headers()), ["authorization", second, "user-agent"]);
        assert_eq!(request.headers()[second], if request.body().is_empty() { "0" } else { "application/json" });
    }
    assert_eq!(requests[5].body(), r#"{"compete":true,"publish":true}"#);
    let user_agent = self::consumer().user_agent().clone();
    assert!(user_agent.to_str().unwrap().starts_with("ibkr-oauth/"), "{user_agent:?}");
    for bad in ["", " ", "a\nb", "ü", " a"] {
        assert_eq!(fixture::consumer_builder().user_agent(bad).build().unwrap_err().kind(), ErrorKind::Config);
    }
}
