//! What became of a request of the application's own.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Method, Response, StatusCode, Uri};

use crate::{
    context::Timestamp,
    error::{Cause, Error, Scope},
    response,
    signer::TokenId,
};

/// What became of a request of the application's own. For [`Input::Reported`](super::Input::Reported) and
/// [`SessionView::advise`](super::SessionView::advise).
///
/// It keeps what the response says about the session, and not its body.
#[derive(Clone)]
pub struct Report {
    pub(super) token_id: TokenId,
    pub(super) signed_at: Timestamp,
    pub(super) attempt: u32,
    pub(super) method: Method,
    pub(super) path: Arc<str>,
    pub(super) status: StatusCode,
    pub(super) error: Option<Error>,
    pub(super) retry_after: Option<Duration>,
}

// Without the path, which may name an account.
debug_fields!(Report { token_id, signed_at, attempt, method, status, error });

impl Report {
    /// A report of the first attempt of a request that was signed at `signed_at` (on the clock that the session sees) with
    /// the token that [`Signer::sign`](crate::Signer::sign) named, and of the whole response to it.
    #[must_use]
    pub fn new(
        token_id: TokenId,
        signed_at: Timestamp,
        method: &Method,
        uri: &Uri,
        response: &Response<Bytes>,
    ) -> Self {
        Self {
            token_id,
            signed_at,
            attempt: 1,
            method: method.clone(),
            path: Arc::from(uri.path()),
            status: response.status(),
            error: Error::from_response(response),
            retry_after: response::retry_after(response.headers(), signed_at),
        }
    }

    /// The same as a report of the `attempt`-th attempt with this token, counted from one.
    #[must_use]
    pub fn attempt(self, attempt: u32) -> Self {
        Self { attempt, ..self }
    }

    /// What the broker refused; `None` where it did not.
    pub(crate) fn error(&self) -> Option<&Error> {
        self.error.as_ref()
    }

    pub(super) fn scope(&self) -> Option<Scope> {
        self.error.as_ref().map(Error::scope)
    }

    /// Whether the broker refused the token, or seems to have.
    pub(crate) fn is_about_token(&self) -> bool {
        self.scope() == Some(Scope::Token)
    }

    /// Whether the request needs the brokerage session.
    pub(super) fn is_iserver(&self) -> bool {
        is_iserver(&self.path)
    }

    /// The broker wants the accounts to be queried first.
    pub(super) fn wants_accounts(&self) -> bool {
        self.error.as_ref().and_then(Error::cause) == Some(Cause::AccountsNotQueried)
    }

    /// Whether the session may learn something from it.
    pub(crate) fn concerns_session(&self) -> bool {
        matches!(self.scope(), Some(Scope::Token | Scope::BrokerageSession | Scope::Pacing)) || self.wants_accounts()
    }

    /// Whether the session learns nothing from the other that it does not learn from this.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        let key = |report: &Self| (report.token_id, report.scope(), report.attempt > 1, report.retry_after);
        key(self) == key(other) && self.path == other.path
    }
}

/// Whether a path is one of those that need the brokerage session.
pub(crate) fn is_iserver(path: &str) -> bool {
    path.split('/').any(|segment| segment == "iserver")
}
