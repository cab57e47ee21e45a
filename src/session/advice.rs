//! What an application does about its own requests' failures: pure functions of a view.

use std::time::Duration;

use http::StatusCode;

use super::{
    LONGEST_PENALTY, Report, SessionView, State,
    repeatable::is_repeatable,
    suspicion::{Doubt, Suspect},
};
use crate::{
    context::Timestamp,
    error::{ErrorKind, Scope},
    signer::TokenId,
};

/// When a request is sent again that found no bridge just after an opening, if the opening may take longer.
const NOT_YET: Duration = Duration::from_secs(5);
/// How long a path waits that was answered 429 without a time.
const PACED: Duration = Duration::from_secs(60);

/// What to do about a request that failed. From [`SessionView::advise`].
///
/// Whoever follows it counts attempts: none of it is without end, but a broker can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Advice {
    /// Nothing: the request did not fail.
    None,
    /// Send it again, freshly signed; where the server is in trouble (5xx), after a pause.
    Resend,
    /// The broker may have acted on it, and twice may not be once: a `POST` or `PATCH`, or a `PUT` or `DELETE` of an order.
    /// Send it again, freshly signed, only if you know that it does no harm; for an order, ask for the list of orders first.
    ResendIfIdempotent,
    /// Send it again, freshly signed, but not before this moment.
    WaitUntil(Timestamp),
    /// The session finds out: ask [`SessionView::resolve`] of each later view, or wait with
    /// [`SessionHandle::resolve`](crate::driver::SessionHandle::resolve). It is known in bounded time.
    AwaitSession(Ticket),
    /// Sending it again would change nothing; this says who must act.
    GiveUp(ErrorKind),
}

/// Stands for advice that waits for the session. From [`Advice::AwaitSession`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket {
    token_id: TokenId,
    doubt: Doubt,
    is_iserver: bool,
    was_live: bool,
    asked: u64,
    lives: u64,
    primes: u64,
}

impl SessionView {
    /// What to do about a request of the application's own.
    ///
    /// A pure function. Report it to the session first ([`Input::Reported`](super::Input::Reported)), and ask the view that
    /// comes of it.
    #[must_use]
    pub fn advise(&self, report: &Report) -> Advice {
        let Some(error) = report.error.as_ref() else { return Advice::None };
        if report.status.is_redirection() || report.status.is_informational() {
            return Advice::None;
        }
        if matches!(self.state, State::Closing | State::Closed) {
            return Advice::GiveUp(ErrorKind::Config);
        }
        match error.scope() {
            Scope::Pacing => Advice::WaitUntil(self.paced_until(report)),
            Scope::Token => self.advise_about_token(report),
            Scope::BrokerageSession if !self.brokerage => Advice::GiveUp(ErrorKind::Rejected),
            Scope::BrokerageSession => self.resolve(&self.ticket(report, Doubt::BrokerageSession)),
            Scope::Request if report.wants_accounts() && self.brokerage => {
                if self.primed.is_some_and(|at| at >= report.signed_at) {
                    return Advice::Resend;
                }
                self.resolve(&self.ticket(report, Doubt::Accounts))
            }
            Scope::Unavailable if may_pass(report.status) => {
                // What the broker certainly did not act on may be repeated whatever its method.
                if is_repeatable(&report.method, &report.path) || !error.may_have_been_sent() {
                    Advice::Resend
                } else {
                    Advice::ResendIfIdempotent
                }
            }
            Scope::Request | Scope::Consumer | Scope::Local | Scope::Unavailable => Advice::GiveUp(error.kind()),
        }
    }

    fn advise_about_token(&self, report: &Report) -> Advice {
        if self.token_id() == Some(report.token_id) {
            if self.rejected.iter().any(|rejected| rejected.path == report.path) {
                return Advice::GiveUp(ErrorKind::Rejected);
            }
            if report.attempt <= 1 && self.is_overtaken(report) {
                return Advice::Resend;
            }
        }
        self.resolve(&self.ticket(report, Doubt::Token))
    }

