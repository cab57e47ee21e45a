//! The broker that answers, and where it says what it refuses.

use std::sync::{Mutex, MutexGuard, PoisonError};

use ibkr_oauth::{
    bytes::Bytes,
    http::{Request, Response, header::HOST},
    simulator::{Broker, Dropped},
};
use serde_json::json;

use crate::{
    credentials::with_context,
    output::{self, Format},
};

const DEVIATION: &str = "x-simulator-deviation";

/// The broker that answers, and where it says what it refuses.
pub(super) struct Simulation {
    pub(super) broker: Mutex<Broker>,
    pub(super) format: Format,
}

impl Simulation {
    /// A panic elsewhere is no reason to stop answering.
    fn lock(&self) -> MutexGuard<'_, Broker> {
        self.broker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `None` where the client is to see no answer.
    pub(super) fn answer(&self, mut request: Request<Bytes>) -> Option<Response<Bytes>> {
        // Clients such as ibind name the real broker there, wherever they connect.
        request.headers_mut().remove(HOST);
        let mut broker = self.lock();
        let refused = broker.refused();
        let response = with_context(|cx| broker.handle(cx, &request));
        if let Some(refusal) = broker.refusals().last().filter(|_| broker.refused() > refused) {
            match self.format {
                Format::Text => output::print_note(&format!("refused: {refusal}")),
                Format::Json => output::note_json(&json!({
                    "refused": refusal.subject(),
                    "reason": refusal.reason(),
                    "detail": refusal.to_string(),
                    "expected_base_string": refusal.expected_base_string(),
                })),
            }
        }
        self.name_deviations(&request, &response);
        response.extensions().get::<Dropped>().is_none().then_some(response)
    }

    fn name_deviations(&self, request: &Request<Bytes>, response: &Response<Bytes>) {
        let Some(names) = response.headers().get(DEVIATION).and_then(|names| names.to_str().ok()) else { return };
        let (method, path) = (request.method(), request.uri().path());
        match self.format {
            Format::Text => output::print_note(&format!("deviates: {method} {path}: {names}")),
            Format::Json => output::note_json(&json!({
                "deviates": format!("{method} {path}"),
                "deviations": names.split(", ").collect::<Vec<_>>(),
            })),
        }
    }
}
