//! A client's stream over real sockets, plain and with TLS, by each transport that can be upgraded.

use std::{
    io::Write,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{client::legacy::Client as HyperClient, rt::TokioExecutor};
use ibkr_oauth::{
    CredentialBundle,
    adapter::{hyper::HyperTransport, reqwest::client_builder, tungstenite::Upgrade},
    client::{Client, Events, Subscription},
    session::SessionConfig,
    simulator::{Broker, test_keys},
    stream::{StreamEvent, Topic},
};
use ibkr_oauth_sockets::{
    Address, Loopback, Received,
    broker::{answer_of, with_context},
    read_request,
    stream::{Stream, certificate},
    web_socket::switching,
};
use rustls::pki_types::CertificateDer;
use tungstenite::{
    Message, WebSocket,
    protocol::{
        Role,
        frame::{
            CloseFrame, Frame,
            coding::{CloseCode, Data, OpCode},
        },
    },
};

use crate::clients::{runtime, trusting};

/// What is done with each WebSocket; the second argument counts them.
type Script = dyn Fn(&mut WebSocket<Stream>, usize) -> tungstenite::Result<()> + Send + Sync;

/// A broker at a loopback address whose WebSockets follow a script, and a bundle for it.
fn server(address: Address, script: Arc<Script>) -> (Loopback, CredentialBundle) {
    let origin = address.origin();
    let mut broker = Broker::builder().base_url(format!("{origin}/v1/api")).build().unwrap();
    let bundle = with_context(|cx| test_keys::bundle(&mut broker, cx)).unwrap();
    let (broker, count) = (Mutex::new(broker), AtomicUsize::new(0));
    let server = address.serve_raw(move |mut stream| {
        while let Some(request) = read_request(&mut stream) {
            if request.target().1.starts_with("/v1/api/ws?oauth_token=") {
                assert!(request.header("cookie")[0].starts_with("api="));
                stream.write_all(switching(&request).as_bytes()).unwrap();
                let mut socket = WebSocket::from_raw_socket(stream, Role::Server, None);
                // Whatever ends it: the client may be gone.
                let _ = script(&mut socket, count.fetch_add(1, Ordering::SeqCst));
                return;
            }
            let request = request.to_request(&origin);
            let answer = answer_of(&with_context(|cx| broker.lock().unwrap().handle(cx, &request)));
            if stream.write_all(&answer).and_then(|()| stream.flush()).is_err() {
                return;
            }
        }
    });
    (server, bundle)
}

fn text(text: impl Into<String>) -> Message {
    Message::text(text.into())
}

/// The broker's first words, in one write with whatever follows.
fn greet(socket: &mut WebSocket<Stream>) -> tungstenite::Result<()> {
    socket.write(text(r#"{"topic":"system","success":"user"}"#))?;
    socket.send(text(r#"{"topic":"sts","args":{"authenticated":true,"competing":false}}"#))
}

/// Reads until all of these have come.
fn await_texts(socket: &mut WebSocket<Stream>, wanted: &[&str]) -> tungstenite::Result<()> {
    let mut left: Vec<&str> = wanted.to_vec();
    while !left.is_empty() {
        if let Message::Text(text) = socket.read()? {
            left.retain(|wanted| !text.starts_with(wanted));
        }
    }
    Ok(())
}

/// How long the 4 MiB are.
const LARGE: usize = 4 << 20;

fn broker_day(socket: &mut WebSocket<Stream>, count: usize) -> tungstenite::Result<()> {
    greet(socket)?;
    await_texts(socket, &["sor+{}", "str+{}", "smd+265598"])?;
    socket.send(text(r#"{"topic":"smd+265598","31":"187.20"}"#))?;
    socket.send(text(format!(r#"{{"topic":"str","args":[{{"n":{count}}}]}}"#)))?;
    if count > 0 {
        // Until the client closes.
        while socket.read()?.is_text() {}
        return Ok(());
    }
    // In three pieces, with a ping between them.
    let large = format!(r#"{{"topic":"sor","text":"{}"}}"#, "x".repeat(LARGE)).into_bytes();
    let third = large.len() / 3;
    let piece = |from: usize, to: usize, opcode, is_last| {
        let payload = Bytes::copy_from_slice(&large[from..to]);
        Message::Frame(Frame::message(payload, OpCode::Data(opcode), is_last))
    };
    socket.write(piece(0, third, Data::Text, false))?;
    socket.write(Message::Ping(Bytes::from_static(b"?")))?;
    socket.write(piece(third, 2 * third, Data::Continue, false))?;
    socket.write(piece(2 * third, large.len(), Data::Continue, true))?;
    // Text that is none.
    let payload = Bytes::from_static(b"{\"topic\":\"sor\",\"text\":\"\x99\"}");
    socket.write(Message::Frame(Frame::message(payload, OpCode::Data(Data::Text), true)))?;
    for number in 0..300 {
        let burst = format!(r#"{{"topic":"sor","n":{number}}}"#);
        socket.write(if number % 2 == 0 { text(burst) } else { Message::Binary(burst.into()) })?;
    }
    socket.flush()?;
    socket.close(Some(CloseFrame { code: CloseCode::Restart, reason: "again".into() }))?;
    while socket.read().is_ok() {}
    Ok(())
}

fn config() -> SessionConfig {
    let mut config = SessionConfig::default();
    // The first tickle, which the stream waits for, follows the opening after this.
    config.tickle_interval = Duration::from_secs(1);
    config
}

async fn next(subscription: &mut Subscription) -> Bytes {
    subscription.next().await.unwrap().bytes
}

async fn event(events: &mut Events, wanted: &str) -> StreamEvent {
    loop {
        let event = events.next().await.unwrap();
        if event.name() == wanted {
            return event;
        }
    }
}

fn a_day<T: Upgrade + Clone + 'static>(address: Address, transport: T) {
    let (_server, bundle) = server(address, Arc::new(broker_day));
    let day = async {
        let (client, driver) = Client::start(transport, &bundle, config()).unwrap();
        let driving = tokio::spawn(driver);
        let (stream, driver) = client.stream();
        let streaming = tokio::spawn(driver);
        let mut events = stream.events();
        let mut quotes = stream.subscribe(&Topic::market_data(265_598, &["31"])).unwrap();
        let mut orders = stream.subscribe(&Topic::orders()).unwrap();
        let mut trades = stream.subscribe(&Topic::trades()).unwrap();

        assert_eq!(next(&mut quotes).await, r#"{"topic":"smd+265598","31":"187.20"}"#);
        assert_eq!(next(&mut trades).await, r#"{"topic":"str","args":[{"n":0}]}"#);
        assert!(next(&mut orders).await.len() > LARGE);
        assert_eq!(next(&mut orders).await, "{\"topic\":\"sor\",\"text\":\"\u{fffd}\"}");
        for number in 0..300 {
            assert_eq!(next(&mut orders).await, format!(r#"{{"topic":"sor","n":{number}}}"#));
        }
        let StreamEvent::Disconnected { error, since: Some(_), .. } = event(&mut events, "disconnected").await else {
            panic!()
        };
        assert!(error.to_string().contains("1012"), "{error}");
        // The next connection has all of it again.
        assert_eq!(next(&mut trades).await, r#"{"topic":"str","args":[{"n":1}]}"#);
        let again =
            async { while !matches!(events.next().await.unwrap(), StreamEvent::Subscribed { gap: Some(_), .. }) {} };
        again.await;
        client.shutdown().await.unwrap();
        driving.await.unwrap();
        streaming.await.unwrap();
        while events.next().await.is_some() {}
        assert!(trades.next().await.is_none());
    };
    runtime().block_on(async { tokio::time::timeout(Duration::from_secs(60), day).await }).unwrap();
}

fn reqwest_client(certificate: Option<&CertificateDer<'static>>) -> reqwest::Client {
    // One whose time-out is short: it is not for what the connection has become.
    let builder = client_builder().no_proxy().tls_backend_preconfigured(trusting(certificate));
    builder.timeout(Duration::from_millis(900)).build().unwrap()
}

fn hyper_client(certificate: Option<&CertificateDer<'static>>) -> impl Upgrade + Clone + 'static {
    let connector = HttpsConnectorBuilder::new().with_tls_config(trusting(certificate)).https_or_http();
    let client: HyperClient<_, Full<Bytes>> =
        HyperClient::builder(TokioExecutor::new()).build(connector.enable_http1().build());
    HyperTransport::new(client, tokio::time::sleep)
}

#[test]
fn with_reqwest() {
    a_day(Address::new(), reqwest_client(None));
}

#[test]
fn with_reqwest_and_tls() {
    let (certificate, config) = certificate();
    a_day(Address::with_tls(config), reqwest_client(Some(&certificate)));
}

#[test]
fn with_hyper() {
    a_day(Address::new(), hyper_client(None));
}

#[test]
fn with_hyper_and_tls() {
    let (certificate, config) = certificate();
    a_day(Address::with_tls(config), hyper_client(Some(&certificate)));
}

/// The first event of a stream whose upgrade is answered with this.
fn first_event(
    answer: impl Fn(&Received) -> String + Send + Sync + 'static,
    transport: impl Upgrade + Clone + 'static,
) -> String {
    let address = Address::new();
    let origin = address.origin();
    let mut broker = Broker::builder().base_url(format!("{origin}/v1/api")).build().unwrap();
    let bundle = with_context(|cx| test_keys::bundle(&mut broker, cx)).unwrap();
    let broker = Mutex::new(broker);
    let _server = address.serve_on(move |received| {
        if received.target().1.starts_with("/v1/api/ws") {
            return answer(received).into_bytes();
        }
        let request = received.to_request(&origin);
        answer_of(&with_context(|cx| broker.lock().unwrap().handle(cx, &request)))
    });
    runtime().block_on(async {
        let (client, driver) = Client::start(transport, &bundle, config()).unwrap();
        tokio::spawn(driver);
        let (stream, driver) = client.stream();
        let mut events = stream.events();
        tokio::spawn(driver);
        events.next().await.unwrap().to_string()
    })
}

#[test]
fn an_upgrade_that_is_refused_or_proves_nothing_is_an_event_without_the_token() {
    let forbidden = |_: &Received| "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n".to_owned();
    let unproved = |request: &Received| switching(request).replace("accept: ", "accept: A");
    for (said, wanted) in [
        (first_event(forbidden, reqwest_client(None)), "403"),
        (first_event(forbidden, hyper_client(None)), "403"),
        (first_event(unproved, reqwest_client(None)), "Sec-WebSocket-Accept"),
        (first_event(unproved, hyper_client(None)), "Sec-WebSocket-Accept"),
    ] {
        assert!(said.contains(wanted), "{said}");
        assert!(!said.contains("oauth_token="), "{said}");
    }
}
