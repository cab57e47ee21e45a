//! Interactive Brokers' OAuth 1.0a as a sans-IO protocol.

#[cfg(feature = "ureq")]
pub mod adapter;
mod brokerage;
mod bundle;
mod consumer;
mod context;
pub mod dh;
mod encoding;
mod error;
mod exchange;
mod flow;
pub mod key;
pub mod oauth1;
mod reply;
mod secret;
pub mod session;
mod signer;
#[cfg(feature = "simulator")]
pub mod simulator;
mod timestamp_floor;

#[cfg(feature = "getrandom")]
pub use crate::context::OsEntropy;
pub use crate::{
    brokerage::{Brokerage, BrokerageStatus, Compete, Logout, Tickle},
    bundle::{CredentialBundle, KeyLocation},
    consumer::{Consumer, ConsumerBuilder, Endpoints, ParameterPlacement, Realm},
    context::{Context, Entropy, EntropyError, Timestamp},
    error::{Error, ErrorKind, Stage},
    exchange::{Exchange, PendingReply, Unsigned},
    flow::{AccessToken, Callback, Consent, LiveSessionToken, UnlockedToken, Verifier},
    secret::Secret,
    signer::{Epoch, RequestSignature, Signer},
};
pub use bytes;
pub use http;
