//! How much a session costs, and whether a hundred thousand cost more each than a thousand: sessions that go on from
//! snapshots, on one heap of timers, through one virtual hour.
//!
//! ```sh
//! cargo bench --bench session --features simulator
//! ```
//!
//! An event is a deadline that comes: the tickle that is due is signed and sent, and its reply, which is always the same,
//! is read.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_precision_loss,
    clippy::as_conversions,
    reason = "a benchmark measures time, and fails by panicking"
)]

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    time::{Duration, Instant},
};

use ibkr_oauth::{
    Consumer, Context, Secret, Timestamp, UnlockedToken,
    bytes::Bytes,
    http::Response,
    session::{Input, Output, Session, SessionConfig, State},
    simulator::{SeededEntropy, test_keys},
};

const START: Timestamp = Timestamp::from_secs(1_700_000_000);
const HOUR: Duration = Duration::from_secs(3600);
const REPLY: &str = r#"{"session":"bb665d0f55b6289d70bc7380089fc96f","collission":false,"userId":100000001,
    "hmds":{"error":"no bridge"},"iserver":{"authStatus":{"authenticated":true,"competing":false,"connected":true,
    "established":true,"message":"","MAC":"98:F2:B3:23:BF:A0"}}}"#;

/// Many sessions, each with an access token of its own, started one after the other over a minute.
fn resume(count: usize, consumer: &Consumer) -> Vec<(Timestamp, Session)> {
    let minute = 60_000;
    let one = |index: usize| {
        let now = START.saturating_add(Duration::from_millis(u64::try_from(index * minute / count).unwrap()));
        let name = format!("{index:020x}");
        let token = UnlockedToken::from_plaintext(&name, Secret::from(vec![7; 32]));
        let snapshot = serde_json::from_value(serde_json::json!({
            "version": 1,
            "consumer_key": test_keys::CONSUMER_KEY,
            "access_token": name,
            "live_session_token": "CQkJCQkJCQkJCQkJCQkJCQkJCQk=",
            "expires_at": START.saturating_add(20 * HOUR).as_millis(),
            "timestamp_floor": 0,
            "clock_correction": 0,
        }));
        let session = Session::resume(consumer.clone(), token, SessionConfig::default(), snapshot.unwrap(), now);
        (now, session.unwrap())
    };
    (0..count).map(one).collect()
}

/// Drains one session; when it wants to be called again.
fn drain(session: &mut Session, now: Timestamp, entropy: &mut SeededEntropy, reply: &Bytes) -> Timestamp {
    loop {
        match session.poll_output(&mut Context::new(now, entropy)) {
            Output::Transmit { id, .. } => {
                let response = Response::new(reply.clone());
                session.handle_input(&mut Context::new(now, entropy), Input::Response { id, response });
            }
            Output::Timeout { at, .. } => return at,
            Output::Event(_) => {}
            output => panic!("a session that is well does not come to {output:?}"),
        }
    }
}

/// The nanoseconds that an event takes, on average over rounds that are as much work together for few sessions as for
/// many.
fn measure(count: usize, most: usize, consumer: &Consumer) -> f64 {
    let rounds = (most / count / 10).max(1);
    let (mut events, mut took) = (0, Duration::ZERO);
    for _ in 0..rounds {
        let round = drive(count, consumer);
        events += round.0;
        took += round.1;
    }
    let each = took.as_nanos() as f64 / events as f64;
    println!("{count:>7} sessions  {events:>8} events  {:>7.2} s  {each:>7.0} ns an event", took.as_secs_f64());
    each
}

/// The events of one virtual hour, and the real time that they took.
fn drive(count: usize, consumer: &Consumer) -> (u64, Duration) {
    let reply = Bytes::from_static(REPLY.as_bytes());
    let mut entropy = SeededEntropy::new(1);
    let (mut sessions, mut timers) = (Vec::with_capacity(count), BinaryHeap::with_capacity(count));
    for (index, (now, session)) in resume(count, consumer).into_iter().enumerate() {
        sessions.push(session);
        timers.push(Reverse((now, index)));
    }
    let (mut events, end) = (0_u64, START.saturating_add(HOUR));
    let started = Instant::now();
    while let Some(Reverse((now, index))) = timers.pop().filter(|Reverse((at, _))| *at < end) {
        let session = &mut sessions[index];
        session.handle_input(&mut Context::new(now, &mut entropy), Input::Timeout);
        timers.push(Reverse((drain(session, now, &mut entropy, &reply), index)));
        events += 1;
    }
    let took = started.elapsed();
    assert!(sessions.iter().all(|session| session.view().state() == State::Live));
    (events, took)
}

fn main() {
    // `cargo test --benches` only wants to see that it runs.
    let counts: &[usize] =
        if std::env::args().any(|argument| argument == "--bench") { &[1000, 10_000, 100_000] } else { &[10, 100] };
    let consumer = test_keys::consumer().expect("the fixed keys");
    let each: Vec<f64> = counts.iter().map(|count| measure(*count, counts[counts.len() - 1], &consumer)).collect();
    println!("the most of them cost {:.2} times as much each as the fewest", each[each.len() - 1] / each[0]);
}
