//! Keys, groups and bundles, good ones and bad ones.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests read files and clocks, and start threads"
)]

#[cfg(all(feature = "rsa", feature = "aws-lc-rs"))]
mod backends;
mod bundle;
#[cfg(feature = "aws-lc-rs")]
mod by_aws_lc;
#[cfg(feature = "rsa")]
mod by_rsa;
mod dh_group;
#[cfg(all(feature = "rsa", feature = "simulator"))]
mod from_file;
mod limits;
#[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
#[path = "../support/seeded_entropy.rs"]
mod seeded_entropy;
