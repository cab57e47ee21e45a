//! Against what others computed: every intermediate value against published vectors, other people's code, and the two
//! implementations of RFC 5849 against each other.

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
#[path = "../support/cases.rs"]
mod cases;
#[cfg(feature = "rsa")]
#[path = "../support/form_pairs.rs"]
mod form_pairs;
#[cfg(feature = "rsa")]
mod intermediates;
#[cfg(feature = "simulator")]
#[path = "../interop/mod.rs"]
mod interop;
mod same_signature;
#[path = "../support/scripted.rs"]
mod scripted;
