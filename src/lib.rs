//! Sign in to Interactive Brokers (IBKR), keep the session alive, and sign every request: the broker's variant of
//! OAuth 1.0a, for any HTTP client.
//!
//! # A program
//!
//! [`client::Client`] signs in from a bundle of credentials, opens the brokerage session, keeps both alive, and sends
//! requests. What it needs is an HTTP client: a `reqwest::Client`, an agent of `ureq`, or [whatever sends](transport).
//!
//! ```
//! # #[cfg(all(feature = "simulator", feature = "getrandom"))] {
//! use ibkr_oauth::{client::Client, session::SessionConfig};
//! # use ibkr_oauth::{Timestamp, simulator::{Broker, InProcess, test_keys}};
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! # let network = InProcess::new(Broker::default(), Timestamp::from_secs(1_700_000_000));
//! # let bundle = network.broker(test_keys::bundle)?;
//! # let http_client = network;
//! // let bundle = CredentialBundle::from_file("bundle.json")?;
//! // let http_client = ibkr_oauth::adapter::reqwest::client_builder().build()?;
//! let (ibkr, driver) = Client::start(http_client, &bundle, SessionConfig::default())?;
//! tokio::spawn(driver);
//! ibkr.ready().await?;
//!
//! let accounts = ibkr.get("/portfolio/accounts").await?.error_for_status()?;
//! println!("{}", accounts.text()?);
//! ibkr.shutdown().await?;
//! # Ok::<(), ibkr_oauth::Error>(()) })?;
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`client::blocking::Client`] is the same with threads. [`simulator::InProcess`] stands in for the HTTP client in a test:
//! the broker in process, on a virtual clock, so that a day takes less than a second.
//!
//! # When something fails
//!
//! There is one [`Error`]. Its [`kind`](Error::kind) says who must act, its [`stage`](Error::stage) where it happened, its
//! [`detail`](Error::detail) what the broker said, its [`remedy`](Error::remedy) what to try, and
//! [`may_have_been_sent`](Error::may_have_been_sent) whether the broker may have acted on the request all the same.
//! [`diagnose`] checks credentials offline and explains signatures. No error, and no `Debug` or `Display` of any type, shows
//! a secret.
//!
//! # How a sign-in goes
//!
//! Each step is an [`Exchange`]: one request, and the only function that may read the response. What comes of it is the
//! next step, so that steps in the wrong order do not compile.
//!
//! ```text
//!   Consumer             your keys
//!      │ request_token                    POST /oauth/request_token       RSA
//!   Consent              where the browser goes
//!      │ verifier                         the user agrees
//!   Verifier
//!      │ access_token                     POST /oauth/access_token        RSA
//!   AccessToken          for good; the portal gives you one of your own
//!      │ unlock                           opens its secret: your key
//!   UnlockedToken
//!      │ live_session_token               POST /oauth/live_session_token  RSA
//!   LiveSessionToken     for about a day; proved by the broker
//!      │ signer
//!   Signer               signs everything else                            HMAC
//! ```
//!
//! 1. [`Consumer::request_token`] asks for a token with which a user can be asked; [`Consent::url`] is where the browser
//!    goes, and [`Consent::verifier`] reads the callback.
//! 2. [`Verifier::access_token`] turns the consent into an [`AccessToken`], which does not expire. *Users with
//!    credentials from IBKR's self-service portal start here*: [`AccessToken::from_parts`].
//! 3. [`Consumer::unlock`] opens its secret with the consumer's encryption key.
//! 4. [`UnlockedToken::live_session_token`] negotiates, by Diffie-Hellman, the [`LiveSessionToken`] that signs all else for
//!    about a day. The broker proves that it knows it; without the proof there is no such value.
//! 5. [`LiveSessionToken::signer`] signs requests, and [`Signer::brokerage`] makes those around the brokerage session.
//!
//! ```
//! # #[cfg(all(feature = "simulator", feature = "getrandom"))] {
//! use ibkr_oauth::{AccessToken, Consumer, dh::DhGroup, http, key::RsaKey, local::SystemContext};
//! # use ibkr_oauth::simulator::{self, test_keys};
//! # let (signature_pem, encryption_pem, dh_pem) =
//! #     (test_keys::SIGNATURE_KEY, test_keys::ENCRYPTION_KEY, test_keys::DH_PARAMETERS);
//! # let mut broker = simulator::Broker::default();
//! # let portal = test_keys::access_token(&mut broker, &mut SystemContext::new().context())?;
//! # use base64::{Engine as _, engine::general_purpose::STANDARD};
//! # let secret = STANDARD.encode(portal.encrypted_secret());
//! # let (token, secret_from_portal) = (portal.token(), secret.as_str());
//!
//! // Who you are: what the portal gave out, and what you registered there.
//! let consumer = Consumer::builder("SIMULATOR")
//!     .signature_key(RsaKey::from_pem(signature_pem)?)
//!     .encryption_key(RsaKey::from_pem(encryption_pem)?)
//!     .dh_params(DhGroup::read(dh_pem)?)
//!     .build()?;
//! let access_token = AccessToken::from_parts(token, secret_from_portal)?;
//!
//! let mut system = SystemContext::new();
//! let mut cx = system.context(); // the time of this call, and random numbers
//! let unlocked = consumer.unlock(&mut cx, &access_token)?;
//! let exchange = unlocked.live_session_token(&consumer, &mut cx)?;
//! let response = broker.handle(&mut cx, exchange.request()); // yours: send it
//! let signer = exchange.complete(response)?.signer();
//!
//! // From here on, every request is yours; the signer adds its `Authorization`.
//! let mut request = http::Request::get("https://api.ibkr.com/v1/api/portfolio/accounts")
//!     .header(http::header::USER_AGENT, "my-bot/1.0") // the broker refuses without
//!     .body(bytes::Bytes::new())?;
//! signer.sign(&mut cx, &mut request)?;
//! assert_eq!(broker.handle(&mut cx, &request).status(), http::StatusCode::OK);
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How a session lives
//!
//! [`session::Session`] does steps 4 and 5 over and over: it renews the token before it expires, opens the brokerage session,
//! keeps it alive, backs off when the broker refuses, and reports what happened. A [`driver::Driver`] runs it, blocking or
//! asynchronous, over the [transport] that you give it. [`call::Call`] judges one request of yours: wait, send, judge, repeat
//! or stop. A client is a loop over the three, and all three are public. [`stream::Stream`] is the broker's WebSocket: it notices
//! each way in which a stream dies in silence, comes back, and reports from when on messages may be missing.
//!
//! ```text
//!   POST /oauth/live_session_token   each day, before the old one ends
//!   POST /iserver/auth/ssodh/init    opens the brokerage session
//!   GET  /iserver/accounts           once for each opening
//!   POST /tickle                     each minute
//!   your requests                    under /iserver once it is open
//!   POST /logout                     at the end
//! ```
//!
//! # What it does not do
//!
//! It opens no socket, reads no clock, draws no random number, touches no file and starts no thread by itself: what reads
//! the machine is in [`local`], and only for callers who ask for it. Time and random bytes come in with each call, by a
//! [`Context`]. The same inputs give the same bytes, so that a trading day can be replayed from a log.
//!
//! It knows nothing of orders, accounts or market data: it signs whatever request you make. It does not speak OAuth 2.0.
//!
//! # Words
//!
//! | word | what it is |
//! |---|---|
//! | consumer, consumer key | the program that signs in, and the nine letters that it has in IBKR's portal |
//! | signature key | the consumer's RSA key that signs the requests of the sign-in |
//! | encryption key | the consumer's RSA key to which the access token's secret is encrypted |
//! | first party, third party | who acts for its own account; who acts for others, after they consented |
//! | request token, verifier | what the user's consent is asked with, and what comes of it |
//! | access token | for one user and one consumer, for good; the portal shows it once |
//! | access token secret | comes encrypted with it; opened, it goes into the live session token |
//! | live session token | the key of all signatures for about a day, agreed by Diffie-Hellman and this secret |
//! | brokerage session | what orders and market data need beside a signature; one for each user name |
//! | competing session | somebody else with the same user name, such as a phone: see [`session::CompetePolicy`] |
//! | tickle | the request that keeps the session alive, each minute |
//! | penalty box | the minutes in which the broker answers nothing but 429 |
//! | bundle | one JSON file with all that a sign-in needs: [`CredentialBundle`] |
//! | realm | `limited_poa`, or `test_realm` for the public test consumer |
//!
//! # Tracing
//!
//! With the feature `tracing`, these spans and events are reported to the [`tracing`](https://docs.rs/tracing) crate's
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
//! | `aws-lc-rs` | | [`key::RsaKey`] with AWS-LC computing; needs a C compiler |
//! | `getrandom` | yes | [`OsEntropy`]: the operating system's random numbers; [`local::SystemContext`], [`client`] |
//! | `encrypted-keys` | | PKCS#8 keys that are encrypted with a passphrase, with `rsa` or `aws-lc-rs` |
//! | `simulator` | | [`simulator`]: the broker's half, to test against |
//! | `tracing` | | the spans and events above |
//! | `ureq` | | your `ureq` 3 agent as a [transport](adapter) |
//! | `reqwest` | | your `reqwest` 0.13 client as a [transport](adapter), asynchronous or blocking |
//! | `hyper` | | your `hyper` 1 client as a [transport](adapter) |
//! | `tungstenite` | | [`Client::stream`](client::Client::stream): the broker's WebSocket, over the [connections](adapter::tungstenite) of `reqwest` or `hyper` |
//!
//! No feature turns on TLS: the client is yours, and so is its TLS.

#[macro_use]
mod debug;

#[cfg(any(feature = "hyper", feature = "reqwest", feature = "tungstenite", feature = "ureq"))]
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
pub mod pacing;
mod response;
mod secret;
pub mod session;
mod signer;
#[cfg(feature = "simulator")]
pub mod simulator;
pub mod stream;
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
    consumer::{Consumer, ConsumerBuilder, Endpoints, QueryPolicy},
    context::{Context, Entropy, EntropyError, Timestamp},
    error::{Error, ErrorKind, Stage},
    exchange::request::Exchange,
    flow::{AccessToken, Callback, Consent, LiveSessionToken, UnlockedToken, Verifier},
    secret::Secret,
    signer::{Signer, TokenId},
};
pub use bytes;
pub use http;
