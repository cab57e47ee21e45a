//! One brokerage session for each user, and several programs that want it.

use crate::simulation::Simulation;
use ibkr_oauth::{
    bytes::Bytes,
    http::Request,
    session::{CompetePolicy, SessionConfig, SessionEvent, State},
};

use super::{OPEN, config, count_events, count_sent, hours, live_world, seconds};
use crate::machine::{COMPETING, LOST, Machine, READY, tickle};

fn policy(compete: CompetePolicy) -> SessionConfig {
    config(|config| config.compete = compete)
}

fn displacements(simulation: &Simulation) -> usize {
    count_events(simulation, |event| matches!(event, SessionEvent::Displaced { .. }))
}

fn takes(machine: &Machine) -> usize {
    let take = |request: &Request<Bytes>| request.body().windows(14).any(|window| window == b"\"compete\":true");
    machine.sent.iter().filter(|(_, request)| take(request)).count()
}

#[test]
fn who_yields_waits_until_the_other_has_gone() {
    let mut simulation = live_world(policy(CompetePolicy::Yield));
    simulation.broker().start_competing_session();
    simulation.run_for(hours(2));
    assert_eq!(simulation.session().view().state(), State::Displaced);
    assert!(simulation.session().view().signer().is_some(), "reading goes on");
    assert!((8..=9).contains(&displacements(&simulation)), "{}", displacements(&simulation));
    assert_eq!(simulation.broker().brokerage_sessions_opened(), 1);
    assert!((8..=9).contains(&count_sent(&simulation, OPEN)), "{}", count_sent(&simulation, OPEN));
    // The next tickle does not say `competing` any more.
    simulation.broker().end_competing_session();
    simulation.run_for(seconds(61));
    assert_eq!(simulation.session().view().state(), State::Live);
    assert_eq!(simulation.broker().brokerage_sessions_opened(), 2);
    assert_eq!(simulation.broker().live_session_tokens_issued(), 1);
}

#[test]
fn who_takes_once_takes_at_the_first_opening_and_never_again() {
    let mut simulation = Simulation::new(1, policy(CompetePolicy::TakeOnce));
    simulation.broker().start_competing_session();
    simulation.run_for(seconds(10));
    assert_eq!(simulation.session().view().state(), State::Live);
    simulation.broker().start_competing_session();
    simulation.run_for(hours(3));
    assert_eq!(simulation.session().view().state(), State::Displaced);
    assert_eq!(simulation.broker().brokerage_sessions_opened(), 1);
}

#[test]
fn one_take_is_one_even_where_it_did_not_help() {
    let mut machine = Machine::new(policy(CompetePolicy::TakeOnce));
    machine.drain();
    machine.answer();
    machine.reply(200, COMPETING);
    assert_eq!((machine.state(), takes(&machine)), (State::Displaced, 1));
    machine.pass(900);
    machine.tell(ibkr_oauth::session::Input::Timeout);
    assert_eq!((machine.path(), takes(&machine)), (OPEN, 1));
}

#[test]
fn who_always_takes_does_so_ever_more_slowly() {
    let mut simulation = live_world(policy(CompetePolicy::TakeAlways));
    let mut lost = 0;
    for _ in 0..6 * 3600 {
        simulation.run_for(seconds(1));
        if simulation.session().view().state() == State::Live {
            // The other one never sleeps.
            simulation.broker().start_competing_session();
            lost += 1;
        }
    }
    let taken = simulation.broker().brokerage_sessions_opened();
    assert!((10..60).contains(&taken), "{taken} of {lost}");
    assert!(displacements(&simulation) >= 10);
    // When the other one is gone, the quarrel is forgotten after half an hour.
    simulation.run_for(hours(1));
    assert_eq!(simulation.session().view().state(), State::Live);
    simulation.broker().start_competing_session();
    simulation.run_for(seconds(90));
    assert_eq!(simulation.session().view().state(), State::Live);
}

#[test]
fn a_take_that_never_helps_slows_down_too() {
    let mut machine = Machine::new(policy(CompetePolicy::TakeAlways));
    machine.drain();
    machine.answer();
    let start = machine.now;
    while machine.now.saturating_duration_since(start) < hours(6) {
        match machine.path() {
            path if path == OPEN && machine.state() == State::Opening => machine.reply(200, COMPETING),
            "/tickle" if machine.session.awaited().is_some() => {
                machine.reply(200, tickle(COMPETING));
            }
            _ => machine.wait(),
        }
    }
    assert!((20..60).contains(&takes(&machine)), "{}", takes(&machine));
}

#[test]
fn a_session_lost_without_a_word_of_another_is_asked_for_before_it_is_taken() {
    let mut machine = Machine::live(policy(CompetePolicy::TakeAlways));
    assert_eq!(takes(&machine), 1);
    machine.wait();
    machine.reply(200, tickle(LOST));
    // A loss so soon after the opening makes the next one wait.
    machine.wait();
    assert_eq!((machine.path(), takes(&machine)), (OPEN, 1));
    machine.reply(200, COMPETING);
    assert_eq!(machine.state(), State::Displaced);
    machine.wait();
    assert_eq!((machine.path(), takes(&machine)), (OPEN, 2));
    machine.reply(200, READY);
    assert_eq!(machine.state(), State::Live);
}

