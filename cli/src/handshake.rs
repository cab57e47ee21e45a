//! The client's side of a WebSocket's handshake (RFC 6455 section 4.1).

use ibkr_oauth::{
    http::{
        HeaderMap, HeaderValue, Request, Uri,
        header::{SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY},
        uri::Scheme,
    },
    session::{Failure, FailureKind},
};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// What has to come back.
pub(crate) struct Proof(Option<String>);

/// The request as an HTTP client sends it, of one whose URL is that of a WebSocket, and what its answer has to prove.
pub(crate) fn begin(mut request: Request<()>) -> Result<(Request<()>, Proof), Failure> {
    let mut parts = request.uri().clone().into_parts();
    parts.scheme = Some(if request.uri().scheme_str() == Some("ws") { Scheme::HTTP } else { Scheme::HTTPS });
    // The error would show nothing of the URL.
    *request.uri_mut() = Uri::from_parts(parts).map_err(|error| Failure::new(FailureKind::NotSent, error))?;
    let expected = request.headers().get(SEC_WEBSOCKET_KEY).map(|key| derive_accept_key(key.as_bytes()));
    Ok((request, Proof(expected)))
}

impl Proof {
    /// Whether these headers of the answer have it.
    pub(crate) fn check(&self, answer: &HeaderMap) -> Result<(), Failure> {
        let stated = answer.get(SEC_WEBSOCKET_ACCEPT).map(HeaderValue::as_bytes);
        if stated.is_some() && stated == self.0.as_deref().map(str::as_bytes) {
            return Ok(());
        }
        let why = "what answers does not prove that it speaks WebSocket (`Sec-WebSocket-Accept`)";
        Err(Failure::new(FailureKind::Refused, why))
    }
}
