//! Pieces of code that do the same work.

use std::{fmt, hint::black_box, time::Duration};

use rustix::time::{ClockId, clock_gettime};

/// What `ibkr-oauth` is called in every comparison.
pub const OURS: &str = "ibkr-oauth";

/// The same with RSA by AWS-LC.
pub const OURS_BY_AWS_LC: &str = "ibkr-oauth, aws-lc-rs";

/// Some who do the same work; the first is what the others are measured by.
#[derive(Debug)]
pub struct Comparison {
    pub name: &'static str,
    pub contenders: Vec<Contender>,
}

/// One of them.
pub struct Contender {
    pub name: String,
    /// Does the work so many times. A loop within costs less than a call for each, and the optimizer sees through it.
    repeat: Box<dyn FnMut(u64)>,
}

impl Contender {
    pub fn new<T>(name: impl Into<String>, mut once: impl FnMut() -> T + 'static) -> Self {
        let repeat = move |times| {
            for _ in 0..times {
                black_box(once());
            }
        };
        Self { name: name.into(), repeat: Box::new(repeat) }
    }

    /// How long so many repetitions take.
    pub fn time(&mut self, times: u64) -> Duration {
        let started = processor_time();
        (self.repeat)(times);
        processor_time() - started
    }
}

impl fmt::Debug for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contender").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What this thread has had of a processor. The time on the wall also has the turns of other programs in it, of which long
/// work gets more than short.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}
