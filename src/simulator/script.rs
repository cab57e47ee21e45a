//! The faults that wait for their request.

use std::collections::VecDeque;

use super::faults::{Fault, Needs};

/// In the order injected.
#[derive(Debug, Default)]
pub(super) struct Script(VecDeque<Fault>);

impl Script {
    pub(super) fn push(&mut self, fault: Fault) {
        self.0.push_back(fault);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.0.iter().filter(|fault| fault.times > 0).count()
    }

    /// The first fault for a request to `path`, if one is due, where there is `running`.
    pub(super) fn take(&mut self, path: &str, running: &[Needs]) -> Option<Fault> {
        self.0.retain(|fault| fault.times > 0);
        for fault in &mut self.0 {
            if fault.path.as_ref().is_some_and(|wanted| wanted != path) {
                continue;
            }
            if fault.needs.is_some_and(|needs| path.starts_with("/oauth/") || !running.contains(&needs)) {
                continue;
            }
            if fault.after > 0 {
                fault.after -= 1;
                continue;
            }
            fault.times -= 1;
            return Some(fault.clone());
        }
        None
    }
}
