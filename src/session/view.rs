//! What an application may know of a session.

use std::sync::Arc;

use super::{
    state::State,
    suspicion::{Rejected, Suspect},
};
use crate::{
    brokerage::Tickle,
    context::Timestamp,
    error::{Error, ErrorKind, Stage},
    signer::{Signer, TokenId},
};

/// A session at one moment. Cheap to clone; hand it to the code that sends requests.
///
/// Its moments are on the clock that the session sees.
#[derive(Clone)]
pub struct SessionView {
    pub(super) now: Timestamp,
    pub(super) state: State,
    pub(super) is_live: bool,
    pub(super) signer: Option<Signer>,
    pub(super) wait_until: Option<Timestamp>,
    pub(super) next_attempt: Option<Timestamp>,
    pub(super) last_error: Option<Arc<Error>>,
    pub(super) progress: Progress,
    pub(super) rejected: Arc<Vec<Rejected>>,
    pub(super) suspects: Arc<Vec<Suspect>>,
    /// When the accounts were last queried.
    pub(super) primed: Option<Timestamp>,
    pub(super) tickled: Option<Arc<Tickled>>,
    pub(super) next_tickle: Option<Timestamp>,
    /// When the brokerage session is opened again although it seems to be ready.
    pub(super) reopening: Option<Timestamp>,
    /// Until when "no bridge" is what comes of an opening that was just made.
    pub(super) settled_at: Option<Timestamp>,
    pub(super) brokerage: bool,
}

// Without the paths of the application's requests, which may name accounts.
debug_fields!(SessionView { state, is_live, signer, wait_until, next_attempt, last_error });

/// How far the session has come, in counts that only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// Signed requests of the session's own that were started.
    pub(super) asked: u64,
    /// The newest of them by whose answer the broker accepted the token.
    pub(super) accepted: u64,
    /// The newest of them whose answer decided nothing.
    pub(super) undecided: u64,
    /// How often the session became live.
    pub(super) lives: u64,
    /// How often the accounts were queried.
    pub(super) primes: u64,
    /// How often the brokerage session was opened and became ready.
    pub(super) openings: u64,
}

/// A tickle that was answered.
pub(super) struct Tickled {
    pub(super) tickle: Tickle,
    /// Its place among the signed requests.
    pub(super) round: u64,
    pub(super) token_id: Option<TokenId>,
}

impl SessionView {
    /// The state of the session.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// Whether all is well: in `Live`, and in `Renewing` out of it.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.is_live
    }

    /// What signs requests now; `None` only until the first live session token is proved, and after the end.
    ///
    /// Once there is one, it is kept until the next is proved, even where the broker refuses it for now.
    #[must_use]
    pub fn signer(&self) -> Option<&Signer> {
        self.signer.as_ref()
    }

    /// Which live session token [`signer`](Self::signer) uses.
    #[must_use]
    pub fn token_id(&self) -> Option<TokenId> {
        self.signer.as_ref().map(Signer::token_id)
    }

    /// The response to the last tickle with the present live session token. The session in it, which is a secret, opens a
    /// WebSocket: [`Brokerage::web_socket`](crate::Brokerage::web_socket).
    #[must_use]
    pub fn last_tickle(&self) -> Option<&Tickle> {
        self.tickled_since(0)
    }

    /// The response to a tickle that was started after this many of the session's own requests.
    pub(crate) fn tickled_since(&self, asked: u64) -> Option<&Tickle> {
        let tickled = self.tickled.as_ref().filter(|tickled| tickled.round > asked);
        tickled.filter(|tickled| tickled.token_id == self.token_id()).map(|tickled| &tickled.tickle)
    }

    /// Which of the session's own signed requests the last tickle was that was answered.
    pub(crate) fn tickle_round(&self) -> u64 {
        self.tickled.as_ref().map_or(0, |tickled| tickled.round)
    }

    /// How many signed requests of the session's own were started.
    pub(crate) fn asked(&self) -> u64 {
        self.progress.asked
    }

    /// How often the brokerage session was opened and became ready.
    pub(crate) fn openings(&self) -> u64 {
        self.progress.openings
    }

    /// Whether a brokerage session is wanted.
    pub(crate) fn wants_brokerage(&self) -> bool {
        self.brokerage
    }

    /// Until when nothing must be sent, because the broker counted too many requests.
    #[must_use]
    pub fn wait_until(&self) -> Option<Timestamp> {
        self.wait_until
    }

    /// When the session tries again, where it waits for that: in `BackingOff` and `Displaced`.
    #[must_use]
    pub fn next_attempt(&self) -> Option<Timestamp> {
        self.next_attempt
    }

    /// What went wrong last, since the session was last live; after the end, what ended it.
    #[must_use]
    pub fn last_error(&self) -> Option<&Error> {
        self.last_error.as_deref()
    }

    /// The same of a session that nobody drives any more.
    pub(crate) fn ended(&self) -> Self {
        let (state, last_error) = (State::Closed, self.last_error.clone());
        let (signer, tickled, wait_until, next_attempt) = (None, None, None, None);
        Self { state, is_live: false, signer, last_error, tickled, wait_until, next_attempt, ..self.clone() }
    }

    /// What a caller gets of a session that has ended. Nothing of the caller's was sent, whatever the session sent.
    pub(crate) fn end_error(&self) -> Error {
        let error = self.last_error().cloned().unwrap_or_else(|| {
            Error::new(ErrorKind::Unavailable, Stage::Sign, "the session has ended")
                .with_remedy("start another session; the last events of this one say why it ended")
        });
        error.with_nothing_sent()
    }

    /// What a caller gets who has waited long enough. Nothing of the caller's was sent, whatever the session sent.
    pub(crate) fn not_in_time(&self) -> Error {
        let error = self.last_error().cloned().unwrap_or_else(|| {
            let message = format!("the session was not ready in time: it is in the state {}", self.state);
            Error::new(ErrorKind::Unavailable, Stage::Sign, message)
                .with_remedy("see that its driver runs, and wait longer; the session's events say what it waits for")
        });
        error.with_nothing_sent()
    }

    /// Whether the other view says nothing that this one does not, to advice that waits included.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let shown = |view: &Self| (view.state, view.is_live, view.token_id(), view.wait_until, view.next_attempt);
        let kept = |view: &Self| (view.progress, view.next_tickle, view.reopening, view.settled_at);
        shown(self) == shown(other)
            && kept(self) == kept(other)
            && self.has_error_of(other)
            && Arc::ptr_eq(&self.rejected, &other.rejected)
            && Arc::ptr_eq(&self.suspects, &other.suspects)
            && self.has_tickle_of(other)
    }

    fn has_tickle_of(&self, other: &Self) -> bool {
        let round = |view: &Self| view.tickled.as_ref().map(|tickled| tickled.round);
        round(self) == round(other)
    }

    fn has_error_of(&self, other: &Self) -> bool {
        match (&self.last_error, &other.last_error) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => true,
            _ => false,
        }
    }
}
