//! What the application reports about its own requests, and what it is advised to do.

use ibkr_oauth::{
    ErrorKind, Timestamp, TokenId,
    bytes::Bytes,
    http::{Method, Request, Response, StatusCode},
    session::{Advice, Input, Report, SessionConfig, SessionView, State},
};

use super::{HANDSHAKE, OPEN, TICKLE, config, hours, live_world, seconds};
use crate::machine::{COMPETING, LOST, Machine, READY, boxed, report, tickle};

const NO_BRIDGE: &str = r#"{"error":"Bad Request: no bridge","statusCode":400}"#;
const NO_ACCOUNTS: &str = r#"{"error":"Please query /accounts first"}"#;

/// A live session whose first tickle agreed, some minutes old.
fn live() -> Machine {
    let mut machine = Machine::live(SessionConfig::default());
    machine.pass(120);
    machine.tell(Input::Timeout);
    machine.reply(200, tickle(READY));
    machine.pass(10);
    machine
}

/// As [`live`], with a token and an opening that are old.
fn old() -> Machine {
    let mut machine = live();
    machine.pass(1900);
    machine.tell(Input::Timeout);
    machine.reply(200, tickle(READY));
    machine.pass(10);
    machine
}

/// Reports it, and returns the advice.
fn tell(machine: &mut Machine, report: &Report) -> Advice {
    machine.tell(Input::Reported(report.clone()));
    machine.advice(report)
}

fn refused(machine: &mut Machine, path: &str) -> (Report, Advice) {
    let report = machine.response_to(path, 401, "");
    let advice = tell(machine, &report);
    (report, advice)
}

/// What has become of advice that had to wait.
fn resolved(machine: &Machine, advice: Advice) -> Advice {
    match advice {
        Advice::AwaitSession(ticket) => machine.session.view().resolve(&ticket),
        advice => advice,
    }
}

fn waits(advice: Advice) -> bool {
    matches!(advice, Advice::AwaitSession(_))
}

#[test]
fn a_refusal_that_a_tickle_contradicts_is_about_the_request() {
    let mut machine = live();
    let (report, advice) = refused(&mut machine, "/trsrv/stocks");
    assert!(waits(advice), "{advice:?}");
    assert_eq!((machine.path(), machine.state()), (TICKLE, State::Live));
    machine.reply(200, tickle(READY));
    assert_eq!(resolved(&machine, advice), Advice::GiveUp(ErrorKind::Rejected));
    assert_eq!((machine.state(), machine.handshakes()), (State::Live, 1));
    // The same request is given up at once for ten minutes; another path is looked at.
    let sent = machine.sent.len();
    assert_eq!(tell(&mut machine, &report), Advice::GiveUp(ErrorKind::Rejected));
    assert_eq!(machine.sent.len(), sent);
    machine.pass(5);
    let (_, advice) = refused(&mut machine, "/trsrv/futures");
    assert!(waits(advice));
    machine.reply(200, tickle(READY));
    for _ in 0..11 {
        machine.pass(55);
        machine.tell(Input::Timeout);
        if machine.session.awaited().is_some() {
            machine.reply(200, tickle(READY));
        }
    }
    assert!(waits(refused(&mut machine, "/trsrv/stocks").1), "that is forgotten");
}

#[test]
fn a_refusal_that_a_tickle_confirms_costs_one_handshake() {
    for status in [401, 410] {
        let mut machine = old();
        let token_id = machine.session.view().token_id();
        let report = machine.response_to("/portfolio/accounts", status, "");
        let order = machine.response_to("/iserver/account/orders", status, "");
        let advice = tell(&mut machine, &report);
        let about_order = tell(&mut machine, &order);
        for _ in 0..1000 {
            machine.tell(Input::Reported(report.clone()));
        }
        machine.reply(401, "");
        assert_eq!((machine.state(), machine.handshakes()), (State::Negotiating, 2));
        assert_eq!(machine.session.view().token_id(), token_id, "nobody is without a signer");
        assert!(waits(resolved(&machine, advice)) && waits(resolved(&machine, about_order)));
        machine.answer();
        assert_ne!(machine.session.view().token_id(), token_id);
        assert_eq!(resolved(&machine, advice), Advice::Resend);
        assert!(waits(resolved(&machine, about_order)), "that needs the brokerage session");
        machine.answer();
        assert_eq!((machine.state(), resolved(&machine, about_order)), (State::Live, Advice::Resend));
        // Late ones of the old token change nothing.
        machine.pass(3);
        let sent = machine.sent.len();
        assert_eq!(tell(&mut machine, &report), Advice::Resend);
        assert_eq!((machine.sent.len(), machine.handshakes()), (sent, 2));
    }
}

