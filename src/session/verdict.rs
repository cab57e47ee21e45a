//! What the answer to an exchange means: a pure map from answers to verdicts.

use std::time::Duration;

use http::StatusCode;

use super::{
    pace::Trouble,
    task::{Received, Task},
};
use crate::{
    brokerage::BrokerageStatus,
    error::{Cause, Error, ErrorKind, Scope},
    flow::LiveSessionToken,
};

/// What the answer to one of the session's own exchanges means.
#[derive(Debug)]
pub(super) enum Verdict {
    Negotiated(LiveSessionToken),
    /// The brokerage session takes requests.
    Ready,
    /// There is one, which takes no requests yet.
    Unsettled {
        error: Error,
        is_authenticated: bool,
    },
    /// There is none, or it is over.
    Lost(Error),
    /// Another session of the user is in the way, or this one may only be opened by a take.
    Rival {
        error: Error,
        /// The broker said `competing`.
        is_named: bool,
    },
    /// The broker wants to be left alone.
    Wait(Error, Duration),
    /// The token is accepted; of the brokerage session nothing is said.
    Accepted,
    /// The token is refused.
    TokenRefused(Error),
    LoggedOut(bool),
    /// It came to nothing.
    Failed(Error),
}

impl Verdict {
    pub(super) fn of(task: Task, answer: Result<Received, Error>) -> Self {
        match answer {
            Ok(Received::Negotiated(token)) => Self::Negotiated(token),
            Ok(Received::Brokerage(status)) => Self::of_status(task, &status),
            Ok(Received::Tickle(tickle)) => {
                tickle.brokerage().map_or(Self::Accepted, |status| Self::of_status(task, status))
            }
            Ok(Received::Accounts) => Self::Accepted,
            Ok(Received::LoggedOut(is_confirmed)) => Self::LoggedOut(is_confirmed),
            Err(error) if error.scope() == Scope::Token && task.is_signed_by_token() => Self::TokenRefused(error),
            Err(error) => Self::of_refusal(task, error),
        }
    }

    fn of_status(task: Task, status: &BrokerageStatus) -> Self {
        let Some(error) = status.error() else { return Self::Ready };
        let is_named = status.competing == Some(true);
        if is_named || demands_take(&error) {
            return Self::Rival { error, is_named };
        }
        if let Some(wait) = status.wait() {
            return Self::Wait(error, wait);
        }
        let has_failed = status.fail.as_deref().is_some_and(|words| !words.trim().is_empty());
        match task {
            // A response without flags says nothing.
            Task::Tickle if status.authenticated.is_none() && !has_failed => Self::Accepted,
            Task::Tickle => Self::Lost(error),
            _ if has_failed => Self::Failed(error),
            _ => Self::Unsettled { error, is_authenticated: status.authenticated == Some(true) },
        }
    }

    fn of_refusal(task: Task, error: Error) -> Self {
        match task {
            Task::Open | Task::Status if demands_take(&error) => Self::Rival { error, is_named: false },
            // Shortly after its opening a brokerage session is not there yet.
            Task::Status if error.cause() == Some(Cause::NoBrokerageSession) => {
                Self::Unsettled { error, is_authenticated: false }
            }
            Task::Status if error.status() == Some(StatusCode::BAD_REQUEST) => {
                Self::Unsettled { error, is_authenticated: false }
            }
            Task::Tickle if error.cause() == Some(Cause::NoBrokerageSession) => Self::Lost(error),
            _ => Self::Failed(error),
        }
    }

    /// Whether it shows that the broker accepts the token that signed.
    pub(super) fn accepts_token(&self) -> bool {
        match self {
            Self::Ready
            | Self::Unsettled { .. }
            | Self::Lost(_)
            | Self::Rival { .. }
            | Self::Wait(..)
            | Self::Accepted => true,
            Self::Failed(error) => error.scope() == Scope::BrokerageSession,
            Self::Negotiated(_) | Self::TokenRefused(_) | Self::LoggedOut(_) => false,
        }
    }
}

/// Whether the brokerage session may only be opened by a take.
fn demands_take(error: &Error) -> bool {
    error.cause() == Some(Cause::ForceCompeteRequired)
}

/// What kind of trouble a failure is for the pace.
pub(super) fn trouble(error: &Error, is_unsent: bool) -> Trouble {
    match error.scope() {
        _ if is_unsent => Trouble::NotSent,
        Scope::Unavailable => Trouble::Unavailable,
        _ => Trouble::Refused,
    }
}

/// Whether a refused take may be one that would have been accepted as an opening without it.
pub(super) fn is_about_take(error: &Error) -> bool {
    error.status() == Some(StatusCode::INTERNAL_SERVER_ERROR)
        && matches!(error.cause(), Some(Cause::BrokerageNotEntitled) | None)
}

/// Whether only a person can change it.
pub(super) fn needs_person(error: &Error) -> bool {
    error.needs_person()
        || matches!(error.kind(), ErrorKind::Config | ErrorKind::Key | ErrorKind::Entropy | ErrorKind::Unverified)
}
