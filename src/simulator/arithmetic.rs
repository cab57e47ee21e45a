//! The broker's own numbers: Diffie-Hellman, RSA encryption, HMAC, random bytes.

use num_bigint::{BigInt, BigUint};
use rsa::{PublicKey, pkcs8::DecodePublicKey, traits::PublicKeyParts};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::{
    context::{Context, EntropyError},
    dh::DhGroup,
    secret::Secret,
};

/// Diffie-Hellman parameters.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) prime: BigUint,
    generator: BigUint,
}

impl Group {
    /// `None` where the modulus has fewer than 512 bits.
    pub(super) fn new(group: &DhGroup) -> Option<Self> {
        let (prime, generator) = (group.prime().clone(), group.generator().clone());
        (prime.bits() >= 512).then_some(Self { prime, generator })
    }

    /// Whether `number` is within `2..=p-2`.
    pub(super) fn contains(&self, number: &BigUint) -> bool {
        *number >= BigUint::from(2_u8) && *number <= &self.prime - 2_u8
    }

    /// The broker's public number for an exponent of big-endian bytes.
    pub(super) fn response(&self, exponent: &[u8]) -> BigUint {
        self.generator.modpow(&BigUint::from_bytes_be(exponent), &self.prime)
    }

    /// The response and the shared secret of the exponent after: one multiplication each, where a new exponent costs two
    /// exponentiations.
    pub(super) fn step(&self, response: &BigUint, secret: &BigUint, challenge: &BigUint) -> (BigUint, BigUint) {
        (response * &self.generator % &self.prime, secret * challenge % &self.prime)
    }

    pub(super) fn shared_secret(&self, challenge: &BigUint, exponent: &[u8]) -> BigUint {
        challenge.modpow(&BigUint::from_bytes_be(exponent), &self.prime)
    }
}

/// The bytes of `number` as Java's `BigInteger.toByteArray` writes them: two's complement, so that a set top bit gets a
/// zero byte in front.
pub(super) fn signed_bytes(number: BigUint) -> Vec<u8> {
    BigInt::from(number).to_signed_bytes_be()
}

/// A public RSA key of the consumer's.
#[derive(Debug)]
pub(super) struct RsaPublic {
    key: PublicKey,
}

impl RsaPublic {
    pub(super) fn from_pem(pem: &str) -> Result<Self, rsa::pkcs8::spki::Error> {
        Ok(Self { key: PublicKey::from_public_key_pem(pem)? })
    }

    /// How many bytes a signature or ciphertext has.
    pub(super) fn size(&self) -> usize {
        self.key.size()
    }

    /// RSASSA-PKCS1-v1_5 with SHA-256.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.key.pkcs1v15_verify::<Sha256>(message, signature).is_ok()
    }

    /// RSAES-PKCS1-v1_5 (RFC 8017 section 7.2.1). Zero bytes from the source become ones, because the padding has none
    /// and a source that gives nothing else must not be asked for ever.
    pub(super) fn encrypt(&self, cx: &mut Context<'_>, message: &[u8]) -> Result<Vec<u8>, EntropyError> {
        let size = self.size();
        let mut padding = vec![0; size.saturating_sub(message.len() + 3).max(8)];
        cx.entropy().fill(&mut padding)?;
        for byte in &mut padding {
            *byte = (*byte).max(1);
        }
        let block = [&[0, 2], padding.as_slice(), &[0], message].concat();
        let modulus = BigUint::from_bytes_be(&self.key.n_bytes());
        let exponent = BigUint::from_bytes_be(&self.key.e_bytes());
        let number = BigUint::from_bytes_be(&block).modpow(&exponent, &modulus).to_bytes_be();
        let mut ciphertext = vec![0; size.saturating_sub(number.len())];
        ciphertext.extend(number);
        Ok(ciphertext)
    }
}

/// The live session token for a key agreement's K, written as bytes, and the access token's secret.
pub(super) fn live_session_token(k: &[u8], secret: &[u8]) -> Secret {
    Secret::from(hmac::<Sha1>(k, secret))
}

/// The proof of a live session token: lower-case hexadecimal.
pub(super) fn proof(live_session_token: &Secret, consumer_key: &str) -> String {
    hex(&hmac::<Sha1>(live_session_token.expose(), consumer_key.as_bytes()))
}

pub(super) fn hmac_sha256(key: &[u8], message: &str) -> Vec<u8> {
    hmac::<Sha256>(key, message.as_bytes())
}

pub(super) fn random_bytes<const N: usize>(cx: &mut Context<'_>) -> Result<[u8; N], EntropyError> {
    let mut bytes = [0; N];
    cx.entropy().fill(&mut bytes)?;
    Ok(bytes)
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(u32::from(digit), 16))
        .collect()
}

/// RFC 2104. SHA-1 and SHA-256 both have blocks of 64 bytes.
fn hmac<D: Digest>(key: &[u8], message: &[u8]) -> Vec<u8> {
    const BLOCK: usize = 64;
    let mut key = if key.len() > BLOCK { D::digest(key).to_vec() } else { key.to_vec() };
    key.resize(BLOCK, 0);
    let masked = |mask: u8| -> Vec<u8> { key.iter().map(|byte| byte ^ mask).collect() };
    let inner = D::new().chain_update(masked(0x36)).chain_update(message).finalize();
    D::new().chain_update(masked(0x5c)).chain_update(inner).finalize().to_vec()
}
