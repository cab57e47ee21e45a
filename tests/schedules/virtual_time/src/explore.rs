//! Many schedules of one scenario.

#![allow(clippy::disallowed_methods, reason = "the environment says how many")]

use std::{env, sync::Arc};

use shuttle::{
    Config, MaxSteps, Runner,
    scheduler::{PctScheduler, RandomScheduler},
};

use crate::clock;

/// When time passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// Only when every thread waits: nothing that a thread does takes time.
    Fast,
    /// Now and then while threads run, too.
    Slow,
}

/// More switches between threads than any scenario takes that comes to an end.
const STEPS: usize = 100_000;

/// Runs a scenario under many schedules on both machines: half of them chosen at random, half by few changes of priority
/// (PCT). Their number for each is `SCHEDULES`, or 1,000; the seed is `SEED`, or always the same.
///
/// # Panics
/// If the scenario does, or a schedule ends in a deadlock.
pub fn explore(scenario: impl Fn(Machine) + Send + Sync + 'static) {
    let number = |name: &str| env::var(name).ok().map(|value| value.parse::<u64>().expect(name));
    let schedules = usize::try_from(number("SCHEDULES").unwrap_or(1000)).expect("SCHEDULES");
    let seed = number("SEED").unwrap_or(1);
    let mut config = Config::new();
    config.stack_size = 1 << 18;
    config.max_steps = MaxSteps::FailAfter(STEPS);
    config.silence_warnings = true;
    let scenario = Arc::new(scenario);
    for machine in [Machine::Fast, Machine::Slow] {
        let run = {
            let scenario = Arc::clone(&scenario);
            move || {
                clock::begin(machine == Machine::Slow);
                scenario(machine);
            }
        };
        let half = schedules.div_ceil(2);
        println!("{machine:?}: {half} at random and {half} by priority, SEED={seed}");
        Runner::new(RandomScheduler::new_from_seed(seed, half), config.clone()).run(run.clone());
        // Each depth finds what so many changes of priority lead to.
        for depth in 1..=3 {
            let scheduler = PctScheduler::new_from_seed(seed + depth as u64, depth, half.div_ceil(3));
            Runner::new(scheduler, config.clone()).run(run.clone());
        }
    }
}
