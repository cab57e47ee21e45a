//! What is accepted in one request, and what was accepted in it although it deviates.

use super::{
    deviation::Deviation,
    reason::Reason,
    refusal::{Objection, refuse},
};

/// How a broker takes deviations from the written contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strictness {
    /// As the real broker's own code is known to.
    Lenient,
    /// It refuses each.
    Strict,
}

/// Judges one request or visit, and notes what it let pass.
#[derive(Debug)]
pub(super) struct Judge {
    strictness: Strictness,
    seen: Vec<Deviation>,
}

impl Judge {
    pub(super) const fn new(strictness: Strictness) -> Self {
        Self { strictness, seen: Vec::new() }
    }

    pub(super) fn is_strict(&self) -> bool {
        self.strictness == Strictness::Strict
    }

    /// Notes the deviation, or refuses it for the reason and the detail.
    pub(super) fn tolerate(
        &mut self,
        deviation: Deviation,
        reason: Reason,
        detail: impl Into<String>,
    ) -> Result<(), Objection> {
        if self.is_strict() {
            return refuse(reason, detail);
        }
        self.note(deviation);
        Ok(())
    }

    pub(super) fn note(&mut self, deviation: Deviation) {
        if !self.seen.contains(&deviation) {
            self.seen.push(deviation);
        }
    }

    /// The names of what was let pass, in the order found.
    pub(super) fn names(&self) -> Vec<&'static str> {
        self.seen.iter().map(|deviation| deviation.name()).collect()
    }
}
