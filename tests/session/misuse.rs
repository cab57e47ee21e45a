//! Misuse is harmless, and an event.

use ibkr_oauth::{
    bytes::Bytes,
    http::Response,
    session::{ExchangeId, Failure, FailureKind, Input, SessionConfig, SessionEvent, State},
};

use crate::machine::{Machine, READY, report, tickle};

fn unexpected(id: ExchangeId) -> impl Fn(&SessionEvent) -> bool {
    move |event| matches!(event, SessionEvent::UnexpectedAnswer { id: named } if *named == id)
}

fn answers(id: ExchangeId) -> Vec<Input> {
    let failure = Failure::new(FailureKind::NotSent, "");
    vec![
        Input::Response { id, response: Response::new(Bytes::new()) },
        Input::Failed { id, failure },
        Input::Signed { id, signature: vec![0; 256] },
    ]
}

#[test]
fn an_answer_given_twice_or_late_is_an_event() {
    let mut machine = Machine::live(SessionConfig::default());
    let answered = machine.outstanding();
    let deadline = machine.deadline;
    for (count, input) in (1..).zip(answers(answered)) {
        machine.tell(input);
        assert_eq!(machine.count(unexpected(answered)), count);
        assert_eq!((machine.state(), machine.deadline), (State::Live, deadline));
    }
    // One that comes after it was given up.
    machine.wait();
    let late = machine.outstanding();
    machine.wait();
    assert_eq!(machine.session.awaited(), None);
    machine.tell(Input::Response { id: late, response: Response::new(tickle(READY).into()) });
    assert_eq!(machine.count(unexpected(late)), 1);
}

#[test]
fn an_id_of_another_session_is_an_event() {
    let mut other = Machine::live(SessionConfig::default());
    for _ in 0..3 {
        other.wait();
        other.reply(200, tickle(READY));
    }
    let mut machine = Machine::new(SessionConfig::default());
    machine.drain();
    for input in answers(other.outstanding()) {
        machine.tell(input);
    }
    assert_eq!(machine.count(unexpected(other.outstanding())), 3);
    machine.answer();
    assert_eq!(machine.state(), State::Opening);
}

#[test]
fn a_signature_that_nobody_asked_for_is_an_event() {
    let mut machine = Machine::new(SessionConfig::default());
    machine.drain();
    let id = machine.outstanding();
    machine.tell(Input::Signed { id, signature: vec![0; 256] });
    assert_eq!(machine.count(unexpected(id)), 1);
    machine.answer();
    assert_eq!(machine.state(), State::Opening, "the request still waited for its reply");
}

#[test]
fn inputs_after_the_end_are_events() {
    let mut machine = Machine::live(SessionConfig::default());
    let token_id = machine.session.view().token_id().unwrap();
    let id = machine.outstanding();
    machine.tell(Input::Shutdown);
    machine.reply(200, r#"{"status":true}"#);
    assert_eq!(machine.state(), State::Closed);
    let events = machine.events.len();
    machine.tell(Input::Timeout);
    assert_eq!(machine.events.len(), events);
    let mut inputs = answers(id);
    inputs.push(Input::Shutdown);
    inputs.push(Input::Reported(report(token_id, machine.now, "/trsrv", 401, "", None)));
    for input in inputs {
        machine.tell(input);
        assert!(machine.deadline.is_none());
    }
    assert_eq!(machine.count(|event| matches!(event, SessionEvent::InputAfterEnd)), 5);
}

#[test]
fn timeouts_before_their_time_do_nothing() {
    let mut machine = Machine::live(SessionConfig::default());
    let (deadline, sent) = (machine.deadline, machine.sent.len());
    for _ in 0..100 {
        machine.tell(Input::Timeout);
    }
    assert_eq!((machine.deadline, machine.sent.len()), (deadline, sent));
    machine.wait();
    let (deadline, sent) = (machine.deadline, machine.sent.len());
    for _ in 0..100 {
        machine.tell(Input::Timeout);
    }
    assert_eq!((machine.deadline, machine.sent.len()), (deadline, sent));
}

#[test]
fn a_reply_that_events_have_overtaken_is_dropped() {
    let mut machine = Machine::live(SessionConfig::default());
    machine.pass(61);
    machine.drain();
    assert_eq!(machine.path(), "/tickle");
    machine.now = machine.session.snapshot().unwrap().expires_at();
    machine.handle(Input::Timeout);
    machine.poll();
    // The token has expired; the tickle is still under way, and at most one request is.
    assert_eq!((machine.state(), machine.path()), (State::Negotiating, "/tickle"));
    machine.reply(200, tickle(READY));
    assert_eq!(machine.handshakes(), 2);

    // The same where it is never answered.
    let mut machine = Machine::live(SessionConfig::default());
    machine.pass(61);
    machine.drain();
    machine.now = machine.session.snapshot().unwrap().expires_at();
    machine.tell(Input::Timeout);
    assert_eq!((machine.state(), machine.handshakes()), (State::Negotiating, 2));
}
