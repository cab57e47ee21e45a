//! This crate against other people's: `oauthlib` for RFC 5849, `ibind` for what the broker adds to it, `openssl` for keys.
//!
//! Ignored by a plain `cargo test`, for they need Python and its libraries: `bash .ci/interop` installs what
//! `requirements.txt` names and runs them. All chance is seeded; each test prints its seed and what it compared.

mod agreements;
mod disagreements;
mod openssl;
mod peer;
mod random_request;
mod requests;
mod rng;
