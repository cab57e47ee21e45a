//! The consent page, as a browser sees it.

use bytes::Bytes;
use http::{Method, Request, Response};
use ibkr_oauth::{
    Callback, Context, Timestamp,
    simulator::{Broker, BrokerBuilder, SeededEntropy, test_keys},
};

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
const PAGE: &str = "https://api.ibkr.com/authorize";

/// A browser in front of a broker that waits for one user's consent.
struct Browser {
    broker: Broker,
    entropy: SeededEntropy,
    token: String,
}

impl Browser {
    fn new(builder: BrokerBuilder, callback: Callback) -> Self {
        let (mut broker, mut entropy) = (builder.build().unwrap(), SeededEntropy::new(1));
        let mut cx = Context::new(NOW, &mut entropy);
        let exchange = test_keys::consumer().unwrap().request_token(&mut cx, callback).unwrap();
        let response = broker.handle(&mut cx, exchange.request());
        let token = exchange.complete(response).unwrap().request_token().to_owned();
        Self { broker, entropy, token }
    }

    fn plain() -> Self {
        Self::new(Broker::builder(), Callback::OutOfBand)
    }

    fn visit(&mut self, url: &str) -> Response<Bytes> {
        let request = Request::get(url).body(Bytes::new()).unwrap();
        self.broker.handle(&mut Context::new(NOW, &mut self.entropy), &request)
    }

    fn page(&mut self, more: &str) -> Response<Bytes> {
        let url = format!("{PAGE}?oauth_token={}{more}", self.token);
        self.visit(&url)
    }

    fn last_reason(&self) -> &'static str {
        self.broker.refusals().last().unwrap().reason
    }
}

fn html(response: &Response<Bytes>) -> &str {
    assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(response.headers()["referrer-policy"], "no-referrer");
    std::str::from_utf8(response.body()).unwrap()
}

fn location(response: &Response<Bytes>) -> &str {
    assert_eq!(response.status(), 302, "{response:?}");
    response.headers()["location"].to_str().unwrap()
}