#[test]
fn what_decides_nothing_leaves_the_suspicion_open_until_the_next_tickle() {
    for status in [403, 404, 429, 500, 503] {
        let mut machine = old();
        let (_, advice) = refused(&mut machine, "/portfolio/accounts");
        machine.reply(status, "");
        let Advice::WaitUntil(at) = resolved(&machine, advice) else { panic!("{status}: {advice:?}") };
        assert!(at > machine.now && at <= machine.now.saturating_add(seconds(3600)));
        machine.wait();
        assert_eq!((machine.now, machine.path()), (at, TICKLE), "{status}");
        machine.reply(401, "");
        assert_eq!(machine.handshakes(), 2, "{status}: it was open still");
    }
    let mut machine = old();
    let (_, advice) = refused(&mut machine, "/portfolio/accounts");
    machine.wait();
    assert!(matches!(resolved(&machine, advice), Advice::WaitUntil(_)), "no answer decides nothing");
}

#[test]
fn an_answer_from_before_the_refusal_does_not_answer_it() {
    let mut machine = old();
    let (_, first) = refused(&mut machine, "/portfolio/accounts");
    // The tickle may have been answered before the broker refused this one.
    let (_, second) = refused(&mut machine, "/portfolio/accounts");
    machine.reply(200, tickle(READY));
    assert_eq!(resolved(&machine, first), Advice::GiveUp(ErrorKind::Rejected));
    assert!(waits(resolved(&machine, second)));
    machine.wait();
    assert_eq!(machine.path(), TICKLE);
    machine.reply(200, tickle(READY));
    assert_eq!(resolved(&machine, second), Advice::GiveUp(ErrorKind::Rejected));
}

#[test]
fn suspicions_draw_from_a_bucket_and_are_answered_within_a_minute_all_the_same() {
    let mut machine = live();
    let start = machine.sent.len();
    for count in 0..20 {
        let (_, advice) = refused(&mut machine, &format!("/trsrv/{count}"));
        while waits(resolved(&machine, advice)) {
            if machine.session.awaited().is_some() {
                machine.reply(200, tickle(READY));
            } else {
                assert!(machine.deadline.unwrap() <= machine.now.saturating_add(seconds(60)));
                machine.wait();
            }
            if machine.path() == HANDSHAKE && machine.state() == State::Renewing {
                machine.answer();
            }
        }
    }
    let tickles = machine.paths()[start..].iter().filter(|path| **path == TICKLE).count();
    assert!((20..=24).contains(&tickles), "{tickles}");
}

#[test]
fn a_refusal_that_belongs_to_a_lost_brokerage_session_waits_for_that() {
    let mut machine = old();
    let (_, advice) = refused(&mut machine, "/iserver/account/orders");
    machine.reply(200, tickle(LOST));
    assert_eq!((machine.state(), machine.path()), (State::Opening, OPEN));
    assert!(waits(resolved(&machine, advice)));
    machine.reply(200, READY);
    assert_eq!(resolved(&machine, advice), Advice::Resend);

    // Taken by another: until the next ask.
    let mut machine = old();
    let (_, advice) = refused(&mut machine, "/iserver/account/orders");
    machine.reply(200, tickle(COMPETING));
    let ask = machine.session.view().next_attempt().unwrap();
    assert_eq!(resolved(&machine, advice), Advice::WaitUntil(ask));
}

