//! RSA keys in this process's memory, whatever computes with them.

use std::{fmt, sync::Arc};

use sha2::{Digest, Sha256};

use super::{
    DecryptionKey, KeyError, PrivateKey, SigningInput, SigningKey, VerifyingKey,
    private_key::Read,
    reading::{self, PrivateNumbers, PublicNumbers, significant_bits, subject_public_key_info},
    refusal,
};
use crate::{
    context::Entropy,
    encoding::{hexadecimal, pem},
    secret::Secret,
};

/// What computes with RSA keys. All else of a key is the same with each.
#[allow(unnameable_types, reason = "nobody else implements it")]
pub trait Backend: Clone + fmt::Debug + 'static {
    type Private: Send + Sync;
    type Public: Send + Sync;

    /// The key with these numbers, if they fit together.
    fn private(numbers: &PrivateNumbers<'_>) -> Result<Self::Private, KeyError>;

    /// The key with these numbers, which are `info` as `SubjectPublicKeyInfo` in DER.
    fn public(numbers: &PublicNumbers<'_>, info: &[u8]) -> Result<Self::Public, KeyError>;

    /// Signs, for a modulus of `modulus_bytes` bytes.
    fn sign(
        key: &Self::Private,
        modulus_bytes: usize,
        digest: &[u8; 32],
        entropy: &mut dyn Entropy,
    ) -> Result<Vec<u8>, KeyError>;

    /// Decrypts what is as long as the modulus.
    fn decrypt(key: &Self::Private, ciphertext: &[u8], entropy: &mut dyn Entropy) -> Result<Secret, KeyError>;

    /// Verifies a signature that is as long as the modulus.
    fn verify(key: &Self::Public, digest: &[u8; 32], signature: &[u8]) -> Result<(), KeyError>;
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
    public: PublicKeyInMemory<B>,
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

    /// Reads a private key in PEM that is encrypted with a passphrase: PKCS#8 (`ENCRYPTED PRIVATE KEY`) with PBES2, as
    /// `openssl genpkey -aes256` and `openssl pkcs8 -topk8` write it. Needs the feature `encrypted-keys`.
    ///
    /// A key that is not encrypted is read too, and the passphrase then not looked at.
    ///
    /// # Errors
    /// As [`from_pem`](Self::from_pem); also when the passphrase is wrong, when the key is encrypted in an older way
    /// (PBES1, triple DES, or a hash with SHA-1), or when it asks for an unreasonable effort (more than ten million
    /// rounds, or 256 MiB).
    #[cfg(feature = "encrypted-keys")]
    pub fn from_encrypted_pem(text: &str, passphrase: &[u8]) -> Result<Self, KeyError> {
        reading::encrypted_pem(text, passphrase, Self::new)
    }

    /// Reads a private key in DER that is encrypted with a passphrase. Needs the feature `encrypted-keys`.
    ///
    /// # Errors
    /// As [`from_encrypted_pem`](Self::from_encrypted_pem).
    #[cfg(feature = "encrypted-keys")]
    pub fn from_encrypted_der(der: &[u8], passphrase: &[u8]) -> Result<Self, KeyError> {
        reading::encrypted_der(der, passphrase, Self::new)
    }

    fn new(numbers: &PrivateNumbers<'_>) -> Result<Self, KeyError> {
        let key = B::private(numbers)?;
        // Last, for an error of its would be about a public key.
        let public = PublicKeyInMemory::new(&numbers.public)?;
        Ok(Self(Arc::new(Inner { key, public })))
    }

    /// The public half.
    #[must_use]
    pub fn public_key(&self) -> PublicKeyInMemory<B> {
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
        refusal::check_secret(ciphertext.len(), self.0.public.modulus_bytes())?;
        B::decrypt(&self.0.key, ciphertext, entropy)
    }
}

impl<B: Backend> Read for KeyInMemory<B> {
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

    fn modulus_bits(&self) -> usize {
        self.0.public.modulus_bits()
    }

    fn fingerprint(&self) -> String {
        Self::fingerprint(self)
    }
}

impl<B: Backend> PrivateKey for KeyInMemory<B> {}

/// An RSA public key of 2048 to 8192 bits, with an odd public exponent of 2 to 33 bits. `RsaPublicKey` and
/// `aws_lc::RsaPublicKey` are the two of them.
///
/// Two are equal where modulus and exponent are. A clone shares the same key.
#[derive(Clone)]
pub struct PublicKeyInMemory<B: Backend>(Arc<PublicInner<B>>);

struct PublicInner<B: Backend> {
    key: B::Public,
    /// `SubjectPublicKeyInfo` in DER.
    info: Vec<u8>,
    modulus_bits: usize,
}

impl<B: Backend> PublicKeyInMemory<B> {
    /// Reads a public key in PEM: `PUBLIC KEY`, as `openssl pkey -pubout` writes it, or `RSA PUBLIC KEY`. The text may
    /// be as mangled as for [a private one](KeyInMemory::from_pem).
    ///
    /// # Errors
    /// When the text is damaged or holds something else, or when the key is not as described [above](PublicKeyInMemory).
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        reading::public_pem(text, Self::new)
    }

    /// Reads a public key in DER: `SubjectPublicKeyInfo` (RFC 5280) or PKCS#1.
    ///
    /// # Errors
    /// As [`from_pem`](Self::from_pem).
    pub fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        reading::public_der(der, Self::new)
    }

    fn new(numbers: &PublicNumbers<'_>) -> Result<Self, KeyError> {
        let info = subject_public_key_info(numbers);
        let key = B::public(numbers, &info)?;
        Ok(Self(Arc::new(PublicInner { key, info, modulus_bits: significant_bits(numbers.modulus) })))
    }

    /// The key in PEM (`PUBLIC KEY`), byte for byte as OpenSSL writes it.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem("PUBLIC KEY", &self.0.info)
    }

    /// The SHA-256 of the key's `SubjectPublicKeyInfo` in DER, in 64 lower-case hexadecimal digits: the same as
    /// `openssl pkey -pubin -in public.pem -outform der | sha256sum`.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        hexadecimal(&Sha256::digest(&self.0.info)).to_string()
    }

    /// The length of the modulus in bits: 2048 to 8192. Each signature and each ciphertext is as long, in whole bytes.
    #[must_use]
    pub fn modulus_bits(&self) -> usize {
        self.0.modulus_bits
    }

    fn modulus_bytes(&self) -> usize {
        self.0.modulus_bits.div_ceil(8)
    }

    /// Verifies an RSASSA-PKCS1-v1_5 signature over the SHA-256 `digest`.
    ///
    /// # Errors
    /// When the signature was not made over this digest by the private half of this key, or is not as long as the
    /// modulus.
    pub fn verify(&self, digest: &[u8; 32], signature: &[u8]) -> Result<(), KeyError> {
        refusal::check_signature(signature.len(), self.modulus_bytes())?;
        B::verify(&self.0.key, digest, signature)
    }
}

impl<B: Backend> PartialEq for PublicKeyInMemory<B> {
    fn eq(&self, other: &Self) -> bool {
        self.0.info == other.0.info
    }
}

impl<B: Backend> Eq for PublicKeyInMemory<B> {}

impl<B: Backend> VerifyingKey for PublicKeyInMemory<B> {
    fn verify(&self, digest: &[u8; 32], signature: &[u8]) -> Result<(), KeyError> {
        Self::verify(self, digest, signature)
    }
}

impl<B: Backend> fmt::Debug for PublicKeyInMemory<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RsaPublicKey({} bits, {})", self.modulus_bits(), self.fingerprint())
    }
}
