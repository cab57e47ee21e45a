//! What is reported to [`tracing`](https://docs.rs/tracing), if the feature is on. Without it, nothing is done here.
//!
//! Names, targets and fields are promises; `trace.md`, which the crate's page shows, lists them. No field holds a query,
//! a header, a body, or words of the broker's.

#![cfg_attr(not(feature = "tracing"), allow(unused_variables, reason = "there is nobody to tell"))]

use http::{Request, StatusCode};

use crate::error::{Error, Stage};

#[cfg(feature = "tracing")]
const EXCHANGE: &str = "ibkr_oauth::exchange";
#[cfg(all(
    feature = "tracing",
    any(feature = "hyper", feature = "reqwest", feature = "tungstenite", feature = "ureq")
))]
const ADAPTER: &str = "ibkr_oauth::adapter";

/// What is under way until this is dropped.
#[must_use]
pub(crate) struct Entered {
    #[cfg(feature = "tracing")]
    _span: tracing::span::EnteredSpan,
}

pub(crate) fn made<B>(stage: Stage, request: &Request<B>) {
    #[cfg(feature = "tracing")]
    tracing::debug!(
        target: EXCHANGE,
        %stage,
        method = %request.method(),
        host = request.uri().host(),
        path = request.uri().path(),
        "exchange made"
    );
}

pub(crate) fn reading(stage: Stage, status: StatusCode) -> Entered {
    Entered {
        #[cfg(feature = "tracing")]
        _span: tracing::debug_span!(target: EXCHANGE, "reply", %stage, status = status.as_u16()).entered(),
    }
}

pub(crate) fn completed<T>(result: &Result<T, Error>) {
    #[cfg(feature = "tracing")]
    match result {
        Ok(_) => tracing::debug!(target: EXCHANGE, "exchange succeeded"),
        Err(error) => tracing::warn!(
            target: EXCHANGE,
            kind = error.kind().name(),
            cause = error.cause().map(crate::error::Cause::name),
            "exchange failed"
        ),
    }
}

#[cfg(any(feature = "hyper", feature = "reqwest", feature = "ureq"))]
pub(crate) fn sending<B>(request: &Request<B>) {
    #[cfg(feature = "tracing")]
    tracing::debug!(
        target: ADAPTER,
        method = %request.method(),
        host = request.uri().host(),
        path = request.uri().path(),
        "sending"
    );
}

#[cfg(any(feature = "hyper", feature = "reqwest", feature = "tungstenite", feature = "ureq"))]
pub(crate) fn no_reply(failure: &dyn std::fmt::Debug) {
    #[cfg(feature = "tracing")]
    tracing::warn!(target: ADAPTER, failure = ?failure, "no reply");
}
