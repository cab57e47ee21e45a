//! The sign-in and signed requests, step by step.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests read files and clocks, and start threads"
)]

#[path = "../support/authorization_header.rs"]
mod authorization_header;
#[cfg(all(feature = "simulator", feature = "getrandom"))]
mod autotraits;
#[cfg(feature = "simulator")]
mod brokerage;
#[cfg(feature = "simulator")]
mod callbacks;
#[path = "../support/cases.rs"]
mod cases;
mod consumer;
mod context;
#[cfg(feature = "simulator")]
#[path = "../support/fixture.rs"]
mod fixture;
#[cfg(feature = "simulator")]
#[path = "../support/form_pairs.rs"]
mod form_pairs;
#[cfg(feature = "simulator")]
mod handshakes;
#[cfg(feature = "simulator")]
mod json_body;
#[cfg(all(feature = "simulator", feature = "aws-lc-rs"))]
mod mixed_backends;
#[cfg(feature = "simulator")]
mod proofs;
#[cfg(feature = "simulator")]
mod refusals;
#[cfg(feature = "simulator")]
mod remote_keys;
#[cfg(feature = "simulator")]
mod replies;
mod signed_hosts;
#[cfg(feature = "simulator")]
mod signed_queries;
#[cfg(feature = "simulator")]
#[path = "../support/steps.rs"]
mod steps;
#[cfg(feature = "simulator")]
mod timestamps;
#[cfg(all(feature = "tracing", feature = "simulator"))]
mod tracing;
#[cfg(feature = "simulator")]
mod what_is_sent;
