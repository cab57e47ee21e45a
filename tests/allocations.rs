//! A signature allocates the header's value, and nothing else; a session is small, for a server may hold a hundred thousand
//! of them, and holds no more memory after weeks of trouble than after a day; a stream holds little, whatever goes wrong.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::field_reassign_with_default,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::match_same_arms,
    clippy::struct_excessive_bools,
    clippy::too_many_lines,
    unreachable_pub,
    dead_code,
    unused_imports,
    reason = "a test fails by panicking, and takes of the others what it needs"
)]

use std::alloc::System;

use http::{Request, header, request::Parts};
use ibkr_oauth::{Consumer, Context, Entropy, EntropyError, QueryPolicy, Secret, Signer, Timestamp};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[cfg(feature = "simulator")]
#[path = "support/cases.rs"]
mod cases;
#[cfg(feature = "simulator")]
#[path = "support/fixture.rs"]
mod fixture;
#[cfg(feature = "simulator")]
#[path = "support/known_user.rs"]
mod known_user;
#[cfg(feature = "simulator")]
#[path = "support/machine.rs"]
mod machine;
#[cfg(feature = "simulator")]
#[path = "stream/properties.rs"]
mod properties;
#[cfg(feature = "simulator")]
#[path = "stream/server.rs"]
mod server;
#[cfg(feature = "simulator")]
mod session {
    pub(crate) mod adversary;
}
#[cfg(feature = "simulator")]
#[path = "stream/simulation.rs"]
mod simulation;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

struct Counter(u64);

impl Entropy for Counter {
    fn fill(&mut self, destination: &mut [u8]) -> Result<(), EntropyError> {
        self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        let bytes = self.0.to_le_bytes();
        destination.iter_mut().zip(bytes.iter().cycle()).for_each(|(to, from)| *to = *from);
        Ok(())
    }
}

fn signer(policy: QueryPolicy) -> Signer {
    let consumer = Consumer::builder("TESTCONS").query_policy(policy).build().unwrap();
    Signer::from_stored(&consumer, "218c1d970d85a8442825", &Secret::from([7; 20].as_slice())).unwrap()
}

/// A request with so many parameters, some of them encoded, in its query or in a form.
fn request(count: usize, is_form: bool) -> (Parts, Option<String>) {
    let pairs: Vec<String> = (0..count).map(|index| format!("p{}={index},%2C+", index * 7 % 10)).collect();
    let pairs = pairs.join("&");
    let url = "https://api.ibkr.com/v1/api/iserver/marketdata/snapshot";
    let url = if is_form { url.to_owned() } else { format!("{url}?{pairs}") };
    let media_type = if is_form { "application/x-www-form-urlencoded" } else { "application/json" };
    let request = Request::post(url).header(header::USER_AGENT, "test").header(header::CONTENT_TYPE, media_type);
    (request.body(()).unwrap().into_parts().0, is_form.then_some(pairs))
}

/// How often `work` allocates, reallocation counted too.
fn allocations(work: impl FnOnce()) -> usize {
    let region = Region::new(ALLOCATOR);
    work();
    let change = region.change();
    change.allocations + change.reallocations
}

/// The most bytes that a session may hold on the heap, with the key and the group of its consumer: what it keeps of
/// refusals, suspicions and tickets is limited by count.
#[cfg(feature = "simulator")]
const HELD: usize = 16 * 1024;

/// What sessions hold after days among a broker, a key store and an application that are up to anything.
#[cfg(feature = "simulator")]
fn sessions_hold_little() {
    const DAY: u64 = 86_400_000;
    let most = |days: u64, seeds: std::ops::Range<u64>| {
        let held = seeds.map(|seed| {
            let session = session::adversary::troubled(seed, days * DAY).0.into_session();
            let region = Region::new(ALLOCATOR);
            drop(session);
            region.change().bytes_deallocated
        });
        held.max().unwrap()
    };
    let (short, long) = (most(1, 0..6), most(10, 100..102));
    println!("a session holds at most {short} bytes after a day, and {long} after ten");
    assert!(short.max(long) <= HELD, "{short} bytes after a day, {long} after ten");
}

