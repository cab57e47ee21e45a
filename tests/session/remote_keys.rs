//! Signature keys that are elsewhere.

use ibkr_oauth::{
    ErrorKind,
    bytes::Bytes,
    http::Response,
    key::{RsaKey, SigningKey},
    session::{Failure, FailureKind, Input, Session, SessionConfig, SessionEvent, State},
    simulator::test_keys,
};

use super::{config, hours, seconds};
use crate::{known_user, machine::Machine};

pub(super) fn machine(config: SessionConfig) -> Machine {
    let consumer = known_user::consumer_with_remote_key();
    let mut machine = Machine::with(Session::new(consumer, known_user::token(), config));
    machine.drain();
    machine
}

/// What the key store answers.
pub(super) fn signature(machine: &mut Machine) -> Input {
    let (id, input) = machine.to_sign.clone().expect("something to sign");
    let key = RsaKey::from_pem(test_keys::SIGNATURE_KEY).unwrap();
    Input::Signed { id, signature: key.sign(&input, &mut machine.entropy).unwrap() }
}

/// A machine that is renewing, and waits for the key store.
pub(super) fn renewing(change: impl FnOnce(&mut SessionConfig)) -> Machine {
    let mut machine = machine(config(|config| {
        config.renewal_margin = hours(2);
        change(config);
    }));
    let input = signature(&mut machine);
    machine.tell(input);
    machine.answer();
    machine.answer();
    machine.pass(22 * 3600);
    machine.tell(Input::Timeout);
    assert_eq!(machine.state(), State::Renewing);
    machine
}

fn refuse(machine: &mut Machine, kind: FailureKind) {
    let (id, _) = machine.to_sign.clone().expect("something to sign");
    machine.tell(Input::Failed { id, failure: Failure::new(kind, "not today") });
}

#[test]
fn the_session_goes_on_when_the_signature_comes() {
    let mut machine = machine(SessionConfig::default());
    assert!(machine.sent.is_empty());
    assert_eq!(machine.deadline, Some(machine.now.saturating_add(seconds(30))));
    machine.pass(20);
    let input = signature(&mut machine);
    machine.tell(input);
    assert_eq!(machine.handshakes(), 1);
    // From here on it is the broker that is waited for.
    assert_eq!(machine.request.unwrap().1, machine.now.saturating_add(seconds(30)));
    machine.answer();
    machine.answer();
    assert_eq!(machine.state(), State::Live);

    // Renewal asks the key store again.
    machine.pass(24 * 3600 - 1000);
    machine.tell(Input::Timeout);
    assert_eq!(machine.state(), State::Renewing);
    let input = signature(&mut machine);
    machine.tell(input);
    machine.answer();
    assert_eq!((machine.state(), machine.handshakes()), (State::Live, 2));
}

#[test]
fn a_refusal_is_tried_again_and_bounded() {
    let mut machine = machine(SessionConfig::default());
    let start = machine.now;
    for _ in 0..20 {
        refuse(&mut machine, FailureKind::Refused);
        let is_late = machine.now.saturating_duration_since(start) >= seconds(30);
        assert_eq!(machine.state() == State::Closed, is_late, "given up by the first refusal after half a minute");
        if is_late {
            break;
        }
        {
            let first = machine.to_sign.clone().unwrap().0;
            machine.wait();
            assert_ne!(machine.to_sign.clone().unwrap().0, first);
        }
    }
    let Some(SessionEvent::GaveUp { error }) =
        machine.events.iter().find(|event| matches!(event, SessionEvent::GaveUp { .. }))
    else {
        panic!("it ought to give up")
    };
    assert_eq!(error.kind(), ErrorKind::Key);
    assert!(error.to_string().contains("not today"), "{error}");
    assert!(machine.sent.is_empty());
}

