//! The keys that a bundle can be read into.

use super::{DecryptionKey, KeyError, RsaPublicKey, SigningKey};

/// A private key in this process's memory: [`RsaKey`](super::RsaKey), or [`aws_lc::RsaKey`](super::aws_lc::RsaKey).
///
/// Only this crate implements it; for a key of your own, [`SigningKey`] and [`DecryptionKey`] are enough.
pub trait PrivateKey: SigningKey + DecryptionKey + Read + 'static {}

/// How the content of a file becomes a key, and what may be seen of it.
#[allow(unnameable_types, reason = "nobody else implements it")]
pub trait Read {
    /// Reads PEM or DER; the passphrase is for a key that is encrypted.
    fn read(content: &[u8], passphrase: Option<&[u8]>) -> Result<Self, KeyError>
    where
        Self: Sized;

    fn public(&self) -> &RsaPublicKey;
}
