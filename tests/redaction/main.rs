//! No secret shows: in no text, and in the time that no work takes.

#![cfg(feature = "simulator")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests read files and clocks, and start threads"
)]

mod diagnosis;
mod every_type;
mod exchanges;
#[path = "../support/fixture.rs"]
mod fixture;
mod sessions;
#[path = "../support/steps.rs"]
mod steps;
mod streams;
mod timing;
