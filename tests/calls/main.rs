//! Requests of an application's own: how many the broker allows, the machine that judges each, and the clients that are
//! loops over it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::field_reassign_with_default,
    clippy::disallowed_methods,
    reason = "a test fails by panicking"
)]

#[cfg(all(feature = "simulator", feature = "getrandom"))]
mod blocking;
#[cfg(all(feature = "simulator", feature = "getrandom"))]
mod bots;
#[cfg(all(feature = "simulator", feature = "getrandom"))]
#[path = "../support/cases.rs"]
mod cases;
#[cfg(all(feature = "simulator", feature = "getrandom"))]
mod judgement;
#[cfg(all(feature = "simulator", feature = "getrandom"))]
mod never_twice;
#[cfg(all(feature = "simulator", feature = "getrandom"))]
mod outcomes;
#[cfg(all(feature = "simulator", feature = "getrandom"))]
mod paced;
#[cfg(all(feature = "simulator", feature = "getrandom"))]
mod views;
