//! The tests of keys, with those of AWS-LC.

#![allow(clippy::duplicate_mod, reason = "each backend runs the same tests")]

pub(crate) use ibkr_oauth::key::{RsaPublicKey, aws_lc::RsaKey};

/// Where the two differ, a test tells what of either.
pub(crate) const IS_RSA: bool = false;

#[path = "keys.rs"]
mod keys;
#[path = "malformed.rs"]
mod malformed;
#[path = "pasted_texts.rs"]
mod pasted_texts;
#[path = "unusual_keys.rs"]
mod unusual_keys;
