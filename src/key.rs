//! Keys: what the protocol asks of them, and the ready-made `RsaKey`.
//!
//! IBKR knows each consumer by two RSA keys. The *signature key* signs the three requests of the sign-in; the
//! *encryption key* opens the access token's secret. Either may live in this process or in an HSM or KMS: implement
//! [`SigningKey`] or [`DecryptionKey`] for it, or, where the answer comes later, use
//! [`Unsigned`](crate::exchange::Unsigned) and [`UnlockedToken::from_plaintext`](crate::UnlockedToken::from_plaintext).
//!
//! One of two backends, each behind a feature, computes with an [`RsaKey`]. Both read the same keys, report the same errors
//! for those that they do not read, and make the same signatures.
//!
//! | | feature `rsa` (on by default) | feature `aws-lc-rs` |
//! |---|---|---|
//! | computes with | the crate `rsa`, all in Rust | AWS-LC, in C and assembly |
//! | needs | nothing more | a C compiler, and one of AWS-LC's platforms |
//! | advisories | RUSTSEC-2023-0071, which names no fixed version | none known |
//! | primes | two to five | two |
//! | a secret that was encrypted to another key | opens to bytes without meaning | is refused |
//! | random bytes to blind with | from the [`Entropy`] of each call | its own, from the operating system |
//!
//! With both on, it is the crate `rsa`, unless AWS-LC is asked for: by [`RsaKey::read_with_aws_lc`], or for a bundle's keys
//! by [`CredentialBundle::with_aws_lc`](crate::CredentialBundle::with_aws_lc).

use std::{fmt, sync::Arc};

use sha2::{Digest, Sha256};

use crate::{context::Entropy, error::Error, secret::Secret};

#[cfg(feature = "aws-lc-rs")]
mod aws_lc;
#[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
mod backend;
pub(crate) mod encoding;
mod location;
mod public_key;
mod reading;
#[cfg(feature = "rsa")]
mod rsa;
#[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
mod rsa_key;

#[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
pub use self::rsa_key::RsaKey;
pub use self::{location::KeyLocation, public_key::RsaPublicKey};

#[cfg(feature = "aws-lc-rs")]
pub(crate) use self::rsa_key::AWS_LC;
#[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
pub(crate) use self::{backend::Backend, rsa_key::DEFAULT_BACKEND};

/// What is to be signed.
///
/// It is secret itself: for a live session token the signature base string starts with the access token's opened
/// secret. It is wiped on drop and never printed; clones share it.
#[derive(Clone, Debug)]
pub struct SigningInput(Arc<Secret>);

impl SigningInput {
    /// A message of one's own: to try a [`SigningKey`], or to see what the broker accepts.
    #[must_use]
    pub fn new(message: Vec<u8>) -> Self {
        Self(Arc::new(Secret::from(message)))
    }

    /// The SHA-256 digest of the message: what a PKCS#1 v1.5 signer is usually handed.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.0.expose()).into()
    }

    /// The message: the signature base string, with the opened secret in hexadecimal before it in the request for a
    /// live session token. Do not log it.
    #[must_use]
    pub fn expose_message(&self) -> &[u8] {
        self.0.expose()
    }
}

/// The consumer's signature key.
///
/// Implement it for a key that does not leave its HSM or KMS. A client of a KMS that answers asynchronously is better
/// asked outside: see [`Unsigned`](crate::exchange::Unsigned).
///
/// ```
/// use ibkr_oauth::{Consumer, Entropy, Error, key::{SigningInput, SigningKey}};
/// # #[derive(Debug)]
/// # struct Token;
/// # impl Token {
/// #     fn sign_sha256_pkcs1(&self, _slot: u8, _digest: &[u8; 32]) -> Result<Vec<u8>, std::io::Error> {
/// #         Err(std::io::Error::other("the PIN is locked"))
/// #     }
/// # }
///
/// #[derive(Debug)]
/// struct HsmKey {
///     token: Token, // of your HSM's library
///     slot: u8,
/// }
///
/// impl SigningKey for HsmKey {
///     fn sign(&self, input: &SigningInput, _: &mut dyn Entropy) -> Result<Vec<u8>, Error> {
///         let signature = self.token.sign_sha256_pkcs1(self.slot, &input.digest());
///         signature.map_err(|error| Error::key_refused(error).with_remedy("unlock the slot with its PIN"))
///     }
/// }
///
/// let consumer = Consumer::builder("MYCONSKEY").signature_key(HsmKey { token: Token, slot: 7 }).build()?;
/// # #[cfg(feature = "getrandom")] {
/// # use ibkr_oauth::{Callback, Context, OsEntropy, Timestamp};
/// # let mut entropy = OsEntropy;
/// # let mut cx = Context::new(Timestamp::from_secs(1_700_000_000), &mut entropy);
/// # let error = consumer.request_token(&mut cx, Callback::OutOfBand).unwrap_err();
/// # assert_eq!(error.to_string(), "request token: the key store refused: the PIN is locked");
/// # }
/// # Ok::<(), ibkr_oauth::Error>(())
/// ```
pub trait SigningKey: fmt::Debug + Send + Sync {
    /// Signs with RSASSA-PKCS1-v1_5 and SHA-256 (RFC 8017 section 8.2), and returns the raw signature, as long as the
    /// key's modulus.
    ///
    /// # Errors
    /// [`Error::key_refused`] where the key store says no.
    fn sign(&self, input: &SigningInput, entropy: &mut dyn Entropy) -> Result<Vec<u8>, Error>;
}

/// The consumer's encryption key, which decrypts; the broker encrypts to its public half.
pub trait DecryptionKey: fmt::Debug + Send + Sync {
    /// Decrypts with RSAES-PKCS1-v1_5 (RFC 8017 section 7.2).
    ///
    /// A key that is not the right one may well return bytes without meaning instead of an error; the live session
    /// token's proof then fails.
    ///
    /// # Errors
    /// [`Error::key_refused`] where the key store says no.
    fn decrypt(&self, ciphertext: &[u8], entropy: &mut dyn Entropy) -> Result<Secret, Error>;
}

impl<K: SigningKey + ?Sized> SigningKey for Arc<K> {
    fn sign(&self, input: &SigningInput, entropy: &mut dyn Entropy) -> Result<Vec<u8>, Error> {
        (**self).sign(input, entropy)
    }
}

impl<K: DecryptionKey + ?Sized> DecryptionKey for Arc<K> {
    fn decrypt(&self, ciphertext: &[u8], entropy: &mut dyn Entropy) -> Result<Secret, Error> {
        (**self).decrypt(ciphertext, entropy)
    }
}