/// The most bytes that a live session takes, in place and on the heap, without what sessions share: the consumer.
#[cfg(feature = "simulator")]
const LIVE: usize = 4 * 1024;

/// A session after an hour, with all that an hour leaves behind, while a request is under way: then it has the most to
/// remember.
#[cfg(feature = "simulator")]
fn live_sessions_are_small() {
    use ibkr_oauth::session::{Session, SessionConfig, State};

    let mut machine = machine::Machine::live(SessionConfig::default());
    let an_hour_later = machine.now.saturating_add(std::time::Duration::from_secs(3600));
    loop {
        machine.wait();
        if machine.session.awaited().is_some() {
            if machine.now > an_hour_later {
                break;
            }
            machine.answer();
        }
    }
    assert_eq!(machine.state(), State::Live);
    let machine::Machine { session, .. } = machine;
    let consumer = session.view().signer().unwrap().consumer().clone();
    let region = Region::new(ALLOCATOR);
    drop(session);
    let change = region.change();
    drop(consumer);
    let (size, heap) = (size_of::<Session>(), change.bytes_deallocated - change.bytes_allocated);
    println!("a live session: {size} bytes and {heap} on the heap, {} together", size + heap);
    assert!(size + heap < LIVE, "{size} + {heap}");
}

/// Not run by the test runner, whose own thread allocates meanwhile: the count is that of all threads.
fn main() {
    signatures_allocate_once();
    #[cfg(feature = "simulator")]
    {
        live_sessions_are_small();
        sessions_hold_little();
        streams_hold_little();
    }
}

/// The most bytes that a stream with eleven topics may hold on the heap.
#[cfg(feature = "simulator")]
const HELD_BY_STREAM: usize = 8 * 1024;

/// What streams hold amid the trouble of the property of theirs, and an hour after it.
#[cfg(feature = "simulator")]
fn streams_hold_little() {
    use proptest::{
        strategy::{Strategy, ValueTree},
        test_runner::TestRunner,
    };

    let mut runner = TestRunner::deterministic();
    let mut most = [0, 0];
    for number in 0..60 {
        let play = properties::plays().new_tree(&mut runner).unwrap().current();
        // An hour costs more, so it is one in ten that goes on.
        let count = if number % 10 == 0 { 2 } else { 1 };
        for (quiet, most) in [0, 3600].into_iter().zip(&mut most).take(count) {
            let stream = properties::troubled(&play, quiet).stream;
            let region = Region::new(ALLOCATOR);
            drop(stream);
            *most = region.change().bytes_deallocated.max(*most);
        }
    }
    println!("a stream holds at most {} bytes amid trouble, and {} an hour after it", most[0], most[1]);
    assert!(most.iter().all(|held| (1..=HELD_BY_STREAM).contains(held)), "{most:?} bytes");
}

fn signatures_allocate_once() {
    for policy in QueryPolicy::ALL {
        let signer = signer(policy);
        for (count, is_form) in [(0, false), (2, false), (64, false), (64, true)] {
            let (parts, form) = request(count, is_form);
            let form = form.as_ref().map(String::as_bytes);
            let mut entropy = Counter(1);
            let mut cx = Context::new(Timestamp::from_secs(1_700_000_000), &mut entropy);

            // The buffer that is kept for each thread grows.
            signer.sign_parts(&mut cx, &mut parts.clone(), form).unwrap();
            // Signatures differ in length, as one character or another is encoded.
            let mut most = 0;
            for _ in 0..50 {
                // Not a clone, whose headers would have no room for one more.
                let (mut head, _) = request(count, is_form);
                let allocated = allocations(|| {
                    signer.sign_parts(&mut cx, &mut head, form).unwrap();
                });
                most = most.max(allocated);
            }
            assert_eq!(most, 1, "{policy}, {count} parameters, signed");
        }
    }
}
