//! The keys that a bundle can be read into.

use super::{DecryptionKey, KeyError, SigningKey};

/// A private key in this process's memory: [`RsaKey`](super::RsaKey), or [`aws_lc::RsaKey`](super::aws_lc::RsaKey).
///
/// Only this crate implements it; for a key of your own, [`SigningKey`] and [`DecryptionKey`] are enough.
pub trait PrivateKey: SigningKey + DecryptionKey + Read + 'static {}

/// How the content of a file becomes a key, and what is told of it. `text` is the content, where it is a text.
#[allow(unnameable_types, reason = "nobody else implements it")]
pub trait Read {
    fn read(content: &[u8], text: Option<&str>) -> Result<Self, KeyError>
    where
        Self: Sized;

    #[cfg(feature = "encrypted-keys")]
    fn read_encrypted(content: &[u8], text: Option<&str>, passphrase: &[u8]) -> Result<Self, KeyError>
    where
        Self: Sized;

    fn modulus_bits(&self) -> usize;

    /// That of the public half.
    fn fingerprint(&self) -> String;
}
