//! What a stream does: against a broker that was written for these tests, on a virtual clock.

#![cfg(feature = "simulator")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    clippy::struct_excessive_bools,
    reason = "a test fails by panicking, and a broker misbehaves in many ways at once"
)]

mod day;
mod properties;
mod server;
mod simulation;
mod stories;
