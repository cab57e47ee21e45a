//! Every intermediate value against published vectors, and the two implementations of RFC 5849 against each other.

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
#[cfg(feature = "rsa")]
mod intermediates;
mod same_signature;
#[path = "../support/scripted.rs"]
mod scripted;
