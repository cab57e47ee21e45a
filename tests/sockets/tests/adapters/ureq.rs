//! What is ureq's alone; what all adapters have in common is in `adapters.rs` and `adapter_faults.rs`.

#[cfg(feature = "tls")]
use std::io::Write;
use std::{sync::mpsc, time::Duration};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header::AUTHORIZATION};
use ibkr_oauth::{Compete, Consumer, Endpoints, Error, ErrorKind, Secret, Signer, Stage, simulator::Fault};
#[cfg(feature = "tls")]
use ibkr_oauth_sockets::stream::Stream;
use ibkr_oauth_sockets::{
    Address, Loopback,
    broker::{BrokerServer, with_context},
};
use ureq::{Agent, SendBody, middleware::MiddlewareNext};

/// An agent that no proxy of the machine's environment reaches, configured to do all that a call must not do.
fn agent() -> Agent {
    Agent::config_builder().proxy(None).max_redirects(10).http_status_as_error(true).build().into()
}

fn signer_at(origin: &str) -> Signer {
    let endpoints = Endpoints::new(&format!("{origin}/v1/api")).unwrap();
    let consumer = Consumer::builder("TESTCONS").endpoints(endpoints).user_agent("my-bot/7").build().unwrap();
    Signer::from_stored(&consumer, "218c1d970d85a8442825", &Secret::from(vec![7; 20])).unwrap()
}

fn get(origin: &str) -> Request<Bytes> {
    Request::get(format!("{origin}/v1/api/portfolio/accounts")).body(Bytes::new()).unwrap()
}

fn exchange_with(request: Request<Bytes>, origin: &str) -> Result<Response<Bytes>, Error> {
    with_context(|cx| signer_at(origin).send(&agent(), cx, request))
}

