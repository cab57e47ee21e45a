//! Every adapter over real sockets, plain and with TLS.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests open sockets and read the clock"
)]

#[cfg(feature = "tls")]
mod clients;
#[cfg(feature = "tls")]
mod faults;
#[cfg(feature = "tls")]
mod one_day;
#[cfg(feature = "tls")]
mod reqwest;
#[cfg(feature = "tls")]
mod streams;
mod ureq;
#[cfg(feature = "tls")]
mod whole_client;
