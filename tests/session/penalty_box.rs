//! After a 429 nothing is sent before the penalty box ends.

use crate::simulation::Simulation;
use ibkr_oauth::{
    http::StatusCode,
    session::{Advice, Input, SessionConfig, SessionEvent, State},
    simulator::{Broker, Fault},
};

use super::{count_events, hours, live_world, seconds};
use crate::machine::{Machine, READY, boxed, report, tickle};

/// How long after the last 429 the next request went out.
fn pause(simulation: &Simulation) -> Vec<u64> {
    let until = |event: &SessionEvent| match event {
        SessionEvent::PenaltyBox { until } => Some(*until),
        _ => None,
    };
    let boxes = simulation.events().iter().filter_map(|(at, event)| Some((*at, until(event)?)));
    boxes
        .map(|(at, until)| {
            let inside = simulation.sent().iter().filter(|sent| sent.at > at && sent.at < until).count();
            assert_eq!(inside, 0, "nothing is sent inside a penalty box");
            until.saturating_duration_since(at).as_secs()
        })
        .collect()
}

#[test]
fn a_429_stops_everything_for_as_long_as_is_configured() {
    let mut simulation = live_world(SessionConfig::default());
    simulation.broker().inject(Fault::penalty_box(seconds(890)));
    simulation.run_for(hours(1));
    assert_eq!(pause(&simulation), [900]);
    assert!(simulation.broker().refusals().iter().all(|refusal| refusal.reason != "penalty_box"));
    assert_eq!(simulation.session().view().state(), State::Live);
    assert_eq!(simulation.session().view().wait_until(), None);
}

#[test]
fn a_broker_that_limits_the_rate_is_not_provoked() {
    let broker = Broker::builder().strict().rate_limit(2, seconds(600));
    let mut simulation = Simulation::with_broker(1, SessionConfig::default(), broker);
    simulation.run_for(hours(2));
    assert_eq!(simulation.session().view().state(), State::Live);
    let boxes = pause(&simulation).len();
    assert!(boxes <= 2, "{boxes}");
    assert!(simulation.broker().refusals().iter().all(|refusal| refusal.reason != "penalty_box"));
}

