//! The phase of a session, with the data that belongs to that phase alone.

use super::{State, moment::Moment};
use crate::brokerage::Compete;

/// A [`State`] and its own data.
#[derive(Clone)]
pub(super) enum Phase {
    Negotiating {
        /// The present one is logged out first.
        log_out: bool,
    },
    Opening {
        compete: Compete,
        /// It is an ask out of `Displaced`.
        asks: bool,
    },
    Settling(Settling),
    /// The brokerage session is ready, and one more request makes it useful: the accounts are queried.
    Priming {
        /// As what it is shown until then.
        shown: State,
        /// Why it became ready.
        cause: Readiness,
    },
    Live(Live),
    /// What it returns to: `Live`, `Displaced` or `BackingOff`.
    Renewing(Box<Self>),
    Displaced(Rival),
    BackingOff(Pause),
    Closing,
    Closed,
}

/// What a brokerage session became ready by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Readiness {
    Opening,
    Tickle,
}

/// What is left to do while all is well.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Live {
    /// When the brokerage session is opened again, although it seems to be ready.
    pub(super) reopen: Option<Moment>,
    /// The accounts are queried once more after the next tickle that agrees.
    pub(super) primes_after_tickle: bool,
    /// The accounts are to be queried now.
    pub(super) primes_now: bool,
}

/// The wait for a brokerage session to become ready.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settling {
    pub(super) opened: Moment,
    pub(super) polls: usize,
    pub(super) next: Moment,
    pub(super) asks: bool,
}

/// Another session of the same user, and what is done about it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rival {
    /// When it is asked, or taken, again.
    pub(super) retry: Moment,
    /// The broker said `competing`, so that it means something when it stops saying so.
    pub(super) is_named: bool,
}

/// A wait after a failure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pause {
    pub(super) until: Moment,
    pub(super) retry: Retry,
}

/// What comes after a [`Pause`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Retry {
    Negotiation {
        log_out: bool,
    },
    Opening,
    /// The next tickle, whenever it is due.
    Tickle,
}

impl Phase {
    pub(super) fn state(&self) -> State {
        match self {
            Self::Negotiating { .. } => State::Negotiating,
            Self::Opening { .. } => State::Opening,
            Self::Settling(_) => State::Settling,
            Self::Priming { shown, .. } => *shown,
            Self::Live(_) => State::Live,
            Self::Renewing(_) => State::Renewing,
            Self::Displaced(_) => State::Displaced,
            Self::BackingOff(_) => State::BackingOff,
            Self::Closing => State::Closing,
            Self::Closed => State::Closed,
        }
    }

    /// Whether the session is live, be it while it renews.
    pub(super) fn is_live(&self) -> bool {
        match self {
            Self::Renewing(from) => from.is_live(),
            phase => matches!(phase, Self::Live(_)),
        }
    }

    /// When the brokerage session is opened again although it seems to be ready, as far as the session is live.
    pub(super) fn reopening(&self) -> Option<Moment> {
        match self {
            Self::Live(live) => live.reopen,
            Self::Renewing(from) => from.reopening(),
            _ => None,
        }
    }
}
