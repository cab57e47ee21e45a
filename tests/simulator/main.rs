//! The simulated broker: what it answers, and every deviation that it refuses.

#![cfg(feature = "simulator")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests read files and clocks, and start threads"
)]

mod agreements;
mod answers;
#[path = "../support/authorization_header.rs"]
mod authorization_header;
mod availability;
#[path = "../support/by_hand.rs"]
mod by_hand;
mod canned;
mod consent_page;
mod control;
mod deviations;
#[cfg(feature = "tungstenite")]
mod in_process_stream;
mod leniency;
mod memory;
#[path = "../support/scripted.rs"]
mod scripted;
mod vectors;
mod websocket;
