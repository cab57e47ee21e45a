//! This crate against other people's: `oauthlib` for RFC 5849, `ibind` for what the broker adds to it, `openssl` for keys.
//!
//! Ignored by a plain `cargo test`, for they need Python and its libraries: `bash .ci/interop` installs what
//! `requirements.txt` names and runs them. All chance is seeded; each test prints its seed and what it compared.

#![cfg(feature = "simulator")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a test fails by panicking"
)]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the tests start other programs and read files"
)]

mod agreements;
#[path = "../support/authorization_header.rs"]
mod authorization_header;
mod dice;
mod disagreements;
mod openssl;
mod peer;
mod random_request;
mod requests;
