//! What a call returns, and when: one story each.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use ibkr_oauth::{
    Context, Error, ErrorKind, Stage, Timestamp,
    call::{Call, CallPolicy, Step},
    session::{Failure, FailureKind, Input, SessionView, State},
    simulator::{Fault, SeededEntropy},
};

use crate::views::{self, LATER, Life};

fn request(method: Method, path: &str) -> Request<Bytes> {
    let uri = format!("https://api.ibkr.com/v1/api{path}");
    Request::builder().method(method).uri(uri).body(Bytes::new()).unwrap()
}

fn poll(call: &mut Call, now: Timestamp, view: &SessionView) -> Step {
    call.poll(&mut Context::new(now, &mut SeededEntropy::new(3)), view)
}

fn answer(call: &mut Call, now: Timestamp, result: Result<Response<Bytes>, Failure>) {
    call.handle_result(&mut Context::new(now, &mut SeededEntropy::new(3)), result);
}

#[track_caller]
fn failed(step: Step) -> Error {
    match step {
        Step::Done(Err(error)) => error,
        step => panic!("{step:?}"),
    }
}

fn after(seconds: u64) -> Timestamp {
    LATER.saturating_add(Duration::from_secs(seconds))
}

#[test]
fn what_lies_under_iserver_waits_for_the_brokerage_session_and_nothing_else_does() {
    let view = views::displaced();
    let mut call = Call::new(request(Method::GET, "/portfolio/accounts"), CallPolicy::default(), LATER);
    assert!(matches!(poll(&mut call, LATER, &view), Step::Send { .. }));
    let mut call = Call::new(request(Method::GET, "/iserver/accounts"), CallPolicy::default(), LATER);
    assert!(matches!(poll(&mut call, LATER, &view), Step::Wait(until) if until == after(30)));
    assert!(matches!(poll(&mut call, after(10), &views::live()), Step::Send { .. }));
}

/// An error of the session's may say that something was sent, but that was the session's, not the caller's.
#[test]
fn who_was_never_served_has_sent_nothing() {
    let mut life = Life::new();
    life.broker.inject(Fault::status(500).times(1000));
    let view = life.until(LATER).view();
    assert!(view.last_error().is_some_and(Error::may_have_been_sent), "{:?}", view.last_error());
    let mut call = Call::new(request(Method::POST, "/iserver/account/DU1/orders"), CallPolicy::default(), LATER);
    assert!(matches!(poll(&mut call, LATER, &view), Step::Wait(_)));
    let error = failed(poll(&mut call, after(30), &view));
    assert_eq!(error.status().map(|status| status.as_u16()), Some(500));
    assert!(!error.may_have_been_sent());
    // Nor does one who comes after the end.
    let mut call = Call::new(request(Method::GET, "/portfolio/accounts"), CallPolicy::default(), LATER);
    let error = failed(poll(&mut call, LATER, &views::closed()));
    assert!(!error.may_have_been_sent() && error.to_string().contains("ended"), "{error}");
}

#[test]
fn the_last_answer_is_returned_when_there_is_no_time_for_another() {
    let view = views::live();
    let mut call = Call::new(request(Method::GET, "/portfolio/accounts"), CallPolicy::default(), LATER);
    assert!(matches!(poll(&mut call, LATER, &view), Step::Send { .. }));
    let paced = Response::builder().status(429).header("retry-after", "30").body(Bytes::from("slow")).unwrap();
    answer(&mut call, after(2), Ok(paced));
    assert!(matches!(poll(&mut call, after(2), &view), Step::Report(_)));
    let Step::Done(Ok(response)) = poll(&mut call, after(2), &view) else { panic!("there is no time for that") };
    assert_eq!((response.status().as_u16(), &response.body()[..]), (429, &b"slow"[..]));
}

#[test]
fn a_refused_token_is_waited_for_and_the_next_signs() {
    let (old, new) = (views::live(), views::renewed());
    let mut call = Call::new(request(Method::POST, "/iserver/account/DU1/orders"), CallPolicy::default(), LATER);
    let Step::Send { request, .. } = poll(&mut call, LATER, &old) else { panic!("it is live") };
    let first = request.headers()["authorization"].clone();
    let refused = Response::builder().status(401).body(Bytes::new()).unwrap();
    answer(&mut call, after(1), Ok(refused));
    let Step::Report(report) = poll(&mut call, after(1), &old) else { panic!("the session has to hear of it") };
    // It finds out; until then the call waits.
    let mut life = Life::new().until(LATER);
    life.tell(Input::Reported(report));
    let asking = life.view();
    assert!(matches!(poll(&mut call, after(1), &asking), Step::Wait(until) if until == after(30)));
    let Step::Send { request, .. } = poll(&mut call, after(2), &new) else { panic!("there is another token") };
    assert_ne!(request.headers()["authorization"], first);
}

