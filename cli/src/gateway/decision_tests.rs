//! What is decided about requests.

use ibkr_oauth::{
    Secret,
    http::{HeaderMap, HeaderName, Request, StatusCode, header::CONTENT_TYPE},
};
use proptest::prelude::*;

use super::{
    caller::Callers,
    decision::{Decision, Local, Rules, decide},
    headers,
    permission::{Effect, PathPattern, effect},
    resource::{self, Place},
};

fn rules() -> Rules {
    let hosts = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
    Rules { callers: Callers { hosts: Some(hosts), token: None }, allow_orders: true, rejected: Vec::new() }
}

/// What is decided about a request with this head; `Host` is ours unless it is named.
fn decided(rules: &Rules, method: &str, target: &str, headers: &[(&str, &str)]) -> Decision {
    let mut request = Request::builder().method(method).uri(target);
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        request = request.header("host", "localhost:5000");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    decide(rules, &request.body(()).unwrap().into_parts().0)
}

fn refused(decision: &Decision) -> Option<u16> {
    match decision {
        Decision::Refuse(refusal) => Some(refusal.status.as_u16()),
        _ => None,
    }
}

fn forwarded(decision: Decision) -> String {
    match decision {
        Decision::Forward(forward) => forward.path_and_query().into_owned(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_it_answers_itself_is_found_under_every_alias() {
    for base in ["/v1/api", "/v1/portal", "//v1/api", "/v1//portal/"] {
        for (path, local) in [
            ("/sso/validate", Local::Validate),
            ("/iserver/reauthenticate?force=true", Local::Reauthenticate),
            ("/iserver/auth/ssodh/init", Local::OpenSession),
            ("/iserver/auth/status", Local::Status),
            ("/tickle", Local::Tickle),
            ("/Tickle", Local::Tickle),
            ("/t%69ckle", Local::Tickle),
            ("/tickle/", Local::Tickle),
            ("/logout", Local::Logout),
            ("/Logout//", Local::Logout),
        ] {
            for method in ["GET", "POST"] {
                let decision = decided(&rules(), method, &format!("{base}{path}"), &[]);
                assert!(matches!(&decision, Decision::Local(found) if *found == local), "{base}{path}: {decision:?}");
            }
        }
    }
    for (path, local) in [
        ("/", Local::Page),
        ("/sso/Login?forwardTo=22&RL=1&ip2loc=on", Local::Page),
        ("/sso/Dispatcher", Local::Page),
        ("/livez", Local::Alive),
        ("/readyz", Local::Ready),
        ("/health", Local::Health),
    ] {
        let decision = decided(&rules(), "GET", path, &[]);
        assert!(matches!(&decision, Decision::Local(found) if *found == local), "{path}: {decision:?}");
    }
}

/// Java's own client offers HTTP/2 this way, and Apache's TLS, with every request to `http`.
#[test]
fn an_offer_of_another_protocol_than_a_websocket_changes_nothing() {
    for (connection, upgrade) in [("Upgrade, HTTP2-Settings", "h2c"), ("Upgrade", "TLS/1.2"), ("upgrade", "")] {
        let headers = [("connection", connection), ("upgrade", upgrade), ("http2-settings", "AAEAAEAA")];
        let decision = decided(&rules(), "POST", "/v1/api/iserver/account/U1/orders", &headers);
        assert_eq!(forwarded(decision), "/iserver/account/U1/orders", "{upgrade}");
        assert_eq!(refused(&decided(&rules(), "GET", "/v1/api/ws", &headers)), Some(426), "{upgrade}");
    }
    for upgrade in ["websocket", "WebSocket", "h2c, websocket"] {
        let headers = [("connection", "Upgrade"), ("upgrade", upgrade)];
        assert!(matches!(decided(&rules(), "GET", "/v1/api/ws/", &headers), Decision::Socket), "{upgrade}");
        assert_eq!(refused(&decided(&rules(), "GET", "/v1/api/iserver/accounts", &headers)), Some(400), "{upgrade}");
    }
}

#[test]
fn what_passes_keeps_its_query_byte_for_byte() {
    for (target, expected) in [
        ("/v1/portal/iserver/accounts", "/iserver/accounts"),
        (
            "/v1/api/iserver/secdef/search?symbol=A%2cB&symbol=A%20B&x=a+b&&=",
            "/iserver/secdef/search?symbol=A%2cB&symbol=A%20B&x=a+b&&=",
        ),
        ("/v1/api//iserver///secdef/strikes?", "/iserver/secdef/strikes?"),
        ("/v1/api/portfolio/U1%2d1/meta", "/portfolio/U1-1/meta"),
        ("/v1/api/md/%c3%a9", "/md/%C3%A9"),
        ("http://localhost:5000/v1/api/trsrv/stocks?symbols=A", "/trsrv/stocks?symbols=A"),
        ("/v1/api", "/"),
    ] {
        assert_eq!(forwarded(decided(&rules(), "GET", target, &[])), expected);
    }
}

#[test]
fn what_servers_read_in_two_ways_is_refused() {
    for target in [
        "/v1/api/../oauth/live_session_token",
        "/v1/api/iserver/./account",
        "/v1/api/iserver/%2e%2e/account",
        "/v1/api/%2Foauth",
        "/v1/api/a%5cb",
        "/v1/api/a%255cb",
        "/v1/api/oauth;x=y/live_session_token",
        "/v1/api/oauth%3bx/live_session_token",
        "/v1/api/%00",
        "/v1/api/%zz",
        "/v1/api/a%0d%0ab",
        "*",
    ] {
        let method = if target == "*" { "OPTIONS" } else { "GET" };
        let decision = decided(&rules(), method, target, &[]);
        assert_eq!(refused(&decision), Some(400), "{target}: {decision:?}");
    }
}

#[test]
fn no_program_reaches_the_tokens() {
    for path in [
        "/oauth/live_session_token",
        "/oauth",
        "/OAuth/request_token",
        "/%6fauth/access_token",
        "//oauth//x",
        "/oauth2/api/v1/token",
    ] {
        for (base, method) in [("/v1/api", "POST"), ("/v1/portal", "GET")] {
            let decision = decided(&rules(), method, &format!("{base}{path}"), &[]);
            assert_eq!(refused(&decision), Some(403), "{base}{path}: {decision:?}");
        }
    }
    // Not these tokens.
    assert!(refused(&decided(&rules(), "GET", "/v1/api/oauthlike", &[])).is_none());
}

#[test]
fn a_name_that_was_made_to_lead_here_is_refused() {
    for host in [
        "evil.example",
        "evil.example:5000",
        "localhost.evil.example",
        "127.0.0.1.nip.io:5000",
        "u@localhost",
        "",
        "[::2]:5000",
    ] {
        let decision = decided(&rules(), "GET", "/v1/api/iserver/accounts", &[("host", host)]);
        assert!(matches!(refused(&decision), Some(400 | 403)), "{host}: {decision:?}");
    }
    for host in ["localhost", "LOCALHOST:5001", "localhost.:5000", "127.0.0.1:80", "[::1]:5000"] {
        let decision = decided(&rules(), "GET", "/v1/api/iserver/accounts", &[("host", host)]);
        assert_eq!(refused(&decision), None, "{host}");
    }
    // A target may name a host too, and two headers name two.
    assert_eq!(refused(&decided(&rules(), "GET", "http://evil.example/v1/api/tickle", &[])), Some(403));
    let two = [("host", "localhost"), ("host", "evil.example")];
    assert_eq!(refused(&decided(&rules(), "GET", "/v1/api/tickle", &two)), Some(400));
    let (mut without, ()) = Request::get("/v1/api/tickle").body(()).unwrap().into_parts();
    assert_eq!(refused(&decide(&rules(), &without)), Some(400));
    // No browser gets to a Unix socket.
    let socket = Rules { callers: Callers { hosts: None, token: None }, ..rules() };
    assert_eq!(refused(&decide(&socket, &without)), None);
    without.headers.insert("origin", "https://evil.example".parse().unwrap());
    without.method = "POST".parse().unwrap();
    assert_eq!(refused(&decide(&socket, &without)), Some(403));
}

#[test]
fn a_page_of_another_origin_can_only_load_what_it_cannot_read() {
    let acts = [
        ("POST", "/v1/api/iserver/account/U1/orders", ""),
        // A form needs no CORS.
        ("POST", "/v1/api/iserver/account/U1/orders", "text/plain"),
        ("POST", "/v1/portal/iserver/secdef/search", "application/x-www-form-urlencoded"),
        ("DELETE", "/v1/api/iserver/account/U1/order/1", ""),
        ("OPTIONS", "/v1/api/iserver/account/U1/orders", ""),
        ("POST", "/v1/api/tickle", ""),
        ("GET", "/v1/api/logout", ""),
        ("GET", "/v1/api/iserver/reauthenticate", ""),
        ("GET", "/v1/api/iserver/marketdata/unsubscribeall", ""),
        ("GET", "/v1/api/ws", "upgrade"),
        ("GET", "/v1/api/iserver/accounts", "upgrade"),
    ];
    for origin in [
        "https://evil.example",
        "null",
        "http://localhost:3000",
        "https://localhost",
        "file://",
        "https://localhost:5000.evil.example",
        "https://x@localhost:5000",
    ] {
        for (method, target, kind) in acts {
            let mut headers = vec![("origin", origin)];
            match kind {
                "" => {}
                "upgrade" => headers.extend([("connection", "Upgrade"), ("upgrade", "websocket")]),
                kind => headers.push(("content-type", kind)),
            }
            let decision = decided(&rules(), method, target, &headers);
            assert_eq!(refused(&decision), Some(403), "{origin} {method} {target}: {decision:?}");
        }
        assert_eq!(refused(&decided(&rules(), "GET", "/v1/api/iserver/accounts", &[("origin", origin)])), None);
    }
    for site in ["cross-site", "same-site"] {
        let decision = decided(&rules(), "POST", "/v1/api/tickle", &[("sec-fetch-site", site)]);
        assert_eq!(refused(&decision), Some(403), "{site}");
    }
    // Programs send none, and some the base URL of the gateway.
    for origin in ["https://localhost:5000", "http://127.0.0.1:5000", "https://LOCALHOST:5000", "http://[::1]:5000"] {
        let decision = decided(&rules(), "POST", "/v1/api/iserver/account/U1/orders", &[("origin", origin)]);
        assert_eq!(refused(&decision), None, "{origin}");
    }
    let decision = decided(&rules(), "POST", "/v1/api/tickle", &[("sec-fetch-site", "same-origin")]);
    assert_eq!(refused(&decision), None);
    let upgrade = [("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")];
    assert!(matches!(decided(&rules(), "GET", "/v1/portal/ws?oauth_token=x", &upgrade), Decision::Socket));
    assert_eq!(refused(&decided(&rules(), "GET", "/v1/api/ws", &[])), Some(426));
}

#[test]
fn without_allow_orders_nothing_trades() {
    let reads = Rules { allow_orders: false, ..rules() };
    for (method, path) in [
        ("POST", "/iserver/account/U1/orders"),
        ("POST", "/iserver/account/U1/order/1"),
        ("DELETE", "/iserver/account/U1/order/1"),
        ("POST", "/iserver/reply/abc"),
        ("POST", "/iserver/reply/search"),
        ("PUT", "/iserver/account/U1/orders"),
        ("PATCH", "/x"),
        ("POST", "/iserver/account/U1/alert"),
        ("POST", "/iserver/questions/suppress"),
        ("POST", "/iserver/notification"),
        ("POST", "/iserver/account/U1/orders/whatif/x"),
        ("POST", "/iserver/account/orders/whatif"),
        ("POST", "/something/new"),
    ] {
        let decision = decided(&reads, method, &format!("/v1/api{path}"), &[]);
        let Decision::Refuse(refusal) = &decision else { panic!("{method} {path}: {decision:?}") };
        assert_eq!(refusal.status, StatusCode::FORBIDDEN);
        assert!(refusal.words.contains("--allow-orders"), "{path}: {}", refusal.words);
        assert_eq!(refused(&decided(&rules(), method, &format!("/v1/api{path}"), &[])), None, "{path}");
    }
    for (method, path) in [
        ("GET", "/iserver/account/orders"),
        ("HEAD", "/iserver/accounts"),
        ("POST", "/iserver/secdef/search"),
        ("POST", "/iserver/account/U1/orders/whatif"),
        ("POST", "/pa/performance"),
        ("POST", "/iserver/account"),
        // As the documentation had them until 2024, and programs have them still.
        ("POST", "/trsrv/secdef"),
        ("POST", "/pa/summary"),
        ("POST", "/portfolio/allocation"),
        ("GET", "/iserver/marketdata/unsubscribeall"),
    ] {
        assert_eq!(refused(&decided(&reads, method, &format!("/v1/api{path}"), &[])), None, "{path}");
    }
    // Asking for another method in a header or in the query changes nothing, for neither goes on or is looked at.
    let decision =
        decided(&reads, "GET", "/v1/api/iserver/account/U1/orders?_method=POST", &[("x-http-method-override", "POST")]);
    let Decision::Forward(forward) = decision else { panic!("{decision:?}") };
    assert!(forward.method == "GET" && forward.headers.is_empty(), "{forward:?}");
}

#[test]
fn a_token_is_asked_for_where_there_is_one() {
    let token = "0123456789abcdef0123";
    let mut guarded = rules();
    guarded.callers.token = Some(Secret::from(token));
    let basic =
        |text: &str| format!("Basic {}", base64::Engine::encode(&base64::engine::general_purpose::STANDARD, text));
    let asked = |value: Option<&str>, target: &str| {
        let headers: Vec<(&str, &str)> = value.map(|value| ("authorization", value)).into_iter().collect();
        refused(&decided(&guarded, "GET", target, &headers))
    };
    for target in [
        "/",
        "/health",
        "/v1/api/tickle",
        "/v1/api/iserver/accounts",
        "/v1/api/ws",
        "/sso/Login",
        "/x",
        "/v1/api/oauth/x",
    ] {
        for value in [
            None,
            Some("Bearer"),
            Some("Bearer 0123456789abcdef012"),
            Some("Bearer 0123456789abcdef01234"),
            Some("Basic x"),
            Some(token),
        ] {
            assert_eq!(asked(value, target), Some(401), "{target} {value:?}");
        }
        let wrong = basic("0123456789abcdef0123:x");
        assert_eq!(asked(Some(&wrong), target), Some(401), "{target}");
    }
    for value in [
        format!("Bearer {token}"),
        format!("bearer  {token} "),
        basic(&format!("anybody:{token}")),
        basic(&format!(":{token}")),
    ] {
        assert_eq!(asked(Some(&value), "/v1/api/iserver/accounts"), None, "{value}");
    }
    // What only says that the gateway runs needs none.
    assert_eq!(asked(None, "/livez"), None);
    assert_eq!(asked(None, "/readyz"), None);
    let two = [("authorization", "Bearer 0123456789abcdef0123"), ("authorization", "Bearer x")];
    assert_eq!(refused(&decided(&guarded, "GET", "/v1/api/tickle", &two)), Some(401));
}

#[test]
fn a_rejected_path_is_refused_however_it_is_written() {
    let mut rules = rules();
    rules.rejected =
        ["/iserver/account/{}/orders", "/fyi/", "/logout"].map(|path| PathPattern::parse(path).unwrap()).to_vec();
    for (path, is_refused) in [
        ("/iserver/account/U1/orders", true),
        ("/iserver/account/U1/orders/", true),
        ("/ISERVER/account/U1/order%73", true),
        ("/iserver//account/U1/orders?x", true),
        ("/iserver/account/U1/orders/whatif", false),
        ("/iserver/account/orders", false),
        ("/fyi/settings", true),
        ("/fyi", true),
        ("/fyis", false),
        ("/logout", true),
    ] {
        let decision = decided(&rules, "GET", &format!("/v1/api{path}"), &[]);
        assert_eq!(refused(&decision) == Some(403), is_refused, "{path}: {decision:?}");
    }
    for text in ["", "orders", "/v1/api/iserver/account", "/a?b", "/a b", "/a%20b"] {
        assert!(PathPattern::parse(text).is_err(), "{text}");
    }
}

#[test]
fn headers_of_login_browser_and_connection_stop_here_in_both_directions() {
    let request = Request::get("/")
        .header("accept", "a")
        .header("accept", "b")
        .header("content-type", "text/plain")
        .header("authorization", "x")
        .header("cookie", "api=x")
        .header("origin", "x")
        .header("referer", "x")
        .header("x-forwarded-for", "x")
        .header("connection", "x-mine")
        .header("x-mine", "x")
        .header("user-agent", "x")
        .header("accept-encoding", "gzip")
        .header("transfer-encoding", "chunked")
        .header("content-length", "1")
        .header("expect", "100-continue")
        .body(())
        .unwrap();
    let mut passed = headers::to_broker(request.headers());
    assert_eq!((passed.len(), passed.get_all("accept").iter().count()), (3, 2));
    headers::complete(&mut passed, true);
    assert_eq!(passed[CONTENT_TYPE], "text/plain");
    let mut none = headers::to_broker(&HeaderMap::new());
    headers::complete(&mut none, false);
    assert!(none.is_empty());
    headers::complete(&mut none, true);
    assert_eq!(none[CONTENT_TYPE], "application/json");

    let response = ibkr_oauth::http::Response::builder()
        .header("content-type", "application/json")
        .header("retry-after", "5")
        .header("set-cookie", "x-sess-uuid=1")
        .header("set-cookie", "api=2")
        .header("location", "https://api.ibkr.com/")
        .header("access-control-allow-origin", "*")
        .header("www-authenticate", "OAuth")
        .header("connection", "keep-alive")
        .header("content-security-policy", "script-src *")
        .header("strict-transport-security", "max-age=1")
        .body(())
        .unwrap();
    let mut passed = response.headers().clone();
    headers::to_program(&mut passed);
    let mut names: Vec<&str> = passed.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["content-security-policy", "content-type", "retry-after", "x-content-type-options"]);
    assert_eq!(passed["content-security-policy"], "default-src 'none'; frame-ancestors 'none'; sandbox");
}

/// Segments that are likely to matter, and odd spellings of them.
fn path() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "v1", "api", "portal", "oauth", "OAUTH", "%6fauth", "iserver", "account", "U1", "orders", "order%73", "ws",
        "tickle", "..", ".", "%2e%2e", "%2f", ";x", "a;b", "", "%25", "%c3%a9", "secdef", "search", "reply", "logout",
        "sso", "%00", "whatif", "é",
    ]);
    let any = "[!-~]{0,6}";
    prop::collection::vec(prop_oneof![8 => word.prop_map(str::to_owned), 1 => any], 0..8)
        .prop_map(|segments| format!("/{}", segments.join("/").replace(['?', '#'], "")))
}

