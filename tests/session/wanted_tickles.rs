//! Tickles that a stream wants before they are due, and what it finds in them.

use ibkr_oauth::session::{Input, SessionConfig};

use super::TICKLE;
use crate::machine::{COMPETING, LOST, Machine, READY, tickle};

/// Tickles once, in its own time.
fn ordinary(machine: &mut Machine) {
    machine.wait();
    machine.reply(200, tickle(READY));
}

#[test]
fn the_view_shows_the_last_tickle_under_the_present_token() {
    let mut machine = Machine::live(SessionConfig::default());
    assert!(machine.session.view().last_tickle().is_none());
    machine.wait();
    machine.reply(200, r#"{"session":"5e55"}"#);
    let session = |machine: &Machine| {
        let session = machine.session.view().last_tickle()?.session()?;
        Some(String::from_utf8(session.expose().to_vec()).unwrap())
    };
    assert_eq!(session(&machine).as_deref(), Some("5e55"));
    machine.wait();
    machine.reply(503, "");
    assert_eq!(session(&machine).as_deref(), Some("5e55"), "one that fails changes nothing");
    machine.wait();
    machine.reply(200, r#"{"session":"0ther"}"#);
    assert_eq!(session(&machine).as_deref(), Some("0ther"));
    // The token is refused, and another negotiated: what was said under the first is of no use.
    machine.wait();
    machine.reply(401, "");
    while machine.handshakes() == 1 {
        machine.wait();
    }
    assert!(session(&machine).is_some());
    machine.answer();
    assert_eq!(session(&machine), None);
}

#[test]
fn a_wanted_tickle_is_sent_at_once_five_times_and_then_each_ten_minutes() {
    let mut machine = Machine::live(SessionConfig::default());
    ordinary(&mut machine);
    let mut early = Vec::new();
    for _ in 0..120 {
        machine.pass(20);
        let sent = machine.sent.len();
        machine.tell(Input::Tickle);
        early.push(machine.sent.len() - sent);
        if machine.sent.len() == sent {
            ordinary(&mut machine);
        } else {
            assert_eq!(machine.path(), TICKLE);
            machine.reply(200, tickle(READY));
        }
    }
    assert_eq!(early[..5], [1; 5]);
    let later: usize = early[5..].iter().sum();
    assert!((5..=12).contains(&later), "{later} in two hours");
}

#[test]
fn the_tickle_that_confirms_an_opening_is_not_sent_sooner() {
    let mut machine = Machine::live(SessionConfig::default());
    let sent = machine.sent.len();
    machine.tell(Input::Tickle);
    assert_eq!(machine.sent.len(), sent);
    let opened = machine.now;
    machine.wait();
    assert_eq!((machine.path(), machine.now.saturating_duration_since(opened)), (TICKLE, super::seconds(5)));
}

#[test]
fn a_wish_waits_for_what_is_under_way_and_for_the_session_to_be_live() {
    let mut machine = Machine::live(SessionConfig::default());
    ordinary(&mut machine);
    // The next is under way when it is wanted: that one does.
    machine.wait();
    machine.tell(Input::Tickle);
    let sent = machine.sent.len();
    machine.reply(200, tickle(READY));
    machine.pass(2);
    machine.tell(Input::Timeout);
    assert_eq!(machine.sent.len(), sent + 1, "it was started before");
    machine.reply(200, tickle(COMPETING));
    let sent = machine.sent.len();
    for _ in 0..10 {
        machine.tell(Input::Tickle);
        machine.pass(1);
    }
    assert_eq!(machine.sent.len(), sent, "displaced");
}

#[test]
fn a_brokerage_session_that_was_lost_shows_in_the_tickle() {
    let mut machine = Machine::live(SessionConfig::default());
    ordinary(&mut machine);
    machine.pass(10);
    machine.tell(Input::Tickle);
    machine.reply(200, tickle(LOST));
    let last = machine.session.view().last_tickle().unwrap().brokerage().unwrap();
    assert_eq!(last.authenticated, Some(false));
    assert!(!machine.session.view().is_live());
}