    /// Whether a later second was signed since: a broker that insists on rising timestamps refuses the earlier one where it
    /// arrives later.
    pub(super) fn is_overtaken(&self, report: &Report) -> bool {
        self.signer.as_ref().is_some_and(|signer| signer.has_signed_after(report.signed_at))
    }

    fn paced_until(&self, report: &Report) -> Timestamp {
        let wait = report.retry_after.map_or(PACED, |asked| asked.min(LONGEST_PENALTY));
        self.wait_until.unwrap_or_else(|| self.now.max(report.signed_at).saturating_add(wait))
    }

    fn ticket(&self, report: &Report, doubt: Doubt) -> Ticket {
        // A query of the accounts belongs to an opening.
        let suspected = if doubt == Doubt::Accounts { Doubt::BrokerageSession } else { doubt };
        let suspect = self.suspects.iter().find(|suspect| suspect.is(&report.path, suspected));
        Ticket {
            token_id: report.token_id,
            doubt,
            is_iserver: report.is_iserver(),
            was_live: self.is_live,
            asked: suspect.map_or(self.progress.asked, Suspect::asked),
            lives: self.progress.lives,
            primes: self.progress.primes,
        }
    }

    /// What has become of advice that had to wait: [`Advice::AwaitSession`] with the same ticket as long as it is not
    /// known. A pure function.
    #[must_use]
    pub fn resolve(&self, ticket: &Ticket) -> Advice {
        let wait = Advice::AwaitSession(*ticket);
        if matches!(self.state, State::Closing | State::Closed) {
            return Advice::GiveUp(ErrorKind::Config);
        }
        let date = match self.state {
            State::BackingOff => self.next_attempt,
            State::Displaced if ticket.is_iserver || ticket.was_live || ticket.doubt != Doubt::Token => {
                self.next_attempt
            }
            _ => None,
        };
        if let Some(date) = self.wait_until.max(date) {
            return Advice::WaitUntil(date);
        }
        if self.token_id() != Some(ticket.token_id) {
            let is_served = if ticket.is_iserver { self.is_live } else { self.signer.is_some() };
            return if is_served { Advice::Resend } else { wait };
        }
        if matches!(self.state, State::Negotiating | State::Renewing) {
            return wait;
        }
        if self.is_live && self.progress.lives > ticket.lives {
            return Advice::Resend;
        }
        let is_accepted = self.progress.accepted > ticket.asked;
        match ticket.doubt {
            Doubt::Accounts if self.progress.primes > ticket.primes => Advice::Resend,
            // The session has its reasons not to query at once; a fresh attempt is told anew.
            Doubt::Accounts if self.is_live && is_accepted => Advice::Resend,
            Doubt::BrokerageSession if self.is_live => self.about_brokerage(is_accepted).unwrap_or(wait),
            Doubt::Token if is_accepted && (self.is_live || !ticket.is_iserver && !ticket.was_live) => {
                Advice::GiveUp(ErrorKind::Rejected)
            }
            Doubt::Token | Doubt::Accounts if self.progress.undecided > ticket.asked => self.at_next_tickle(wait),
            _ => wait,
        }
    }

    /// What to do about "no bridge" while the session is live.
    fn about_brokerage(&self, is_accepted: bool) -> Option<Advice> {
        if let Some(settled_at) = self.settled_at.filter(|at| *at > self.now) {
            let retry = self.now.saturating_add(NOT_YET);
            return Some(Advice::WaitUntil(retry.min(settled_at)));
        }
        if let Some(at) = self.reopening {
            return Some(Advice::WaitUntil(at));
        }
        is_accepted.then(|| self.next_tickle.map_or(Advice::Resend, Advice::WaitUntil))
    }

    fn at_next_tickle(&self, otherwise: Advice) -> Advice {
        self.next_tickle.map_or(otherwise, Advice::WaitUntil)
    }
}

/// Whether a failure of this status may pass by itself.
fn may_pass(status: StatusCode) -> bool {
    status.is_success()
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT
                | StatusCode::INTERNAL_SERVER_ERROR
                | StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT
        )
}
