//! What the crate says about credentials, signatures and refusals.

#![cfg(feature = "simulator")]
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
mod broken_texts;
#[path = "../support/cases.rs"]
mod cases;
mod catalogue;
mod check;
mod explain;
mod findings;
#[path = "../support/fixture.rs"]
mod fixture;
#[path = "../support/form_pairs.rs"]
mod form_pairs;
#[path = "../support/steps.rs"]
mod steps;
mod users_pains;
