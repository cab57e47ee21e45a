//! Sign in to Interactive Brokers (IBKR), keep the session alive, and sign every request: the broker's variant of
//! OAuth 1.0a as plain values.
//!
//! # What it does not do
//!
//! It opens no socket, reads no clock, draws no random number, touches no file and starts no thread by itself: what reads
//! the machine is in [`local`], and only for who calls it. It emits
//! [`http::Request`]s and consumes [`http::Response`]s; which HTTP client carries them, and in which runtime, is yours to
//! choose. Time and random bytes come in with each call, by a [`Context`]. The same inputs give the same bytes, so that a
//! trading day can be replayed from a log.
//!
//! It knows nothing of orders, accounts or market data: it signs whatever request you make. It does not speak OAuth 2.0.
//!
//! # The flow
//!
//! Each step is an [`Exchange`]: one request, and the only function that may read the reply to it. The reply's type is
//! the next step, so that steps in the wrong order do not compile.
//!
//! ```text
//! Consumer ── request_token ──► Consent ── the user's browser ──► Verifier ── access_token ──► AccessToken
//!                                                                                                  │ unlock
//!                             Signer ◄── LiveSessionToken ◄── live_session_token ── UnlockedToken ◄┘
//! ```
//!
//! 1. [`Consumer::request_token`] asks for a token with which a user can be asked; [`Consent::url`] is where the browser
//!    goes, and [`Consent::verifier`] reads the callback.
//! 2. [`Verifier::access_token`] turns the consent into an [`AccessToken`], which does not expire. *Users with
//!    credentials from IBKR's self-service portal have one already*: [`AccessToken::from_parts`].
//! 3. [`Consumer::unlock`] opens its secret with the consumer's decryption key.
//! 4. [`UnlockedToken::live_session_token`] negotiates, by Diffie-Hellman, the [`LiveSessionToken`] that signs all else for
//!    about a day. The broker proves that it knows it; without the proof there is no such value.
//! 5. [`LiveSessionToken::signer`] signs requests, and [`Signer::brokerage`] makes those around the brokerage session.
//!
//! On the wire, with who signs what:
//!
//! ```text
//!   your program                               broker                     the user's browser
//!        │                                       │                                │
//!        ├─ POST /oauth/request_token ──── RSA ─►│                                │
//!        │◄────────────────────── request token ─┤                                │
//!        ├─ Consent::url ────────────────────────┼───────────────────────────────►│
//!        │                                       │◄───────────── logs in, agrees ─┤
//!        │◄─ callback, with the verifier ────────┼────────────────────────────────┤
//!        ├─ POST /oauth/access_token ───── RSA ─►│
//!        │◄────────── token, encrypted secret ───┤     once for each user; the rest each day
//!        │                                       │
//!        ├─ POST /oauth/live_session_token  RSA ►│     with g^a mod p; the opened secret is signed too
//!        │◄──────────────── g^b mod p and proof ─┤     both sides: HMAC-SHA1(g^ab mod p, secret)
//!        ├─ POST /iserver/auth/ssodh/init  HMAC ►│     the brokerage session
//!        ├─ POST /tickle ───────────────── HMAC ►│     each minute
//!        ├─ your requests ──────────────── HMAC ►│
//!        ├─ POST /logout ───────────────── HMAC ►│
//! ```
//!
//! [`session::Session`] does steps 4 and 5 over and over: it renews, keeps alive, backs off, and says what happened. A
//! [`driver::Driver`] runs it, blocking or asynchronous, with the [transport] that you give it.
//!
//! **Most programs need none of that by hand**: [`client::Client`] signs in from a bundle, keeps the session alive, and sends
//! requests.
//!
//! # The whole of it
//!
//! Here the [`simulator`] plays the broker. In production the line with `broker.handle` is your HTTP client.
//!
//! ```
//! # #[cfg(all(feature = "simulator", feature = "getrandom"))] {
//! use ibkr_oauth::{AccessToken, Consumer, dh::DhGroup, http, key::RsaKey, local::SystemContext};
//! # use ibkr_oauth::simulator::{self, test_keys};
//! # let (signing_pem, decryption_pem, dh_pem) =
//! #     (test_keys::SIGNATURE_KEY, test_keys::ENCRYPTION_KEY, test_keys::DH_PARAMETERS);
//! # let mut broker = simulator::Broker::default();
//! # let portal = test_keys::access_token(&mut broker, &mut SystemContext::new().context())?;
//! # use base64::{Engine as _, engine::general_purpose::STANDARD};
//! # let secret = STANDARD.encode(portal.encrypted_secret());
//! # let (token, secret_from_portal) = (portal.token(), secret.as_str());
//!
//! // Who you are: what the portal gave out, and what you registered there.
//! let consumer = Consumer::builder("SIMULATOR")
//!     .signature_key(RsaKey::from_pem(signing_pem)?)
//!     .encryption_key(RsaKey::from_pem(decryption_pem)?)
//!     .dh_params(DhGroup::from_pem(dh_pem)?)
//!     .build()?;
//! let access_token = AccessToken::from_parts(token, secret_from_portal)?;
//!
//! let mut system = SystemContext::new();
//! let mut cx = system.context(); // the time of this call, and random numbers; a new one for each, or for a few in a row
//! let unlocked = consumer.unlock(&mut cx, &access_token)?;
//! let exchange = unlocked.live_session_token(&consumer, &mut cx)?;
//! let response = broker.handle(&mut cx, exchange.request());
//! let signer = exchange.complete(response)?.signer();
//!
//! // From here on, every request is yours; the signer adds its `Authorization`.
//! let mut request = http::Request::get("https://api.ibkr.com/v1/api/portfolio/accounts")
//!     .header(http::header::USER_AGENT, "my-bot/1.0")
//!     .body(bytes::Bytes::new())?;
//! signer.sign(&mut cx, &mut request)?;
//! assert_eq!(broker.handle(&mut cx, &request).status(), http::StatusCode::OK);
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Errors
//!
//! There is one [`Error`]. Its [`kind`](Error::kind) says who must act, its [`stage`](Error::stage) where it happened, its
//! [`detail`](Error::detail) what the broker said, and its [`remedy`](Error::remedy) what to try. No error, and no `Debug`
//! or `Display` of any type, holds a secret.
//!
//! [`diagnose`] goes further: it knows the broker's refusals, explains signatures, and checks credentials offline.
//!
//! # Tracing
//!
//! With the feature `tracing`, these spans and events are told to the [`tracing`](https://docs.rs/tracing) crate's
//! subscriber. Their names do not change, and none of them holds a secret, a query or a body.
//!
#![doc = include_str!("trace.md")]
//!
//! # Features
//!
//! A feature adds to the surface; none changes what is there.
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `rsa` | yes | [`key::RsaKey`]: keys in memory, from PEM or DER |
//! | `getrandom` | yes | [`OsEntropy`]: the operating system's random numbers; [`local::SystemContext`] |
//! | `encrypted-keys` | | PKCS#8 keys that are encrypted with a passphrase |
//! | `simulator` | | [`simulator`]: the broker's half, to test against |
//! | `tracing` | | the spans and events above |
//! | `ureq` | | your `ureq` 3 agent as a [transport](adapter) |
//! | `reqwest` | | your `reqwest` 0.13 client as a [transport](adapter), asynchronous or blocking |
//! | `hyper` | | your `hyper` 1 client as a [transport](adapter) |
//!
//! No feature turns on TLS: the client is yours, and so is its TLS.

