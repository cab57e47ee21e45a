//! The states of a session and the table of all its transitions.

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

/// Why a session goes from one state to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Trigger {
    /// A live session token was proved, and the brokerage session comes next.
    Proved,
    /// A live session token was proved, and no brokerage session is wanted.
    ProvedReadOnly,
    /// The next live session token was proved.
    Renewed,
    /// It is time to renew the live session token.
    RenewalDue,
    /// The renewal failed, while the old live session token is still good.
    RenewalFailed,
    /// The brokerage session is ready.
    Ready,
    /// The brokerage session was opened and is not ready.
    Unsettled,
    /// The brokerage session has ended.
    BrokerageLost,
    /// Another session of the same user is in the way of the brokerage session.
    Displaced,
    /// It is time to ask, or to take, again.
    RetakeDue,
    /// The live session token expired, or the broker refuses it.
    TokenLost,
    /// An exchange failed.
    Failed,
    /// It is time to negotiate again.
    RetryNegotiation,
    /// It is time to open again.
    RetryOpening,
    /// The application wants the end.
    Shutdown,
    /// The logout is done, or cannot be.
    Ended,
    /// Going on is hopeless.
    GaveUp,
}

use State::{BackingOff, Closed, Closing, Displaced, Live, Negotiating, Opening, Renewing, Settling};

/// Every transition there is: state, trigger, next state. The machine makes no other.
///
/// `Renewing` has several rows for one trigger: it returns to the state that it came from.
pub const TRANSITIONS: &[(State, Trigger, State)] = &[
    (Negotiating, Trigger::Proved, Opening),
    (Negotiating, Trigger::Proved, BackingOff),
    (Negotiating, Trigger::ProvedReadOnly, Live),
    (Negotiating, Trigger::Failed, BackingOff),
    (Negotiating, Trigger::Shutdown, Closing),
    (Negotiating, Trigger::GaveUp, Closed),
    (Opening, Trigger::Ready, Live),
    (Opening, Trigger::Unsettled, Settling),
    (Opening, Trigger::Displaced, Displaced),
    (Opening, Trigger::Failed, BackingOff),
    (Opening, Trigger::TokenLost, Negotiating),
    (Opening, Trigger::Shutdown, Closing),
    (Opening, Trigger::GaveUp, Closed),
    (Settling, Trigger::Ready, Live),
    (Settling, Trigger::Displaced, Displaced),
    (Settling, Trigger::Failed, BackingOff),
    (Settling, Trigger::TokenLost, Negotiating),
    (Settling, Trigger::Shutdown, Closing),
    (Settling, Trigger::GaveUp, Closed),
    (Live, Trigger::RenewalDue, Renewing),
    (Live, Trigger::BrokerageLost, Opening),
    (Live, Trigger::Displaced, Displaced),
    (Live, Trigger::Failed, BackingOff),
    (Live, Trigger::TokenLost, Negotiating),
    (Live, Trigger::Shutdown, Closing),
    (Renewing, Trigger::Renewed, Live),
    (Renewing, Trigger::Renewed, Displaced),
    (Renewing, Trigger::Renewed, BackingOff),
    (Renewing, Trigger::RenewalFailed, Live),
    (Renewing, Trigger::RenewalFailed, Displaced),
    (Renewing, Trigger::RenewalFailed, BackingOff),
    (Renewing, Trigger::TokenLost, Negotiating),
    (Renewing, Trigger::Shutdown, Closing),
    (Displaced, Trigger::Ready, Live),
    (Displaced, Trigger::RenewalDue, Renewing),
    (Displaced, Trigger::RetakeDue, Opening),
    (Displaced, Trigger::Failed, BackingOff),
    (Displaced, Trigger::TokenLost, Negotiating),
    (Displaced, Trigger::Shutdown, Closing),
    (Displaced, Trigger::GaveUp, Closed),
    (BackingOff, Trigger::Ready, Live),
    (BackingOff, Trigger::BrokerageLost, Opening),
    (BackingOff, Trigger::Displaced, Displaced),
    (BackingOff, Trigger::RenewalDue, Renewing),
    (BackingOff, Trigger::RetryNegotiation, Negotiating),
    (BackingOff, Trigger::RetryOpening, Opening),
    (BackingOff, Trigger::TokenLost, Negotiating),
    (BackingOff, Trigger::Shutdown, Closing),
    (BackingOff, Trigger::GaveUp, Closed),
    (Closing, Trigger::Ended, Closed),
];

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
