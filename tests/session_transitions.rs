//! Every transition of the table is made by some scenario, and the scenarios make no other.

#![cfg(feature = "simulator")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::match_same_arms,
    dead_code,
    unreachable_pub,
    reason = "a test fails by panicking"
)]

#[path = "support/machine.rs"]
mod machine;

use std::collections::HashSet;

use ibkr_oauth::{
    Consumer,
    session::{Input, Session, SessionConfig, State, TRANSITIONS, Trigger},
    simulator::test_keys,
};
use machine::{COMPETING, LOST, Machine, READY, UNSETTLED, tickle};

/// A session that gives up at the first refusal where that is the scenario.
fn config(trigger: Trigger) -> SessionConfig {
    let mut config = SessionConfig::default();
    config.brokerage = trigger != Trigger::ProvedReadOnly;
    if trigger == Trigger::GaveUp {
        config.max_refusals = 0;
    }
    config
}

/// A live session whose consumer has no Diffie-Hellman group, so that it can never renew.
fn resumed_without_group(config: SessionConfig) -> Machine {
    Machine::with(|broker, cx| {
        let token = test_keys::unlocked_token(broker, cx)?;
        let live = token.live_session_token(&test_keys::consumer()?, cx)?;
        let reply = broker.handle(cx, live.request());
        let mut first = Session::with_live_session_token(
            test_keys::consumer()?,
            token.clone(),
            live.complete(reply)?,
            config.clone(),
        );
        drop(first.poll_output(cx));
        let snapshot = first.snapshot().expect("a live session token");
        let consumer = Consumer::builder(test_keys::CONSUMER_KEY).build()?;
        Session::resume(consumer, token, config, snapshot, cx.now())
    })
}

/// Goes to a state from which `trigger` is to be pulled.
fn reach(state: State, trigger: Trigger) -> Machine {
    let config = config(trigger);
    if (state, trigger) == (State::Renewing, Trigger::GaveUp) {
        let mut machine = resumed_without_group(config);
        machine.drain();
        machine.reply(200, tickle(READY));
        return machine;
    }
    let mut machine = match state {
        State::Live | State::Renewing | State::Displaced | State::Closing => Machine::live(config),
        State::BackingOff if trigger == Trigger::RetryTickle => Machine::live(config),
        _ => Machine::new(config),
    };
    match state {
        State::Negotiating if trigger == Trigger::Shutdown => {}
        State::Renewing if trigger == Trigger::Shutdown => {
            machine.pass(24 * 3600 - 1000);
            assert!(!machine.poll());
        }
        State::Renewing => {
            machine.pass(24 * 3600 - 1000);
            machine.drain();
        }
        State::Displaced => {
            machine.wait();
            machine.reply(200, tickle(COMPETING));
        }
        State::Closing => machine.tell(Input::Shutdown),
        State::BackingOff if trigger == Trigger::RetryTickle => {
            for _ in 0..2 {
                machine.wait();
                machine.reply(503, "");
            }
        }
        State::BackingOff => {
            machine.drain();
            if trigger != Trigger::RetryNegotiation {
                machine.answer();
            }
            machine.reply(503, "");
        }
        State::Opening | State::Settling => {
            machine.drain();
            if (state, trigger) == (State::Opening, Trigger::Shutdown) {
                machine.handle(Input::Shutdown);
            }
            machine.answer();
            if state == State::Settling {
                machine.reply(200, UNSETTLED);
            }
        }
        _ => machine.drain(),
    }
    machine
}

/// Makes happen what makes the session go on from `state` for this reason.
fn pull(machine: &mut Machine, state: State, trigger: Trigger) {
    match (state, trigger) {
        (_, Trigger::Proved | Trigger::ProvedReadOnly | Trigger::Renewed) => machine.answer(),
        (State::Opening, Trigger::Ready) => machine.reply(200, READY),
        (State::Settling, Trigger::Ready) => {
            machine.wait();
            machine.reply(200, READY);
        }
        (State::Displaced, Trigger::Ready) => {
            machine.wait();
            machine.reply(200, tickle(READY));
        }
        (_, Trigger::Unsettled) => machine.reply(200, UNSETTLED),
        (State::Opening, Trigger::Displaced) => machine.reply(200, COMPETING),
        (State::Settling, Trigger::Displaced) => {
            machine.wait();
            machine.reply(200, COMPETING);
        }
        (State::Live, Trigger::Displaced) => {
            machine.wait();
            machine.reply(200, tickle(COMPETING));
        }
        (_, Trigger::BrokerageLost) => {
            machine.wait();
            machine.reply(200, tickle(LOST));
        }
        (_, Trigger::RenewalDue) => {
            machine.pass(24 * 3600 - 1000);
            machine.tell(Input::Timeout);
        }
        (_, Trigger::RenewalFailed) => machine.reply(503, ""),
        (_, Trigger::RetakeDue) => {
            machine.pass(300);
            machine.tell(Input::Timeout);
        }
        (_, Trigger::TokenLost) => {
            machine.pass(61);
            machine.report(401);
        }
        (State::Live | State::Displaced, Trigger::Failed) => {
            for _ in 0..2 {
                machine.wait();
                machine.reply(503, "");
            }
        }
        (State::Settling, Trigger::Failed) => {
            machine.wait();
            machine.reply(503, "");
        }
        (_, Trigger::Failed) => machine.reply(503, ""),
        (_, Trigger::RetryNegotiation | Trigger::RetryOpening | Trigger::RetryTickle) => machine.wait(),
        (State::Opening, Trigger::Shutdown) => {}
        (_, Trigger::Shutdown) => machine.tell(Input::Shutdown),
        (State::Renewing, Trigger::GaveUp) => {
            machine.pass(24 * 3600 - 1000);
            machine.tell(Input::Timeout);
        }
        (State::Settling | State::Live | State::Displaced, Trigger::GaveUp) => {
            machine.wait();
            machine.reply(401, "");
        }
        (_, Trigger::GaveUp) => machine.reply(403, ""),
        (_, Trigger::Ended) => machine.reply(200, r#"{"status":true}"#),
        other => panic!("no scenario for {other:?}"),
    }
}

#[test]
fn each_row_of_the_table_is_made() {
    let mut seen = HashSet::new();
    for row @ (from, trigger, to) in TRANSITIONS.iter().copied() {
        let mut machine = reach(from, trigger);
        let before = machine.transitions().len();
        pull(&mut machine, from, trigger);
        let made = machine.transitions();
        // Two scenarios end the state while they go to it.
        let new = &made[before.saturating_sub(1)..];
        assert!(new.contains(&row), "{from} on {trigger} to {to}: {made:?}");
        seen.extend(made);
    }
    assert_eq!(seen, TRANSITIONS.iter().copied().collect());
}

#[test]
fn no_state_has_two_rows_for_one_trigger() {
    let keys: HashSet<_> = TRANSITIONS.iter().map(|(from, trigger, _)| (*from, *trigger)).collect();
    assert_eq!(keys.len(), TRANSITIONS.len());
    for (from, trigger, to) in TRANSITIONS {
        assert_eq!(from.on(*trigger), Some(*to));
    }
    assert_eq!(State::Closed.on(Trigger::Shutdown), None);
}
