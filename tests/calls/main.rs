//! Requests of an application's own: the machine that judges them, and the clients that are loops over it.

#![cfg(all(feature = "simulator", feature = "getrandom"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::field_reassign_with_default,
    clippy::disallowed_methods,
    reason = "a test fails by panicking"
)]

mod blocking;
mod bots;
mod judgement;
mod never_twice;
mod outcomes;
mod views;