proptest! {
    #[test]
    fn whatever_is_asked_nothing_leaves_the_base_and_nothing_trades(
        path in path(), query in proptest::option::of("[ -~]{0,20}"), method in prop::sample::select(vec!["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "FOO"]),
        base in prop::sample::select(vec!["", "/v1/api", "/v1/portal"]),
    ) {
        let query = query.map(|query| format!("?{}", query.replace([' ', '#', '"', '<', '>', '`', '{', '}', '|', '\\', '^'], ""))).unwrap_or_default();
        let target = format!("{base}{path}{query}");
        let Ok(request) = Request::builder().method(method).uri(&target).header("host", "localhost").body(()) else { return Ok(()) };
        let (head, ()) = request.into_parts();
        let reads = Rules { allow_orders: false, ..rules() };
        let Decision::Forward(forward) = decide(&reads, &head) else { return Ok(()) };
        // The query is what it was.
        prop_assert_eq!(forward.query.as_deref(), head.uri.query());
        // What is sent is what was decided about, in one spelling.
        let again = resource::place(&format!("/v1/api{}", forward.path).parse().unwrap()).unwrap();
        prop_assert_eq!(again, Place::Api(forward.path.clone()));
        let lower = forward.path.to_ascii_lowercase();
        prop_assert!(lower.starts_with('/') && !lower.contains("//") && !lower.contains("/oauth/") || !lower.starts_with("/oauth"));
        prop_assert!(!lower.split('/').any(|segment| segment == ".." || segment == "."));
        prop_assert_ne!(effect(&forward.method, &forward.path), Effect::Acts);
        prop_assert!(method == "GET" || method == "HEAD" || method == "POST" && !lower.ends_with("/orders"));
    }
}
