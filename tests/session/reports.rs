//! Which live session token made a signature, and what the fate of a request means for it.

use ibkr_oauth::{
    ErrorKind, Timestamp, TokenId,
    http::{Method, StatusCode},
    session::{Advice, Input, SessionConfig, SessionView, State, TimeoutReason},
};

use super::{TICKLE, seconds};
use crate::machine::{Machine, READY, tickle};

fn report(machine: &mut Machine, token_id: TokenId, status: u16) {
    machine.tell(Input::Reported { token_id, status: StatusCode::from_u16(status).unwrap() });
}

#[test]
fn a_thousand_401s_of_one_epoch_cause_one_handshake() {
    for status in [401, 410] {
        for drained in [true, false] {
            let mut machine = Machine::live(SessionConfig::default());
            machine.wait();
            machine.reply(200, tickle(READY));
            let token_id = machine.session.view().token_id().unwrap();
            for _ in 0..1000 {
                let status = StatusCode::from_u16(status).unwrap();
                machine.handle(Input::Reported { token_id, status });
                if drained {
                    machine.drain();
                }
            }
            machine.drain();
            assert_eq!((machine.state(), machine.handshakes()), (State::Negotiating, 2));
            assert_eq!(machine.session.view().token_id(), None);
            machine.answer();
            for _ in 0..1000 {
                report(&mut machine, token_id, status);
            }
            machine.answer();
            assert_eq!((machine.state(), machine.handshakes()), (State::Live, 2));
            machine.pass(90);
            report(&mut machine, token_id, status);
            machine.reply(200, tickle(READY));
            assert_eq!((machine.state(), machine.handshakes()), (State::Live, 2), "a late 401 of an old token");
        }
    }
}

#[test]
fn a_token_that_fares_no_better_than_the_one_before_is_replaced_after_a_wait() {
    let mut machine = Machine::live(SessionConfig::default());
    machine.pass(61);
    machine.report(401);
    machine.answer();
    assert_eq!(machine.state(), State::Opening);
    machine.reply(401, "");
    assert_eq!((machine.state(), machine.handshakes()), (State::BackingOff, 2));
}

#[test]
fn a_401_while_renewing_does_not_start_a_second_handshake() {
    let mut machine = Machine::live(SessionConfig::default());
    let token_id = machine.session.view().token_id().unwrap();
    machine.pass(23 * 3600 + 55 * 60 - 590);
    machine.tell(Input::Timeout);
    assert_eq!(machine.state(), State::Renewing);
    for _ in 0..10 {
        report(&mut machine, token_id, 401);
    }
    assert_eq!((machine.state(), machine.handshakes()), (State::Negotiating, 2));
    machine.answer();
    machine.answer();
    assert_eq!((machine.state(), machine.handshakes()), (State::Live, 2));
}

#[test]
fn a_token_that_expires_while_it_is_renewed_waits_for_that_handshake() {
    let mut machine = Machine::live(SessionConfig::default());
    machine.pass(23 * 3600 + 55 * 60 - 10);
    machine.tell(Input::Timeout);
    assert_eq!(machine.state(), State::Renewing);
    machine.wait();
    assert_eq!((machine.state(), machine.handshakes()), (State::Negotiating, 2));
    assert!(machine.session.view().signer().is_none());
    machine.answer();
    assert_eq!((machine.state(), machine.handshakes()), (State::Opening, 2));
}

#[test]
fn a_young_token_is_tried_before_it_is_doubted() {
    let mut machine = Machine::live(SessionConfig::default());
    let token_id = machine.session.view().token_id().unwrap();
    let mut tickles = 0;
    for _ in 0..590 {
        machine.now = machine.now.saturating_add(std::time::Duration::from_millis(100));
        let before = machine.sent.len();
        report(&mut machine, token_id, 401);
        if machine.sent.len() > before {
            assert_eq!(machine.path(), "/tickle");
            tickles += 1;
            machine.reply(200, tickle(READY));
        }
    }
    // Six hundred refusals in a minute, and no more than a tickle each five seconds.
    assert!((1..=12).contains(&tickles), "{tickles}");
    assert_eq!((machine.state(), machine.handshakes()), (State::Live, 1));

    // One that is really dead is replaced, once.
    let mut machine = Machine::live(SessionConfig::default());
    for _ in 0..1000 {
        report(&mut machine, token_id, 401);
    }
    machine.reply(401, "");
    assert_eq!((machine.state(), machine.handshakes()), (State::Negotiating, 2));
}

#[test]
fn other_statuses_of_the_applications_change_nothing() {
    let mut machine = Machine::live(SessionConfig::default());
    machine.pass(61);
    let deadline = machine.deadline;
    let token_id = machine.session.view().token_id().unwrap();
    for status in [200, 302, 400, 403, 404, 408, 500, 503] {
        machine.handle(Input::Reported { token_id, status: StatusCode::from_u16(status).unwrap() });
    }
    assert_eq!(machine.state(), State::Live);
    machine.now = deadline.unwrap().0;
    machine.drain();
    assert_eq!(machine.path(), "/tickle");
}

