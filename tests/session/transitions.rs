//! Every transition of the table is made by some scenario, and the scenarios make no other.

use ibkr_oauth::session::{
    Input, SessionConfig, State,
    State::{BackingOff, Closed, Closing, Displaced, Live, Negotiating, Opening, Renewing, Settling},
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

/// One that gives up at the next refusal of its token.
fn impatient() -> Machine {
    let mut machine = started(|_| {});
    for _ in 0..8 {
        machine.reply(401, "");
        machine.wait();
    }
    machine
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

/// Makes a row of the table, in each way that there is.
fn scenarios(from: State, to: State) -> Vec<Machine> {
    let any = || started(|_| {});
    let one = match (from, to) {
        (Negotiating, Opening) => opening(any()),
        (Negotiating, Live) => with(started(|config| config.brokerage = false), Machine::answer),
        (Negotiating, BackingOff) => {
            // The handshake fails; or it succeeds, and the opening has to wait.
            let mut machine = backing_off_for_long(any());
            machine.reply(401, "");
            machine.wait();
            machine.answer();
            return vec![with(any(), |machine| machine.reply(503, "")), machine];
        }
        (Negotiating, Closing) => shut_down(Machine::new(SessionConfig::default())),
        (Negotiating, _) => with(impatient(), |machine| machine.reply(401, "")),
        (Opening, Live) => with(opening(any()), |machine| machine.reply(200, READY)),
        (Opening, Settling) => settling(any()),
        (Opening, Displaced) => displaced(any()),
        (Opening, BackingOff) => with(opening(any()), |machine| machine.reply(503, "")),
        (Opening, Negotiating) => with(reopening(), |machine| machine.reply(401, "")),
        (Opening, Closing) => with(any(), |machine| {
            machine.handle(Input::Shutdown);
            machine.answer();
        }),
        (Opening, _) => with(opening(impatient()), |machine| machine.reply(401, "")),
        (Settling, Negotiating) => with(reopening(), |machine| {
            machine.reply(200, UNSETTLED);
            machine.wait();
            machine.reply(401, "");
        }),
        (Settling, Closing) => shut_down(settling(any())),
        (Settling, Closed) => with(settling(impatient()), |machine| {
            machine.wait();
            machine.reply(401, "");
        }),
        (Settling, to) => with(settling(any()), |machine| {
            machine.wait();
            match to {
                Live => machine.reply(200, READY),
                Displaced => machine.reply(200, COMPETING),
                _ => machine.reply(503, ""),
            }
        }),
        (Live, Renewing) => renewing(live()),
        (Live, Opening) => reopening(),
        (Live, Displaced) => displaced_from_live(),
        (Live, BackingOff) => backing_off_from_live(),
        (Live, Negotiating) => with(live(), |machine| tickles(machine, 401, "")),
        (Live, _) => shut_down(live()),
        (Renewing, Negotiating) => with(renewing(live()), Machine::wait),
        (Renewing, Closing) => with(live(), |machine| {
            machine.now = machine.session.snapshot().expect("a token").expires_at();
            machine.now = machine.now.saturating_sub(std::time::Duration::from_secs(30));
            assert!(!machine.poll());
            machine.tell(Input::Shutdown);
        }),
        (Renewing, to) => {
            let renewing = || {
                renewing(match to {
                    Displaced => long_displaced(),
                    BackingOff => backing_off_from_live(),
                    _ => live(),
                })
            };
            return vec![with(renewing(), Machine::answer), with(renewing(), |machine| machine.reply(503, ""))];
        }
        (Displaced, Live) => with(displaced_from_live(), |machine| tickles(machine, 200, READY)),
        (Displaced, Renewing) => renewing(long_displaced()),
        (Displaced, Opening) => with(displaced_from_live(), |machine| {
            machine.pass(900);
            machine.tell(Input::Timeout);
        }),
        (Displaced, BackingOff) => with(displaced_from_live(), |machine| tickles(machine, 401, "")),
        (Displaced, Negotiating) => with(long_displaced(), |machine| tickles(machine, 401, "")),
        (Displaced, Closing) => shut_down(displaced_from_live()),
        (Displaced, _) => with(displaced(impatient()), |machine| tickles(machine, 401, "")),
        (BackingOff, Live) => with(backing_off_from_live(), |machine| tickles(machine, 200, READY)),
        (BackingOff, Opening) => {
            let lost = with(backing_off_from_live(), |machine| tickles(machine, 200, LOST));
            let tried_again = with(opening(any()), |machine| {
                machine.reply(503, "");
                machine.wait();
            });
            return vec![lost, tried_again];
        }
        (BackingOff, Displaced) => with(backing_off_from_live(), |machine| tickles(machine, 200, COMPETING)),
        (BackingOff, Renewing) => renewing(backing_off_from_live()),
        (BackingOff, Negotiating) => {
            let lost = with(backing_off_from_live(), |machine| tickles(machine, 401, ""));
            let tried_again = with(any(), |machine| {
                machine.reply(503, "");
                machine.wait();
            });
            return vec![lost, tried_again];
        }
        (BackingOff, Closing) => shut_down(backing_off_from_live()),
        (BackingOff, _) => with(backing_off_for_long(impatient()), |machine| machine.reply(401, "")),
        (Closing, _) => with(shut_down(live()), |machine| machine.reply(200, r#"{"status":true}"#)),
        row => panic!("no scenario for {row:?}"),
    };
    vec![one]
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
    for from in [Negotiating, Opening, Settling, Live, Renewing, Displaced, BackingOff, Closing] {
        for to in from.successors() {
            for machine in scenarios(from, *to) {
                let made = machine.transitions();
                assert!(made.contains(&(from, *to)), "{from} to {to}: {made:?}");
                assert!(made.iter().all(|(from, to)| from.successors().contains(to)), "{made:?}");
            }
        }
    }
    assert!(Closed.successors().is_empty());
}
