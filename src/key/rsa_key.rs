//! RSA keys in this process's memory, whatever computes with them.

use std::{fmt, sync::Arc};

#[cfg(feature = "aws-lc-rs")]
use super::aws_lc;
#[cfg(feature = "rsa")]
use super::rsa;
use super::{
    DecryptionKey, RsaPublicKey, SigningInput, SigningKey,
    backend::{Backend, PrivateKey},
    reading::{self, PrivateNumbers},
};
use crate::{context::Entropy, error::Error, secret::Secret};

/// Another feature beside `rsa` changes nothing.
#[cfg(feature = "rsa")]
pub(crate) const DEFAULT_BACKEND: Backend = rsa::private_key;
#[cfg(not(feature = "rsa"))]
pub(crate) const DEFAULT_BACKEND: Backend = AWS_LC;
#[cfg(feature = "aws-lc-rs")]
pub(crate) const AWS_LC: Backend = aws_lc::private_key;

/// An RSA private key in this process's memory: a signature key or an encryption key, of 2048 to 8192 bits, with two to
/// five primes and an odd public exponent of 2 to 33 bits. Needs the feature `rsa` or `aws-lc-rs`; [what computes with
/// it](super) goes by them.
///
/// It is checked when it is read: a key whose numbers do not fit together is refused. Its work is blinded against
/// timing. A clone shares the same key. The key is wiped when the last clone is dropped, and never printed.
///
/// ```
/// # #[cfg(all(feature = "simulator", feature = "rsa"))] {
/// use ibkr_oauth::key::RsaKey;
///
/// # let text = ibkr_oauth::simulator::test_keys::SIGNATURE_KEY;
/// let key = RsaKey::from_pem(text)?; // from a file, an environment variable, a secret store
/// assert_eq!(key.public_key().modulus_bits(), 2048);
/// assert!(key.public_key().to_pem().starts_with("-----BEGIN PUBLIC KEY-----\n"), "what IBKR is given");
/// # }
/// # Ok::<(), ibkr_oauth::Error>(())
/// ```
#[derive(Clone)]
pub struct RsaKey(Arc<Inner>);

struct Inner {
    private: Box<dyn PrivateKey>,
    public: RsaPublicKey,
}

impl RsaKey {
    /// Reads a private key in PEM, as `openssl genrsa` or `openssl genpkey` writes it: PKCS#1 (`RSA PRIVATE KEY`) or
    /// PKCS#8 (`PRIVATE KEY`).
    ///
    /// What happens to such a text on its way is accepted: other line ends or lost ones, line breaks written as
    /// `\n`, quotes, a byte order mark, text before and behind, and base64 around the whole.
    ///
    /// # Errors
    /// When the text is damaged, holds something else or more than one key, is encrypted, or when the key is not as
    /// described [above](RsaKey) or its numbers do not fit together. The error says what was found.
    pub fn from_pem(text: &str) -> Result<Self, Error> {
        Self::read(text, None)
    }

    /// Reads a private key as its file has it: PEM, in UTF-8 or UTF-16, or DER, both PKCS#1 or PKCS#8.
    ///
    /// The passphrase is for a key that is encrypted: PKCS#8 (`ENCRYPTED PRIVATE KEY`) with PBES2, as `openssl genpkey
    /// -aes256` and `openssl pkcs8 -topk8` write it, which needs the feature `encrypted-keys`. For another it is not
    /// looked at.
    ///
    /// # Errors
    /// As [`from_pem`](Self::from_pem); also when the passphrase is missing or wrong, when the key is encrypted in an older
    /// way (PBES1, triple DES, or a hash with SHA-1), or when it asks for an unreasonable effort (more than ten million
    /// rounds, or 256 MiB).
    pub fn read(content: impl AsRef<[u8]>, passphrase: Option<&[u8]>) -> Result<Self, Error> {
        Self::read_by(DEFAULT_BACKEND, content.as_ref(), passphrase)
    }

    /// As [`read`](Self::read), for AWS-LC to compute with, even where the feature `rsa` is on. Needs the feature `aws-lc-rs`.
    ///
    /// For those whose audit refuses the crate `rsa` for RUSTSEC-2023-0071: with `default-features = false` and this feature
    /// it is not in the tree, and every key is computed with by AWS-LC. It needs a C compiler (neither `CMake` nor
    /// `bindgen` where AWS-LC has bindings made already, as for Linux, macOS and Windows on x86-64 and aarch64; nor `NASM`
    /// on Windows). What is used is AWS-LC as it is, not its FIPS module: *this makes no program FIPS-validated*.
    ///
    /// # Errors
    /// As [`read`](Self::read); also where the key has more than two primes, or a number is wrong that only speeds
    /// decryption up.
    #[cfg(feature = "aws-lc-rs")]
    pub fn read_with_aws_lc(content: impl AsRef<[u8]>, passphrase: Option<&[u8]>) -> Result<Self, Error> {
        Self::read_by(AWS_LC, content.as_ref(), passphrase)
    }

    pub(crate) fn read_by(backend: Backend, content: &[u8], passphrase: Option<&[u8]>) -> Result<Self, Error> {
        reading::private_key(content, passphrase, |numbers: &PrivateNumbers<'_>| {
            let private = backend(numbers)?;
            // Last, since its errors are about a public key.
            let public = RsaPublicKey::new(&numbers.public)?;
            Ok(Self(Arc::new(Inner { private, public })))
        })
    }

    /// The public half.
    #[must_use]
    pub fn public_key(&self) -> RsaPublicKey {
        self.0.public.clone()
    }
}

impl fmt::Debug for RsaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RsaKey([redacted], {} bits)", self.0.public.modulus_bits())
    }
}

impl SigningKey for RsaKey {
    fn sign(&self, input: &SigningInput, entropy: &mut dyn Entropy) -> Result<Vec<u8>, Error> {
        self.0.private.sign(self.0.public.modulus_bytes(), &input.digest(), entropy)
    }
}

impl DecryptionKey for RsaKey {
    fn decrypt(&self, ciphertext: &[u8], entropy: &mut dyn Entropy) -> Result<Secret, Error> {
        check_secret(ciphertext.len(), self.0.public.modulus_bytes())?;
        self.0.private.decrypt(ciphertext, entropy)
    }
}

/// The length of each of IBKR's secrets, once it is opened, in bytes.
const OPENED_SECRET: usize = 32;

/// Checks the length of an encrypted secret, where the key's modulus has `needed` bytes.
fn check_secret(given: usize, needed: usize) -> Result<(), Error> {
    if given == OPENED_SECRET {
        let message = format!("the secret has {given} bytes, the key needs {needed}: was it opened already?");
        return Err(Error::key(message).with_remedy(
            "give the encrypted secret, as the portal shows it; an opened one goes by itself: \
             `UnlockedToken::from_plaintext`",
        ));
    }
    if given != needed {
        return Err(Error::key(format!("the secret has {given} bytes, the key needs {needed}: was it cut?"))
            .with_remedy("copy the access token secret again, whole, and check that this is the encryption key"));
    }
    Ok(())
}
