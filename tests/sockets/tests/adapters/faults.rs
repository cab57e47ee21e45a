//! What goes wrong on the wire, through every adapter: each fault ends in the documented result, soon and in little
//! memory.

use std::{
    error::Error as _,
    io::{Read, Write},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Sender, channel},
    },
    time::Duration,
};

use crate::clients::{Adapter, Gate, Patience, for_each_adapter, with_handle};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use ibkr_oauth::{
    Consumer, Endpoints, Error, ErrorKind, OsEntropy, Secret, Signer, Stage, UnlockedToken,
    driver::{Driver, SessionHandle},
    session::{Failure, FailureKind, Session, SessionConfig, SessionEvent},
    simulator::test_keys,
};
use ibkr_oauth_sockets::{
    Address, Loopback,
    broker::{BrokerServer, with_context},
    read_request,
    stream::Stream,
};

for_each_adapter!(
    nobody_listens,
    a_name_that_leads_nowhere,
    a_connection_that_is_reset,
    a_body_that_breaks_off,
    silence,
    a_body_without_end,
    a_redirect_goes_nowhere,
    a_body_in_chunks,
    more_than_the_length_says,
    a_compressed_body_is_not_touched,
    an_error_names_no_query,
    a_reused_connection_that_breaks_sends_nothing_twice,
    heads_reach_the_wire,
    a_url_that_a_client_rewrites_is_signed_as_it_is_sent,
);

const OK: &str = "HTTP/1.1 200 OK\r\n";

fn consumer(origin: &str) -> Consumer {
    let endpoints = Endpoints::new(&format!("{origin}/v1/api")).unwrap();
    test_keys::consumer().unwrap().with_endpoints(endpoints)
}

fn signer(origin: &str) -> Signer {
    let endpoints = Endpoints::new(&format!("{origin}/v1/api")).unwrap();
    let consumer = Consumer::builder("TESTCONS").endpoints(endpoints).user_agent("my-bot/7").build().unwrap();
    Signer::from_stored(&consumer, "218c1d970d85a8442825", &Secret::from(vec![7; 20])).unwrap()
}

fn ask<A: Adapter>(adapter: &A, origin: &str, request: Request<Bytes>) -> Result<Response<Bytes>, Error> {
    with_context(|cx| adapter.sign_and_send(&signer(origin), cx, request))
}

fn get<A: Adapter>(adapter: &A, origin: &str) -> Result<Response<Bytes>, Error> {
    ask(adapter, origin, Request::get(format!("{origin}/v1/api/portfolio/accounts?a=1")).body(Bytes::new()).unwrap())
}

fn session(origin: &str) -> Session {
    let mut config = SessionConfig::default();
    config.response_timeout = Duration::from_secs(1);
    Session::new(consumer(origin), UnlockedToken::from_plaintext("1234", Secret::from(vec![7; 32])), config)
}

/// Drives a session up to its first failure, ends it then, and returns the failure.
fn first_failure<A: Adapter>(adapter: Arc<A>, origin: &str) -> Failure {
    let (tell, failures) = channel();
    let (driver, on_event) = with_handle(Driver::new(session(origin), OsEntropy), to_the_first_failure(tell));
    adapter.drive(driver, on_event);
    failure(&failures.recv().unwrap())
}

fn to_the_first_failure(tell: Sender<Error>) -> impl FnMut(&SessionHandle, SessionEvent) + Send + 'static {
    move |handle, event| {
        if let SessionEvent::Failed { error, .. } = event {
            handle.shutdown();
            let _ = tell.send(error);
        }
    }
}

fn failure(error: &Error) -> Failure {
    error.source().and_then(|source| source.downcast_ref::<Failure>()).unwrap_or_else(|| panic!("{error}")).clone()
}

fn assert_no_reply(error: &Error, kind: ErrorKind) {
    assert_eq!((error.stage(), error.kind()), (Stage::Transport, kind), "{error}");
    assert!(!error.remedy().is_empty() && !error.to_string().contains('\n'), "{error}");
    assert!(error.to_string().contains("no response from 127.0.0.1: "), "{error}");
}

fn nobody_listens<A: Adapter>() {
    let origin = Address::new().origin();
    let error = get(&*A::new(), &origin).unwrap_err();
    assert_no_reply(&error, ErrorKind::Unavailable);
    assert!(error.remedy().contains("nothing was sent"), "{error}: {}", error.remedy());
    assert!(!error.may_have_been_sent());
    assert_eq!(first_failure(A::new(), &origin).kind(), FailureKind::NotSent);
}