/// At the date of the next handshake there is no other token yet: an attempt with the old one would be wasted.
#[test]
fn a_refused_token_is_not_tried_again_at_a_date() {
    let mut life = Life::new().until(LATER);
    life.broker.inject(Fault::expire_live_session_token().at("/tickle"));
    life.broker.inject(Fault::status(503).at("/oauth/live_session_token").times(1000));
    let mut life = life.until(after(70));
    let view = life.view();
    assert_eq!(view.state(), State::BackingOff);
    let start = after(70);
    let mut call = Call::new(request(Method::GET, "/portfolio/accounts"), CallPolicy::default(), start);
    assert!(matches!(poll(&mut call, start, &view), Step::Send { .. }), "the old token may be good yet");
    answer(&mut call, start, Ok(Response::builder().status(401).body(Bytes::new()).unwrap()));
    let Step::Report(report) = poll(&mut call, start, &view) else { panic!("the session has to hear of it") };
    life.tell(Input::Reported(report));
    let Step::Wait(date) = poll(&mut call, start, &view) else { panic!("there is a date") };
    assert_eq!(Some(date), view.next_attempt());
    assert!(matches!(poll(&mut call, date, &view), Step::Wait(until) if until > date), "with no other token");
}

#[test]
fn a_failure_is_told_with_its_host_its_remedy_and_whether_it_may_have_arrived() {
    let policy = CallPolicy::default();
    for (kind, may_have_been_sent) in [(FailureKind::NotSent, false), (FailureKind::MaybeSent, true)] {
        let mut call = Call::new(request(Method::POST, "/iserver/account/DU1/orders"), policy, LATER);
        let mut now = LATER;
        let error = loop {
            match poll(&mut call, now, &views::live()) {
                Step::Send { .. } => {
                    answer(&mut call, now, Err(Failure::new(kind, "no route").with_remedy("plug it in")));
                }
                Step::Wait(until) => now = until,
                step => break failed(step),
            }
        };
        assert_eq!((error.stage(), error.kind()), (Stage::Transport, ErrorKind::Unavailable));
        assert_eq!((error.remedy(), error.may_have_been_sent()), ("plug it in", may_have_been_sent));
        assert!(error.to_string().contains("no response from api.ibkr.com"), "{error}");
    }
}

/// What is known of the last attempt says nothing about the one before.
#[test]
fn an_attempt_that_may_have_arrived_is_not_forgotten_for_a_later_one_that_did_not() {
    let mut policy = CallPolicy::default();
    policy.repeatable = true;
    let mut call = Call::new(request(Method::POST, "/iserver/account/DU1/orders"), policy, LATER);
    let (mut now, mut kinds) =
        (LATER, [FailureKind::MaybeSent, FailureKind::NotSent, FailureKind::NotSent].into_iter());
    let error = loop {
        match poll(&mut call, now, &views::live()) {
            Step::Send { .. } => answer(&mut call, now, Err(Failure::new(kinds.next().unwrap(), "no route"))),
            Step::Wait(until) => now = until,
            step => break failed(step),
        }
    };
    assert_eq!(kinds.next(), None);
    assert!(error.may_have_been_sent(), "{error}");
}

#[test]
fn what_cannot_be_signed_is_not_sent() {
    for uri in ["https://elsewhere.example/v1/api/x", "https://api.ibkr.com/v1/api/x?oauth_token=1"] {
        let request = Request::get(uri).body(Bytes::new()).unwrap();
        let mut call = Call::new(request, CallPolicy::default(), LATER);
        let error = failed(poll(&mut call, LATER, &views::live()));
        assert_eq!((error.stage(), error.kind()), (Stage::Sign, ErrorKind::Config));
    }
}

#[test]
fn headers_that_the_broker_demands_are_added_and_those_of_the_caller_kept() {
    let view = views::live();
    let head = |request: Request<Bytes>| match poll(&mut Call::new(request, CallPolicy::default(), LATER), LATER, &view)
    {
        Step::Send { request, .. } => request,
        step => panic!("{step:?}"),
    };
    let sent = head(request(Method::POST, "/portfolio/accounts"));
    assert_eq!(sent.headers()["content-length"], "0");
    assert!(sent.headers().contains_key("user-agent"));
    let mut own = request(Method::GET, "/portfolio/accounts");
    own.headers_mut().insert("user-agent", "my-bot/7".parse().unwrap());
    let sent = head(own);
    assert_eq!(sent.headers()["user-agent"], "my-bot/7");
    assert!(!sent.headers().contains_key("content-length"));
}
