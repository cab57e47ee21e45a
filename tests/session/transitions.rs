//! Every transition of the table is made by some scenario, and the scenarios make no other.

use std::collections::HashSet;

use ibkr_oauth::session::{
    Input, SessionConfig, State,
    State::{BackingOff, Closing, Displaced, Live, Negotiating, Opening, Renewing, Settling},
    TRANSITIONS, Trigger,
};

use crate::machine::{COMPETING, LOST, Machine, READY, UNSETTLED, tickle};

/// A session that is asked for nothing yet but its handshake.
fn started(change: impl FnOnce(&mut SessionConfig)) -> Machine {
    let mut config = SessionConfig::default();
    change(&mut config);
    let mut machine = Machine::new(config);
    machine.drain();
    machine
}

/// One that gives up at the first refusal of its token.
fn impatient() -> Machine {
    started(|config| config.max_refusals = 0)
}

fn opening(mut machine: Machine) -> Machine {
    machine.answer();
    assert_eq!(machine.state(), Opening);
    machine
}

fn settling(machine: Machine) -> Machine {
    let mut machine = opening(machine);
    machine.reply(200, UNSETTLED);
    machine
}

fn displaced(machine: Machine) -> Machine {
    let mut machine = opening(machine);
    machine.reply(200, COMPETING);
    machine
}

/// Live for so long that its token and its opening are old.
fn live() -> Machine {
    let mut machine = Machine::live(SessionConfig::default());
    machine.pass(1900);
    machine.tell(Input::Timeout);
    machine.reply(200, tickle(READY));
    machine
}

fn backing_off_from_live() -> Machine {
    let mut machine = live();
    tickles(&mut machine, 503, "");
    tickles(&mut machine, 503, "");
    assert_eq!(machine.state(), BackingOff);
    machine
}

fn renewing(mut machine: Machine) -> Machine {
    let expires_at = machine.session.snapshot().expect("a token").expires_at();
    machine.now = expires_at.saturating_sub(std::time::Duration::from_secs(30));
    machine.tell(Input::Timeout);
    assert_eq!(machine.state(), Renewing);
    machine
}

/// Waits for the next tickle, and answers it so.
fn tickles(machine: &mut Machine, status: u16, body: &str) {
    machine.wait();
    while machine.path() != "/tickle" {
        machine.answer();
        machine.wait();
    }
    machine.reply(status, tickle(body));
}

fn shut_down(mut machine: Machine) -> Machine {
    machine.handle(Input::Shutdown);
    machine.drain();
    machine
}

fn displaced_from_live() -> Machine {
    let mut machine = Machine::live(SessionConfig::default());
    tickles(&mut machine, 200, COMPETING);
    machine
}

/// Opening after a loss, so that its token is old.
fn reopening() -> Machine {
    let mut machine = live();
    tickles(&mut machine, 200, LOST);
    assert_eq!(machine.state(), Opening);
    machine
}

/// Never live, and waiting so long for the next opening that a tickle comes before it.
fn backing_off_for_long(machine: Machine) -> Machine {
    let mut machine = opening(machine);
    loop {
        machine.reply(503, "");
        machine.wait();
        if machine.path() == "/tickle" {
            return machine;
        }
    }
}

