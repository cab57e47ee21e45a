//! The program `ibkr-oauth`, run as its users run it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may fail")]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests open sockets, read files and start programs"
)]

#[cfg(unix)]
mod authorize_listen;
#[cfg(unix)]
mod bounded_reading;
#[cfg(all(unix, feature = "simulate"))]
mod broken_inputs;
#[cfg(unix)]
mod bundle_while_authorizing;
mod callback_visits;
mod command_line;
#[cfg(unix)]
mod commands;
#[path = "../../src/default_port.rs"]
mod default_port;
mod doctor;
mod doctor_websocket;
#[cfg(all(unix, feature = "simulate"))]
#[path = "../../src/doctor/record/tests/expected.rs"]
mod expected;
mod explained_causes;
#[cfg(unix)]
mod exposed_files;
#[cfg(all(unix, feature = "simulate"))]
mod files_of_the_user;
#[cfg(all(unix, feature = "simulate"))]
mod gateway;
mod hostile_texts;
#[path = "../../src/no_proxy.rs"]
mod no_proxy;
#[cfg(unix)]
mod proxies;
#[path = "../../src/proxy.rs"]
mod proxy;
mod proxy_settings;
mod recording;
#[cfg(all(unix, feature = "simulate"))]
mod recordings_of_simulators;
mod screens;
#[cfg(all(unix, feature = "simulate"))]
mod simulate;
#[cfg(all(unix, feature = "simulate"))]
mod simulated_broker;
#[cfg(all(unix, feature = "simulate"))]
mod simulated_socket;
#[cfg(all(unix, feature = "simulate"))]
mod streams;
mod terminal;
#[path = "../../src/authorize/visit.rs"]
mod visit;
