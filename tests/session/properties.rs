//! What holds of every session, whatever the broker, the network, the clock and the application do.
//!
//! Each property runs for a few cases; `PROPTEST_CASES=20000 cargo test --release …` runs it for as many as that.

mod log;
mod operations;
mod script;

use crate::{cases::cases, simulation::Simulation};
use std::time::Duration;

use self::script::Script;
use ibkr_oauth::session::{SessionEvent, State};
use proptest::{prelude::*, test_runner::FileFailurePersistence};

/// What fails is kept beside the test, for it takes long to find.
fn kept(by_default: u32) -> ProptestConfig {
    let persistence = FileFailurePersistence::WithSource("proptest-regressions");
    ProptestConfig { failure_persistence: Some(Box::new(persistence)), ..cases(by_default) }
}

/// Runs until the session is live, at most so long; whether it came to that.
fn becomes_live(simulation: &mut Simulation, within: Duration) -> bool {
    simulation.run_until(within, |session| session.view().state() == State::Live)
}

fn gave_up(simulation: &Simulation) -> bool {
    simulation.events().iter().any(|(_, event)| matches!(event, SessionEvent::GaveUp { .. }))
}

proptest! {
    #![proptest_config(kept(30))]

    /// Faults that pass, and network: the session comes back to life.
    #[test]
    fn a_session_survives_whatever_passes(script in script::passing()) {
        let mut simulation = script.play();
        log::check(&simulation, true);
        prop_assert!(!simulation.is_finished());
        let bound = script.recovery();
        prop_assert!(becomes_live(&mut simulation, bound), "not live {bound:?} after the last fault: {:?}", simulation.session());
        log::check(&simulation, true);
    }

    /// The same with clocks that step and machines that sleep, as far as the broker tolerates it: it sees up to three
    /// times a step at once where the clock is corrected, by what was right before.
    #[test]
    fn a_session_survives_steps_of_the_clock(script in script::stepping(95)) {
        let mut simulation = script.play();
        let bound = script.recovery();
        prop_assert!(becomes_live(&mut simulation, bound), "not live {bound:?} after the last fault: {:?}", simulation.session());
        log::check(&simulation, false);
        let boxed = |reason| reason == "penalty_box";
        prop_assert!(!simulation.broker().refusals().iter().any(|refusal| boxed(refusal.reason)));
        let stepped = |event: &SessionEvent| matches!(event, SessionEvent::ClockStepped { .. });
        prop_assert!(!simulation.events().iter().any(|(_, event)| stepped(event)), "no step was that large");
    }

    /// Clocks that nobody can follow, and refusals without end: a live session, or one that says what it lacks; and only
    /// one that was never live ends by itself.
    #[test]
    fn a_session_that_cannot_go_on_says_so(script in script::fatal()) {
        let mut simulation = script.play();
        let live = becomes_live(&mut simulation, script.recovery());
        log::check(&simulation, false);
        let view = simulation.session().view();
        prop_assert!(live || view.last_error().is_some(), "neither live nor in trouble: {:?}", simulation.session());
        let was_live = |event: &SessionEvent| matches!(event, SessionEvent::StateChanged { to: State::Live, .. });
        prop_assert!(!simulation.is_finished() || !simulation.events().iter().any(|(_, event)| was_live(event)));
        prop_assert_eq!(simulation.is_finished(), gave_up(&simulation));
        prop_assert_eq!(simulation.is_finished(), simulation.session().view().state() == State::Closed);
    }
}

proptest! {
    #![proptest_config(kept(60))]

    /// Any inputs in any order at any time: no panic, no endless drain, no deadline behind, no second request.
    #[test]
    fn no_sequence_of_inputs_breaks_a_session(operations in operations::sequence()) {
        operations.perform();
    }

    /// Whatever a key store, the application and the clock do meanwhile, no timestamp is smaller than the one before.
    #[test]
    fn a_key_store_that_takes_its_time_breaks_no_promise(operations in operations::key_store()) {
        operations.perform();
    }
}

/// A script is data: the same one plays the same way.
#[test]
fn the_same_script_plays_the_same_way() {
    let script = Script::example();
    let (first, second) = (script.play(), script.play());
    assert_eq!(first.sent(), second.sent());
    assert_eq!(format!("{:?}", first.events()), format!("{:?}", second.events()));
}
