//! Attempts of which nothing was sent: they keep their waits, and the broker's hour does not count them.

use std::time::Duration;

use ibkr_oauth::{
    Timestamp,
    session::{Failure, FailureKind, Input, SessionConfig, SessionEvent},
};

use super::{HANDSHAKE, OPEN, hours, remote_keys, seconds};
use crate::machine::{Machine, READY, tickle};

/// The longest wait after an attempt that was not sent.
const LONGEST: Duration = Duration::from_secs(300);

fn attempts(machine: &Machine, path: &str) -> Vec<Timestamp> {
    let made = machine.sent.iter().filter(|(_, request)| request.uri().path().ends_with(path));
    made.map(|(at, _)| *at).collect()
}

fn longest_gap(attempts: &[Timestamp]) -> Duration {
    let gaps = attempts.windows(2).map(|pair| pair[1].saturating_duration_since(pair[0]));
    gaps.max().unwrap_or_default()
}

fn is_awaited(machine: &Machine) -> bool {
    machine.session.awaited().is_some()
}

/// Nothing can be sent for this time.
fn be_cut_off(machine: &mut Machine, time: Duration) {
    let end = machine.now.saturating_add(time);
    while machine.now < end {
        if is_awaited(machine) {
            machine.fail(FailureKind::NotSent);
        } else {
            machine.wait();
        }
    }
}

#[test]
fn handshakes_that_were_not_sent_do_not_count() {
    let mut machine = Machine::new(SessionConfig::default());
    machine.drain();
    be_cut_off(&mut machine, hours(3));
    let made = attempts(&machine, HANDSHAKE);
    assert!(made.len() > 50, "{}", made.len());
    assert!(longest_gap(&made) <= LONGEST, "{:?}", longest_gap(&made));
}

#[test]
fn openings_that_were_not_sent_do_not_count() {
    let mut machine = Machine::new(SessionConfig::default());
    machine.drain();
    machine.answer();
    be_cut_off(&mut machine, hours(3));
    let made = attempts(&machine, OPEN);
    assert!(made.len() > 50, "{}", made.len());
    assert!(longest_gap(&made) <= LONGEST, "{:?}", longest_gap(&made));
}

/// What was sent counts, however much beside it was not.
#[test]
fn those_that_were_sent_count_as_before() {
    let mut machine = Machine::new(SessionConfig::default());
    machine.drain();
    let mut counted = Vec::new();
    let end = machine.now.saturating_add(hours(24));
    while machine.now < end {
        counted.push(machine.now);
        machine.fail(FailureKind::MaybeSent);
        machine.wait();
        for _ in 0..3 {
            machine.fail(FailureKind::NotSent);
            machine.wait();
        }
    }
    assert!(counted.windows(21).all(|hour| hour[20].saturating_duration_since(hour[0]) >= hours(1)));
}

/// A request that nobody has fetched was not sent either.
#[test]
fn handshakes_that_were_taken_back_do_not_count() {
    let mut machine = remote_keys::renewing(|_| {});
    for _ in 0..40 {
        let input = remote_keys::signature(&mut machine);
        machine.handle(input);
        let report = machine.response_with("/portfolio/accounts", 429, "", Some("60"));
        machine.handle(Input::Reported(report));
        machine.drain();
        machine.wait();
    }
    assert_eq!(machine.handshakes(), 1);
    let input = remote_keys::signature(&mut machine);
    machine.tell(input);
    machine.reply(503, "");
    let Some(SessionEvent::Failed { retry_at, .. }) =
        machine.events.iter().rfind(|event| matches!(event, SessionEvent::Failed { .. }))
    else {
        panic!("it failed")
    };
    assert!(*retry_at <= machine.now.saturating_add(seconds(2)), "{retry_at}");
}

#[test]
fn a_key_store_that_does_not_answer_is_asked_again_as_after_any_attempt_that_was_not_sent() {
    for kind in [FailureKind::NotSent, FailureKind::MaybeSent, FailureKind::TimedOut] {
        let mut machine = remote_keys::machine(SessionConfig::default());
        let end = machine.now.saturating_add(hours(3));
        let mut asked = Vec::new();
        while machine.now < end {
            let (id, _) = machine.to_sign.clone().unwrap();
            asked.push(machine.now);
            machine.tell(Input::Failed { id, failure: Failure::new(kind, "") });
            machine.wait();
        }
        assert!(longest_gap(&asked) <= LONGEST, "{kind:?}: {:?}", longest_gap(&asked));
        assert!(machine.sent.is_empty());
        for event in &machine.events {
            if let SessionEvent::Failed { error, .. } = event {
                assert!(!error.may_have_been_sent(), "{kind:?}: {error}");
            }
        }
    }
}

/// An opening that was not sent has not kept the token alive.
#[test]
fn an_opening_that_was_not_sent_puts_no_tickle_off() {
    let mut machine = Machine::new(SessionConfig::default());
    machine.drain();
    machine.answer();
    let since = machine.now;
    let mut tickled = None;
    while tickled.is_none() {
        if is_awaited(&machine) {
            machine.fail(FailureKind::NotSent);
        }
        machine.wait();
        tickled = attempts(&machine, "/tickle").first().copied();
    }
    let gap = tickled.unwrap().saturating_duration_since(since);
    assert!(gap <= seconds(60), "{gap:?}");
}

/// A renewal that is not sent is repeated at its pace, however long the session has been live.
#[test]
fn a_renewal_that_cannot_be_sent_is_not_repeated_each_second() {
    for kind in [FailureKind::NotSent, FailureKind::TimedOut] {
        let mut machine = remote_keys::renewing(|_| {});
        let since = machine.now;
        let mut asked = 0;
        while machine.now < since.saturating_add(hours(1)) {
            asked += 1;
            let (id, _) = machine.to_sign.take().unwrap();
            machine.tell(Input::Failed { id, failure: Failure::new(kind, "") });
            while machine.to_sign.is_none() {
                if is_awaited(&machine) {
                    machine.reply(200, tickle(READY));
                }
                machine.wait();
            }
        }
        assert!(asked <= 40, "{asked} times in an hour");
    }
}
