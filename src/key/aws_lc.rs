//! RSA keys that AWS-LC computes with. Needs the feature `aws-lc-rs`.
//!
//! For those whose audit refuses the crate `rsa` for RUSTSEC-2023-0071: with `default-features = false` and this feature it is
//! not in the tree. It needs a C compiler (neither `CMake` nor `bindgen` where AWS-LC has bindings made already, as for Linux,
//! macOS and Windows on x86-64 and aarch64; nor `NASM` on Windows). What is used is AWS-LC as it is, not its FIPS module:
//! *this makes no program FIPS-validated*.
//!
//! ```
//! # #[cfg(feature = "simulator")] {
//! use ibkr_oauth::{CredentialBundle, key::aws_lc};
//!
//! # let json = serde_json::json!({
//! #     "consumer_key": "MYCONSKEY",
//! #     "signature_key": ibkr_oauth::simulator::test_keys::SIGNATURE_KEY,
//! #     "encryption_key": ibkr_oauth::simulator::test_keys::ENCRYPTION_KEY,
//! #     "dh_params": ibkr_oauth::simulator::test_keys::DH_PARAMETERS,
//! # }).to_string();
//! let bundle = CredentialBundle::from_json(&json)?.with_keys_of::<aws_lc::RsaKey>();
//! let consumer = bundle.consumer()?;
//! # }
//! # Ok::<(), ibkr_oauth::Error>(())
//! ```

use super::in_memory::KeyInMemory;

mod backend;
#[cfg(test)]
mod tests;

use self::backend::AwsLc;

/// A private key that AWS-LC computes with, of two primes. It is refused also where a number is wrong that only speeds
/// decryption up. Its work is blinded with random bytes of AWS-LC's own; the [`Entropy`](crate::Entropy) of a call is not asked.
pub type RsaKey = KeyInMemory<AwsLc>;
