//! What must hold, and how near the worst came to it.

use std::collections::VecDeque;

pub(crate) const HOUR: u64 = 3_600_000;
pub(crate) const DAY: u64 = 24 * HOUR;

/// How many happened in the worst hour and in the worst day so far.
#[derive(Default)]
pub(crate) struct Rate {
    hour: VecDeque<u64>,
    day: VecDeque<u64>,
    pub(crate) worst: [usize; 2],
}

impl Rate {
    /// How many happened in the hour that ends with this one.
    pub(crate) fn note(&mut self, at: u64) -> usize {
        let [worst_hour, worst_day] = &mut self.worst;
        for (window, span, worst) in [(&mut self.hour, HOUR, worst_hour), (&mut self.day, DAY, worst_day)] {
            window.push_back(at);
            while window.front().is_some_and(|first| *first + span <= at) {
                window.pop_front();
            }
            *worst = (*worst).max(window.len());
        }
        self.hour.len()
    }

    /// Counts from nothing, and keeps the worst.
    pub(crate) fn begin_anew(&mut self) {
        self.hour.clear();
        self.day.clear();
    }

    /// How many happened in the hour that ends now.
    pub(crate) fn recent(&self, now: u64) -> usize {
        self.hour.iter().filter(|at| **at + HOUR > now).count()
    }
}

/// The worst that was seen, of one play or of many.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    /// In an hour, and in a day.
    pub(crate) handshakes: [usize; 2],
    pub(crate) openings: [usize; 2],
    pub(crate) requests: [usize; 2],
    pub(crate) wakes: [usize; 2],
    /// In milliseconds.
    pub(crate) silence: u64,
    pub(crate) ticket: u64,
    pub(crate) heal: u64,
    pub(crate) plays: usize,
    pub(crate) ended: usize,
    pub(crate) wrong: Vec<String>,
}

impl Figures {
    pub(crate) fn merge(&mut self, other: Self) {
        for (mine, theirs) in [
            (&mut self.handshakes, other.handshakes),
            (&mut self.openings, other.openings),
            (&mut self.requests, other.requests),
            (&mut self.wakes, other.wakes),
        ] {
            *mine = [mine[0].max(theirs[0]), mine[1].max(theirs[1])];
        }
        self.silence = self.silence.max(other.silence);
        self.ticket = self.ticket.max(other.ticket);
        self.heal = self.heal.max(other.heal);
        self.plays += other.plays;
        self.ended += other.ended;
        self.wrong.extend(other.wrong);
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [handshakes, openings, requests, wakes] =
            [self.handshakes, self.openings, self.requests, self.wakes].map(|[hour, day]| format!("{hour}/h {day}/d"));
        write!(
            f,
            "{} plays, {} ended by themselves; worst: handshakes {handshakes}, openings {openings}, requests {requests}, \
             wakes {wakes}, idle while live {} ms, a caller's wait {} ms, heal {} ms",
            self.plays, self.ended, self.silence, self.ticket, self.heal
        )
    }
}
