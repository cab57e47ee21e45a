//! Clocks that are wrong, step, or leap.

use crate::simulation::Simulation;
use std::time::Duration;

use ibkr_oauth::{
    Context, Entropy, EntropyError, ErrorKind, Signer, Timestamp, http,
    session::{Input, SessionConfig, SessionEvent, State},
    simulator::SeededEntropy,
};

use super::{config, count_events, given_up, hours, live_world, seconds};
use crate::machine::{Machine, READY, tickle};

fn skews(simulation: &Simulation) -> Vec<(i64, bool)> {
    let skew = |event: &SessionEvent| match event {
        SessionEvent::ClockSkew { seconds, corrected } => Some((*seconds, *corrected)),
        _ => None,
    };
    simulation.events().iter().filter_map(|(_, event)| skew(event)).collect()
}

fn stepped(simulation: &Simulation) -> usize {
    count_events(simulation, |event| matches!(event, SessionEvent::ClockStepped { .. }))
}

/// Whether no timestamp is smaller than the one before.
fn rises(simulation: &Simulation) -> bool {
    simulation.sent().is_sorted_by_key(|sent| sent.timestamp)
}

#[test]
fn a_skew_is_told_and_left_alone_unless_it_may_be_corrected() {
    for (ahead, corrected) in [(-100, false), (100, false), (-100, true), (100, true), (-2000, true), (2000, true)] {
        let mut simulation = Simulation::new(1, config(|config| config.correct_clock = corrected));
        simulation.step_client_clock(ahead * 1000);
        simulation.run_for(hours(1));
        assert_eq!(simulation.session().view().state(), State::Live, "{ahead} {corrected}");
        let (told, was_corrected) = skews(&simulation)[0];
        assert!((told + ahead).abs() <= 1, "{told} {ahead}");
        assert_eq!((skews(&simulation).len(), was_corrected), (1, corrected));
        let last = simulation.sent().last().unwrap();
        let off = last.timestamp.abs_diff(last.at.as_secs());
        // Its signatures are dated by the broker's clock, or by its own.
        let expected = if corrected { ahead.unsigned_abs() } else { 0 };
        // A clock that was ahead keeps its timestamps until they are overtaken, or starts afresh.
        assert!(off.abs_diff(expected) <= 1, "{ahead} {corrected}: {off}");
    }
}

#[test]
fn a_clock_minutes_off_is_named_as_the_cause() {
    let mut simulation = Simulation::new(1, SessionConfig::default());
    simulation.step_client_clock(-400_000);
    simulation.run_for(hours(24));
    let error = given_up(&simulation).unwrap();
    assert_eq!(error.kind(), ErrorKind::Rejected);
    assert!(error.remedy().contains("the clock is 400 s off") || error.remedy().contains("the clock is 399 s off"));
    assert!(error.remedy().contains("correct_clock"));
}

#[test]
fn a_skew_beyond_belief_is_not_corrected() {
    let mut simulation = Simulation::new(1, config(|config| config.correct_clock = true));
    simulation.step_client_clock(-4000 * 1000);
    simulation.run_for(hours(24));
    assert!(skews(&simulation).iter().all(|(_, corrected)| !corrected));
    assert!(given_up(&simulation).is_some());
}

#[test]
fn a_corrected_clock_renews_by_the_brokers_time() {
    for ahead in [-3000, 3000] {
        let mut simulation = live_world(config(|config| config.correct_clock = true));
        simulation.step_client_clock(ahead * 1000);
        simulation.run_for(hours(40));
        assert_eq!(simulation.session().view().state(), State::Live);
        let renewed = |event: &SessionEvent| {
            matches!(event, SessionEvent::StateChanged { from: State::Renewing, to: State::Live, .. })
        };
        assert!(count_events(&simulation, renewed) >= 1, "{ahead}");
        let refused: Vec<_> = simulation.broker().refusals().iter().map(ToString::to_string).collect();
        // Three responses have to agree before the clock is corrected.
        assert!(refused.len() <= 6, "{refused:?}");
    }
}

#[test]
fn small_steps_back_repeat_timestamps_and_cost_nothing() {
    let mut simulation = live_world(SessionConfig::default());
    for step in 1..=4 {
        simulation.run_for(seconds(600));
        simulation.step_client_clock(-60_000);
        assert_eq!(stepped(&simulation), 0, "{step}");
    }
    simulation.run_for(hours(1));
    assert!(rises(&simulation));
    assert_eq!(simulation.session().view().state(), State::Live);
    assert_eq!(simulation.broker().live_session_tokens_issued(), 1);
    assert!(simulation.broker().refusals().is_empty());
    assert_eq!(simulation.stalls(), 0);
}

#[test]
fn a_step_back_beyond_the_floor_starts_afresh() {
    let mut machine = Machine::live(SessionConfig::default());
    let (before, token_id) = (machine.now, machine.session.view().token_id());
    machine.now = before.saturating_sub(seconds(301));
    machine.tell(Input::Timeout);
    let told: Vec<_> = machine
        .events
        .iter()
        .filter_map(|event| match event {
            SessionEvent::ClockStepped { by } => Some(*by),
            _ => None,
        })
        .collect();
    assert_eq!(told, [seconds(301)]);
    assert_eq!((machine.state(), machine.handshakes()), (State::Negotiating, 2));
    assert_eq!(machine.session.view().token_id(), token_id, "the old one signs until there is another");
    let header = machine.sent.last().unwrap().1.headers()["authorization"].to_str().unwrap().to_owned();
    assert!(header.contains(&format!("oauth_timestamp=\"{}\"", machine.now.as_secs())), "{header}");

    // A second less is no reason.
    let mut machine = Machine::live(SessionConfig::default());
    machine.now = before.saturating_sub(seconds(300));
    machine.tell(Input::Timeout);
    assert_eq!((machine.state(), machine.session.view().token_id()), (State::Live, token_id));
}