#[test]
fn the_page_asks_as_often_as_it_is_seen_and_takes_one_answer() {
    let mut browser = Browser::plain();
    for _ in 0..2 {
        let page = browser.page("");
        assert_eq!(page.status(), 200);
        let token = format!(r#"<input type="hidden" name="oauth_token" value="{}">"#, browser.token);
        for part in [
            r#"<form method="get">"#,
            &token,
            r#"<button name="answer" value="agree">Agree</button>"#,
            r#"<button name="answer" value="decline">Decline</button>"#,
            "SIMULATOR",
            "DU0000001",
            "https://www.example.com/callback",
        ] {
            assert!(html(&page).contains(part), "{part}: {}", html(&page));
        }
    }
    let answered = browser.page("&answer=agree");
    let start = format!("https://www.example.com/callback?oauth_token={}&oauth_verifier=", browser.token);
    let verifier = location(&answered).strip_prefix(&start).unwrap();
    assert!(verifier.len() == 20 && verifier.bytes().all(|digit| digit.is_ascii_hexdigit()));
    for again in ["", "&answer=agree", "&answer=decline"] {
        assert_eq!(browser.page(again).status(), 400);
        assert_eq!(browser.last_reason(), "request_token_used");
    }
}

#[test]
fn who_declines_comes_back_with_nothing() {
    let mut browser = Browser::plain();
    assert_eq!(location(&browser.page("&answer=decline")), "https://www.example.com/callback");
    assert_eq!(browser.page("&answer=agree").status(), 400);
}

#[test]
fn the_browser_is_sent_where_the_request_or_the_redirect_says() {
    let start = |browser: &mut Browser, more: &str| {
        let response = browser.page(&format!("{more}&answer=agree"));
        location(&response).split("oauth_token=").next().unwrap().to_owned()
    };
    let own = Callback::Url("http://localhost:5002/back?user=1");
    let mut browser = Browser::new(Broker::builder(), own);
    assert_eq!(start(&mut browser, ""), "http://localhost:5002/back?user=1&");
    let mut browser = Browser::new(Broker::builder().callback("http://localhost:1/r"), Callback::OutOfBand);
    assert_eq!(start(&mut browser, ""), "http://localhost:1/r?");
    let mut browser = Browser::new(Broker::builder(), own);
    assert_eq!(start(&mut browser, "&redirect_uri=%2Fother"), "http://localhost:5002/other?");
    let mut browser = Browser::plain();
    assert_eq!(start(&mut browser, "&redirect_uri=http%3A%2F%2Fh%2Fx%3Fa%3D1"), "http://h/x?a=1&");

    let mut browser = Browser::plain();
    let raw = "&redirect_uri=http:%5C/%5C/localhost:5002%5C/back";
    let page = browser.page(raw);
    assert_eq!(page.headers()["x-simulator-deviation"], "redirect_with_backslashes");
    assert!(html(&page).contains(r#"name="redirect_uri" value="http:\/\/localhost:5002\/back""#), "{}", html(&page));
    assert_eq!(start(&mut browser, raw), "http://localhost:5002/back?");
    assert_eq!(browser.broker.deviations().collect::<Vec<_>>(), [("redirect_with_backslashes", 2)]);
}

#[test]
fn a_wrong_visit_is_a_page_that_says_why_and_answers_nothing() {
    for (more, reason) in [
        ("0", "request_token_unknown"),
        ("&answer=yes", "body_malformed"),
        ("&answer=agree&answer=decline", "parameter_repeated"),
        ("&answer=agree&redirect_uri=ftp://h/", "redirect_malformed"),
        ("&answer=agree&redirect_uri=javascript:alert(1)", "redirect_malformed"),
        ("&answer=agree&redirect_uri=/x%0d%0aSet-Cookie:a=b", "redirect_malformed"),
        ("&answer=agree&redirect_uri=/x%23a", "redirect_malformed"),
        ("&answer=agree&redirect_uri=http://h/%23a", "redirect_malformed"),
        ("&state=1", "parameter_unknown"),
        ("&%", "body_malformed"),
    ] {
        let mut browser = Browser::plain();
        let response = browser.page(more);
        assert_eq!((response.status().as_u16(), browser.last_reason()), (400, reason), "{more}");
        assert!(!response.headers().contains_key("location"), "{response:?}");
        assert!(html(&response).contains("cannot be consented to"));
        assert_eq!(browser.page("&answer=agree").status(), 302, "{more}");
    }
    let mut browser = Browser::plain();
    assert_eq!(browser.visit(PAGE).status(), 400);
    assert_eq!(browser.last_reason(), "parameter_missing");
}

#[test]
fn nothing_that_a_visitor_writes_becomes_markup() {
    let evil = "%22%3E%3Cscript%3Ealert(1)%3C/script%3E'%26";
    let mut browser = Browser::plain();
    for url in [
        format!("{PAGE}?oauth_token={evil}"),
        format!("{PAGE}?oauth_token={}&redirect_uri={evil}", browser.token),
        format!("{PAGE}?oauth_token={}&redirect_uri=/{evil}", browser.token),
        format!("{PAGE}?oauth_token={}&redirect_uri=https://h/?{evil}", browser.token),
        format!("{PAGE}?oauth_token={}&answer={evil}", browser.token),
        format!("{PAGE}?{evil}=1"),
    ] {
        let page = browser.visit(&url);
        let text = html(&page);
        assert!(!text.contains("<script") && !text.contains("'&") && !text.contains("\"\""), "{text}");
    }
    let mut browser = Browser::plain();
    let page = browser.page("&redirect_uri=/a%22%3Eb");
    assert!(html(&page).contains(r#"value="/a&quot;&gt;b""#), "{}", html(&page));
}

#[test]
fn the_page_is_where_the_base_url_or_the_builder_says() {
    let cases = [
        (Broker::builder(), "https://www.interactivebrokers.com/authorize"),
        (Broker::builder(), "https://API.ibkr.com:443/authorize"),
        (Broker::builder().consent_page("http://h:1/consent"), "http://h:1/consent"),
    ];
    for (builder, page) in cases {
        let mut browser = Browser::new(builder, Callback::OutOfBand);
        let url = format!("{page}?oauth_token={}", browser.token);
        assert_eq!(browser.visit(&url).status(), 200, "{page}");
    }
    let own = Broker::builder().consent_page("http://h:1/consent");
    let mut browser = Browser::new(own, Callback::OutOfBand);
    assert!(browser.page("").status().is_client_error());
    for elsewhere in
        ["https://api.ibkr.com/v1/api/authorize", "http://api.ibkr.com/authorize", "https://u@api.ibkr.com/authorize"]
    {
        let mut browser = Browser::plain();
        let url = format!("{elsewhere}?oauth_token={}&answer=agree", browser.token);
        assert!(browser.visit(&url).status().is_client_error(), "{elsewhere}");
        assert_eq!(browser.page("").status(), 200);
    }
    let mut browser = Browser::plain();
    let url = format!("{PAGE}?oauth_token={}&answer=agree", browser.token);
    let request = Request::builder().method(Method::POST).uri(url).body(Bytes::new()).unwrap();
    let response = browser.broker.handle(&mut Context::new(NOW, &mut browser.entropy), &request);
    assert_eq!((response.status().as_u16(), browser.last_reason()), (400, "method_not_allowed"));
}

/// The three legs, with the browser between the first and the second.
#[test]
fn the_verifier_of_the_page_gets_the_access_token() {
    let (mut broker, mut entropy) = (Broker::builder().strict().build().unwrap(), SeededEntropy::new(1));
    let mut cx = Context::new(NOW, &mut entropy);
    let consumer = test_keys::consumer().unwrap();
    let exchange = consumer.request_token(&mut cx, Callback::OutOfBand).unwrap();
    let response = broker.handle(&mut cx, exchange.request());
    let consent = exchange.complete(response).unwrap();
    let request = Request::get(format!("{}&answer=agree", consent.url())).body(Bytes::new()).unwrap();
    let callback = location(&broker.handle(&mut cx, &request)).to_owned();
    let exchange = consent.verifier(&callback).unwrap().access_token(&consumer, &mut cx).unwrap();
    let response = broker.handle(&mut cx, exchange.request());
    assert_eq!(exchange.complete(response).unwrap().token().len(), 20);
    assert_eq!(broker.refusals(), []);
}
