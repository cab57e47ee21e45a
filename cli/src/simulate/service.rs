//! From the server's requests to the broker's, and back.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{Request as Incoming, State},
    handler::Handler,
    response::{IntoResponse, Response},
};
use ibkr_oauth::http::{Request, StatusCode, header::CONNECTION};
use tokio::task;

use super::{
    simulation::{Simulation, subject},
    socket,
};
use crate::serving::{self, Answers, Limits, NoAnswer, Unreadable};

pub(super) const LIMITS: Limits = Limits {
    connections: 512,
    head: Duration::from_secs(120),
    body: Duration::from_secs(30),
    longest_head: 64 << 10,
    longest_body: 1 << 20,
    half_close: true,
    last_answers: Duration::from_secs(5),
};

pub(super) fn answers(simulation: Arc<Simulation>) -> impl Answers {
    answer.with_state(simulation)
}

async fn answer(State(simulation): State<Arc<Simulation>>, request: Incoming) -> Response {
    let subject = subject(&request);
    let (mut head, body) = request.into_parts();
    let request = match serving::whole(&mut head, body).await {
        Ok(body) => Request::from_parts(head, body),
        Err(Unreadable { status, why }) => {
            simulation.turn_away(&subject, status, &why);
            return closing(status);
        }
    };
    let Some(request) = simulation.at_broker(request) else {
        simulation.turn_away(&subject, StatusCode::BAD_REQUEST, "its target is no path");
        return closing(StatusCode::BAD_REQUEST);
    };
    if simulation.is_socket(request.uri()) && socket::is_wanted(request.method(), request.headers()) {
        return socket::open(&simulation, request);
    }
    // Verifying takes milliseconds, in which others are to be read.
    let answered = task::spawn_blocking(move || simulation.answer(&request)).await;
    match answered {
        Ok(Some(response)) => response.map(Body::from),
        Ok(None) => NoAnswer.into_response(),
        // It panicked, which its own line on standard error tells.
        Err(_) => closing(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// An answer after which the connection ends, for what comes next on it cannot be known.
fn closing(status: StatusCode) -> Response {
    (status, [(CONNECTION, "close")]).into_response()
}
