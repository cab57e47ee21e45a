//! What bounds a server, and what passes between it and who answers.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Extension,
    response::{IntoResponse, Response},
};
use hyper::body::Incoming;
use ibkr_oauth::http::Request;
use tower::Service;

/// What bounds a server.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// The most connections at a time. Where all are taken, the one whose request has been waited for longest makes room.
    pub(crate) connections: usize,
    /// How long the head of a request may take, from the connection's beginning or the last answer on.
    pub(crate) head: Duration,
    /// How long a body may take, all of it.
    pub(crate) body: Duration,
    /// In bytes.
    pub(crate) longest_head: usize,
    /// In bytes.
    pub(crate) longest_body: usize,
    /// Whether a client that has shut down its side for writing gets its answer still. If not, it counts as gone, and what is
    /// done for it is given up.
    pub(crate) half_close: bool,
    /// How long the requests that are being answered when the server stops may take.
    pub(crate) last_answers: Duration,
}

/// Marks, as an extension of a response, that the client is to see none: the connection ends.
#[derive(Clone, Copy)]
pub(crate) struct NoAnswer;

impl IntoResponse for NoAnswer {
    fn into_response(self) -> Response {
        Extension(self).into_response()
    }
}

/// Told in words what was turned away before there was a request.
pub(crate) type Report = Arc<dyn Fn(&str) + Send + Sync>;

/// What answers requests: an axum handler with its state.
pub(crate) trait Answers:
    Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send> + Clone + Send + Sync + 'static
{
}

impl<S> Answers for S where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static
{
}