#[cfg(any(feature = "hyper", feature = "reqwest", feature = "ureq"))]
pub mod adapter;
mod brokerage;
mod bundle;
pub mod call;
#[cfg(feature = "getrandom")]
pub mod client;
mod consumer;
mod context;
pub mod dh;
pub mod diagnose;
pub mod driver;
mod encoding;
mod error;
pub mod exchange;
mod flow;
pub mod key;
pub mod local;
pub mod oauth1;
mod response;
mod secret;
pub mod session;
mod signer;
#[cfg(feature = "simulator")]
pub mod simulator;
mod timestamp_floor;
mod trace;
pub mod transport;

// The README's code is compiled with the tests.
#[cfg(all(doctest, feature = "simulator", feature = "getrandom", feature = "reqwest"))]
#[doc = include_str!("../README.md")]
#[derive(Debug)]
pub struct Readme;

#[cfg(feature = "getrandom")]
pub use crate::context::OsEntropy;
pub use crate::{
    brokerage::{Brokerage, BrokerageStatus, Compete, Logout, Tickle},
    bundle::CredentialBundle,
    consumer::{Consumer, ConsumerBuilder, Endpoints, QueryPolicy, Realm},
    context::{Context, Entropy, EntropyError, Timestamp},
    error::{Error, ErrorKind, Stage},
    exchange::request::Exchange,
    flow::{AccessToken, Callback, Consent, LiveSessionToken, UnlockedToken, Verifier},
    secret::Secret,
    signer::{Signer, TokenId},
};
pub use bytes;
pub use http;
