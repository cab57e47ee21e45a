//! How the session is, as far as a program or a person wants to know it.

use ibkr_oauth::{Timestamp, http::StatusCode, session::State};
use serde_json::{Value, json};

use super::refusal::Refusal;

/// How the session is at one moment. Its texts may be shown.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) now: Timestamp,
    pub(crate) state: State,
    pub(crate) is_live: bool,
    /// Something signs requests.
    pub(crate) is_signed_in: bool,
    pub(crate) signed_in_at: Option<Timestamp>,
    /// When the live session token ends.
    pub(crate) expires_at: Option<Timestamp>,
    /// When the session tries again, or may send again.
    pub(crate) next_attempt: Option<Timestamp>,
    /// What went wrong last, and what to do.
    pub(crate) last_error: Option<(String, String)>,
    /// Until when the broker wants no requests.
    pub(crate) paced_until: Option<Timestamp>,
    /// How many requests were refused here so that the broker need not.
    pub(crate) paced: u64,
    pub(crate) sockets: usize,
    pub(crate) allows_orders: bool,
    pub(crate) user: User,
}

/// What the broker has said about the user.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct User {
    pub(crate) id: Option<i64>,
    pub(crate) is_paper: Option<bool>,
}

/// The longest `Retry-After` that is named: who waits longer does not ask whether it has become better.
const LONGEST_WAIT: u64 = 900;

impl Standing {
    /// In one word, for people and programs.
    pub(crate) fn word(&self) -> &'static str {
        match self.state {
            _ if self.is_live => "live",
            State::Displaced => "displaced",
            State::Closing | State::Closed => "ended",
            State::BackingOff => "down",
            _ => "starting",
        }
    }

    /// After how many seconds to ask again.
    pub(crate) fn retry_after(&self) -> u64 {
        let date = self.next_attempt.max(self.paced_until);
        let wait = date.map_or(5, |date| date.saturating_duration_since(self.now).as_secs().saturating_add(1));
        wait.clamp(1, LONGEST_WAIT)
    }

    /// What a program gets whose request the session cannot serve now; nothing of it was sent.
    pub(crate) fn refusal(&self) -> Refusal {
        let words = |what: &str| match &self.last_error {
            Some((error, remedy)) => format!("{what}: {error}; {remedy}"),
            None => what.to_owned(),
        };
        match self.word() {
            // Somebody has to act, and no waiting helps.
            "ended" => Refusal::unauthorized(words("not authenticated")),
            "displaced" => {
                let what = "not authenticated: another session of this user has the brokerage session";
                Refusal::new(StatusCode::SERVICE_UNAVAILABLE, words(what)).after(self.retry_after())
            }
            _ => {
                let what = "not authenticated yet: the session is not ready";
                Refusal::new(StatusCode::SERVICE_UNAVAILABLE, words(what)).after(self.retry_after())
            }
        }
    }

    /// For monitoring.
    pub(crate) fn health(&self) -> Value {
        json!({
            "status": self.word(),
            "ready": self.is_live,
            "session": self.state.to_string(),
            "token_expires_at": self.expires_at.map(|at| at.to_string()),
            "next_attempt": self.next_attempt.map(|at| at.to_string()),
            "paced_until": self.paced_until.map(|at| at.to_string()),
            "paced": self.paced,
            "web_sockets": self.sockets,
            "orders": self.allows_orders,
            "error": self.last_error.as_ref().map(|(error, _)| error),
            "try": self.last_error.as_ref().map(|(_, remedy)| remedy),
        })
    }
}