#[test]
fn the_whole_sign_in_and_a_day_of_requests() {
    let server = BrokerServer::start();
    let (agent, consumer) = (agent(), &server.account.consumer);
    let exchange = with_context(|cx| {
        consumer.unlock(cx, &server.account.access_token).unwrap().live_session_token(consumer, cx).unwrap()
    });
    let signer = exchange.send(&agent).unwrap().signer();
    let status = with_context(|cx| signer.brokerage().open(cx, Compete::Yield).unwrap()).send(&agent).unwrap();
    assert!(status.is_ready());
    let tickle = with_context(|cx| signer.brokerage().tickle(cx).unwrap()).send(&agent).unwrap();
    assert!(tickle.session().is_some());

    let url = |path: &str| format!("{}{path}", server.account.base_url());
    let hard = url("/iserver/secdef/search?symbol=BRK%20B&symbol=a%2Cb&name=x,y&empty=&bare");
    let response = with_context(|cx| signer.send(&agent, cx, Request::get(hard).body("").unwrap())).unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.headers()["x-simulator-query"].to_str().unwrap().contains("BRK B"));

    let form = Request::post(url("/accounts/DU0000001/order_impact"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body("ContractId=8314&Side=BUY%20now")
        .unwrap();
    let response = with_context(|cx| signer.send(&agent, cx, form)).unwrap();
    assert_eq!(response.status(), StatusCode::OK);

    // Without it, the broker takes no order.
    let accounts = Request::get(url("/iserver/accounts")).body("").unwrap();
    assert_eq!(with_context(|cx| signer.send(&agent, cx, accounts)).unwrap().status(), StatusCode::OK);
    let order = Request::post(url("/iserver/account/DU0000001/orders"))
        .header("content-type", "application/json")
        .body(r#"{"orders":[{"conid":265598}]}"#)
        .unwrap();
    let response = with_context(|cx| signer.send(&agent, cx, order)).unwrap();
    assert_eq!(response.status(), StatusCode::OK);

    assert!(with_context(|cx| signer.brokerage().logout(cx).unwrap()).send(&agent).unwrap().status);
    assert!(server.broker().refusals().is_empty(), "{:?}", server.broker().refusals());
}

/// A middleware sees each request, and may well log it.
#[test]
fn authorization_is_still_sensitive_where_a_middleware_sees_it() {
    let server = Loopback::always("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
    let (send, seen) = mpsc::channel();
    let middleware = move |request: Request<SendBody<'_>>, next: MiddlewareNext<'_>| {
        let _ = send.send((request.headers()[AUTHORIZATION].is_sensitive(), format!("{:?}", request.headers())));
        next.handle(request)
    };
    let agent: Agent = Agent::config_builder().proxy(None).middleware(middleware).build().into();
    with_context(|cx| signer_at(server.origin()).send(&agent, cx, get(server.origin()))).unwrap();
    let (is_sensitive, shown) = seen.recv().unwrap();
    assert!(is_sensitive && !shown.contains("oauth_"), "{shown}");
}

#[test]
fn a_refusal_is_a_reply() {
    for (status, text) in
        [(400, "Bad Request"), (401, "Unauthorized"), (429, "Too Many Requests"), (503, "Unavailable")]
    {
        let server = Loopback::always(format!("HTTP/1.1 {status} {text}\r\ncontent-length: 3\r\n\r\nno!"));
        let response = exchange_with(get(server.origin()), server.origin()).unwrap();
        assert_eq!((response.status().as_u16(), &response.body()[..]), (status, &b"no!"[..]));
        assert_eq!(server.received().len(), 1, "nothing is sent twice");
    }
}

#[test]
fn a_reply_that_is_too_long_is_an_error_and_not_cut() {
    let chunk = vec![b' '; 1 << 20];
    let reply = |length: usize| {
        let mut reply = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n").into_bytes();
        for _ in 0..length / chunk.len() {
            reply.extend_from_slice(&chunk);
        }
        reply.resize(reply.len() + length % chunk.len(), b' ');
        reply
    };
    let server = Loopback::always(reply(16 << 20));
    assert_eq!(exchange_with(get(server.origin()), server.origin()).unwrap().body().len(), 16 << 20);

    let server = Loopback::always(reply((16 << 20) + 1));
    let error = exchange_with(get(server.origin()), server.origin()).unwrap_err();
    assert_eq!((error.stage(), error.kind()), (Stage::Transport, ErrorKind::Malformed));

    let server = Loopback::always(reply(1 << 20));
    let exchange = with_context(|cx| signer_at(server.origin()).brokerage().tickle(cx).unwrap());
    let error = exchange.send(&agent()).unwrap_err();
    assert_eq!((error.stage(), error.kind()), (Stage::Transport, ErrorKind::Malformed));
    assert!(error.to_string().contains("256 KiB"), "{error}");
}

#[test]
fn the_agents_own_shorter_timeout_is_kept() {
    // The kernel takes the connection and the request; nobody ever answers.
    let address = Address::new();
    let agent: Agent =
        Agent::config_builder().proxy(None).timeout_global(Some(Duration::from_millis(50))).build().into();
    let origin = address.origin();
    let error = with_context(|cx| signer_at(&origin).send(&agent, cx, get(&origin))).unwrap_err();
    assert_eq!((error.stage(), error.kind()), (Stage::Transport, ErrorKind::Unavailable));
    assert!(error.to_string().contains("timeout"), "{error}");
}

#[test]
fn a_lost_reply_and_a_broken_proof_are_told_apart() {
    let server = BrokerServer::start();
    let negotiate = || {
        let consumer = &server.account.consumer;
        let exchange = with_context(|cx| {
            consumer.unlock(cx, &server.account.access_token).unwrap().live_session_token(consumer, cx).unwrap()
        });
        exchange.send(&agent()).unwrap_err()
    };
    server.broker().inject(Fault::drop_response());
    assert_eq!(negotiate().kind(), ErrorKind::Unavailable);
    server.broker().inject("wrong-proof".parse().unwrap());
    assert_eq!(negotiate().kind(), ErrorKind::Unverified);
    server.broker().inject("invalid-consumer".parse().unwrap());
    let error = negotiate();
    assert_eq!((error.kind(), error.status()), (ErrorKind::Rejected, Some(StatusCode::UNAUTHORIZED)));
}

#[test]
fn a_proxy_that_lets_nothing_through_is_told_from_a_broken_connection() {
    let proxy = Loopback::always("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
    let agent: Agent = Agent::config_builder().proxy(Some(ureq::Proxy::new(proxy.origin()).unwrap())).build().into();
    let origin = "http://api.example.com";
    let error = with_context(|cx| signer_at(origin).send(&agent, cx, get(origin))).unwrap_err();
    assert_eq!((error.stage(), error.kind()), (Stage::Transport, ErrorKind::Unavailable), "{error}");
    assert!(error.remedy().contains("proxy") && error.remedy().contains("nothing was sent"), "{error}");
    assert_eq!(proxy.received().len(), 1);
    assert_eq!(proxy.received()[0].target().0, "CONNECT");
}

fn assert_nothing_sent(error: &Error) {
    assert_eq!((error.stage(), error.kind()), (Stage::Transport, ErrorKind::Unavailable), "{error}");
    assert!(error.to_string().contains("nothing was sent") && error.remedy().contains("nothing was sent"), "{error}");
}

fn order(origin: &str) -> Request<Bytes> {
    Request::post(format!("{origin}/v1/api/iserver/account/DU1/orders")).body(Bytes::from("{}")).unwrap()
}

fn through(proxy: &str, patience: Option<Duration>, request: Request<Bytes>) -> Error {
    let proxy = ureq::Proxy::new(proxy).unwrap();
    let agent: Agent = Agent::config_builder().proxy(Some(proxy)).timeout_global(patience).build().into();
    let signer = signer_at(&format!("http://{}", request.uri().authority().unwrap()));
    with_context(|cx| signer.send(&agent, cx, request)).unwrap_err()
}

#[test]
fn whatever_fails_on_the_way_to_a_connection_has_sent_nothing() {
    let get = || get("http://127.0.0.1:1");
    assert_nothing_sent(&through("http://proxy.invalid", None, get()));
    let nobody = Address::new().origin();
    assert_nothing_sent(&through(&nobody, None, get()));
    for answer in ["", "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"] {
        assert_nothing_sent(&through(Loopback::always(answer).origin(), None, get()));
    }
    // A proxy that takes the connection, and says nothing.
    let silent = Address::new();
    assert_nothing_sent(&through(&silent.origin(), Some(Duration::from_millis(90)), get()));
}

#[cfg(feature = "tls")]
#[test]
fn a_socks_proxy_that_refuses_has_sent_nothing() {
    for (kind, answer) in [
        ("socks5", &b"\x05\xff"[..]),
        ("socks5", b"\x05\x02"),
        ("socks5", b"\x05\x00\x05\x01"),
        ("socks5", b"\x05\x00\x05\x02"),
        ("socks5", b"\x05\x00\x05\x03"),
        ("socks5", b"\x05\x00\x05\x04"),
        ("socks5", b"\x05\x00\x05\x05"),
        ("socks5", b"\x05\x00\x05\x06"),
        ("socks5", b"\x05\x00\x05\x07"),
        ("socks5", b"\x05\x00\x05\x08"),
        ("socks5", b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        ("socks5://a:b@", b"\x05\x02\x01\x01"),
        ("socks4", b"\x00\x5b\0\0\0\0\0\0"),
        ("socks4", b"\x00\x5c\0\0\0\0\0\0"),
        ("socks4", b"\x00\x5d\0\0\0\0\0\0"),
        ("socks4", b"\x00\x00\0\0\0\0\0\0"),
    ] {
        let proxy = Address::new().serve_raw(move |mut stream: Stream| {
            let _ = stream.write_all(answer);
            // What is left unread would make the end a reset.
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        });
        let scheme = if kind.ends_with('@') { kind.to_owned() } else { format!("{kind}://") };
        let error = through(&proxy.origin().replace("http://", &scheme), None, get("http://127.0.0.1:1"));
        assert!(error.to_string().contains("nothing was sent"), "{kind} {answer:?}: {error}");
        assert_nothing_sent(&error);
    }
    let of_six = through(&Address::new().origin().replace("http", "socks4"), None, get("http://[::1]:1"));
    assert_nothing_sent(&of_six);
}

#[cfg(feature = "tls")]
#[test]
fn a_handshake_that_fails_has_sent_nothing() {
    // Nobody answers it.
    let address = Address::new();
    let silent = address.origin().replace("http", "https");
    let patience = Some(Duration::from_millis(90));
    let agent: Agent = Agent::config_builder().proxy(None).timeout_global(patience).build().into();
    for request in [get(&silent), order(&silent)] {
        let error = with_context(|cx| signer_at(&silent).send(&agent, cx, request)).unwrap_err();
        assert_nothing_sent(&error);
    }
    // No TLS at all: that may also be said in the middle of a connection, so that only the body tells.
    let plain = Address::new().serve_raw(|mut stream: Stream| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    let plain = plain.origin().replace("http", "https");
    assert_nothing_sent(&exchange_with(order(&plain), &plain).unwrap_err());
    assert!(exchange_with(get(&plain), &plain).unwrap_err().remedy().contains("may have arrived"));
}

/// As soon as any of the body was handed over, nobody knows.
#[test]
fn a_connection_that_breaks_later_may_have_sent_the_request() {
    let server = Address::new().serve(|_| Vec::new());
    for request in [get(server.origin()), order(server.origin())] {
        let error = exchange_with(request, server.origin()).unwrap_err();
        assert!(error.remedy().contains("may have arrived"), "{error}: {}", error.remedy());
    }
    assert_eq!(server.received()[1].body, "{}");
    assert_eq!(server.received()[1].header("content-length"), ["2"]);
}

#[test]
fn what_cannot_be_signed_is_not_sent() {
    let server = Loopback::always("HTTP/1.1 200 OK\r\n\r\n");
    let mut request = get(server.origin());
    request.headers_mut().insert("authorization", "Basic x".parse().unwrap());
    assert_eq!(exchange_with(request, server.origin()).unwrap_err().stage(), Stage::Sign);
    assert!(server.received().is_empty());
}

#[cfg(not(feature = "tls"))]
#[test]
fn the_feature_turns_on_no_tls_and_says_so() {
    let server = Address::new();
    let origin = server.origin().replace("http://", "https://");
    let error = exchange_with(get(&origin), &origin).unwrap_err();
    assert_eq!((error.stage(), error.kind()), (Stage::Transport, ErrorKind::Unavailable));
    assert!(error.remedy().contains("TLS"), "{error} {}", error.remedy());
}
