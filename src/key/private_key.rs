//! The keys that a bundle can be read into.

use super::{DecryptionKey, KeyError, SigningKey};

/// A private key in this process's memory: [`RsaKey`](super::RsaKey), or [`aws_lc::RsaKey`](super::aws_lc::RsaKey).
///
/// Only this crate implements it; for a key of your own, [`SigningKey`] and [`DecryptionKey`] are enough.
pub trait PrivateKey: SigningKey + DecryptionKey + Read + 'static {
    /// The length of the modulus in bits: 2048 to 8192.
    fn modulus_bits(&self) -> usize;

    /// The SHA-256 of the public half's DER, in 64 lower-case hexadecimal digits: the same as
    /// `openssl pkey -in private.pem -pubout -outform der | sha256sum`.
    fn fingerprint(&self) -> String;
}

/// How the content of a file becomes a key. `text` is the content, where it is a text.
#[allow(unnameable_types, reason = "nobody else implements it")]
pub trait Read {
    fn read(content: &[u8], text: Option<&str>) -> Result<Self, KeyError>
    where
        Self: Sized;

    #[cfg(feature = "encrypted-keys")]
    fn read_encrypted(content: &[u8], text: Option<&str>, passphrase: &[u8]) -> Result<Self, KeyError>
    where
        Self: Sized;
}

macro_rules! private_key {
    ($key:ty) => {
        impl Read for $key {
            fn read(content: &[u8], text: Option<&str>) -> Result<Self, KeyError> {
                text.map_or_else(|| Self::from_der(content), Self::from_pem)
            }

            #[cfg(feature = "encrypted-keys")]
            fn read_encrypted(content: &[u8], text: Option<&str>, passphrase: &[u8]) -> Result<Self, KeyError> {
                match text {
                    Some(text) => Self::from_encrypted_pem(text, passphrase),
                    None => Self::from_encrypted_der(content, passphrase),
                }
            }
        }

        impl PrivateKey for $key {
            fn modulus_bits(&self) -> usize {
                self.public_key().modulus_bits()
            }

            fn fingerprint(&self) -> String {
                Self::fingerprint(self)
            }
        }
    };
}

#[cfg(feature = "rsa")]
private_key!(super::RsaKey);
#[cfg(feature = "aws-lc-rs")]
private_key!(super::aws_lc::RsaKey);