#[test]
fn the_time_that_the_broker_names_counts() {
    let date = "Tue, 14 Nov 2023 22:13:20 GMT";
    let cases: [(&[(&'static str, &str)], u64); 9] = [
        (&[("retry-after", "120")], 120),
        (&[("retry-after", " 1200 ")], 1200),
        (&[("retry-after", " 7200 ")], 3600),
        (&[("retry-after", "0")], 1),
        (&[("retry-after", "31536000")], 3600),
        (&[("retry-after", "soon")], 900),
        (&[("retry-after", "99999999999999999999999999")], 900),
        (&[("retry-after", "Tue, 14 Nov 2023 22:15:20 GMT"), ("date", date)], 120),
        // A moment that is over.
        (&[("retry-after", "Tue, 14 Nov 2023 22:00:00 GMT"), ("date", date)], 1),
    ];
    for (headers, wait) in cases {
        let mut machine = Machine::new(SessionConfig::default());
        machine.drain();
        machine.reply_with(429, "", headers);
        let until = machine.now.saturating_add(seconds(wait));
        let at = machine.deadline.unwrap();
        assert!((until..=until.saturating_add(seconds(2))).contains(&at), "{headers:?}: {at}");
        assert_eq!(machine.session.view().wait_until(), Some(until));
        let told = |event: &SessionEvent| matches!(event, SessionEvent::Failed { retry_at, .. } if *retry_at >= until);
        assert_eq!(machine.count(told), 1);
        while machine.handshakes() == 1 {
            machine.wait();
        }
        assert!(machine.now >= until);
    }
}

#[test]
fn a_429_of_the_applications_that_names_a_time_counts_too() {
    let mut machine = Machine::live(SessionConfig::default());
    let report = boxed(&mut machine);
    let until = machine.now.saturating_add(seconds(900));
    assert_eq!(machine.deadline, Some(until));
    assert_eq!(machine.advice(&report), Advice::WaitUntil(until));
    // Nor does the end of the token, or a lost one, bring anything out.
    machine.pass(120);
    let refused = machine.report(401);
    assert_eq!(machine.advice(&refused), Advice::WaitUntil(until));
    let sent = machine.sent.len();
    // Nobody knows whether it is live for so long.
    assert_eq!((machine.state(), machine.deadline), (State::BackingOff, Some(until)));
    machine.wait();
    assert_eq!((machine.sent.len(), machine.now), (sent + 1, until));
}

#[test]
fn a_request_that_is_under_way_is_waited_for() {
    let mut machine = Machine::live(SessionConfig::default());
    machine.wait();
    machine.reply(503, "");
    machine.now = machine.deadline.unwrap();
    machine.handle(Input::Timeout);
    machine.poll();
    // The tickle was fetched, and is under way: its answer still counts.
    boxed(&mut machine);
    assert!(machine.session.awaited().is_some());
    assert_eq!(machine.session.view().wait_until(), Some(machine.now.saturating_add(seconds(900))));
}

#[test]
fn a_second_429_makes_it_longer_and_never_shorter() {
    let mut machine = Machine::live(SessionConfig::default());
    boxed(&mut machine);
    let first = machine.session.view().wait_until().unwrap();
    // One that was signed before it began, and asks for longer.
    let token_id = machine.session.view().token_id().unwrap();
    let earlier = machine.now.saturating_sub(seconds(1));
    machine.pass(100);
    machine.tell(Input::Reported(report(token_id, earlier, "/trsrv", 429, "", Some("900"))));
    assert_eq!(machine.session.view().wait_until(), Some(first.saturating_add(seconds(100))));
    // Those that were signed inside do not count, however late they are reported.
    let inside = machine.now;
    for _ in 0..2 {
        machine.tell(Input::Reported(report(token_id, inside, "/trsrv", 429, "", Some("3600"))));
        assert!(machine.session.view().wait_until() <= Some(first.saturating_add(seconds(100))));
        machine.wait();
    }
    let mut machine = Machine::live(SessionConfig::default());
    machine.wait();
    boxed(&mut machine);
    let until = machine.session.view().wait_until();
    machine.reply_with(429, "", &[("retry-after", "5")]);
    assert_eq!(machine.session.view().wait_until(), until);
}

#[test]
fn the_end_comes_at_once_inside_a_penalty_box() {
    let mut machine = Machine::live(SessionConfig::default());
    boxed(&mut machine);
    let sent = machine.sent.len();
    machine.tell(Input::Shutdown);
    assert_eq!((machine.state(), machine.sent.len(), machine.deadline), (State::Closed, sent, None));
    assert_eq!(machine.count(|event| matches!(event, SessionEvent::Closed { logged_out: false })), 1);
}

#[test]
fn the_box_moves_with_the_clock() {
    let mut machine = Machine::live(SessionConfig::default());
    boxed(&mut machine);
    machine.now = machine.now.saturating_sub(seconds(200));
    machine.tell(Input::Timeout);
    assert_eq!(machine.session.view().wait_until(), Some(machine.now.saturating_add(seconds(900))));
    machine.wait();
    assert_eq!(machine.session.view().wait_until(), None);
    machine.reply(200, tickle(READY));
    assert_eq!(machine.state(), State::Live);
}

#[test]
fn storms_of_429_are_one_pause() {
    let mut simulation = live_world(SessionConfig::default());
    for _ in 0..1000 {
        simulation.report(StatusCode::TOO_MANY_REQUESTS);
    }
    simulation.run_for(hours(1));
    assert!(count_events(&simulation, |event| matches!(event, SessionEvent::PenaltyBox { .. })) <= 1000);
    assert!(pause(&simulation).iter().all(|seconds| *seconds == 900));
    assert_eq!(simulation.session().view().state(), State::Live);
}
