//! What is answered from a table, and what a test puts in its place.

use http::Method;
use ibkr_oauth::simulator::Broker;
use serde_json::{Value, json};

use crate::answers::Desk;

const ACCOUNTS: &str = "/iserver/accounts";
const SNAPSHOT: &str = "/iserver/marketdata/snapshot";
const JSON: &str = "application/json";

/// What clients call first, and where in the answer they look.
const LOOKED_AT: &[(&str, &str, &str, &str)] = &[
    ("GET", "/iserver/accounts", "/selectedAccount", r#""DU0000001""#),
    ("POST", "/iserver/account", "/acctId", r#""DU0000001""#),
    ("GET", "/iserver/account/orders", "/orders/0/acct", r#""DU0000001""#),
    ("GET", "/iserver/account/trades", "/0/account", r#""DU0000001""#),
    ("POST", "/iserver/account/DU0000001/orders/whatif", "/error", "null"),
    ("DELETE", "/iserver/account/DU0000001/order/17", "/order_id", "17"),
    ("POST", "/iserver/account/DU0000001/order/17", "/0/order_id", r#""17""#),
    ("POST", "/iserver/reply/5a", "/0/order_status", r#""Submitted""#),
    ("GET", "/iserver/account/pnl/partitioned", "/upnl/DU0000001.Core/rowType", "1"),
    ("POST", "/iserver/questions/suppress", "/status", r#""submitted""#),
    ("GET", "/iserver/marketdata/snapshot?conids=8314%2C265598&fields=31", "/0/conid", "8314"),
    ("GET", "/iserver/marketdata/snapshot?conids=8314,265598&fields=31", "/1/conidEx", r#""265598""#),
    ("GET", "/iserver/marketdata/snapshot", "", "[]"),
    ("GET", "/iserver/marketdata/unsubscribeall", "/unsubscribed", "true"),
    ("GET", "/iserver/marketdata/history?conid=265598&period=1d", "/data/0/o", "184.5"),
    ("GET", "/iserver/secdef/search?symbol=AAPL", "/0/conid", r#""265598""#),
    ("POST", "/iserver/secdef/search", "/0/sections/0/secType", r#""STK""#),
    ("GET", "/iserver/secdef/info?conid=265598", "/0/right", r#""C""#),
    ("GET", "/iserver/secdef/strikes?conid=265598", "/call/1", "185.0"),
    ("GET", "/iserver/contract/8314/info", "/con_id", "8314"),
    ("GET", "/iserver/scanner/params", "/instrument_list/0/type", r#""STK""#),
    ("GET", "/trsrv/stocks?symbols=AAPL,IBM", "/IBM/0/contracts/0/conid", "265598"),
    ("GET", "/trsrv/futures?symbols=ES", "/ES/0/symbol", r#""ES""#),
    ("GET", "/trsrv/futures?symbols=ES", "/ES/0/longFuturesCutOff", "20231214"),
    ("GET", "/trsrv/secdef?conids=8314", "/secdef/0/conid", "8314"),
    ("GET", "/portfolio/accounts", "/0/accountId", r#""DU0000001""#),
    ("GET", "/portfolio/subaccounts", "/0/id", r#""DU0000001""#),
    ("GET", "/portfolio/DU0000001/positions/0", "/0/acctId", r#""DU0000001""#),
    ("GET", "/portfolio/DU0000001/positions", "/0/conid", "265598"),
    ("GET", "/portfolio/DU0000001/summary", "/accountcode/value", r#""DU0000001""#),
    ("GET", "/portfolio/DU0000001/ledger", "/BASE/acctcode", r#""DU0000001""#),
    ("GET", "/portfolio/DU0000001/ledger", "/BASE/commoditymarketvalue", "0.0"),
    ("GET", "/portfolio/DU0000001/meta", "/id", r#""DU0000001""#),
    ("GET", "/portfolio2/accounts", "/0/id", r#""DU0000001""#),
    ("GET", "/hmds/history?conid=265598", "/data/1/c", "185.5"),
];

const SHIPPED: [&str; 3] = [
    include_str!("../../src/simulator/canned/iserver.json"),
    include_str!("../../src/simulator/canned/market.json"),
    include_str!("../../src/simulator/canned/portfolio.json"),
];

/// A user whose brokerage session is open, and its accounts queried.
fn ready() -> Desk {
    let mut desk = Desk::with(Broker::builder().any_query_policy());
    desk.open();
    assert_eq!(desk.call("GET", ACCOUNTS).0, 200);
    desk
}

/// Calls a path that may have a query, which is then left unsigned.
fn call(desk: &mut Desk, method: &str, path: &str, body: Option<(&str, &str)>) -> http::Response<bytes::Bytes> {
    let (bare, _) = path.split_once('?').unwrap_or((path, ""));
    let mut request = desk.signed(method, bare, body);
    *request.uri_mut() = format!("{}{}", request.uri(), path.strip_prefix(bare).unwrap()).parse().unwrap();
    desk.raw(&request)
}

fn body_of(response: &http::Response<bytes::Bytes>) -> Value {
    serde_json::from_slice(response.body()).unwrap()
}

#[test]
fn what_clients_call_first_is_answered_in_the_brokers_shapes() {
    let mut desk = ready();
    for (method, path, pointer, expected) in LOOKED_AT {
        let response = call(&mut desk, method, path, None);
        let body = body_of(&response);
        assert_eq!(response.status(), 200, "{method} {path}: {body}");
        let expected: Value = serde_json::from_str(expected).unwrap();
        assert_eq!(body.pointer(pointer), Some(&expected), "{method} {path}: {body}");
    }
}

#[test]
fn each_answer_that_is_shipped_can_be_had_and_is_filled_in() {
    let mut desk = ready();
    let mut count = 0;
    for text in SHIPPED {
        let file: serde_json::Map<String, Value> = serde_json::from_str(text).unwrap();
        for place in file.keys() {
            let (method, path) = place.split_once(' ').unwrap();
            let path = path.replace("{account}", "DU0000001").replace(['{', '}'], "");
            let body = match path.rsplit('/').next() {
                Some("orders") if method == "POST" => Some((JSON, r#"{"orders":[{}]}"#)),
                Some("order_impact") => Some(("application/x-www-form-urlencoded", "")),
                _ => None,
            };
            let response = call(&mut desk, method, &format!("{path}?conids=1&symbols=A"), body);
            assert_eq!(response.status(), 200, "{place}: {:?}", desk.broker.refusals().last());
            let text = body_of(&response).to_string();
            assert!(!text.contains("\"{") && !text.contains("{for}"), "{place}: {text}");
            count += 1;
        }
    }
    assert_eq!(count, text_count());
}

/// How many lines of the files name a method: none is lost to a name that is there twice.
fn text_count() -> usize {
    let names =
        |line: &&str| ["GET", "POST", "DELETE"].iter().any(|method| line.starts_with(&format!("  \"{method} ")));
    SHIPPED.iter().map(|text| text.lines().filter(names).count()).sum()
}

#[test]
fn market_data_and_orders_need_the_accounts_once_in_each_brokerage_session() {
    let mut desk = Desk::new();
    desk.open();
    let whatif = "/iserver/account/DU0000001/orders/whatif";
    let first = (500, json!({ "error": "Please query /accounts first", "statusCode": 500 }));
    for (method, path) in [("GET", SNAPSHOT), ("POST", whatif), ("POST", "/iserver/account/DU0000001/orders")] {
        assert_eq!(desk.call(method, path), first, "{path}");
        assert_eq!(desk.last_reason(), "accounts_not_queried");
    }
    assert_eq!(desk.call("GET", "/iserver/account/orders").0, 200);
    assert_eq!(desk.call("POST", ACCOUNTS).0, 405);
    assert_eq!(desk.call("GET", SNAPSHOT).0, 500);
    assert_eq!(desk.call("GET", ACCOUNTS).0, 200);
    assert_eq!(desk.call("GET", SNAPSHOT).0, 200);
    desk.open();
    assert_eq!(desk.call("GET", SNAPSHOT), first);
}

#[test]
fn the_accounts_are_those_of_the_user() {
    let mut desk = Desk::with(Broker::builder().accounts(["U1", "U2"]));
    desk.open();
    assert_eq!(desk.call("GET", ACCOUNTS).1["accounts"], json!(["U1", "U2"]));
    assert_eq!(desk.call("GET", ACCOUNTS).1["aliases"], json!({ "U1": "U1", "U2": "U2" }));
    assert_eq!(desk.call("GET", "/portfolio/accounts").1[1]["accountId"], "U2");
    assert_eq!(desk.call("GET", "/portfolio/U2/meta").1["id"], "U2");
    assert_eq!(desk.call("GET", "/portfolio/DU0000001/meta").0, 404);
    assert_eq!(desk.last_reason(), "account_unknown");
    let mut desk = Desk::with(Broker::builder().accounts([""; 0]));
    assert_eq!(desk.call("GET", "/portfolio/accounts"), (200, json!([])));
}

#[test]
fn a_test_answers_in_the_brokers_place() {
    let mut desk = ready();
    let mut answer = |method, path, json| desk.broker.respond(method, path, json).unwrap();
    answer(Method::GET, "/fyi/unreadnumber", r#"{"BN":4}"#);
    answer(Method::GET, "/portfolio/{}/positions/{}", "[1]");
    answer(Method::GET, "/portfolio/U9/positions/0", r#"["{account}"]"#);
    answer(Method::POST, "/tickle", "{}");
    answer(Method::GET, SNAPSHOT, "[2]");
    answer(Method::GET, SNAPSHOT, "[3]");
    assert_eq!(desk.call("GET", "/fyi/unreadnumber"), (200, json!({ "BN": 4 })));
    assert_eq!(desk.call("GET", "/portfolio/DU0000001/positions/0"), (200, json!([1])));
    assert_eq!(desk.call("GET", "/portfolio/U9/positions/0"), (200, json!(["{account}"])), "as it was given");
    assert_eq!(desk.call("POST", "/tickle"), (200, json!({})));
    assert_eq!(desk.call("GET", "/tickle").1["userId"], 100_000_001);
    assert_eq!(desk.call("GET", SNAPSHOT), (200, json!([3])));
    // It is still the broker who lets requests in.
    assert_eq!(desk.call("POST", "/logout").0, 200);
    assert_eq!(desk.call("GET", SNAPSHOT).0, 400);
    let error = desk.broker.respond(Method::GET, "/x", "{").unwrap_err();
    assert!(error.to_string().starts_with("the response for GET /x is not JSON: "), "{error}");
}

#[test]
fn what_is_not_there_says_so_in_json() {
    let mut desk = ready();
    for path in ["/no/such/thing", "/iserver/none", "/portfolio", "/iserver/contract//info"] {
        let (status, body) = desk.call("GET", path);
        assert_eq!((status, body), (404, json!({ "error": "Resource not found", "statusCode": 404 })), "{path}");
    }
    for (method, path) in [("PUT", "/tickle"), ("DELETE", "/logout"), ("DELETE", ACCOUNTS), ("GET", "/iserver/reply/1")]
    {
        let request = desk.signed(method, path, None);
        assert_eq!(desk.raw(&request).status(), 405, "{method} {path}");
    }
}

#[test]
fn headers_say_what_arrived() {
    let mut desk = ready();
    let response = call(&mut desk, "GET", "/portfolio/accounts?a=b+c%2C&name=%C3%BC%22&d%7F&e=%F0%9F%90%8E", None);
    let text = response.headers()["x-simulator-query"].to_str().unwrap().to_owned();
    assert_eq!(text, r#"[["a","b c,"],["name","\u00fc\""],["d\u007f",""],["e","\ud83d\udc0e"]]"#);
    let pairs: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(pairs, json!([["a", "b c,"], ["name", "ü\""], ["d\u{7f}", ""], ["e", "🐎"]]));
    let form = ("application/x-www-form-urlencoded", "Side=BUY&Note=x%0Ay");
    let response = call(&mut desk, "POST", "/accounts/DU0000001/order_impact", Some(form));
    assert_eq!(response.status(), 200, "{:?}", desk.broker.refusals().last());
    assert_eq!(response.headers()["x-simulator-form"], r#"[["Side","BUY"],["Note","x\ny"]]"#);
    assert!(!response.headers().contains_key("x-simulator-query"));
    for query in ["a=%".to_owned(), "x".repeat(4096)] {
        let response = call(&mut desk, "GET", &format!("/portfolio/accounts?{query}"), None);
        assert_eq!(response.status(), 200);
        assert!(!response.headers().contains_key("x-simulator-query"), "{query}");
    }
}

#[test]
fn the_cookie_is_the_session_of_the_tickle() {
    let mut desk = Desk::new();
    assert!(!call(&mut desk, "GET", "/portfolio/accounts", None).headers().contains_key("set-cookie"));
    let tickle = call(&mut desk, "POST", "/tickle", None);
    let cookie = format!("api={}; Path=/; HttpOnly", body_of(&tickle)["session"].as_str().unwrap());
    for response in [tickle, call(&mut desk, "GET", "/portfolio/accounts", None)] {
        let cookies: Vec<&str> =
            response.headers().get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap()).collect();
        assert_eq!((cookies.len(), cookies[0]), (2, cookie.as_str()), "{cookies:?}");
        assert!(cookies[1].starts_with("x-sess-uuid=0.") && cookies[1].ends_with("; secure"), "{cookies:?}");
    }
    let mut unsigned = desk.signed("GET", "/portfolio/accounts", None);
    unsigned.headers_mut().remove("authorization");
    assert!(!desk.raw(&unsigned).headers().contains_key("set-cookie"));
}
