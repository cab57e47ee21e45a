//! Drivers of sessions whose signature key is elsewhere: in an HSM, a KMS, another process.

use std::{
    future::{pending, ready},
    sync::{Arc, Mutex},
    time::Duration,
};

use crate::fixture::{self, NOW, SeededEntropy};
use bytes::Bytes;
use http::{Request, Response};
use ibkr_oauth::{
    Consumer, Context, ErrorKind,
    dh::DhGroup,
    driver::Driver,
    key::{RsaKey, SigningInput, SigningKey},
    session::{Failure, FailureKind, Session, SessionConfig, SessionEvent, State},
    simulator::{Broker, test_keys},
    transport::{AsyncTransport, Limits, Transport, from_fn},
};

/// A driver for a consumer without a signature key, on a clock that shows some seconds more each time: no wait is real.
fn driver() -> Driver<SeededEntropy> {
    let consumer = Consumer::builder(test_keys::CONSUMER_KEY)
        .dh_params(DhGroup::read(test_keys::DH_PARAMETERS).unwrap())
        .build()
        .unwrap();
    let mut now = NOW;
    let clock = move || {
        now = now.saturating_add(Duration::from_secs(4));
        now
    };
    Driver::with_clock(Session::new(consumer, fixture::unlocked(), SessionConfig::default()), SeededEntropy(1), clock)
}

/// The broker on the other side, and the store that has the key.
#[derive(Clone)]
struct Outside {
    broker: Arc<Mutex<Broker>>,
    events: Arc<Mutex<Vec<SessionEvent>>>,
}

impl Outside {
    fn new() -> Self {
        let broker = Broker::builder().strict().access_token(fixture::TOKEN, fixture::SECRET).build().unwrap();
        Self { broker: Arc::new(Mutex::new(broker)), events: Arc::default() }
    }

    fn send(&self, request: &Request<Bytes>) -> Response<Bytes> {
        self.broker.lock().unwrap().handle(&mut Context::new(NOW, &mut SeededEntropy(2)), request)
    }

    /// The way to the broker, blocking.
    fn transport(&self) -> impl Transport {
        let outside = self.clone();
        move |request: Request<Bytes>, _: Limits| Ok(outside.send(&request))
    }

    /// The same without blocking; no wait is ever over.
    fn async_transport(&self) -> impl AsyncTransport {
        let outside = self.clone();
        from_fn(move |request: Request<Bytes>| ready(Ok(outside.send(&request))), |_| pending())
    }

    fn sign(input: &SigningInput) -> Vec<u8> {
        RsaKey::from_pem(test_keys::SIGNATURE_KEY).unwrap().sign(input, &mut SeededEntropy(3)).unwrap()
    }

    fn keep(&self, event: SessionEvent) {
        self.events.lock().unwrap().push(event);
    }

    /// Whether the session has come to where all is well, for the first time.
    fn is_live(event: &SessionEvent) -> bool {
        matches!(event, SessionEvent::StateChanged { to: State::Live, .. })
    }

    #[track_caller]
    fn ended_well(&self) {
        let events = self.events.lock().unwrap();
        assert_eq!(events.iter().filter(|event| Self::is_live(event)).count(), 1, "{events:?}");
        let last = events.iter().rev().find(|event| matches!(event, SessionEvent::Closed { .. }));
        assert!(matches!(last, Some(SessionEvent::Closed { logged_out: true })), "{events:?}");
    }

    /// The reason for which the session gave up.
    #[track_caller]
    fn gave_up(&self) -> ibkr_oauth::Error {
        let gave_up = self.events.lock().unwrap().drain(..).find_map(|event| match event {
            SessionEvent::GaveUp { error } => Some(error),
            _ => None,
        });
        gave_up.unwrap()
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap().block_on(future)
}

#[test]
fn the_blocking_driver_asks_the_key_store_within_the_time_of_an_answer() {
    let (driver, outside) = (driver(), Outside::new());
    let handle = driver.handle();
    driver.run_blocking_with_key_store(
        &outside.transport(),
        |input, limit| {
            assert_eq!(limit, Duration::from_secs(30));
            Ok(Outside::sign(&input))
        },
        |event| {
            if Outside::is_live(&event) {
                handle.shutdown();
            }
            outside.keep(event);
        },
    );
    outside.ended_well();
}

#[test]
fn the_asynchronous_driver_asks_the_key_store() {
    let (driver, outside) = (driver(), Outside::new());
    let handle = driver.handle();
    block_on(driver.run_with_key_store(
        &outside.async_transport(),
        |input| ready(Ok(Outside::sign(&input))),
        |event| {
            if Outside::is_live(&event) {
                handle.shutdown();
            }
            outside.keep(event);
        },
    ));
    outside.ended_well();
}

#[test]
fn a_key_store_that_refuses_is_named() {
    let outside = Outside::new();
    let refuse = || Failure::new(FailureKind::Refused, "the card was pulled");
    driver().run_blocking_with_key_store(&outside.transport(), |_, _| Err(refuse()), |event| outside.keep(event));
    let error = outside.gave_up();
    assert_eq!(error.kind(), ErrorKind::Key);
    assert!(error.to_string().contains("the card was pulled"), "{error}");
}

#[test]
fn without_a_key_store_it_is_said_that_there_is_none() {
    let missing = "the consumer has no signature key, and the driver was given none";
    let outside = Outside::new();
    driver().run_blocking(&outside.transport(), |event| outside.keep(event));
    let error = outside.gave_up();
    assert_eq!(error.kind(), ErrorKind::Key);
    assert!(error.to_string().contains(missing), "{error}");

    block_on(driver().run(&outside.async_transport(), |event| outside.keep(event)));
    assert!(outside.gave_up().to_string().contains(missing));
}
