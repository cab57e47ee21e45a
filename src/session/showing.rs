//! What a session shows of itself.

use std::sync::Arc;

use super::{
    SETTLE_TIMEOUT, Session,
    moment::Moment,
    phase::{Pause, Phase, Retry},
};

impl Session {
    /// Has the view show how the session is now.
    pub(super) fn refresh_view(&mut self) {
        let wall = |moment: Option<Moment>| moment.map(|moment| self.clock.wall(moment));
        let next_attempt = match &self.phase {
            Phase::BackingOff(Pause { retry: Retry::Tickle, .. }) => self.tickles.next(),
            Phase::BackingOff(pause) => Some(pause.until),
            Phase::Displaced(rival) => Some(rival.retry),
            _ => None,
        };
        let next_attempt = wall(next_attempt.map(|at| self.outside_penalty(at)));
        let next_tickle = wall(self.tickles.next().map(|at| self.outside_penalty(at)));
        let (wait_until, reopening) = (wall(self.present_penalty()), wall(self.phase.reopening()));
        let settled_at = wall(self.history.opened.map(|opened| opened.after(SETTLE_TIMEOUT)));
        let view = &mut self.view;
        view.now = self.clock.wall_now();
        view.state = self.phase.state();
        view.is_live = self.phase.is_live();
        (view.wait_until, view.next_attempt, view.next_tickle) = (wait_until, next_attempt, next_tickle);
        (view.reopening, view.settled_at) = (reopening, settled_at);
        if !Arc::ptr_eq(&view.rejected, self.suspicion.rejected()) {
            view.rejected = Arc::clone(self.suspicion.rejected());
        }
        if !Arc::ptr_eq(&view.suspects, self.suspicion.suspects()) {
            view.suspects = Arc::clone(self.suspicion.suspects());
        }
    }
}
