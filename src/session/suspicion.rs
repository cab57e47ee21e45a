//! Refusals of the application's own requests: suspicions until an exchange of the session's own answers them.

use std::{sync::Arc, time::Duration};

use super::{Report, moment::Moment};

/// For how long a request is known to be refused although the token is accepted.
const REMEMBERED: Duration = Duration::from_secs(600);
/// How many paths are remembered; of more than these, the oldest are forgotten.
const PATHS: usize = 32;
/// Refusals of this many paths weigh more than tickles that agree.
const SECOND_OPINION: usize = 3;
/// How long a second opinion holds at first, and at most.
const OPINION_HOLDS: (Duration, Duration) = (Duration::from_secs(3600), Duration::from_secs(24 * 3600));

/// A path that the present token is refused on, although the broker accepts it elsewhere.
#[derive(Clone)]
pub(super) struct Rejected {
    pub(super) path: Arc<str>,
    is_iserver: bool,
    since: Moment,
}

/// A refusal that nothing has answered yet.
#[derive(Clone)]
pub(super) struct Suspect {
    path: Arc<str>,
    is_iserver: bool,
    /// How many exchanges had been started when it was reported: their answers may be older than the refusal.
    asked: u64,
    doubt: Doubt,
}

impl Suspect {
    pub(super) fn is(&self, path: &str, doubt: Doubt) -> bool {
        self.doubt == doubt && &*self.path == path
    }

    pub(super) fn asked(&self) -> u64 {
        self.asked
    }
}

/// What a refusal casts doubt on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Doubt {
    Token,
    BrokerageSession,
    /// Whether the accounts were queried in this brokerage session.
    Accounts,
}

/// What to do although the broker accepts the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opinion {
    Renew,
    Reopen,
}

/// What the application's refusals leave open, and what they have shown.
#[derive(Clone, Default)]
pub(super) struct Suspicion {
    suspects: Arc<Vec<Suspect>>,
    rejected: Arc<Vec<Rejected>>,
    /// From when on a second opinion may be had again, and how long that holds then.
    opinion: Option<(Moment, Duration)>,
}

impl Suspicion {
    /// Whether something waits for an answer to an exchange that is started now.
    pub(super) fn is_open(&self) -> bool {
        !self.suspects.is_empty()
    }

    /// Takes note of a refusal that only an exchange started from now on can answer.
    pub(super) fn raise(&mut self, report: &Report, doubt: Doubt, asked: u64) {
        let suspects = Arc::make_mut(&mut self.suspects);
        if let Some(suspect) = suspects.iter_mut().find(|suspect| suspect.is(&report.path, doubt)) {
            suspect.asked = suspect.asked.max(asked);
        } else if suspects.len() < PATHS {
            let path = Arc::clone(&report.path);
            suspects.push(Suspect { path, is_iserver: report.is_iserver(), asked, doubt });
        }
    }

    pub(super) fn suspects(&self) -> &Arc<Vec<Suspect>> {
        &self.suspects
    }

    pub(super) fn is_rejected(&self, path: &str) -> bool {
        self.rejected.iter().any(|rejected| &*rejected.path == path)
    }

    pub(super) fn rejected(&self) -> &Arc<Vec<Rejected>> {
        &self.rejected
    }

    /// The broker accepts the token and all is well, by the answer to the `round`-th exchange: what was refused before it
    /// was started is about the requests. Whether one was about the brokerage session.
    pub(super) fn all_well(&mut self, round: u64, now: Moment) -> bool {
        self.settle(now, |suspect| suspect.asked < round)
    }

    /// The token is accepted before the brokerage session is ready: only what needs none of it is answered.
    pub(super) fn token_accepted(&mut self, round: u64, now: Moment) {
        self.settle(now, |suspect| suspect.asked < round && suspect.doubt == Doubt::Token && !suspect.is_iserver);
    }

    fn settle(&mut self, now: Moment, is_answered: impl Fn(&Suspect) -> bool) -> bool {
        if !self.suspects.iter().any(&is_answered) {
            return false;
        }
        let mut is_about_brokerage = false;
        let (answered, open): (Vec<_>, Vec<_>) = self.suspects.iter().cloned().partition(is_answered);
        self.suspects = Arc::new(open);
        for suspect in answered {
            match suspect.doubt {
                Doubt::BrokerageSession | Doubt::Accounts => is_about_brokerage = true,
                Doubt::Token => {
                    let rejected = Arc::make_mut(&mut self.rejected);
                    if rejected.len() >= PATHS {
                        rejected.remove(0);
                    }
                    rejected.push(Rejected { path: suspect.path, is_iserver: suspect.is_iserver, since: now });
                }
            }
        }
        is_about_brokerage
    }

    /// The session changed so much that nothing reported before says anything about it.
    pub(super) fn forget_suspects(&mut self) {
        if !self.suspects.is_empty() {
            self.suspects = Arc::default();
        }
    }

    /// Another token signs from now on.
    pub(super) fn forget_token(&mut self) {
        self.forget_suspects();
        if !self.rejected.is_empty() {
            self.rejected = Arc::default();
        }
    }

    /// Forgets what was long ago.
    pub(super) fn age(&mut self, now: Moment) {
        if self.rejected.iter().any(|rejected| now.since(rejected.since) >= REMEMBERED) {
            Arc::make_mut(&mut self.rejected).retain(|rejected| now.since(rejected.since) < REMEMBERED);
        }
    }

    /// What follows where several paths are refused within a short time although the token is accepted; seldom, and ever
    /// more seldom while it does not help.
    pub(super) fn second_opinion(&mut self, now: Moment) -> Option<Opinion> {
        if self.rejected.len() < SECOND_OPINION || self.opinion.is_some_and(|(from, _)| now < from) {
            return None;
        }
        let holds = match self.opinion {
            // One that held for as long again has helped.
            Some((from, holds)) if now.since(from) < holds => holds.saturating_mul(2).min(OPINION_HOLDS.1),
            _ => OPINION_HOLDS.0.saturating_mul(2),
        };
        self.opinion = Some((now.after(holds), holds));
        let is_iserver = self.rejected.iter().all(|rejected| rejected.is_iserver);
        Some(if is_iserver { Opinion::Reopen } else { Opinion::Renew })
    }
}
