//! Keys, groups and bundles, good ones and bad ones.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests read files and clocks, and start threads"
)]

mod bundle;
mod dh_group;
#[cfg(all(feature = "rsa", feature = "simulator"))]
mod from_file;
#[cfg(feature = "rsa")]
mod keys;
mod limits;
#[cfg(feature = "rsa")]
mod malformed;
#[cfg(feature = "rsa")]
mod pasted_texts;
#[cfg(feature = "rsa")]
mod unusual_keys;
