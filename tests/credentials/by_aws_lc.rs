//! The tests of keys, with AWS-LC computing.

#![allow(clippy::duplicate_mod, reason = "each backend runs the same tests")]

use ibkr_oauth::Error;
pub(crate) use ibkr_oauth::key::{RsaKey as Key, RsaPublicKey};

/// Reads keys for AWS-LC.
pub(crate) struct RsaKey;

impl RsaKey {
    pub(crate) fn from_pem(text: &str) -> Result<Key, Error> {
        Key::read_with_aws_lc(text, None)
    }

    pub(crate) fn read(content: impl AsRef<[u8]>, passphrase: Option<&[u8]>) -> Result<Key, Error> {
        Key::read_with_aws_lc(content, passphrase)
    }
}

/// Where the two differ, a test tells what of either.
pub(crate) const IS_RSA: bool = false;

#[path = "keys.rs"]
mod keys;
#[path = "malformed.rs"]
mod malformed;
#[path = "pasted_texts.rs"]
mod pasted_texts;
#[path = "signing.rs"]
mod signing;
#[path = "unusual_keys.rs"]
mod unusual_keys;
