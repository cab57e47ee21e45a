//! What an application may know of a session, and what it makes of its own requests' failures.

use http::{Method, StatusCode};

use super::State;
use crate::{
    context::Timestamp,
    error::ErrorKind,
    signer::{Signer, TokenId},
};

/// A session at one moment. Cheap to clone; hand it to whoever sends requests.
#[derive(Clone, Debug)]
pub struct SessionView {
    pub(super) state: State,
    pub(super) signer: Option<Signer>,
    pub(super) wait_until: Option<Timestamp>,
    /// How often the broker accepted something signed by the present signer.
    pub(super) confirmations: u64,
}

impl SessionView {
    /// The state of the session.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// What signs requests now; `None` while there is no live session token that is known to be good.
    #[must_use]
    pub fn signer(&self) -> Option<&Signer> {
        self.signer.as_ref()
    }

    /// Which live session token [`signer`](Self::signer) uses.
    #[must_use]
    pub fn token_id(&self) -> Option<TokenId> {
        self.signer.as_ref().map(Signer::token_id)
    }

    /// Until when nothing must be sent, because the broker counted too many requests.
    #[must_use]
    pub fn wait_until(&self) -> Option<Timestamp> {
        self.wait_until
    }

    pub(crate) fn confirmations(&self) -> u64 {
        self.confirmations
    }

    /// Whether the other view tells nothing that this one does not.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let key = |view: &Self| (view.state, view.token_id(), view.wait_until, view.confirmations);
        key(self) == key(other)
    }

    /// What to do about a request of the application's own that was signed by the token of `token_id` and answered with `status`.
    ///
    /// A pure function: report the status to the session too ([`Input::Reported`](super::Input::Reported)), and ask the
    /// view that comes of it.
    #[must_use]
    pub fn advise(&self, token_id: TokenId, status: StatusCode, method: &Method) -> Advice {
        if status.is_success() || status.is_redirection() || status.is_informational() {
            return Advice::None;
        }
        if matches!(self.state, State::Closing | State::Closed) {
            return Advice::GiveUp(ErrorKind::Config);
        }
        match status {
            // Refused before anything was done, so that every method may be repeated.
            StatusCode::UNAUTHORIZED | StatusCode::GONE => match self.token_id() {
                Some(current) if current != token_id => Advice::Resend,
                _ => Advice::AwaitSession,
            },
            StatusCode::TOO_MANY_REQUESTS => Advice::WaitUntil(self.wait_until),
            StatusCode::REQUEST_TIMEOUT
            | StatusCode::INTERNAL_SERVER_ERROR
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => {
                if method.is_idempotent() {
                    Advice::Resend
                } else {
                    Advice::ResendIfIdempotent
                }
            }
            status if status.is_server_error() => Advice::GiveUp(ErrorKind::Unavailable),
            _ => Advice::GiveUp(ErrorKind::Rejected),
        }
    }
}

/// What to do about a request that failed. From [`SessionView::advise`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Advice {
    /// Nothing: the request did not fail.
    None,
    /// Send it again, freshly signed; where the server is in trouble (5xx), after a pause, and not without end.
    Resend,
    /// The broker may have acted on it, and its method does not say that twice is once. Send it again, freshly signed,
    /// only if you know that it does no harm; for an order, ask for the list of orders first.
    ResendIfIdempotent,
    /// Send it again, freshly signed, but not before this moment, or, without one, not before
    /// [`SessionView::wait_until`] is over.
    WaitUntil(Option<Timestamp>),
    /// The session negotiates a new live session token: send it again, freshly signed, when the view has a signer of
    /// another token_id.
    AwaitSession,
    /// Sending it again would change nothing; this says who must act.
    GiveUp(ErrorKind),
}