#[test]
fn competing_is_a_displacement_even_beside_authenticated() {
    let both = r#"{"authenticated":true,"competing":true,"connected":true}"#;
    let mut machine = Machine::live(SessionConfig::default());
    machine.wait();
    machine.reply(200, tickle(both));
    assert_eq!(machine.state(), State::Displaced);
    machine.wait();
    machine.reply(200, tickle(READY));
    assert_eq!(machine.state(), State::Live);
}

#[test]
fn a_failed_tickle_does_not_make_a_displacement_new() {
    let mut machine = Machine::live(policy(CompetePolicy::TakeAlways));
    for _ in 0..3 {
        // Displaced, taken back, displaced: the wait is 40 seconds by then.
        machine.wait();
        machine.reply(200, tickle(COMPETING));
        while machine.path() != OPEN || machine.state() != State::Opening {
            machine.wait();
        }
        machine.reply(200, READY);
    }
    machine.wait();
    machine.reply(200, tickle(COMPETING));
    let retry_at = machine.deadline.unwrap();
    let displaced = |event: &SessionEvent| match event {
        SessionEvent::Displaced { retry_at, .. } => Some(*retry_at),
        _ => None,
    };
    let told = machine.events.iter().filter_map(displaced).next_back().unwrap();
    assert_eq!(told, machine.now.saturating_add(seconds(80)));
    assert!(retry_at <= told);
    for _ in 0..2 {
        machine.wait();
        machine.reply(503, "");
    }
    if machine.state() == State::BackingOff {
        machine.wait();
        machine.reply(200, tickle(COMPETING));
        assert_eq!(machine.events.iter().filter_map(displaced).next_back(), Some(told));
    }
}

#[test]
fn a_displaced_session_that_fails_to_renew_stays_displaced() {
    let mut machine = Machine::live(config(|config| config.displaced_retry = hours(100)));
    machine.wait();
    machine.reply(200, tickle(COMPETING));
    machine.pass(23 * 3600 + 35 * 60);
    machine.tell(ibkr_oauth::session::Input::Timeout);
    while machine.state() != State::Renewing {
        machine.reply(200, tickle(COMPETING));
        machine.wait();
    }
    machine.reply(503, "");
    assert_eq!(machine.state(), State::Displaced);
    // The next attempt comes soon.
    machine.wait();
    assert_eq!(machine.state(), State::Renewing);
}

#[test]
fn a_displaced_session_renews_its_token() {
    let mut simulation = live_world(policy(CompetePolicy::Yield));
    simulation.broker().start_competing_session();
    simulation.run_for(hours(30));
    assert_eq!(simulation.session().view().state(), State::Displaced);
    assert_eq!(simulation.broker().live_session_tokens_issued(), 2);
    let failed = |event: &SessionEvent| matches!(event, SessionEvent::Failed { .. });
    assert_eq!(count_events(&simulation, failed), 0);
    let renewed = |event: &SessionEvent| matches!(event, SessionEvent::StateChanged { from: State::Renewing, .. });
    assert_eq!(count_events(&simulation, renewed), 1);
}

#[test]
fn a_person_who_does_not_want_to_wait_takes_at_once() {
    let mut machine = Machine::live(policy(CompetePolicy::TakeAlways));
    machine.wait();
    machine.reply(200, tickle(COMPETING));
    assert_eq!((machine.state(), takes(&machine)), (State::Displaced, 1));
    machine.tell(ibkr_oauth::session::Input::RetryNow);
    assert_eq!((machine.path(), takes(&machine)), (OPEN, 2));
    machine.reply(200, READY);
    assert_eq!(machine.state(), State::Live);
}

#[test]
fn a_persons_wishes_are_granted_five_times_and_then_each_quarter_of_an_hour() {
    let mut machine = Machine::live(policy(CompetePolicy::Yield));
    machine.wait();
    machine.reply(200, tickle(COMPETING));
    let mut granted = Vec::new();
    for _ in 0..40 {
        let sent = machine.sent.len();
        machine.tell(ibkr_oauth::session::Input::RetryNow);
        let is_granted = machine.sent.len() > sent;
        granted.push(usize::from(is_granted));
        if is_granted {
            assert_eq!(machine.path(), OPEN);
            machine.reply(200, COMPETING);
        }
        machine.pass(60);
        machine.tell(ibkr_oauth::session::Input::Timeout);
        if machine.session.awaited().is_some() {
            machine.reply(200, tickle(COMPETING));
        }
    }
    assert_eq!(granted[..10].iter().sum::<usize>(), 5);
    assert!((6..=8).contains(&granted.iter().sum::<usize>()), "{granted:?}");
}