/// Makes a row of the table.
fn scenario(from: State, trigger: Trigger, to: State) -> Machine {
    let any = || started(|_| {});
    match (from, trigger, to) {
        (Negotiating, Trigger::Proved, Opening) => opening(any()),
        (Negotiating, Trigger::Proved, BackingOff) => {
            let mut machine = backing_off_for_long(any());
            machine.reply(401, "");
            machine.wait();
            machine.answer();
            machine
        }
        (Negotiating, Trigger::ProvedReadOnly, _) => with(started(|config| config.brokerage = false), Machine::answer),
        (Negotiating, Trigger::Failed, _) => with(any(), |machine| machine.reply(503, "")),
        (Negotiating, Trigger::Shutdown, _) => shut_down(Machine::new(SessionConfig::default())),
        (Negotiating, Trigger::GaveUp, _) => with(impatient(), |machine| machine.reply(401, "")),
        (Opening, Trigger::Ready, _) => with(opening(any()), |machine| machine.reply(200, READY)),
        (Opening, Trigger::Unsettled, _) => settling(any()),
        (Opening, Trigger::Displaced, _) => displaced(any()),
        (Opening, Trigger::Failed, _) => with(opening(any()), |machine| machine.reply(503, "")),
        (Opening, Trigger::TokenLost, _) => with(reopening(), |machine| machine.reply(401, "")),
        (Opening, Trigger::Shutdown, _) => with(any(), |machine| {
            machine.handle(Input::Shutdown);
            machine.answer();
        }),
        (Opening, Trigger::GaveUp, _) => with(opening(impatient()), |machine| machine.reply(401, "")),
        (Settling, Trigger::TokenLost, _) => with(reopening(), |machine| {
            machine.reply(200, UNSETTLED);
            machine.wait();
            machine.reply(401, "");
        }),
        (Settling, Trigger::Shutdown, _) => shut_down(settling(any())),
        (Settling, Trigger::GaveUp, _) => with(settling(impatient()), |machine| {
            machine.wait();
            machine.reply(401, "");
        }),
        (Settling, trigger, _) => with(settling(any()), |machine| {
            machine.wait();
            match trigger {
                Trigger::Ready => machine.reply(200, READY),
                Trigger::Displaced => machine.reply(200, COMPETING),
                _ => machine.reply(503, ""),
            }
        }),
        (Live, Trigger::RenewalDue, _) => renewing(live()),
        (Live, Trigger::BrokerageLost, _) => reopening(),
        (Live, Trigger::Displaced, _) => displaced_from_live(),
        (Live, Trigger::Failed, _) => backing_off_from_live(),
        (Live, Trigger::TokenLost, _) => with(live(), |machine| tickles(machine, 401, "")),
        (Live, Trigger::Shutdown, _) => shut_down(live()),
        (Renewing, Trigger::TokenLost, _) => with(renewing(live()), Machine::wait),
        (Renewing, Trigger::Shutdown, _) => with(live(), |machine| {
            machine.now = machine.session.snapshot().expect("a token").expires_at();
            machine.now = machine.now.saturating_sub(std::time::Duration::from_secs(30));
            assert!(!machine.poll());
            machine.tell(Input::Shutdown);
        }),
        (Renewing, trigger, to) => {
            let mut machine = renewing(match to {
                Displaced => long_displaced(),
                BackingOff => backing_off_from_live(),
                _ => live(),
            });
            if trigger == Trigger::Renewed {
                machine.answer();
            } else {
                machine.reply(503, "");
            }
            machine
        }
        (Displaced, Trigger::Ready, _) => with(displaced_from_live(), |machine| tickles(machine, 200, READY)),
        (Displaced, Trigger::RenewalDue, _) => renewing(long_displaced()),
        (Displaced, Trigger::RetakeDue, _) => with(displaced_from_live(), |machine| {
            machine.pass(900);
            machine.tell(Input::Timeout);
        }),
        (Displaced, Trigger::Failed, _) => with(displaced_from_live(), |machine| tickles(machine, 401, "")),
        (Displaced, Trigger::TokenLost, _) => with(long_displaced(), |machine| tickles(machine, 401, "")),
        (Displaced, Trigger::Shutdown, _) => shut_down(displaced_from_live()),
        (Displaced, Trigger::GaveUp, _) => with(displaced(impatient()), |machine| tickles(machine, 401, "")),
        (BackingOff, Trigger::Ready, _) => with(backing_off_from_live(), |machine| tickles(machine, 200, READY)),
        (BackingOff, Trigger::BrokerageLost, _) => with(backing_off_from_live(), |machine| tickles(machine, 200, LOST)),
        (BackingOff, Trigger::Displaced, _) => {
            with(backing_off_from_live(), |machine| tickles(machine, 200, COMPETING))
        }
        (BackingOff, Trigger::RenewalDue, _) => renewing(backing_off_from_live()),
        (BackingOff, Trigger::RetryNegotiation, _) => with(any(), |machine| {
            machine.reply(503, "");
            machine.wait();
        }),
        (BackingOff, Trigger::RetryOpening, _) => with(opening(any()), |machine| {
            machine.reply(503, "");
            machine.wait();
        }),
        (BackingOff, Trigger::TokenLost, _) => with(backing_off_from_live(), |machine| tickles(machine, 401, "")),
        (BackingOff, Trigger::Shutdown, _) => shut_down(backing_off_from_live()),
        (BackingOff, Trigger::GaveUp, _) => with(backing_off_for_long(impatient()), |machine| machine.reply(401, "")),
        (Closing, Trigger::Ended, _) => with(shut_down(live()), |machine| machine.reply(200, r#"{"status":true}"#)),
        row => panic!("no scenario for {row:?}"),
    }
}

/// Displaced for half an hour, and asking only after days.
fn long_displaced() -> Machine {
    let mut config = SessionConfig::default();
    config.displaced_retry = std::time::Duration::from_secs(100 * 3600);
    let mut machine = Machine::live(config);
    tickles(&mut machine, 200, COMPETING);
    machine.pass(1900);
    machine.tell(Input::Timeout);
    machine.reply(200, tickle(COMPETING));
    machine
}

fn with(mut machine: Machine, work: impl FnOnce(&mut Machine)) -> Machine {
    work(&mut machine);
    machine
}

#[test]
fn each_row_of_the_table_is_made_and_no_other() {
    let table: HashSet<_> = TRANSITIONS.iter().copied().collect();
    assert_eq!(table.len(), TRANSITIONS.len(), "no row is there twice");
    for row @ (from, trigger, to) in TRANSITIONS.iter().copied() {
        let made = scenario(from, trigger, to).transitions();
        assert!(made.contains(&row), "{from} on {trigger} to {to}: {made:?}");
        assert!(made.iter().all(|row| table.contains(row)), "{made:?}");
    }
}
