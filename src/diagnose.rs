//! Finding out what is wrong: what the broker's refusals mean, what a signature was made over, and whether credentials
//! fit together.
//!
//! - [`Error::cause`](crate::Error::cause) names what is behind a refusal, by [the table below](#refusals), and
//!   [`Cause::explanation`] says what is known about it.
//! - [`Explanation`] shows how a request is signed, step by step, and says what another client did otherwise.
//! - [`check`] looks at a credential bundle, without any network.
//! - [`escape_invisible`] makes a text of others fit to be shown, and [`is_credential_shaped`] finds what should not be.
//! - [`clock_skew`] computes from a response how far the clocks are apart.
//!
//! Nothing here is sent anywhere, and what is printed or serialized holds no secret: it may be pasted in a forum.
//!
//! ```
//! # #[cfg(feature = "simulator")] {
//! use ibkr_oauth::{
//!     Context, CredentialBundle, Entropy, EntropyError, Timestamp,
//!     diagnose::{Severity, check},
//! };
//! # use ibkr_oauth::simulator::test_keys;
//! # struct Dice;
//! # impl Entropy for Dice {
//! #     fn fill(&mut self, to: &mut [u8]) -> Result<(), EntropyError> {
//! #         to.iter_mut().enumerate().for_each(|(index, byte)| *byte = index as u8 + 1);
//! #         Ok(())
//! #     }
//! # }
//! # let bundle = serde_json::json!({
//! #     "consumer_key": "MYCONSKEY",
//! #     "base_url": "http://127.0.0.1:8080/v1/api",
//! #     "access_token": "218c1d970d85a8442825",
//! #     "access_token_secret": "wi+Bfx5fSn7k1VFcggFy9XV/dP6HDDhERRBfqCw48uyW6WKLp3L37ZKonxW0",
//! #     "signature_key": test_keys::SIGNATURE_KEY,
//! #     "encryption_key": test_keys::ENCRYPTION_KEY,
//! #     "dh_params": test_keys::DH_PARAMETERS,
//! # });
//! # let (json, mut entropy) = (bundle.to_string(), Dice);
//! let bundle = CredentialBundle::from_json(&json)?; // one whose secret was cut on its way
//! let findings = check(&bundle, &mut Context::new(Timestamp::from_secs(1_700_000_000), &mut entropy));
//! let worst = findings.iter().find(|it| it.severity == Severity::Error).expect("something is wrong");
//! assert_eq!(worst.subject, "access_token_secret");
//! assert!(worst.remedy.as_ref().is_some_and(|it| it.starts_with("copy the access token secret from the portal again")));
//! # }
//! # Ok::<(), ibkr_oauth::Error>(())
//! ```
//!
//! # Refusals
//!
//! What the broker's words mean, and its statuses where the words are not known. The first line that fits counts. An error
//! in a response of status 200 is read by its words, and by the `statusCode` that it names. *request* is a refusal of the
//! application's own request; the same line is *rejected* where the request was this crate's.
//!
#![doc = include_str!("diagnose/catalogue.md")]

mod base_string;
#[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
mod check;
mod comparison;
mod explain;
#[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
mod finding;
mod header;
mod issue;
mod mask;
pub(crate) mod mistakes;

use http::HeaderMap;

#[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
pub use self::{
    check::check,
    finding::{Finding, Severity},
};
pub use self::{explain::Explanation, issue::SignatureIssue, mask::is_credential_shaped};
pub use crate::error::{Cause, escape_invisible, is_invisible};
use crate::{context::Timestamp, session};

/// The broker's time less ours, in whole seconds, from the `Date` of a response to a request that was sent at `sent`.
///
/// `None` without a usable `Date`, or where the response took more than ten seconds, which says too little. The
/// broker's tolerance is not documented; about 300 seconds are usual. Believe it only of a response that came through
/// TLS.
#[must_use]
pub fn clock_skew(headers: &HeaderMap, sent: Timestamp, received: Timestamp) -> Option<i64> {
    session::clock_skew(headers, sent, received)
}
