//! The broker that answers.

use std::sync::{Mutex, MutexGuard, PoisonError};

use ibkr_oauth::{
    bytes::Bytes,
    http::{Request, Response, StatusCode, Uri, header::HOST, uri::PathAndQuery},
    simulator::{Broker, Dropped},
};

use super::log::{Line, Log};
use crate::credentials::with_context;

/// The broker that answers, and where it says what it did.
pub(super) struct Simulation {
    broker: Mutex<Broker>,
    /// Scheme, host and port of what is signed, wherever the request was delivered.
    origin: String,
    log: Log,
}

impl Simulation {
    pub(super) fn new(broker: Broker, origin: String, log: Log) -> Self {
        Self { broker: Mutex::new(broker), origin, log }
    }

    /// A panic elsewhere is no reason to stop answering.
    fn lock(&self) -> MutexGuard<'_, Broker> {
        self.broker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `None` where the client is to see no answer.
    pub(super) fn answer(&self, mut request: Request<Bytes>) -> Option<Response<Bytes>> {
        let Some(uri) = self.signed_uri(request.uri()) else {
            self.turn_away(&subject(&request), StatusCode::BAD_REQUEST, "its target is no path");
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = StatusCode::BAD_REQUEST;
            return Some(response);
        };
        *request.uri_mut() = uri;
        // Clients such as ibind name the real broker there, wherever they connect.
        request.headers_mut().remove(HOST);
        let (response, refusal) = {
            let mut broker = self.lock();
            let refused = broker.refused();
            let response = with_context(|cx| broker.handle(cx, &request));
            let refusal = broker.refusals().last().filter(|_| broker.refused() > refused).cloned();
            (response, refusal)
        };
        self.log.write(&Line::new(&subject(&request), &response, refusal.as_ref()));
        response.extensions().get::<Dropped>().is_none().then_some(response)
    }

    /// Says that a request was not even looked at.
    pub(super) fn turn_away(&self, subject: &str, status: StatusCode, why: &str) {
        self.log.turned_away(subject, Some(status), why);
    }

    /// The URL at the broker that the target stands for: a path, or a URL as proxies are told it.
    fn signed_uri(&self, target: &Uri) -> Option<Uri> {
        let path = target.path_and_query().map(PathAndQuery::as_str).filter(|path| path.starts_with('/'))?;
        format!("{}{path}", self.origin).parse().ok()
    }
}

/// What was asked, without the query.
pub(super) fn subject<T>(request: &Request<T>) -> String {
    format!("{} {}", request.method(), request.uri().path())
}