/// Names below `invalid` are resolved by nobody (RFC 6761).
fn a_name_that_leads_nowhere<A: Adapter>() {
    let origin = "http://name.invalid";
    let error = get(&*A::new(), origin).unwrap_err();
    assert_eq!((error.stage(), error.kind()), (Stage::Transport, ErrorKind::Unavailable), "{error}");
    assert!(error.to_string().contains("no response from name.invalid: nothing was sent"), "{error}");
    assert!(error.remedy().contains("nothing was sent"), "{error}: {}", error.remedy());
    assert_eq!(first_failure(A::new(), origin).kind(), FailureKind::NotSent);
}

fn a_connection_that_is_reset<A: Adapter>() {
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    let server = Address::new().serve_raw(move |mut stream: Stream| {
        counter.fetch_add(1, Ordering::SeqCst);
        // What is left unread makes the end of the connection a reset.
        let _ = stream.read(&mut [0; 16]);
        let _ = stream.write_all(format!("{OK}content-length: 100\r\n\r\nabc").as_bytes());
    });
    assert_no_reply(&get(&*A::new(), server.origin()).unwrap_err(), ErrorKind::Unavailable);
    assert_eq!(first_failure(A::new(), server.origin()).kind(), FailureKind::MaybeSent);
    assert_eq!(count.load(Ordering::SeqCst), 2, "nothing is sent twice");
}

fn a_body_that_breaks_off<A: Adapter>() {
    for reply in [
        "",
        "HTTP/1.1 200 OK\r\nconte",
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nff\r\nabc",
        "220 smtp.example.com ready\r\n\r\n",
    ] {
        let server = Loopback::always(reply);
        let error = get(&*A::new(), server.origin()).unwrap_err();
        assert_no_reply(&error, ErrorKind::Unavailable);
        assert!(error.source().is_some(), "{reply:?}");
        assert_eq!(first_failure(A::new(), server.origin()).kind(), FailureKind::MaybeSent, "{reply:?}");
        assert_eq!(server.received().len(), 2, "{reply:?}: nothing is sent twice");
    }
}

/// The adapter's own limit is 30 s; here the client is told to be quicker, or the session's driver is.
fn silence<A: Adapter>() {
    for beginning in ["", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc"] {
        let (hung_up, gone) = channel();
        let (hung_up, gate) = (Mutex::new(hung_up), Gate::default());
        let arrived = gate.clone();
        let server = Address::new().serve_raw(move |mut stream: Stream| {
            // A client that was slow may be gone already.
            let _ = read_request(&mut stream);
            let _ = stream.write_all(beginning.as_bytes());
            arrived.open();
            let _ = stream.read(&mut [0; 16]);
            let _ = hung_up.lock().unwrap().send(());
        });
        let hangs_up = || gone.recv_timeout(Duration::from_secs(5)).unwrap();
        if std::any::type_name::<A>().ends_with("Blocking") {
            // This client cannot be told; only its session can.
        } else {
            let adapter = A::with(None, Patience::Short);
            assert_no_reply(&get(&adapter, server.origin()).unwrap_err(), ErrorKind::Unavailable);
            hangs_up();
        }
        let (tell, failures) = channel();
        let adapter = Arc::new(A::with(None, Patience::Short));
        adapter.drive_in_no_time(session(server.origin()), gate, to_the_first_failure(tell));
        assert_eq!(failure(&failures.recv().unwrap()).kind(), FailureKind::TimedOut, "{beginning:?}");
        hangs_up();
    }
}

fn a_body_without_end<A: Adapter>() {
    const LENGTH: usize = 100 << 20;
    for head in [format!("content-length: {LENGTH}\r\n\r\n"), "\r\n".to_owned()] {
        let written = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&written);
        let server = Address::new().serve_raw(move |mut stream: Stream| {
            read_request(&mut stream).unwrap();
            let mut result = stream.write_all(format!("{OK}{head}").as_bytes());
            let chunk = vec![b' '; 1 << 16];
            let mut left = LENGTH;
            while result.is_ok() && left > 0 {
                result = stream.write_all(&chunk);
                left -= chunk.len();
                counter.fetch_add(chunk.len(), Ordering::SeqCst);
            }
        });
        let error = get(&*A::new(), server.origin()).unwrap_err();
        assert_no_reply(&error, ErrorKind::Malformed);
        assert!(error.to_string().contains("more than 16 MiB"), "{error}");
        let (of_a_request, most) = (written.swap(0, Ordering::SeqCst), 32 << 20);
        assert!((16 << 20..most).contains(&of_a_request), "{of_a_request} bytes");

        let (tell, failures) = channel();
        let (driver, on_event) = with_handle(Driver::new(session(server.origin()), OsEntropy), move |handle, event| {
            if let SessionEvent::Failed { error, .. } = event {
                handle.shutdown();
                tell.send(error).unwrap();
            }
        });
        A::new().drive(driver, on_event);
        let error = failures.recv().unwrap();
        assert_eq!(error.kind(), ErrorKind::Malformed);
        assert!(error.to_string().contains("more than 256 KiB"), "{error}");
        drop(server);
        assert!(written.load(Ordering::SeqCst) < most);
    }
}

