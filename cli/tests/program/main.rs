//! The program `ibkr-oauth`, run as its users run it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may fail")]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests open sockets, read files and start programs"
)]

mod command_line;
#[cfg(unix)]
mod commands;
mod doctor;
mod screens;
#[cfg(unix)]
mod simulate;
mod terminal;
