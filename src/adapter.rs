//! Ready-made HTTP clients as transports. Each has its own feature, off by default, and turns on no TLS.
//!
//! With the feature `ureq`, a `ureq` 3 agent is a [`Transport`](crate::transport::Transport), and with `reqwest` its blocking
//! client; with `reqwest` its asynchronous client is an [`AsyncTransport`](crate::transport::AsyncTransport), and with
//! `hyper` that of `hyper-util`, by [`HyperTransport`](hyper::HyperTransport). With `tungstenite`, the last two carry the
//! broker's [WebSocket](tungstenite) too. Each is the caller's client, with its
//! connections, proxies and TLS. For all of them:
//!
//! - no redirect is followed, since it would carry `Authorization` elsewhere; the response is handed back as it is;
//! - a status of 4xx or 5xx is a response, not an error, and no request is sent twice;
//! - [`Limits`](crate::transport::Limits) hold for the whole call, the response's body included; of a longer body no more is
//!   read;
//! - a body that is shorter than its `Content-Length`, or breaks off, is a failure; what follows a body is not read;
//! - a compressed body is handed back as it came, `Content-Encoding` included, unless the client was set up to
//!   decompress it.
//!
//! What went wrong is a [`Failure`] that says whether the request may have arrived. It does not show a query.

use std::error;
#[cfg(any(feature = "reqwest", feature = "ureq"))]
use std::io::{self, Read};

#[cfg(any(feature = "reqwest", feature = "ureq"))]
use bytes::Bytes;

use crate::{
    session::{Failure, FailureKind},
    trace,
};

#[cfg(any(feature = "hyper", feature = "reqwest"))]
mod canceled;
#[cfg(feature = "hyper")]
pub mod hyper;
#[cfg(feature = "reqwest")]
pub mod reqwest;
#[cfg(feature = "tungstenite")]
pub mod tungstenite;
#[cfg(feature = "ureq")]
mod unsent;
#[cfg(feature = "ureq")]
mod ureq;

/// What to try where nothing more is known.
#[cfg(any(feature = "hyper", feature = "reqwest", feature = "ureq"))]
const LOOK_FIRST: &str =
    "check network, base URL and certificates; the request may have arrived: look before you send an order again";
#[cfg(any(feature = "hyper", feature = "reqwest", feature = "ureq"))]
const CHECK_CONNECTION: &str = "check network, base URL, proxy and certificates; nothing was sent";

fn failure(kind: FailureKind, remedy: &'static str, reason: impl Into<Box<dyn error::Error + Send + Sync>>) -> Failure {
    trace::no_reply(&kind);
    Failure::new(kind, reason).with_remedy(remedy)
}

#[cfg(any(feature = "hyper", feature = "reqwest", feature = "ureq"))]
fn too_large(limit: usize) -> Failure {
    let detail = match limit >> 20 {
        0 => format!("it has more than {} KiB", limit >> 10),
        mebibytes => format!("it has more than {mebibytes} MiB"),
    };
    let remedy = "ask for less at a time, or send the signed request with an HTTP client of your own";
    failure(FailureKind::TooLarge, remedy, detail)
}

/// Reads a body up to a limit of bytes; `None` if there are more.
#[cfg(any(feature = "reqwest", feature = "ureq"))]
fn read_body(body: impl Read, limit: usize) -> io::Result<Option<Bytes>> {
    let mut bytes = Vec::new();
    // One byte more than the limit, by which a longer body is known.
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    body.take(most).read_to_end(&mut bytes)?;
    Ok((bytes.len() <= limit).then(|| Bytes::from(bytes)))
}