#[test]
fn before_the_session_is_live_its_own_requests_answer() {
    let mut machine = Machine::new(SessionConfig::default());
    machine.drain();
    machine.answer();
    let token_id = machine.session.view().token_id().unwrap();
    // The opening was started before the refusals, so that its status decides.
    let portfolio = machine.response_to("/portfolio/accounts", 401, "");
    let orders = machine.response_to("/iserver/account/orders", 401, "");
    let (about_portfolio, about_orders) = (tell(&mut machine, &portfolio), tell(&mut machine, &orders));
    machine.reply(200, r#"{"authenticated":true,"established":false}"#);
    assert_eq!(machine.state(), State::Settling);
    assert!(waits(resolved(&machine, about_portfolio)) && waits(resolved(&machine, about_orders)));
    machine.wait();
    machine.reply(200, r#"{"authenticated":true,"established":false}"#);
    assert_eq!(resolved(&machine, about_portfolio), Advice::GiveUp(ErrorKind::Rejected));
    assert!(waits(resolved(&machine, about_orders)));
    machine.wait();
    machine.reply(200, READY);
    assert_eq!(resolved(&machine, about_orders), Advice::Resend);
    assert_eq!(machine.session.view().token_id(), Some(token_id));
}

#[test]
fn while_renewing_the_handshake_answers() {
    for is_renewed in [true, false] {
        let mut machine = old();
        machine.now = machine.session.snapshot().unwrap().expires_at().saturating_sub(seconds(500));
        machine.tell(Input::Timeout);
        assert_eq!(machine.state(), State::Renewing);
        let (_, advice) = refused(&mut machine, "/portfolio/accounts");
        assert!(waits(advice));
        if is_renewed {
            machine.answer();
            assert_eq!(resolved(&machine, advice), Advice::Resend);
        } else {
            machine.reply(503, "");
            assert!(waits(resolved(&machine, advice)), "it stays open");
            while machine.path() != TICKLE {
                machine.wait();
            }
            machine.reply(200, tickle(READY));
            assert_eq!(resolved(&machine, advice), Advice::GiveUp(ErrorKind::Rejected));
        }
    }
}

#[test]
fn displaced_the_brokerage_paths_wait_for_the_next_ask() {
    let mut machine = old();
    machine.wait();
    machine.reply(200, tickle(COMPETING));
    let ask = machine.session.view().next_attempt().unwrap();
    let sent = machine.sent.len();
    for _ in 0..50 {
        let (_, advice) = refused(&mut machine, "/iserver/account/orders");
        assert_eq!(advice, Advice::WaitUntil(ask));
    }
    assert_eq!((machine.sent.len(), machine.session.view().next_attempt()), (sent, Some(ask)));
    // Others are answered by a tickle.
    machine.pass(3);
    let (_, advice) = refused(&mut machine, "/portfolio/accounts");
    assert_eq!(machine.path(), TICKLE);
    machine.reply(200, tickle(COMPETING));
    assert_eq!((machine.state(), resolved(&machine, advice)), (State::Displaced, Advice::GiveUp(ErrorKind::Rejected)));
}

#[test]
fn backing_off_and_in_the_penalty_box_the_date_is_the_advice() {
    let mut machine = old();
    for _ in 0..2 {
        machine.wait();
        machine.reply(503, "");
    }
    assert_eq!(machine.state(), State::BackingOff);
    let (_, advice) = refused(&mut machine, "/portfolio/accounts");
    assert_eq!(advice, Advice::WaitUntil(machine.session.view().next_attempt().unwrap()));
    boxed(&mut machine);
    let (_, advice) = refused(&mut machine, "/portfolio/accounts");
    assert_eq!(advice, Advice::WaitUntil(machine.now.saturating_add(seconds(900))));
}

#[test]
fn a_request_that_was_overtaken_is_sent_again_at_its_first_attempt() {
    let mut machine = old();
    let report = machine.response_to("/portfolio/accounts", 401, "");
    machine.pass(2);
    let signer = machine.session.view().signer().unwrap().clone();
    let mut other = Request::get("https://api.ibkr.com/v1/api/portfolio/accounts").body(()).unwrap();
    signer.sign(&mut ibkr_oauth::Context::new(machine.now, &mut machine.entropy), &mut other).unwrap();
    let sent = machine.sent.len();
    assert_eq!(tell(&mut machine, &report), Advice::Resend);
    assert_eq!(machine.sent.len(), sent, "nothing is suspected");
    assert!(waits(tell(&mut machine, &report.attempt(2))));
    assert_eq!(machine.path(), TICKLE);
}

#[test]
fn three_paths_that_are_refused_are_a_second_opinion() {
    let refuse_three = |machine: &mut Machine, under: &str| {
        for path in ["a", "b", "c"] {
            machine.pass(130);
            machine.tell(Input::Timeout);
            if machine.session.awaited().is_some() {
                machine.reply(200, tickle(READY));
            }
            machine.pass(2);
            refused(machine, &format!("{under}/{path}"));
            assert_eq!(machine.path(), TICKLE);
            machine.reply(200, tickle(READY));
        }
    };
    let mut machine = old();
    let token_id = machine.session.view().token_id();
    refuse_three(&mut machine, "/portfolio");
    assert_eq!((machine.state(), machine.path(), machine.handshakes()), (State::Renewing, HANDSHAKE, 2));
    assert!(machine.session.view().is_live() && machine.session.view().token_id() == token_id);
    machine.answer();
    // It does not help, and is not repeated for a while.
    refuse_three(&mut machine, "/portfolio");
    assert_eq!((machine.state(), machine.handshakes()), (State::Live, 2));

    // All under `/iserver`: an opening.
    let mut machine = old();
    refuse_three(&mut machine, "/iserver");
    assert_eq!((machine.state(), machine.path(), machine.handshakes()), (State::Opening, OPEN, 1));
}

#[test]
fn no_bridge_shortly_after_an_opening_is_only_a_date() {
    let mut machine = Machine::live(SessionConfig::default());
    let sent = machine.sent.len();
    let report = machine.response_to("/iserver/account/orders", 500, NO_BRIDGE);
    assert_eq!(tell(&mut machine, &report), Advice::WaitUntil(machine.now.saturating_add(seconds(5))));
    assert_eq!(machine.sent.len(), sent);
}

#[test]
fn no_bridge_later_is_asked_about_and_then_answered_by_an_opening() {
    for status in [400, 401, 500] {
        let mut machine = old();
        let report = machine.response_to("/iserver/account/orders", status, NO_BRIDGE);
        let advice = tell(&mut machine, &report);
        assert!(waits(advice));
        assert_eq!(machine.path(), TICKLE);
        machine.reply(200, tickle(READY));
        assert_eq!((machine.state(), machine.path()), (State::Opening, OPEN), "{status}");
        assert!(waits(resolved(&machine, advice)));
        machine.reply(200, READY);
        assert_eq!((resolved(&machine, advice), machine.handshakes()), (Advice::Resend, 1));
        // The next opening is soon after this one: it waits, and the session stays live.
        machine.wait();
        machine.reply(200, tickle(READY));
        machine.pass(61);
        machine.tell(Input::Timeout);
        machine.reply(200, tickle(READY));
        machine.pass(3);
        let report = machine.response_to("/iserver/account/orders", status, NO_BRIDGE);
        let advice = tell(&mut machine, &report);
        machine.reply(200, tickle(READY));
        let Advice::WaitUntil(at) = resolved(&machine, advice) else { panic!("{status}") };
        assert!(at > machine.now && machine.session.view().is_live());
        machine.wait();
        assert_eq!((machine.now, machine.path()), (at, OPEN));
    }
    let mut machine = Machine::live(config(|config| config.brokerage = false));
    let report = machine.response_to("/iserver/account/orders", 400, NO_BRIDGE);
    assert_eq!(tell(&mut machine, &report), Advice::GiveUp(ErrorKind::Rejected));
}

#[test]
fn accounts_that_were_not_queried_are_queried_again() {
    let mut machine = old();
    let primes = machine.primes;
    let report = machine.response_to("/iserver/marketdata/snapshot", 500, NO_ACCOUNTS);
    assert_eq!(tell(&mut machine, &report), Advice::Resend, "it was done by then");
    assert_eq!(machine.primes, primes + 1);
    machine.shows_primes = true;
    machine.pass(2);
    let report = machine.response_to("/iserver/marketdata/snapshot", 500, NO_ACCOUNTS);
    let advice = tell(&mut machine, &report);
    assert!(waits(advice));
    assert_eq!(machine.path(), "/iserver/accounts");
    machine.reply(200, "{}");
    assert_eq!(resolved(&machine, advice), Advice::Resend);
}

#[test]
fn a_429_without_a_time_is_about_its_path() {
    let mut world = live_world(SessionConfig::default());
    for _ in 0..100 {
        world.report(StatusCode::TOO_MANY_REQUESTS);
        world.run_for(seconds(60));
    }
    assert_eq!(world.session().view().wait_until(), None);
    assert_eq!(world.session().view().state(), State::Live);
    let mut machine = old();
    let report = machine.response_to("/trsrv/stocks", 429, "");
    assert_eq!(tell(&mut machine, &report), Advice::WaitUntil(machine.now.saturating_add(seconds(60))));
    // A tickle that is answered so too starts the box.
    machine.wait();
    machine.reply(429, "");
    let until = machine.now.saturating_add(seconds(900));
    assert_eq!(machine.advice(&report), Advice::WaitUntil(until));
}

#[test]
fn a_token_that_expires_while_it_is_renewed_waits_for_that_handshake() {
    let mut machine = live();
    machine.now = machine.session.snapshot().unwrap().expires_at().saturating_sub(seconds(10));
    machine.tell(Input::Timeout);
    assert_eq!(machine.state(), State::Renewing);
    machine.wait();
    assert_eq!((machine.state(), machine.handshakes()), (State::Negotiating, 2));
    assert!(machine.session.view().signer().is_some(), "the old one signs until there is another");
    machine.answer();
    assert_eq!((machine.state(), machine.handshakes()), (State::Opening, 2));
}

#[test]
fn what_is_not_about_the_session_changes_nothing() {
    let mut machine = old();
    let deadline = machine.deadline;
    for status in [200, 302, 400, 403, 404, 408, 500, 503] {
        let report = machine.response_to("/portfolio/accounts", status, "");
        machine.handle(Input::Reported(report));
    }
    // Nor does a token that was never this session's.
    let mut other = Machine::new(SessionConfig::default());
    other.entropy = ibkr_oauth::simulator::SeededEntropy::new(2);
    other.drain();
    other.answer();
    let foreign = other.session.view().token_id().unwrap();
    assert_ne!(machine.session.view().token_id(), Some(foreign));
    machine.handle(Input::Reported(report(foreign, machine.now, "/trsrv", 401, "", None)));
    machine.drain();
    assert_eq!((machine.state(), machine.deadline), (State::Live, deadline));
}

/// A report of one attempt with any method.
fn answered(token_id: TokenId, at: Timestamp, method: &Method, status: u16, body: &'static str) -> Report {
    let mut response = Response::new(Bytes::from_static(body.as_bytes()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    let uri = "https://api.ibkr.com/v1/api/portfolio/accounts".parse().unwrap();
    Report::new(token_id, at, method, &uri, &response)
}

#[test]
fn the_table_of_advice() {
    use Advice::{GiveUp, Resend, ResendIfIdempotent};

    let mut machine = old();
    let (now, token_id) = (machine.now, machine.session.view().token_id().unwrap());
    let live = machine.session.view().clone();
    machine.tell(Input::Shutdown);
    let closed = machine.session.view().clone();
    let (get, post) = (&Method::GET, &Method::POST);
    let mut table: Vec<(&SessionView, u16, &Method, &'static str, Advice)> = vec![
        (&live, 200, get, "", Advice::None),
        (&live, 101, get, "", Advice::None),
        (&live, 304, get, "", Advice::None),
        (&live, 400, get, "", GiveUp(ErrorKind::Request)),
        (&live, 404, post, "", GiveUp(ErrorKind::Request)),
        (&live, 501, get, "", GiveUp(ErrorKind::Unavailable)),
        (&live, 503, get, r#"{"error":"Order 5 is not found"}"#, GiveUp(ErrorKind::Request)),
        (&live, 200, post, r#"{"error":"failed to process request"}"#, ResendIfIdempotent),
        (&closed, 401, get, "", GiveUp(ErrorKind::Config)),
        (&closed, 503, get, "", GiveUp(ErrorKind::Config)),
        (&closed, 200, get, "", Advice::None),
    ];
    for status in [408, 500, 502, 503, 504] {
        table.push((&live, status, get, "", Resend));
        table.push((&live, status, &Method::PUT, "", Resend));
        table.push((&live, status, &Method::DELETE, "", Resend));
        table.push((&live, status, post, "", ResendIfIdempotent));
    }
    for (view, status, method, body, expected) in table {
        let advice = view.advise(&answered(token_id, now, method, status, body));
        assert_eq!(advice, expected, "{:?} {status} {method} {body}", view.state());
    }
}

#[test]
fn a_days_refusals_of_one_path_cost_no_signer_and_hardly_a_request() {
    let mut world = live_world(SessionConfig::default());
    for _ in 0..86_400 / 61 {
        world.report(StatusCode::UNAUTHORIZED);
        world.run_for(seconds(61));
        assert!(world.session().view().signer().is_some() && world.session().view().is_live());
    }
    assert_eq!(world.broker().live_session_tokens_issued(), 2);
    assert!(world.elapsed() > hours(23));
}
