//! Who may not: pages of other origins, names that were made to lead here, and programs without the token.

use std::{
    fs,
    io::{Read, Write},
    os::unix::{fs::PermissionsExt, net::UnixStream},
};

use super::{Gateway, Got, agent};
use crate::terminal::{Folder, run_in};
use ureq::tls::{Certificate, RootCerts, TlsConfig};

const ORDERS: &str = "/v1/api/iserver/account/DU0000001/orders";

/// Raw requests, for no client sends all of these.
fn request(method: &str, target: &str, headers: &str) -> String {
    format!("{method} {target} HTTP/1.1\r\n{headers}Content-Length: 0\r\nConnection: close\r\n\r\n")
}

#[test]
fn a_page_a_rebound_name_a_form_and_a_raw_socket_do_not_trade() {
    let gateway = Gateway::start(&[], &["--allow-orders"]).live();
    let ours = "Host: localhost\r\n";
    for (method, target, headers) in [
        // A script of another page, by `fetch` in its mode `no-cors`.
        ("POST", ORDERS, "Host: localhost\r\nOrigin: https://evil.example\r\nContent-Type: text/plain\r\n"),
        // A form that a page sends, and a page in a sandbox.
        ("POST", ORDERS, "Host: localhost\r\nOrigin: null\r\nContent-Type: application/x-www-form-urlencoded\r\n"),
        ("POST", ORDERS, "Host: localhost\r\nSec-Fetch-Site: cross-site\r\n"),
        // What asks for leave to do it.
        (
            "OPTIONS",
            ORDERS,
            "Host: localhost\r\nOrigin: https://evil.example\r\nAccess-Control-Request-Method: POST\r\n",
        ),
        // A page whose own name leads here.
        ("POST", ORDERS, "Host: evil.example\r\nOrigin: http://evil.example\r\n"),
        ("GET", "/v1/api/iserver/accounts", "Host: evil.example\r\n"),
        ("GET", "http://evil.example/v1/api/iserver/accounts", ours),
        ("GET", "/v1/api/ws", "Host: localhost\r\nOrigin: https://evil.example\r\nUpgrade: websocket\r\n"),
        ("POST", "/v1/api/oauth/live_session_token", ours),
        ("POST", "/v1/api/%6Fauth/live_session_token", ours),
    ] {
        let reply = gateway.say(&request(method, target, headers));
        assert!(reply.starts_with("HTTP/1.1 403 "), "{method} {target} {headers}: {reply}");
        assert!(!reply.to_ascii_lowercase().contains("access-control-"), "{reply}");
    }
    for (request, status) in [
        ("GET /v1/api/iserver/accounts HTTP/1.1\r\nConnection: close\r\n\r\n", "400"),
        (
            "GET /v1/api/iserver/accounts HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\nConnection: close\r\n\r\n",
            "400",
        ),
        ("GET /v1/api/../../v1/api/oauth/x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "400"),
        ("CONNECT api.ibkr.com:443 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "403"),
        ("GET api.ibkr.com HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "4"),
        (
            "POST /v1/api/tickle HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999\r\nConnection: close\r\n\r\n",
            "413",
        ),
        (
            "POST /v1/api/tickle HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n",
            "",
        ),
        ("nonsense\r\n\r\n", "400"),
    ] {
        let reply = gateway.say(request);
        assert!(reply.starts_with(&format!("HTTP/1.1 {status}")), "{request}: {reply}");
    }
    let said = gateway.stop();
    assert_eq!(said.count("/orders") + said.count("/oauth/") - 1, 0, "{}", said.broker);
}

#[test]
fn without_allow_orders_it_says_so_and_nothing_reaches_the_broker() {
    let gateway = Gateway::start(&[], &["--reject-path", "/fyi/"]).live();
    let got = gateway.post("/v1/api/iserver/account/DU0000001/orders", "{}");
    assert_eq!(got.status, 403, "{}", got.text());
    assert!(got.json()["error"].as_str().unwrap().contains("--allow-orders"));
    let delete: Got = agent().delete(gateway.url("/v1/api/iserver/account/DU0000001/order/1")).call().unwrap().into();
    assert_eq!(delete.status, 403);
    assert_eq!(gateway.get("/v1/api/fyi/settings").status, 403);
    let said = gateway.stop();
    assert_eq!(said.count("order"), 0, "{}", said.broker);
}

#[test]
fn a_token_is_asked_for_and_shown_nowhere() {
    let token = "0123456789abcdefTOKEN";
    let folder = Folder::new();
    folder.write("token", format!("{token}\n"));
    let gateway = Gateway::start_in(folder, &[], &["--token-file", "token", "--log-requests"]);
    let got = gateway.get("/v1/api/portfolio/accounts");
    assert_eq!((got.status, got.headers.get_all("www-authenticate").iter().count()), (401, 2), "{}", got.text());
    assert_eq!(gateway.get("/").status, 401);
    assert_eq!(gateway.get("/livez").status, 200);
    let with = |url: &str, value: Option<&str>| -> Got {
        let request = agent().get(url);
        match value {
            Some(value) => request.header("authorization", value).call().unwrap().into(),
            None => request.call().unwrap().into(),
        }
    };
    let url = gateway.url("/v1/api/portfolio/accounts");
    assert_eq!(with(&url, Some(&format!("Bearer {token}"))).status, 200);
    assert_eq!(with(&url, Some("Bearer wrong")).status, 401);
    // As clients take it in their base URL.
    let basic = url.replacen("http://", &format!("http://user:{token}@"), 1);
    assert_eq!(with(&basic, None).status, 200);
    let page = with(&gateway.url("/"), Some(&format!("Bearer {token}")));
    let health = with(&gateway.url("/health"), Some(&format!("Bearer {token}")));
    let said = gateway.stop();
    for shown in [page.text(), health.text(), said.gateway.clone(), said.broker.clone()] {
        assert!(!shown.contains(token), "{shown}");
    }
}

#[test]
fn beyond_this_machine_there_is_no_way_without_token_and_tls() {
    let gateway = Gateway::start(&[], &[]);
    let bare = run_in(&gateway.folder.0, &["gateway", "--bundle", "sim/bundle.json", "--listen", "0.0.0.0:0"]);
    bare.assert_failure(2, "", "whoever reaches", "--token-file");
    gateway.folder.write("token", "short");
    let short = run_in(
        &gateway.folder.0,
        &["gateway", "--bundle", "sim/bundle.json", "--listen", "0", "--token-file", "token"],
    );
    short.assert_failure(2, "", "no token in it", "openssl rand");
    gateway.folder.write("token", "0123456789abcdefTOKEN");
    let (gateway, _) = gateway.start_again(&["--listen", "0.0.0.0:0", "--token-file", "token"]);
    let port = gateway.address().rsplit_once(':').unwrap().1.to_owned();
    assert!(
        gateway.ready["base_urls"].as_array().unwrap().iter().all(|url| url.as_str().unwrap().starts_with("https:"))
    );
    assert!(agent().get(format!("http://127.0.0.1:{port}/livez")).call().is_err());
    let got: Got = agent().get(format!("https://127.0.0.1:{port}/livez")).call().unwrap().into();
    assert_eq!(got.status, 200);
    gateway.stop();
}

#[test]
fn a_unix_socket_is_its_owners() {
    let gateway = Gateway::start(&[], &["--listen", "unix:here.sock"]);
    let path = gateway.folder.0.join("here.sock");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let mut stream = UnixStream::connect(&path).unwrap();
    stream.write_all(request("GET", "/livez", "").as_bytes()).unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    assert!(reply.starts_with("HTTP/1.1 200 "), "{reply}");
    // Nobody takes it over while it is served, nor a file that is none.
    let second = ["gateway", "--bundle", "sim/bundle.json", "--listen", "unix:here.sock"];
    run_in(&gateway.folder.0, &second).assert_failure(2, "", "cannot be listened at", "another `--listen`");
    let file = ["gateway", "--bundle", "sim/bundle.json", "--listen", "unix:sim/bundle.json"];
    run_in(&gateway.folder.0, &file).assert_failure(2, "", "cannot be listened at", "another `--listen`");
    let (gateway, _) = gateway.start_again(&["--listen", "unix:here.sock"]);
    let folder = gateway.folder.0.clone();
    // One that a killed gateway left behind is replaced.
    gateway.running.signal("KILL");
    let _ = UnixStream::connect(&path);
    let running = crate::terminal::Running::start(
        &folder,
        &["gateway", "--bundle", "sim/bundle.json", "--listen", "unix:here.sock"],
    );
    let mut again = running;
    assert!(again.line().contains("here.sock"));
    again.signal("TERM");
    assert_eq!(again.end().status, 0);
    assert!(!path.exists());
}

#[test]
fn the_certificate_is_made_once_kept_and_good_for_this_machine() {
    let gateway = Gateway::start(&[], &[]);
    let path = gateway.ready["certificate"].as_str().unwrap().to_owned();
    let key = path.replace("gateway.crt", "gateway.key");
    let made = fs::read(&path).unwrap();
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let trusting = |path: &str| {
        let certificate = Certificate::from_pem(&fs::read(path).unwrap()).unwrap();
        let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&[certificate])).build();
        ureq::Agent::from(ureq::Agent::config_builder().proxy(None).tls_config(tls).build())
    };
    let port = gateway.address().rsplit_once(':').unwrap().1.to_owned();
    for host in ["localhost", "127.0.0.1"] {
        let got = trusting(&path).get(format!("https://{host}:{port}/livez")).call().unwrap();
        assert_eq!(got.status(), 200, "{host}");
    }
    let (gateway, _) = gateway.start_again(&[]);
    assert_eq!(fs::read(&path).unwrap(), made, "it is kept");
    // One more name, and it is made anew for it, with the same key.
    let key_before = fs::read(&key).unwrap();
    let (gateway, _) = gateway.start_again(&["--allow-host", "gateway"]);
    assert_ne!(fs::read(&path).unwrap(), made);
    assert_eq!(fs::read(&key).unwrap(), key_before);
    // What the gateway did not make is never replaced.
    fs::write(&path, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    let outcome = run_in(&gateway.folder.0, &["gateway", "--bundle", "sim/bundle.json", "--listen", "0"]);
    outcome.assert_failure(2, "", "are not those of this gateway", "--certificate");
    assert!(fs::read_to_string(&path).unwrap().contains("AAAA"));
    gateway.stop();
}
