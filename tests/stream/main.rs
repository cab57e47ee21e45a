//! What a stream does, on a virtual clock: its stories and its day with the simulator, so that it meets the broker that its
//! session talks to; the property with a broker that was written for it.

#![cfg(feature = "simulator")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    clippy::struct_excessive_bools,
    reason = "a test fails by panicking, and a broker misbehaves in many ways at once"
)]

#[path = "../support/cases.rs"]
mod cases;
mod day;
#[path = "../support/known_user.rs"]
mod known_user;
mod losses;
mod properties;
mod rows;
mod server;
mod simulated;
mod simulation;
mod stories;
