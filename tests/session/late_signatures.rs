//! Signatures that come from elsewhere, after the time that they are dated by has passed.

use ibkr_oauth::{
    Context,
    bytes::Bytes,
    http::Request,
    session::{Input, SessionEvent, State},
};

use super::{
    hours,
    remote_keys::{renewing, signature},
    seconds,
};
use crate::machine::Machine;

fn timestamp(request: &Request<Bytes>) -> u64 {
    let header = request.headers()["authorization"].to_str().unwrap();
    header.split("oauth_timestamp=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap()
}

/// The application signs a request of its own, and sends it.
fn sign_one(machine: &mut Machine) -> u64 {
    let mut request = Request::get("https://api.ibkr.com/v1/api/portfolio/accounts").body(Bytes::new()).unwrap();
    let signer = machine.session.view().signer().unwrap().clone();
    signer.sign(&mut Context::new(machine.now, &mut machine.entropy), &mut request).unwrap();
    timestamp(&request)
}

#[test]
fn what_was_to_be_signed_before_the_clock_stepped_is_never_sent() {
    let mut machine = renewing(|_| {});
    let before = machine.to_sign.clone().unwrap().0;
    let late = signature(&mut machine);
    let sent = machine.sent.len();
    machine.now = machine.now.saturating_sub(hours(1));
    machine.tell(Input::Timeout);
    assert_eq!(machine.count(|event| matches!(event, SessionEvent::ClockStepped { .. })), 1);
    assert_eq!((machine.state(), machine.sent.len()), (State::Negotiating, sent));
    assert_ne!(machine.to_sign.clone().unwrap().0, before);
    machine.tell(late);
    assert_eq!(machine.count(|event| matches!(event, SessionEvent::UnexpectedAnswer { .. })), 1);
    assert_eq!(machine.sent.len(), sent);

    let input = signature(&mut machine);
    machine.tell(input);
    assert_eq!(timestamp(&machine.sent.last().unwrap().1), machine.now.as_secs());
    machine.answer();
    assert_eq!(machine.state(), State::Opening);
}

#[test]
fn a_signature_that_the_clock_and_not_the_session_has_overtaken_is_never_sent() {
    // As above, but the signature is what comes first after the step.
    let mut machine = renewing(|_| {});
    let late = signature(&mut machine);
    let sent = machine.sent.len();
    machine.now = machine.now.saturating_sub(hours(1));
    machine.tell(late);
    let first_was_sent = machine.sent.len() > sent;
    assert!(!first_was_sent, "dated an hour ahead");
    assert_eq!(machine.count(|event| matches!(event, SessionEvent::ClockStepped { .. })), 1);
}

#[test]
fn a_handshake_that_the_application_has_overtaken_is_signed_anew() {
    let mut machine = renewing(|_| {});
    machine.pass(3);
    let last = sign_one(&mut machine);
    let sent = machine.sent.len();
    let input = signature(&mut machine);
    let before = machine.to_sign.clone().unwrap().0;
    machine.tell(input);
    assert_eq!((machine.state(), machine.sent.len()), (State::Renewing, sent));
    assert_ne!(machine.to_sign.clone().unwrap().0, before);
    let input = signature(&mut machine);
    machine.tell(input);
    assert!(timestamp(&machine.sent.last().unwrap().1) >= last);
    machine.answer();
    assert_eq!(machine.state(), State::Live);
}

#[test]
fn an_application_that_never_pauses_does_not_keep_a_slow_key_store_from_renewing() {
    for delay in [1, 4, 20] {
        let mut machine = renewing(|_| {});
        let (mut last, mut asked) = (0, 0);
        let sent = machine.sent.len();
        while machine.sent.len() == sent {
            for _ in 0..delay {
                machine.pass(1);
                let stamp = sign_one(&mut machine);
                assert!(stamp >= last && stamp.abs_diff(machine.now.as_secs()) <= 60, "{stamp} at {}", machine.now);
                last = stamp;
            }
            asked += 1;
            let input = signature(&mut machine);
            machine.tell(input);
        }
        assert_eq!(asked, 2, "{delay} s");
        assert!(timestamp(&machine.sent.last().unwrap().1) >= last);
        machine.answer();
        assert_eq!(machine.state(), State::Live);
    }
}

#[test]
fn a_signature_that_is_older_than_the_broker_takes_is_asked_for_anew() {
    for (late, is_sent) in [(250, true), (301, false), (3000, false)] {
        let mut machine = renewing(|config| config.response_timeout = hours(1));
        let sent = machine.sent.len();
        machine.pass(late);
        let input = signature(&mut machine);
        machine.tell(input);
        assert_eq!((machine.state(), machine.sent.len() > sent), (State::Renewing, is_sent), "{late} s");
        if !is_sent {
            let input = signature(&mut machine);
            machine.tell(input);
            let ahead = timestamp(&machine.sent.last().unwrap().1).abs_diff(machine.now.as_secs());
            assert!(seconds(ahead) <= seconds(60), "{ahead} s ahead");
        }
    }
}

#[test]
fn a_key_store_that_was_quick_is_not_taken_for_slow() {
    let mut machine = renewing(|_| {});
    let input = signature(&mut machine);
    machine.tell(input);
    assert_eq!(timestamp(&machine.sent.last().unwrap().1), machine.now.as_secs());
}
