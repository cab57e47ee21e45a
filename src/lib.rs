//! Interactive Brokers' OAuth 1.0a as a sans-IO protocol.

mod context;
pub mod dh;
mod error;
pub mod key;
pub mod oauth1;
mod secret;

#[cfg(feature = "getrandom")]
pub use crate::context::OsEntropy;
pub use crate::{
    context::{Context, Entropy, EntropyError, Timestamp},
    error::{Error, ErrorKind, Stage},
    secret::Secret,
};
pub use bytes;
pub use http;
