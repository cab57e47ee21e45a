//! What goes into a [`Session`](super::Session) and what comes out of it.

use std::fmt;

use bytes::Bytes;
use http::{Request, Response};

use super::{event::SessionEvent, exchange_id::ExchangeId, failure::Failure, report::Report};
use crate::{context::Timestamp, key::SigningInput};

/// What the session wants. From [`Session::poll_output`](super::Session::poll_output).
#[non_exhaustive]
#[expect(
    clippy::large_enum_variant,
    reason = "it is taken apart at once, and a box would cost an allocation each time"
)]
#[must_use = "an output that is dropped is a request never sent, or an event never seen"]
pub enum Output {
    /// Send this request, and answer with [`Input::Response`] or [`Input::Failed`].
    Transmit {
        /// To be named in the answer.
        id: ExchangeId,
        /// The request, signed, with an absolute URI.
        request: Request<Bytes>,
        /// When the session stops waiting: the driver may drop the request then.
        give_up_at: Timestamp,
    },
    /// Have this signed by the consumer's signature key, wherever that is, and answer with [`Input::Signed`] or
    /// [`Input::Failed`]. It comes only where the consumer has no signature key itself.
    Sign {
        /// To be named in the answer.
        id: ExchangeId,
        /// What is to be signed with RSASSA-PKCS1-v1_5 and SHA-256.
        input: SigningInput,
        /// When the session stops waiting.
        give_up_at: Timestamp,
    },
    /// Something happened that the application may want to know.
    Event(SessionEvent),
    /// There is nothing to do before `at`, unless an input comes first. Call
    /// [`handle_input`](super::Session::handle_input) with [`Input::Timeout`] then.
    Timeout {
        /// When to come back.
        at: Timestamp,
    },
    /// The session has ended; nothing but this comes out of it any more.
    Finished,
}

/// What happened outside. For [`Session::handle_input`](super::Session::handle_input).
#[non_exhaustive]
pub enum Input {
    /// The response to a [`Output::Transmit`], whatever its status.
    Response {
        /// The exchange it belongs to.
        id: ExchangeId,
        /// The whole response.
        response: Response<Bytes>,
    },
    /// A [`Output::Transmit`] or [`Output::Sign`] came to nothing.
    Failed {
        /// The exchange it belongs to.
        id: ExchangeId,
        /// Why.
        failure: Failure,
    },
    /// The signature for an [`Output::Sign`].
    Signed {
        /// The exchange it belongs to.
        id: ExchangeId,
        /// The raw signature, as long as the key's modulus.
        signature: Vec<u8>,
    },
    /// The broker answered one of the application's own requests. What to do about that one says
    /// [`SessionView::advise`](super::SessionView::advise), asked of the view that comes of this input.
    Reported(Report),
    /// A tickle is wanted before the next is due: with the session in its response, [`SessionView::last_tickle`], a WebSocket
    /// is opened. Granted five times and once more each ten minutes; beyond that, and where the session is not live, the next
    /// ordinary one has to do.
    ///
    /// [`SessionView::last_tickle`]: super::SessionView::last_tickle
    Tickle,
    /// A person wants the next attempt now: one wait is skipped. Granted five times, and once more each 15 minutes.
    RetryNow,
    /// End the session.
    Shutdown,
    /// The time of the last [`Output::Timeout`] has come. Harmless when early.
    Timeout,
}

impl fmt::Debug for Output {
    /// Leaves out headers and bodies, which hold signatures and cookies.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transmit { id, request, give_up_at } => {
                write!(f, "Transmit({id:?}, {} {}, until {give_up_at})", request.method(), request.uri())
            }
            Self::Sign { id, input, give_up_at } => write!(f, "Sign({id:?}, {input:?}, until {give_up_at})"),
            Self::Event(event) => write!(f, "Event({event:?})"),
            Self::Timeout { at } => write!(f, "Timeout({at})"),
            Self::Finished => f.write_str("Finished"),
        }
    }
}

impl fmt::Debug for Input {
    /// Leaves out headers and bodies, which hold signatures and cookies.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Response { id, response } => write!(f, "Response({id:?}, {})", response.status()),
            Self::Failed { id, failure } => write!(f, "Failed({id:?}, {failure:?})"),
            Self::Signed { id, signature: _ } => write!(f, "Signed({id:?})"),
            Self::Reported(report) => write!(f, "Reported({report:?})"),
            Self::Tickle => f.write_str("Tickle"),
            Self::RetryNow => f.write_str("RetryNow"),
            Self::Shutdown => f.write_str("Shutdown"),
            Self::Timeout => f.write_str("Timeout"),
        }
    }
}