#[test]
fn a_step_while_a_handshake_is_under_way_does_not_start_another() {
    let mut machine = Machine::new(SessionConfig::default());
    machine.drain();
    machine.now = machine.now.saturating_sub(hours(1));
    machine.tell(Input::Timeout);
    assert_eq!(machine.handshakes(), 1);
    assert_eq!(machine.count(|event| matches!(event, SessionEvent::ClockStepped { .. })), 1);
    // The broker's clock did not step.
    let mut cx = Context::new(machine.now.saturating_add(hours(1)), &mut machine.entropy);
    let response = machine.broker.handle(&mut cx, &machine.sent[0].1);
    machine.tell(Input::Response { id: machine.outstanding(), response });
    assert_eq!(machine.state(), State::Opening);
    let skew = |event: &SessionEvent| matches!(event, SessionEvent::ClockSkew { .. });
    assert_eq!(machine.count(skew), 0, "a journey backwards tells nothing of the broker's clock");
}

/// Signs with the signer of the session, hours ahead, at the very moment that the session asks for random bytes.
struct Interloper {
    entropy: SeededEntropy,
    signer: Option<Signer>,
    at: Timestamp,
}

impl Entropy for Interloper {
    fn fill(&mut self, destination: &mut [u8]) -> Result<(), EntropyError> {
        if let Some(signer) = self.signer.take() {
            let mut request = http::Request::get("https://api.ibkr.com/v1/api/tickle").body(()).unwrap();
            signer.sign(&mut Context::new(self.at, &mut self.entropy), &mut request).unwrap();
        }
        self.entropy.fill(destination)
    }
}

#[test]
fn a_floor_that_rises_while_the_session_signs_is_a_step_too() {
    let mut machine = Machine::live(SessionConfig::default());
    machine.now = machine.deadline.unwrap();
    let signer = machine.session.view().signer().cloned();
    let mut interloper =
        Interloper { entropy: SeededEntropy::new(9), signer, at: machine.now.saturating_add(hours(9)) };
    machine.session.handle_input(&mut Context::new(machine.now, &mut interloper), Input::Timeout);
    let output = machine.session.poll_output(&mut Context::new(machine.now, &mut interloper));
    assert!(
        matches!(output, ibkr_oauth::session::Output::Event(SessionEvent::ClockStepped { by }) if by == hours(9)),
        "{output:?}"
    );
    machine.drain();
    assert_eq!((machine.state(), machine.handshakes()), (State::Negotiating, 2));
}

#[test]
fn a_suspended_machine_comes_back() {
    for (asleep, handshakes) in [(8, 1), (30, 2), (24 * 14, 2)] {
        let mut simulation = live_world(SessionConfig::default());
        simulation.suspend_client(hours(asleep));
        let before = simulation.sent().len();
        simulation.run_for(hours(asleep) + seconds(60));
        assert_eq!(simulation.session().view().state(), State::Live, "{asleep} h");
        assert_eq!(simulation.broker().live_session_tokens_issued(), handshakes, "{asleep} h");
        // Each deadline that passed fires once.
        assert!(simulation.sent().len() - before <= 6, "{asleep} h: {}", simulation.sent().len() - before);
        assert_eq!(simulation.stalls(), 0);
    }
}

#[test]
fn leaps_ahead_fire_each_deadline_once() {
    let mut machine = Machine::live(SessionConfig::default());
    let sent = machine.sent.len();
    machine.pass(3600);
    machine.tell(Input::Timeout);
    assert_eq!(machine.sent.len(), sent + 1);
    machine.reply(200, tickle(READY));
    assert_eq!(machine.sent.len(), sent + 1);
    assert_eq!(machine.deadline.unwrap(), machine.now.saturating_add(seconds(60)));
}

#[test]
fn steps_back_leave_every_wait_as_it_was() {
    for back in [1, 100, 299] {
        let mut machine = Machine::live(SessionConfig::default());
        machine.pass(10);
        machine.drain();
        let left = machine.deadline.unwrap().saturating_duration_since(machine.now);
        machine.now = machine.now.saturating_sub(seconds(back));
        machine.tell(Input::Timeout);
        assert_eq!(machine.deadline.unwrap().saturating_duration_since(machine.now), left);
    }
}

#[test]
fn no_time_and_no_setting_is_too_extreme() {
    let longest = Duration::MAX;
    let extreme = |wait: Duration| {
        config(|config| {
            config.tickle_interval = wait;
            config.renewal_margin = wait;
            config.response_timeout = wait;
            config.displaced_retry = wait;
        })
    };
    for wait in [Duration::ZERO, Duration::from_nanos(1), Duration::from_millis(u64::MAX), longest] {
        for now in [0, 1, 1_700_000_000_000, 253_402_300_799_999, u64::MAX / 4 - 1_000_000] {
            let mut machine = Machine::new(extreme(wait));
            machine.now = Timestamp::from_millis(now);
            machine.drain();
            for kind in [401, 200, 429, 503, 410] {
                if machine.deadline.is_none() {
                    break;
                }
                machine.reply(kind, "{}");
                machine.tell(Input::Timeout);
                if machine.deadline.is_some_and(|at| at.as_millis() < u64::MAX / 4) {
                    machine.wait();
                }
            }
        }
        let mut simulation = Simulation::new(1, extreme(wait));
        simulation.run_for(seconds(600));
        assert_eq!(simulation.session().view().state(), State::Live, "{wait:?}");
        assert!(simulation.sent().len() < 700, "{wait:?}: {}", simulation.sent().len());
        assert_eq!(simulation.stalls(), 0);
    }
}
