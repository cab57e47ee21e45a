//! A driver on a thread of the schedule, and a broker that answers in no time, or in some.

use std::{
    future::pending,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use ibkr_oauth::{
    Consumer, Error, Timestamp, TokenId, UnlockedToken,
    bytes::Bytes,
    dh::DhGroup,
    driver::{Driver, SessionHandle},
    http::{Method, Request, Response, StatusCode},
    session::{Advice, Failure, OnShutdown, Report, Session, SessionConfig},
    transport::{Limits, from_fn},
};
use virtual_time::{JoinHandle, Machine, block_on, explore, now, pause, sleep, spawn};

use crate::seeded_entropy::SeededEntropy;

const START: Timestamp = Timestamp::from_secs(1_700_000_000);
const TOKEN: &str = "218c1d970d85a8442825";
/// Longer than the broker and the session's own pauses take, and much shorter than until the next tickle.
const SOON: Duration = Duration::from_secs(30);
const HOUR: Duration = Duration::from_secs(3600);

static CONSUMER: LazyLock<Consumer> = LazyLock::new(|| {
    let group = include_str!("../../../../src/simulator/test_keys/dh_parameters.pem");
    Consumer::builder("SCHEDULES").dh_params(DhGroup::read(group).unwrap()).build().unwrap()
});

pub(crate) const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Both loops.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Loop {
    Blocking,
    Asynchronous,
}

/// As [`explore`], for each loop.
pub(crate) fn explore_loops(scenario: impl Fn(Machine, Loop) + Copy + Send + Sync + 'static) {
    for by in [Loop::Blocking, Loop::Asynchronous] {
        println!("{by:?}");
        explore(move |machine| scenario(machine, by));
    }
}

#[derive(Clone, Default)]
pub(crate) struct Broker {
    /// How long an answer takes.
    pub(crate) takes: Duration,
    /// How many requests fail before the first is answered well.
    pub(crate) failures: Arc<AtomicUsize>,
}

impl Broker {
    pub(crate) fn that_takes(takes: Duration) -> Self {
        Self { takes, ..Self::default() }
    }

    pub(crate) fn answer(&self, request: &Request<Bytes>) -> Result<Response<Bytes>, Failure> {
        if self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            return Ok(response(503, ""));
        }
        let path = request.uri().path();
        let body = if path.ends_with("/tickle") {
            r#"{"session":"s","iserver":{"authStatus":{"authenticated":true,"competing":false,"connected":true}}}"#
        } else if path.ends_with("/accounts") {
            r#"{"accounts":["U1"]}"#
        } else {
            r#"{"status":true}"#
        };
        Ok(response(200, body))
    }
}

fn response(status: u16, body: &'static str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(body.as_bytes()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

/// A driver whose session has a token, and is live once its first tickle is answered. The next is due in an hour.
pub(crate) fn driver() -> Driver<SeededEntropy> {
    let mut config = SessionConfig::default();
    config.tickle_interval = HOUR;
    config.on_shutdown = OnShutdown::LeaveOpen;
    let snapshot = serde_json::json!({
        "version": 1,
        "consumer_key": CONSUMER.consumer_key(),
        "access_token": TOKEN,
        "live_session_token": "AAECAwQFBgcICQoLDA0ODxAREhM=",
        "expires_at": START.saturating_add(20 * HOUR).as_millis(),
        "timestamp_floor": START.as_secs(),
        "clock_correction": 0,
        "penalty_until": null,
    });
    let snapshot = serde_json::from_value(snapshot).unwrap();
    let session = Session::resume(CONSUMER.clone(), token(), config, snapshot, START).unwrap();
    Driver::with_clock(session, SeededEntropy(1), || START.saturating_add(now()))
}

/// A driver whose session never has a token: nobody signs its handshake.
pub(crate) fn driver_without_token() -> Driver<SeededEntropy> {
    let session = Session::new(CONSUMER.clone(), token(), SessionConfig::default());
    Driver::with_clock(session, SeededEntropy(1), || START.saturating_add(now()))
}

fn token() -> UnlockedToken {
    UnlockedToken::from_plaintext(TOKEN, [7; 32].as_slice().into())
}

/// Drives the session on a thread of its own.
pub(crate) fn drive(driver: Driver<SeededEntropy>, by: Loop, broker: Broker) -> JoinHandle<()> {
    spawn(move || match by {
        Loop::Blocking => {
            let send = |request: Request<Bytes>, _: Limits| {
                if !broker.takes.is_zero() {
                    pause(broker.takes);
                }
                broker.answer(&request)
            };
            driver.run_blocking(&send, |_| ());
        }
        Loop::Asynchronous => block_on(run(driver, broker)),
    })
}

/// The asynchronous loop.
pub(crate) async fn run(driver: Driver<SeededEntropy>, broker: Broker) {
    let send = move |request: Request<Bytes>| {
        let broker = broker.clone();
        async move {
            sleep(broker.takes).await;
            broker.answer(&request)
        }
    };
    driver.run_with_key_store(&from_fn(send, sleep), |_| pending(), |_| ()).await;
}

pub(crate) fn join_all(threads: impl IntoIterator<Item = JoinHandle<()>>) {
    threads.into_iter().for_each(JoinHandle::join);
}

/// What must come of it, but where time passes meanwhile and anything else may come first.
pub(crate) fn expect<T>(machine: Machine, result: Result<T, Error>) {
    if let Err(error) = result {
        assert_eq!(machine, Machine::Slow, "{error}");
    }
}

/// As [`expect`], of what to do about a request.
pub(crate) fn expect_advice(machine: Machine, advice: Advice, expected: &[Advice]) {
    assert!(!matches!(advice, Advice::AwaitSession(_)), "it has waited");
    assert!(machine == Machine::Slow || expected.contains(&advice), "{advice:?}");
}

/// Nobody has waited for what was there already.
pub(crate) fn assert_soon(machine: Machine) {
    assert!(machine == Machine::Slow || now() < SOON, "it took {:?}", now());
}

/// It took as long as it had to.
pub(crate) fn assert_at(machine: Machine, time: Duration) {
    assert!(now() >= time, "too early: at {:?}", now());
    assert!(machine == Machine::Slow || now() == time, "too late: at {:?}", now());
}

/// The second attempt of a request for this path was refused just now.
pub(crate) fn refusal(handle: &SessionHandle, path: &str) -> Report {
    refusal_of(handle.view().token_id().expect("the session was resumed"), handle.now(), path)
}

/// A second attempt that was signed with this token was refused.
pub(crate) fn refusal_of(token_id: TokenId, signed_at: Timestamp, path: &str) -> Report {
    let uri = format!("https://api.ibkr.com/v1/api{path}").parse().unwrap();
    Report::new(token_id, signed_at, &Method::GET, &uri, &response(401, "")).attempt(2)
}

/// Waits for what comes of a report, in either way.
pub(crate) fn resolved(handle: &SessionHandle, report: &Report, by: Loop) -> Advice {
    match (handle.report(report), by) {
        (Advice::AwaitSession(ticket), Loop::Blocking) => handle.resolve_blocking(ticket),
        (Advice::AwaitSession(ticket), Loop::Asynchronous) => block_on(handle.resolve(ticket)),
        (advice, _) => advice,
    }
}