#[test]
fn a_401_of_a_token_that_was_never_ours_changes_nothing() {
    let mut other = Machine::with(|broker, cx| {
        let token = ibkr_oauth::simulator::test_keys::unlocked_token(broker, cx)?;
        cx.entropy().fill(&mut [0; 8]).unwrap();
        Ok(ibkr_oauth::session::Session::new(
            ibkr_oauth::simulator::test_keys::consumer()?,
            token,
            SessionConfig::default(),
        ))
    });
    other.drain();
    other.answer();
    let foreign = other.session.view().token_id().unwrap();
    let mut machine = Machine::live(SessionConfig::default());
    assert_ne!(machine.session.view().token_id(), Some(foreign));
    machine.pass(100);
    machine.handle(Input::Reported { token_id: foreign, status: StatusCode::UNAUTHORIZED });
    assert_eq!(machine.state(), State::Live);
}

/// What the table of advice distinguishes.
struct Views {
    live: SessionView,
    negotiating: SessionView,
    boxed: SessionView,
    closed: SessionView,
    token_id: TokenId,
    old: TokenId,
    until: Timestamp,
}

fn views() -> Views {
    let mut machine = Machine::live(SessionConfig::default());
    let old = machine.session.view().token_id().unwrap();
    machine.pass(61);
    machine.report(401);
    let negotiating = machine.session.view().clone();
    machine.reply(503, "");
    machine.wait();
    machine.answer();
    machine.answer();
    let live = machine.session.view().clone();
    machine.report(429);
    let boxed = machine.session.view().clone();
    let until = machine.now.saturating_add(seconds(900));
    machine.tell(Input::Shutdown);
    let closed = machine.session.view().clone();
    let token_id = live.token_id().unwrap();
    Views { live, negotiating, boxed, closed, token_id, old, until }
}

#[test]
fn the_table_of_advice() {
    use Advice::{AwaitSession, GiveUp, Resend, ResendIfIdempotent, WaitUntil};

    let Views { live, negotiating, boxed, closed, token_id, old, until } = views();
    let get = &Method::GET;
    let post = &Method::POST;
    let unavailable = [408, 500, 502, 503, 504];
    let mut table: Vec<(&SessionView, TokenId, u16, &Method, Advice)> = vec![
        (&live, token_id, 200, get, Advice::None),
        (&live, token_id, 101, get, Advice::None),
        (&live, token_id, 304, get, Advice::None),
        (&live, token_id, 401, post, AwaitSession),
        (&live, token_id, 410, post, AwaitSession),
        (&live, old, 401, post, Resend),
        (&live, old, 410, get, Resend),
        (&negotiating, old, 401, get, AwaitSession),
        (&negotiating, token_id, 401, get, AwaitSession),
        (&live, token_id, 429, get, WaitUntil(None)),
        (&boxed, token_id, 429, post, WaitUntil(Some(until))),
        (&boxed, old, 429, post, WaitUntil(Some(until))),
        (&live, token_id, 400, get, GiveUp(ErrorKind::Rejected)),
        (&live, token_id, 403, get, GiveUp(ErrorKind::Rejected)),
        (&live, token_id, 404, post, GiveUp(ErrorKind::Rejected)),
        (&live, token_id, 501, get, GiveUp(ErrorKind::Unavailable)),
        (&closed, token_id, 401, get, GiveUp(ErrorKind::Config)),
        (&closed, token_id, 503, get, GiveUp(ErrorKind::Config)),
        (&closed, token_id, 200, get, Advice::None),
    ];
    for status in unavailable {
        table.push((&live, token_id, status, get, Resend));
        table.push((&live, token_id, status, &Method::PUT, Resend));
        table.push((&live, token_id, status, &Method::DELETE, Resend));
        table.push((&live, token_id, status, post, ResendIfIdempotent));
        table.push((&negotiating, old, status, post, ResendIfIdempotent));
    }
    for (view, token_id, status, method, expected) in table {
        let advice = view.advise(token_id, StatusCode::from_u16(status).unwrap(), method);
        assert_eq!(advice, expected, "{:?} {status} {method}", view.state());
    }
}

#[test]
fn a_refusal_reported_while_a_tickle_is_under_way_is_not_answered_by_it() {
    let mut machine = Machine::live(SessionConfig::default());
    machine.report(401);
    assert_eq!(machine.path(), TICKLE);
    // The tickle may have been answered before the broker refused this one.
    machine.report(401);
    machine.answer();
    assert_eq!(machine.deadline, Some((machine.now.saturating_add(seconds(5)), TimeoutReason::Tickle)));
    machine.wait();
    assert_eq!(machine.path(), TICKLE);
    machine.answer();
    assert_eq!(machine.deadline, Some((machine.now.saturating_add(seconds(60)), TimeoutReason::Tickle)));
}
