//! Sending with a ready-made HTTP client. Each client is a feature of its own, off by default, and turns on no TLS.
//!
//! Each module has the same three functions: `send` for one exchange, `sign_and_send` for one protected request, and
//! `drive` for a session. Each takes the caller's client, with its connections, proxies and TLS. For all of them:
//!
//! - no redirect is followed, since it would carry `Authorization` elsewhere; the reply is handed back as it is;
//! - a status of 4xx or 5xx is a reply, not an error, and no request is sent twice;
//! - a call takes at most 30 seconds, the reply's body included;
//! - the reply to an exchange has at most 256 KiB, that to a request of yours at most 16 MiB; of a longer one no more is
//!   read;
//! - a body that is shorter than its `Content-Length`, or breaks off, is a failure; what follows a body is not read;
//! - a compressed body is handed back as it came, `Content-Encoding` included, unless the client was told to unpack.
//!
//! What went wrong is an [`Error`] of [`Stage::Transport`], or, in a session, a [`Failure`] that says whether the request
//! may have arrived. Neither shows a query.

#[cfg(any(feature = "reqwest", feature = "ureq"))]
use std::io::{self, Read};
use std::{error, time::Duration};

use bytes::Bytes;
use http::{
    HeaderValue, Method, Request,
    header::{CONTENT_LENGTH, USER_AGENT},
};

use crate::{
    context::Context,
    error::{Error, ErrorKind, Stage},
    oauth1,
    session::{Failure, FailureKind},
    signer::Signer,
    trace,
};

#[cfg(any(feature = "hyper", feature = "reqwest"))]
mod canceled;
#[cfg(feature = "hyper")]
pub mod hyper;
#[cfg(feature = "reqwest")]
pub mod reqwest;
#[cfg(feature = "ureq")]
mod unsent;
#[cfg(feature = "ureq")]
pub mod ureq;

/// The longest time that a call may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The longest reply to a request of the application's own, in bytes: 16 MiB.
const LONGEST_REPLY: usize = 16 << 20;

/// Why there is no whole reply.
struct NoReply {
    failure: Failure,
    remedy: &'static str,
    source: Option<Box<dyn error::Error + Send + Sync>>,
}

impl NoReply {
    fn new(kind: FailureKind, remedy: &'static str, source: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        let source = source.into();
        trace::no_reply(&kind);
        Self { failure: Failure { kind, detail: causes(&*source) }, remedy, source: Some(source) }
    }

    fn too_large(limit: usize) -> Self {
        let detail = match limit >> 20 {
            0 => format!("it has more than {} KiB", limit >> 10),
            mebibytes => format!("it has more than {mebibytes} MiB"),
        };
        trace::no_reply(&FailureKind::TooLarge);
        let remedy = "ask for less at a time, or send the signed request with an HTTP client of your own";
        Self { failure: Failure { kind: FailureKind::TooLarge, detail }, remedy, source: None }
    }
}

/// The error and what is behind it, in one line: HTTP clients say little in the first.
fn causes(error: &(dyn error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

impl From<NoReply> for Failure {
    fn from(no_reply: NoReply) -> Self {
        no_reply.failure
    }
}

impl NoReply {
    /// The error for the caller who asked `host`.
    fn error(self, host: &str) -> Error {
        let kind = match self.failure.kind {
            FailureKind::TooLarge => ErrorKind::Malformed,
            _ => ErrorKind::Unavailable,
        };
        let message = format!("no reply from {host}: {}", self.failure);
        let error = Error::new(kind, Stage::Transport, message).with_remedy(self.remedy);
        let error = if self.failure.kind == FailureKind::NotSent { error.with_nothing_sent() } else { error };
        match self.source {
            Some(source) => error.with_source(source),
            None => error,
        }
    }
}

fn host(request: &Request<Bytes>) -> String {
    request.uri().host().unwrap_or_default().to_owned()
}

/// What to try where nothing more is known.
const LOOK_FIRST: &str =
    "check network, base URL and certificates; the request may have arrived: look before you send an order again";
const CHECK_CONNECTION: &str = "check network, base URL, proxy and certificates; nothing was sent";

/// A request with what the broker demands of each: the consumer's `User-Agent` where there is none, and
/// `Content-Length: 0` in a `POST` or `PUT` without a body. A `Content-Length` that is there already is set right.
fn complete_head(signer: &Signer, request: Request<impl Into<Bytes>>) -> Request<Bytes> {
    let mut request = request.map(Into::into);
    if !request.headers().contains_key(USER_AGENT) {
        let user_agent = signer.consumer().user_agent().clone();
        request.headers_mut().insert(USER_AGENT, user_agent);
    }
    let length = request.body().len();
    let is_empty_post = length == 0 && [Method::POST, Method::PUT].contains(request.method());
    if is_empty_post || request.headers().contains_key(CONTENT_LENGTH) {
        request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    request
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

/// Signs a request, as a form if its media type is that of one.
fn sign(signer: &Signer, cx: &mut Context<'_>, request: &mut Request<Bytes>) -> Result<(), Error> {
    if oauth1::is_form(request.headers()) {
        signer.sign_form(cx, request)?
    } else {
        signer.sign(cx, request)?
    };
    Ok(())
}
