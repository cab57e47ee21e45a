//! RSA keys in this process's memory, whatever computes with them.

use std::{fmt, sync::Arc};

use super::{
    DecryptionKey, KeyError, PrivateKey, RsaPublicKey, SigningInput, SigningKey,
    private_key::Read,
    reading::{self, PrivateNumbers},
};
use crate::{context::Entropy, secret::Secret};

/// What computes with RSA keys. All else of a key is the same with each.
#[allow(unnameable_types, reason = "nobody else implements it")]
pub trait Backend: Clone + fmt::Debug + 'static {
    type Private: Send + Sync;

    /// The key with these numbers, if they fit together.
    fn private(numbers: &PrivateNumbers<'_>) -> Result<Self::Private, KeyError>;

    /// Signs, for a modulus of `modulus_bytes` bytes.
    fn sign(
        key: &Self::Private,
        modulus_bytes: usize,
        digest: &[u8; 32],
        entropy: &mut dyn Entropy,
    ) -> Result<Vec<u8>, KeyError>;

    /// Decrypts what is as long as the modulus.
    fn decrypt(key: &Self::Private, ciphertext: &[u8], entropy: &mut dyn Entropy) -> Result<Secret, KeyError>;
}

/// An RSA private key in this process's memory: a signature key or an encryption key, of 2048 to 8192 bits, with two to
/// five primes and an odd public exponent of 2 to 33 bits. `RsaKey` and `aws_lc::RsaKey` are the two of them.
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
/// # Ok::<(), ibkr_oauth::key::KeyError>(())
/// ```
#[derive(Clone)]
pub struct KeyInMemory<B: Backend>(Arc<Inner<B>>);

struct Inner<B: Backend> {
    key: B::Private,
    public: RsaPublicKey,
}

impl<B: Backend> KeyInMemory<B> {
    /// Reads a private key in PEM, as `openssl genrsa` or `openssl genpkey` writes it: PKCS#1 (`RSA PRIVATE KEY`) or
    /// PKCS#8 (`PRIVATE KEY`).
    ///
    /// What happens to such a text on its way is accepted: other line ends or lost ones, line breaks written as
    /// `\n`, quotes, a byte order mark, text before and behind, and base64 around the whole.
    ///
    /// # Errors
    /// When the text is damaged, holds something else or more than one key, is encrypted, or when the key is not as
    /// described [above](KeyInMemory) or its numbers do not fit together. The error says what was found.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        reading::private_pem(text, Self::new)
    }

    /// Reads a private key in DER: PKCS#1 or PKCS#8.
    ///
    /// # Errors
    /// As [`from_pem`](Self::from_pem).
    pub fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        reading::private_der(der, Self::new)
    }

    /// Reads a private key that is encrypted with a passphrase, as its file has it, in PEM or DER: PKCS#8
    /// (`ENCRYPTED PRIVATE KEY`) with PBES2, as `openssl genpkey -aes256` and `openssl pkcs8 -topk8` write it. Needs the
    /// feature `encrypted-keys`.
    ///
    /// A key that is not encrypted is read too, and the passphrase then not looked at.
    ///
    /// # Errors
    /// As [`from_pem`](Self::from_pem); also when the passphrase is wrong, when the key is encrypted in an older way
    /// (PBES1, triple DES, or a hash with SHA-1), or when it asks for an unreasonable effort (more than ten million
    /// rounds, or 256 MiB).
    #[cfg(feature = "encrypted-keys")]
    pub fn from_encrypted(content: &[u8], passphrase: &[u8]) -> Result<Self, KeyError> {
        reading::private_content(content, Some(passphrase), Self::new)
    }

    fn new(numbers: &PrivateNumbers<'_>) -> Result<Self, KeyError> {
        let key = B::private(numbers)?;
        // Last, for an error of its would be about a public key.
        let public = RsaPublicKey::new(&numbers.public)?;
        Ok(Self(Arc::new(Inner { key, public })))
    }

    /// The public half.
    #[must_use]
    pub fn public_key(&self) -> RsaPublicKey {
        self.0.public.clone()
    }

    /// The SHA-256 of the public half's DER, in 64 lower-case hexadecimal digits: the same as
    /// `openssl pkey -in private.pem -pubout -outform der | sha256sum`.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.0.public.fingerprint()
    }
}

impl<B: Backend> fmt::Debug for KeyInMemory<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RsaKey([redacted], {} bits)", self.0.public.modulus_bits())
    }
}

impl<B: Backend> SigningKey for KeyInMemory<B> {
    fn sign(&self, input: &SigningInput, entropy: &mut dyn Entropy) -> Result<Vec<u8>, KeyError> {
        B::sign(&self.0.key, self.0.public.modulus_bytes(), &input.digest(), entropy)
    }
}

impl<B: Backend> DecryptionKey for KeyInMemory<B> {
    fn decrypt(&self, ciphertext: &[u8], entropy: &mut dyn Entropy) -> Result<Secret, KeyError> {
        check_secret(ciphertext.len(), self.0.public.modulus_bytes())?;
        B::decrypt(&self.0.key, ciphertext, entropy)
    }
}

impl<B: Backend> Read for KeyInMemory<B> {
    fn read(content: &[u8], passphrase: Option<&[u8]>) -> Result<Self, KeyError> {
        reading::private_content(content, passphrase, Self::new)
    }

    fn public(&self) -> &RsaPublicKey {
        &self.0.public
    }
}

impl<B: Backend> PrivateKey for KeyInMemory<B> {}

/// The length of each of IBKR's secrets, once it is opened, in bytes.
const OPENED_SECRET: usize = 32;

/// Checks the length of an encrypted secret, where the key's modulus has `needed` bytes.
fn check_secret(given: usize, needed: usize) -> Result<(), KeyError> {
    if given == OPENED_SECRET {
        let message = format!("the secret has {given} bytes, the key needs {needed}: was it opened already?");
        return Err(KeyError::new(message).with_remedy(
            "give the encrypted secret, as the portal shows it; an opened one goes by itself: \
             `UnlockedToken::from_plaintext`",
        ));
    }
    if given != needed {
        return Err(KeyError::new(format!("the secret has {given} bytes, the key needs {needed}: was it cut?"))
            .with_remedy("copy the access token secret again, whole, and check that this is the encryption key"));
    }
    Ok(())
}

pub(super) const CANNOT_SIGN: &str = "the key could not sign";
pub(super) const CANNOT_OPEN: &str = "the secret cannot have been encrypted for this key";
pub(super) const WHICH_KEY_OPENS: &str =
    "check that this is the encryption key, not the signature key, and that IBKR has its half";
