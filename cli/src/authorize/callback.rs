//! The place on this machine that the browser is sent to.

use std::{
    net::TcpListener,
    sync::{Arc, mpsc::Sender},
    time::Duration,
};

use axum::{
    extract::{Request, State},
    handler::Handler,
    response::{Html, IntoResponse, Response},
};
use ibkr_oauth::{Consent, http::header::CONNECTION};

use super::{heard::Heard, visit::OwnAddress};
use crate::{
    failure::Failure,
    serving::{Door, Limits, Server},
};

/// Browsers open some connections that they never use.
const LIMITS: Limits = Limits {
    connections: 16,
    head: Duration::from_secs(10),
    body: Duration::ZERO,
    longest_head: 16 << 10,
    longest_body: 0,
    half_close: true,
    last_answers: Duration::from_secs(5),
};

struct Callback {
    own: OwnAddress,
    consent: Consent,
    heard: Sender<Heard>,
}

/// Answers each visit, and hands over what it means.
pub(super) fn serve(
    listener: TcpListener,
    own: OwnAddress,
    consent: Consent,
    heard: Sender<Heard>,
) -> Result<Server, Failure> {
    let callback = Arc::new(Callback { own, consent, heard });
    // What is no request is no answer either.
    Server::start(Door::Tcp(listener, None), receive.with_state(callback), LIMITS, Arc::new(|_| {}))
}

async fn receive(State(callback): State<Arc<Callback>>, request: Request) -> Response {
    let visit = callback.own.judge(&request.into_parts().0, &callback.consent);
    // An answer counts, whether the browser waits for the page or not. Where nobody waits any more, it came before.
    let _ = callback.heard.send(Heard::Visit(visit.meaning));
    let page = match visit.page {
        "" => String::new(),
        text => format!("<!doctype html><title>ibkr-oauth</title><p>{text}"),
    };
    (visit.status, [(CONNECTION, "close")], Html(page)).into_response()
}
