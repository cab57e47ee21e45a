//! A session is small: a server may hold a hundred thousand of them.

#![cfg(feature = "simulator")]
#![allow(clippy::print_stdout, reason = "a test says what it measured")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{alloc::System, time::Duration};

use ibkr_oauth::{
    Context, Secret, Timestamp, UnlockedToken,
    session::{Input, Output, Session, SessionConfig, State},
    simulator::{Broker, SeededEntropy, test_keys},
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const LIMIT: usize = 4096;

/// A session and its broker, an hour after the start, with all that an hour leaves behind.
fn live() -> (Session, Broker) {
    let token = UnlockedToken::from_plaintext("218c1d970d85a8442825", Secret::from(vec![7; 32]));
    let mut broker = Broker::builder().strict().access_token("218c1d970d85a8442825", [7; 32]).build().unwrap();
    let mut session = Session::new(test_keys::consumer().unwrap(), token, SessionConfig::default());
    let mut entropy = SeededEntropy::new(1);
    let start = Timestamp::from_secs(1_700_000_000);
    let mut now = start;
    while now < start.saturating_add(Duration::from_secs(3600)) {
        match session.poll_output(&mut Context::new(now, &mut entropy)) {
            Output::Transmit { id, request, .. } => {
                let response = broker.handle(&mut Context::new(now, &mut entropy), &request);
                session.handle_input(&mut Context::new(now, &mut entropy), Input::Response { id, response });
            }
            Output::Timeout { at, .. } => {
                now = at;
                session.handle_input(&mut Context::new(now, &mut entropy), Input::Timeout);
            }
            _ => {}
        }
    }
    (session, broker)
}

/// One test only: another one beside it would allocate too.
#[test]
fn a_live_session_takes_less_than_four_kibibytes() {
    let (mut session, mut broker) = live();
    assert_eq!(session.view().state(), State::Live);
    let mut entropy = SeededEntropy::new(2);
    let now = Timestamp::from_secs(1_700_000_000 + 3600);

    // While its request is under way it has the most to remember.
    let Output::Transmit { request, .. } = session.poll_output(&mut Context::new(now, &mut entropy)) else {
        panic!("a tickle is due")
    };
    drop(broker.handle(&mut Context::new(now, &mut entropy), &request));
    drop(request);
    // The consumer is shared: this clone keeps it.
    let consumer = session.view().signer().unwrap().consumer().clone();
    let region = Region::new(ALLOCATOR);
    drop(session);
    let change = region.change();
    let heap = change.bytes_deallocated - change.bytes_allocated;
    drop(consumer);

    let size = size_of::<Session>();
    println!("a live session: {size} bytes and {heap} on the heap, {} together", size + heap);
    assert!(size + heap < LIMIT, "{size} + {heap}");
}
