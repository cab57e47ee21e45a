//! The states of a session, and which may follow which.

use std::fmt;

/// The state of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// A live session token is being negotiated. Where there was one before, it goes on signing until then.
    Negotiating,
    /// The brokerage session is being opened.
    Opening,
    /// The brokerage session was opened and is not ready yet.
    Settling,
    /// All is well: the last tickle, or the opening after it, said so.
    Live,
    /// The next live session token is being negotiated while the present one signs; the state it came from follows.
    Renewing,
    /// Another session of the same user has the brokerage session, or this one may not be opened beside it.
    Displaced,
    /// Something failed; the next attempt waits. With a live session token, tickles go on, and one that is answered well
    /// ends the wait.
    BackingOff,
    /// The session is logging out.
    Closing,
    /// The session has ended.
    Closed,
}

impl State {
    /// The states that may follow this one.
    #[must_use]
    pub const fn successors(self) -> &'static [Self] {
        use State::{BackingOff, Closed, Closing, Displaced, Live, Negotiating, Opening, Renewing, Settling};
        match self {
            Negotiating => &[Opening, Live, BackingOff, Closing, Closed],
            Opening => &[Live, Settling, Displaced, BackingOff, Negotiating, Closing, Closed],
            Settling => &[Live, Displaced, BackingOff, Negotiating, Closing, Closed],
            Live => &[Renewing, Opening, Displaced, BackingOff, Negotiating, Closing],
            Renewing => &[Live, Displaced, BackingOff, Negotiating, Closing],
            Displaced => &[Live, Renewing, Opening, BackingOff, Negotiating, Closing, Closed],
            BackingOff => &[Live, Renewing, Opening, Displaced, Negotiating, Closing, Closed],
            Closing => &[Closed],
            Closed => &[],
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
