//! Requests whose answers take long: on the virtual clock, over a connection.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use ibkr_oauth::{
    Context, OsEntropy, Timestamp,
    bytes::Bytes,
    client::Client,
    http::{Method, Request, Response, StatusCode},
    pacing::PacingConfig,
    session::{Failure, Session, SessionConfig, State},
    simulator::{Broker, test_keys},
    transport::{AsyncTransport, Limits},
};
use tokio::{
    sync::oneshot,
    task,
    time::{self, Instant},
};

use super::{
    exchange::{Exchanges, Patience},
    service::{ACTING, LIMITS, READING},
    upstream::Upstream,
};
use crate::{connector, proxy::Route};

const START: Timestamp = Timestamp::from_secs(1_700_000_000);

/// The broker for the session alone, on tokio's clock.
#[derive(Clone)]
struct InProcess {
    broker: Arc<Mutex<Broker>>,
    start: Instant,
}

impl AsyncTransport for InProcess {
    async fn send(&self, request: Request<Bytes>, _: Limits) -> Result<Response<Bytes>, Failure> {
        Ok(self.broker.lock().unwrap().handle(&mut Context::new(self.now(), &mut OsEntropy), &request))
    }

    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send {
        time::sleep(time)
    }

    fn now(&self) -> Timestamp {
        START.saturating_add(self.start.elapsed())
    }
}

/// Exchanges of a session that is live, with what listens at its broker's address.
async fn live() -> (Exchanges, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}/v1/api", listener.local_addr().unwrap());
    let mut broker = Broker::builder().base_url(base).build().unwrap();
    let mut entropy = OsEntropy;
    let mut cx = Context::new(START, &mut entropy);
    let bundle = test_keys::bundle(&mut broker, &mut cx).unwrap();
    let consumer = bundle.consumer().unwrap();
    let token = consumer.unlock(&mut cx, &bundle.access_token().unwrap().unwrap()).unwrap();
    let transport = InProcess { broker: Arc::new(Mutex::new(broker)), start: Instant::now() };
    let session = Session::new(consumer, token, SessionConfig::default());
    let (client, driver) = Client::with_session(transport, session);
    tokio::spawn(driver);
    client.pace(PacingConfig::default());
    client.handle().wait_for(State::Live, Duration::from_secs(60)).await.unwrap();
    let upstream = Upstream::new(connector::connector(&Route::Direct, None).ok().unwrap());
    (Exchanges { client: client.with_transport(upstream) }, listener)
}

fn head_and_body(stream: &mut TcpStream) -> Option<String> {
    let (mut request, mut bytes) = (String::new(), [0; 4096]);
    loop {
        let length = request
            .to_ascii_lowercase()
            .split_once("content-length: ")
            .map_or(0, |(_, rest)| rest.split("\r\n").next().unwrap().parse().unwrap());
        if request.split_once("\r\n\r\n").is_some_and(|(_, body)| body.len() >= length) {
            return Some(request);
        }
        match stream.read(&mut bytes).unwrap() {
            0 => return None,
            count => request.push_str(std::str::from_utf8(&bytes[..count]).unwrap()),
        }
    }
}

/// Has one request answered after this time, in two pieces, and returns the answer's body and what reached the broker.
async fn asked(
    exchanges: Exchanges,
    listener: TcpListener,
    method: Method,
    path: &'static str,
    after: Duration,
) -> (String, Vec<String>) {
    let patience: Patience = if method == Method::GET { READING } else { ACTING };
    // A gateway that ends waits for it too.
    assert!(after < patience.whole && patience.whole < LIMITS.last_answers);
    let (arrived, arrival) = oneshot::channel();
    let (go_on, gone_on) = mpsc::channel::<()>();
    let base = format!("http://{}/v1/api", listener.local_addr().unwrap());
    // While it runs, the clock goes on by hand alone.
    let answering = task::spawn_blocking(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut received = vec![head_and_body(&mut stream).unwrap()];
        arrived.send(()).unwrap();
        gone_on.recv().unwrap();
        let body = format!("[{}]", "1,".repeat(40_000).trim_end_matches(','));
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
        let (first, rest) = body.split_at(10);
        stream.write_all([&head, first].concat().as_bytes()).unwrap();
        stream.write_all(rest.as_bytes()).unwrap();
        // Whatever else is sent, until the gateway has nothing to say any more.
        while let Some(request) = head_and_body(&mut stream) {
            received.push(request);
        }
        listener.set_nonblocking(true).unwrap();
        received.extend(listener.accept().map(|_| "another connection".to_owned()));
        (body, received)
    });
    let sending = tokio::spawn(async move {
        let body = if method == Method::GET { Bytes::new() } else { Bytes::from_static(br#"{"orders":[]}"#) };
        let request = Request::builder().method(method).uri(format!("{base}{path}")).body(body).unwrap();
        let Ok(answer) = exchanges.send(request, path, patience).await else { panic!("no answer") };
        assert_eq!(answer.status(), StatusCode::OK);
        let whole = http_body_util::BodyExt::collect(answer.into_body()).await.unwrap().to_bytes();
        String::from_utf8(whole.to_vec()).unwrap()
    });
    arrival.await.unwrap();
    time::advance(after).await;
    for _ in 0..100 {
        task::yield_now().await;
    }
    assert!(!sending.is_finished(), "it waits");
    go_on.send(()).unwrap();
    let got = sending.await.unwrap();
    let (body, received) = answering.await.unwrap();
    assert_eq!(got, body, "it arrives whole");
    (got, received)
}

#[tokio::test(start_paused = true)]
async fn an_order_whose_answer_takes_its_time_arrives_whole_and_is_sent_once() {
    for seconds in [10, 35, 59] {
        let (exchanges, listener) = live().await;
        let path = "/iserver/account/DU0000001/orders";
        let (_, received) = asked(exchanges, listener, Method::POST, path, Duration::from_secs(seconds)).await;
        assert_eq!(received.len(), 1, "{received:?}");
        assert!(received[0].starts_with(&format!("POST /v1/api{path} HTTP/1.1\r\n")), "{received:?}");
        assert!(received[0].ends_with(r#"{"orders":[]}"#), "{received:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_whose_answer_takes_its_time_is_waited_for() {
    let (exchanges, listener) = live().await;
    let (_, received) =
        asked(exchanges, listener, Method::GET, "/iserver/secdef/search", Duration::from_secs(10)).await;
    assert_eq!(received.len(), 1, "{received:?}");
}