#[test]
fn a_key_store_that_is_away_is_waited_for() {
    let mut machine = machine(SessionConfig::default());
    for _ in 0..30 {
        refuse(&mut machine, FailureKind::NotSent);
        assert_eq!(machine.state(), State::BackingOff);
        machine.wait();
    }
    let late = signature(&mut machine);
    // It never answers: given up at the deadline, and what comes later is an event.
    machine.wait();
    assert_eq!(machine.state(), State::BackingOff);
    machine.tell(late);
    assert_eq!(machine.count(|event| matches!(event, SessionEvent::UnexpectedAnswer { .. })), 1);
    machine.wait();
    let input = signature(&mut machine);
    machine.tell(input);
    machine.answer();
    assert_eq!(machine.state(), State::Opening);
}

#[test]
fn a_signature_that_cannot_be_is_the_key_stores_fault() {
    for length in [0, 1, 20, 100_000] {
        let mut machine = machine(SessionConfig::default());
        let (id, _) = machine.to_sign.clone().unwrap();
        machine.tell(Input::Signed { id, signature: vec![1; length] });
        let Some(SessionEvent::Failed { error, .. }) = machine.events.first() else { panic!("{length}") };
        assert_eq!(error.kind(), ErrorKind::Key);
        machine.wait();
        let input = signature(&mut machine);
        machine.tell(input);
        machine.answer();
        assert_eq!(machine.state(), State::Opening);
    }
}

#[test]
fn a_reply_in_place_of_the_signature_is_an_event() {
    let mut machine = machine(SessionConfig::default());
    let (id, _) = machine.to_sign.clone().unwrap();
    machine.tell(Input::Response { id, response: Response::new(Bytes::new()) });
    assert_eq!(machine.count(|event| matches!(event, SessionEvent::UnexpectedAnswer { .. })), 1);
    assert_eq!(machine.state(), State::Negotiating);
    let input = signature(&mut machine);
    machine.tell(input);
    machine.answer();
    assert_eq!(machine.state(), State::Opening);
}

#[test]
fn a_signature_that_comes_inside_the_penalty_box_is_asked_for_anew_behind_it() {
    let mut machine = renewing(|_| {});
    crate::machine::boxed(&mut machine);
    let until = machine.now.saturating_add(seconds(900));
    let sent = machine.sent.len();
    machine.pass(5);
    let input = signature(&mut machine);
    machine.tell(input);
    assert_eq!((machine.state(), machine.sent.len()), (State::Renewing, sent));
    assert_eq!(machine.deadline, Some(until));
    machine.wait();
    let input = signature(&mut machine);
    machine.tell(input);
    let header = machine.sent.last().unwrap().1.headers()["authorization"].to_str().unwrap();
    assert!(header.contains(&format!("oauth_timestamp=\"{}\"", until.as_secs())), "{header}");
}

#[test]
fn a_request_that_nobody_has_fetched_is_taken_back_when_the_penalty_box_begins() {
    let mut machine = renewing(|_| {});
    let input = signature(&mut machine);
    // Two inputs before the next drain, as a mailbox hands them over.
    machine.handle(input);
    let sent = machine.sent.len();
    crate::machine::boxed(&mut machine);
    assert_eq!((machine.sent.len(), machine.deadline), (sent, machine.session.view().wait_until()));
    assert!(machine.deadline.is_some());
}

#[test]
fn who_leaves_needs_no_signature() {
    let mut machine = machine(SessionConfig::default());
    let input = signature(&mut machine);
    machine.tell(Input::Shutdown);
    assert_eq!(machine.deadline.unwrap(), machine.now.saturating_add(seconds(5)));
    machine.tell(input);
    assert_eq!(machine.state(), State::Closed);
    assert!(machine.sent.is_empty());
}

#[test]
fn what_is_to_be_signed_is_not_shown() {
    let mut machine = machine(SessionConfig::default());
    let (_, input) = machine.to_sign.take().unwrap();
    let message = String::from_utf8_lossy(input.expose_message()).into_owned();
    assert!(message.contains("POST&https%3A%2F%2Fapi.ibkr.com"));
    assert!(!format!("{input:?}").contains("POST"));
}