fn a_redirect_goes_nowhere<A: Adapter>() {
    let elsewhere = Loopback::always(format!("{OK}content-length: 0\r\n\r\n"));
    for status in [301, 302, 303, 307, 308] {
        let reply =
            format!("HTTP/1.1 {status} Moved\r\nlocation: {}/x\r\ncontent-length: 4\r\n\r\ngone", elsewhere.origin());
        let server = Loopback::always(reply);
        let response = get(&*A::new(), server.origin()).unwrap();
        assert_eq!((response.status().as_u16(), &response.body()[..]), (status, &b"gone"[..]));
        assert_eq!(response.headers()["location"], format!("{}/x", elsewhere.origin()));
        let exchange = with_context(|cx| signer(server.origin()).brokerage().tickle(cx).unwrap());
        let error = A::new().send(exchange).unwrap_err();
        assert_eq!((error.kind(), error.status().unwrap().as_u16()), (ErrorKind::Malformed, status));
        assert_eq!(server.received().len(), 2);
    }
    assert_eq!(elsewhere.connections(), 0);
}

fn a_body_in_chunks<A: Adapter>() {
    let server =
        Loopback::always(format!("{OK}transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\n\r\n"));
    assert_eq!(get(&*A::new(), server.origin()).unwrap().body(), "abcdefg");
}

/// What follows a reply is neither part of it nor the reply to the next request.
fn more_than_the_length_says<A: Adapter>() {
    let count = AtomicUsize::new(0);
    let server = Address::new().serve_on(move |_| {
        let number = count.fetch_add(1, Ordering::SeqCst);
        format!("{OK}content-length: 1\r\n\r\n{number}{OK}content-length: 4\r\n\r\nevil").into_bytes()
    });
    let adapter = A::new();
    for number in 0..3 {
        assert_eq!(get(&*adapter, server.origin()).unwrap().body(), &number.to_string());
    }
    assert_eq!(server.received().len(), 3);
}

fn a_compressed_body_is_not_touched<A: Adapter>() {
    let body = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3];
    let mut reply = format!("{OK}content-encoding: gzip\r\ncontent-length: {}\r\n\r\n", body.len()).into_bytes();
    reply.extend_from_slice(&body);
    let server = Loopback::always(reply);
    let response = get(&*A::new(), server.origin()).unwrap();
    assert_eq!(response.headers()["content-encoding"], "gzip");
    assert_eq!(&response.body()[..], body);
    assert!(server.received()[0].header("accept-encoding").is_empty(), "unasked");
    // A reply of the protocol's that is packed cannot be read, and says so.
    let exchange = with_context(|cx| signer(server.origin()).brokerage().tickle(cx).unwrap());
    assert_eq!(A::new().send(exchange).unwrap_err().kind(), ErrorKind::Malformed);
}

fn an_error_names_no_query<A: Adapter>() {
    let closed = Address::new().origin();
    let cut = Loopback::always("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc");
    for origin in [&closed, cut.origin(), "http://name.invalid", "http://127.0.0.1:1"] {
        let request = Request::get(format!("{origin}/v1/api/x?account=DU1234567")).body(Bytes::new()).unwrap();
        let error = ask(&*A::new(), origin, request).unwrap_err();
        let mut texts = vec![format!("{error} {error:?} {}", error.remedy())];
        let mut source = error.source();
        while let Some(cause) = source {
            texts.push(format!("{cause} {cause:?}"));
            source = cause.source();
        }
        for text in texts {
            assert!(!text.contains("DU1234567") && !text.to_lowercase().contains("oauth realm"), "{text}");
        }
    }
}

