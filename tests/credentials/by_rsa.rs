//! The tests of keys, with those of the crate `rsa`.

#![allow(clippy::duplicate_mod, reason = "each backend runs the same tests")]

pub(crate) use ibkr_oauth::key::{RsaKey, RsaKey as Key, RsaPublicKey};

/// Where the two differ, a test tells what of either.
pub(crate) const IS_RSA: bool = true;

#[path = "keys.rs"]
mod keys;
#[path = "malformed.rs"]
pub(crate) mod malformed;
#[path = "pasted_texts.rs"]
mod pasted_texts;
#[path = "signing.rs"]
mod signing;
#[path = "unusual_keys.rs"]
mod unusual_keys;
