//! What the application reports about its own requests.

use super::{Report, SETTLE_TIMEOUT, Session, phase::Phase, suspicion::Doubt};
use crate::error::Scope;

impl Session {
    /// Takes note of the fate of a request of the application's own. What it has to do about that is for the view to say.
    pub(super) fn report(&mut self, report: &Report) {
        match report.scope() {
            _ if matches!(self.phase, Phase::Closing | Phase::Closed) => {}
            Some(Scope::Pacing) => self.suspect_pace(report),
            Some(Scope::Token) => self.suspect_token(report),
            Some(Scope::BrokerageSession) => self.suspect_brokerage(report),
            _ if report.wants_accounts() => self.suspect_accounts(),
            _ => {}
        }
    }

    /// A 429 that names no time is about its path, until a tickle is answered so too.
    fn suspect_pace(&mut self, report: &Report) {
        let signed = self.clock.moment(report.signed_at);
        let is_of_the_box = self.penalty.is_some_and(|penalty| penalty.since <= signed && signed < penalty.until);
        if let Some(wait) = report.retry_after.filter(|_| !is_of_the_box) {
            self.enter_penalty_box(wait);
        }
    }

    fn suspect_token(&mut self, report: &Report) {
        let is_of_this_token = self.view.token_id() == Some(report.token_id);
        let is_overtaken = report.attempt <= 1 && self.view.is_overtaken(report);
        if !is_of_this_token || is_overtaken || self.suspicion.is_rejected(&report.path) {
            return;
        }
        let is_answerable = match self.phase {
            Phase::Negotiating { .. } | Phase::BackingOff(_) | Phase::Closing | Phase::Closed => false,
            Phase::Displaced(_) => !report.is_iserver(),
            _ => true,
        };
        if is_answerable {
            self.suspicion.raise(report, Doubt::Token, self.view.progress.asked);
            self.hasten_for_suspects();
        }
    }

    fn suspect_brokerage(&mut self, report: &Report) {
        let is_settled = self.clock.since(self.history.opened) >= SETTLE_TIMEOUT;
        let is_open = self.phase.is_live() && self.phase.reopening().is_none();
        if self.config.brokerage && is_settled && is_open {
            self.suspicion.raise(report, Doubt::BrokerageSession, self.view.progress.asked);
            self.hasten_for_suspects();
        }
    }

    fn suspect_accounts(&mut self) {
        let now = self.clock.now();
        if let Phase::Live(live) = &mut self.phase {
            if self.config.brokerage && self.outstanding.is_none() && !live.primes_now && self.tickles.draw(now) {
                live.primes_now = true;
            }
        }
    }
}
