//! The WebSocket: does it open, does the broker say that the user is authenticated, and does it live?

use ibkr_oauth::{Secret, Signer, http::StatusCode};

use crate::{
    connection, credentials::with_context, failure::Failure, hidden, http_client::HttpClient, proxy::Route,
    report::Report,
};

mod finding;
#[cfg(test)]
pub(super) mod in_process;
pub(super) mod listening;
mod message;
#[cfg(test)]
mod tests;
pub(super) mod wire;

use finding::Circumstances;
use listening::Listening;

const WEBSOCKET: &str = "websocket";

/// Opens it once, with the session of a tickle, and closes it as soon as it is known to live. Subscribes to nothing.
pub(super) fn probe(
    client: &HttpClient,
    signer: &Signer,
    has_brokerage_session: bool,
    report: &mut Report,
) -> Result<(), Failure> {
    report.concluded(WEBSOCKET, &listen(client, signer, has_brokerage_session)).map(drop)
}

fn listen(client: &HttpClient, signer: &Signer, has_brokerage_session: bool) -> Result<String, Failure> {
    let tickle = with_context(|cx| signer.brokerage().tickle(cx))?.send(client)?;
    let upgrade = with_context(|cx| signer.brokerage().web_socket(cx, &tickle))?;
    let session = tickle.session().cloned().unwrap_or_else(|| Secret::from(""));
    hide(&session);
    let route = connection::route(signer.consumer().endpoints())?;
    let proxy = match &route {
        Route::Through { shown, .. } => Some(shown.as_str()),
        Route::Direct | Route::Excepted(_) => None,
    };
    let circumstances = Circumstances { proxy, has_brokerage_session };
    let mut listening = Listening::for_a_sign_of_life(session);
    match wire::listen(client, upgrade, &mut listening) {
        Ok(response) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
            finding::of_connection(&listening.seen, circumstances)
        }
        Ok(response) => Err(finding::of_refusal(&response, circumstances)),
        Err(failure) => Err(finding::of_failure(&failure, circumstances)),
    }
}

/// Keeps the session out of everything that is written.
fn hide(session: &Secret) {
    hidden::add(&String::from_utf8_lossy(session.expose()));
}