/// A client that keeps connections may find one closed; a request that went into it must not go again by itself.
fn a_reused_connection_that_breaks_sends_nothing_twice<A: Adapter>() {
    let server = Address::new().serve_on(move |received| {
        let (method, _) = received.target();
        if method == "GET" { format!("{OK}content-length: 2\r\n\r\n{{}}").into_bytes() } else { Vec::new() }
    });
    let adapter = A::new();
    let rounds = 20;
    for round in 1..=rounds {
        assert_eq!(get(&*adapter, server.origin()).unwrap().status(), StatusCode::OK);
        let order = Request::post(format!("{}/v1/api/orders", server.origin())).body(Bytes::from("{}")).unwrap();
        let error = ask(&*adapter, server.origin(), order).unwrap_err();
        assert_no_reply(&error, ErrorKind::Unavailable);
        assert!(error.may_have_been_sent());
        let posts = server.received().iter().filter(|received| received.target().0 == "POST").count();
        assert_eq!(posts, round);
    }
    // Some clients keep a connection a moment later than the next request looks for one.
    assert!(server.connections() < 2 * rounds, "none was used again");
}

fn heads_reach_the_wire<A: Adapter>() {
    let server =
        Loopback::always(format!("{OK}X-Two: 1\r\nx-two: 2\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{{}}"));
    let (adapter, origin) = (A::new(), server.origin());
    for method in ["POST", "PUT"] {
        let request = Request::builder().method(method).uri(format!("{origin}/v1/api/tickle")).body(Bytes::new());
        let response = ask(&*adapter, origin, request.unwrap()).unwrap();
        assert_eq!(response.headers().get_all("x-two").iter().collect::<Vec<_>>(), ["1", "2"]);
        let received = server.received().pop().unwrap();
        assert_eq!(received.target(), (method, "/v1/api/tickle"));
        assert_eq!(received.header("content-length"), ["0"]);
        assert_eq!(received.header("user-agent"), ["my-bot/7"]);
        assert!(received.header("transfer-encoding").is_empty());
        assert_eq!(received.header("authorization").len(), 1);
        assert_eq!(received.header("host"), [origin.strip_prefix("http://").unwrap()]);
    }
    get(&*adapter, origin).unwrap();
    let received = server.received().pop().unwrap();
    assert!(received.header("content-length").is_empty(), "{}", received.head);
    assert_eq!(received.target(), ("GET", "/v1/api/portfolio/accounts?a=1"));

    let exchange = with_context(|cx| signer(origin).brokerage().tickle(cx).unwrap());
    adapter.send(exchange).unwrap();
    let received = server.received().pop().unwrap();
    assert_eq!((received.header("content-length"), received.header("user-agent").len()), (vec!["0"], 1));

    let body: Vec<u8> = (0..=255).collect();
    for (method, length) in [("POST", "256"), ("PUT", "999"), ("PATCH", "256"), ("DELETE", "256"), ("PURGE", "256")] {
        let request = Request::builder().method(method).uri(format!("{origin}/v1/api/a//b?c=%2c&d=e+f,g"));
        let request = request.header("content-length", length).body(Bytes::from(body.clone())).unwrap();
        ask(&*adapter, origin, request).unwrap();
        let received = server.received().pop().unwrap();
        assert_eq!(received.target(), (method, "/v1/api/a//b?c=%2c&d=e+f,g"));
        assert_eq!(received.body, body);
        assert_eq!(received.header("content-length"), ["256"], "set right where it was wrong");
    }
}

fn a_url_that_a_client_rewrites_is_signed_as_it_is_sent<A: Adapter>() {
    let server = BrokerServer::start();
    let (adapter, consumer) = (A::new(), &server.account.consumer);
    let exchange = with_context(|cx| {
        consumer.unlock(cx, &server.account.access_token).unwrap().live_session_token(consumer, cx).unwrap()
    });
    let signer = adapter.send(exchange).unwrap().signer();
    adapter.send(with_context(|cx| signer.brokerage().open(cx, ibkr_oauth::Compete::Yield).unwrap())).unwrap();
    for query in ["name=O'Brien", "name=BRK%20B,C&name=x+y", "a=%2c&b={c}", "a=b|c^d`e", "=&a=&b"] {
        let url = format!("{}/iserver/secdef/search?{query}", server.account.base_url());
        let request = Request::get(&url).body(Bytes::new()).unwrap();
        let reply = with_context(|cx| adapter.sign_and_send(&signer, cx, request));
        assert_eq!(reply.unwrap().status(), StatusCode::OK, "{query}: {:?}", server.broker().refusals().last());
    }
    for path in ["/portfolio/../accounts", "/portfolio/%2e%2e/accounts"] {
        let request = Request::get(format!("{}{path}", server.account.base_url())).body(Bytes::new()).unwrap();
        let error = with_context(|cx| adapter.sign_and_send(&signer, cx, request)).unwrap_err();
        assert_eq!((error.stage(), error.kind()), (Stage::Sign, ErrorKind::Config), "{path}");
    }
    assert!(server.broker().refusals().is_empty());
}
