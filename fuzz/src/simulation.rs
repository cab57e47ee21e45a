//! A consumer whose handshakes cost next to nothing, and the broker's half of them, made without the library.
//!
//! The group is of 128 bits and the RSA key a fake, so that a fuzzer gets through thousands of handshakes a second. How
//! real keys and groups do is the business of `keys` and `sign_then_verify`.

use std::sync::LazyLock;

use crate::seeded_entropy::SeededEntropy;
use hmac::{Hmac, KeyInit, Mac};
use ibkr_oauth::{
    Consumer, Entropy, EntropyError, Error, Secret, Signer, Timestamp, UnlockedToken,
    dh::DhGroup,
    key::{SigningInput, SigningKey},
};
use num_bigint::{BigInt, BigUint};

pub const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
pub const CONSUMER_KEY: &str = "FUZZCONSU";
pub const TOKEN: &str = "218c1d970d85a8442825";
pub const SECRET: [u8; 32] = *b"the opened secret of this token!";
/// A live session token that both sides have agreed on before.
pub const LIVE: [u8; 20] = *b"live session token!!";

/// `openssl prime -generate -bits 128 -safe -hex`
const PRIME: &str = "D65B05DACE898EF43A2CF7C327B17873";

/// Random-looking bytes; none after this number of deliveries.
#[derive(Clone, Debug)]
pub struct LimitedEntropy {
    rng: SeededEntropy,
    pub deliveries: Option<u32>,
}

impl LimitedEntropy {
    pub const fn new(seed: u64) -> Self {
        Self { rng: SeededEntropy(seed), deliveries: None }
    }

    pub fn draw(&mut self) -> u64 {
        self.rng.next()
    }
}

impl Entropy for LimitedEntropy {
    fn fill(&mut self, destination: &mut [u8]) -> Result<(), EntropyError> {
        if let Some(left) = &mut self.deliveries {
            *left = left.checked_sub(1).ok_or_else(|| EntropyError::with_source("the random numbers are used up"))?;
        }
        self.rng.fill(destination)
    }
}

/// Signs everything with the same bytes.
#[derive(Debug)]
struct FakeKey;

/// What [`FakeKey`] signs with.
pub const SIGNATURE: [u8; 256] = [0xaa; 256];

impl SigningKey for FakeKey {
    fn sign(&self, _: &SigningInput, _: &mut dyn Entropy) -> Result<Vec<u8>, Error> {
        Ok(SIGNATURE.to_vec())
    }
}

/// The consumer that signs by itself.
pub static CONSUMER: LazyLock<Consumer> = LazyLock::new(|| {
    let group = DhGroup::read(PRIME).expect("a group");
    Consumer::builder(CONSUMER_KEY).signature_key(FakeKey).dh_params(group).build().expect("a consumer")
});

/// The same, whose key lives elsewhere.
pub static REMOTE: LazyLock<Consumer> = LazyLock::new(|| {
    let group = DhGroup::read(PRIME).expect("a group");
    Consumer::builder(CONSUMER_KEY).dh_params(group).build().expect("a consumer")
});

pub fn unlocked() -> UnlockedToken {
    UnlockedToken::from_plaintext(TOKEN, Secret::from(SECRET.as_slice()))
}

pub fn signer(consumer: &Consumer) -> Signer {
    Signer::from_stored(consumer, TOKEN, &Secret::from(LIVE.as_slice())).expect("20 bytes")
}

pub static P: LazyLock<BigUint> = LazyLock::new(|| BigUint::parse_bytes(PRIME.as_bytes(), 16).expect("a number"));

/// The broker's half of a handshake.
pub struct Half {
    pub response: String,
    pub live_session_token: [u8; 20],
    pub proof: String,
}

impl Half {
    /// For the client's challenge, with the broker's exponent.
    pub fn new(challenge: &str, exponent: u64) -> Self {
        let challenge = BigUint::parse_bytes(challenge.as_bytes(), 16).expect("a challenge is hexadecimal");
        let exponent = BigUint::from(exponent);
        let response = BigUint::from(2_u8).modpow(&exponent, &P);
        Self::of(response.to_str_radix(16), &challenge.modpow(&exponent, &P))
    }

    /// With the shared secret known.
    pub fn of(response: String, shared: &BigUint) -> Self {
        // Java's `BigInteger.toByteArray`.
        let bytes = BigInt::from(shared.clone()).to_signed_bytes_be();
        let live_session_token = hmac_sha1(&bytes, &SECRET);
        let proof = hex(&hmac_sha1(&live_session_token, CONSUMER_KEY.as_bytes()));
        Self { response, live_session_token, proof }
    }

    pub fn json(&self, expiration: u64) -> String {
        format!(
            r#"{{"diffie_hellman_response":"{}","live_session_token_signature":"{}","live_session_token_expiration":{expiration}}}"#,
            self.response, self.proof
        )
    }
}

pub fn hmac_sha1(key: &[u8], message: &[u8]) -> [u8; 20] {
    Hmac::<sha1::Sha1>::new_from_slice(key).expect("any length").chain_update(message).finalize().into_bytes().into()
}

pub fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    Hmac::<sha2::Sha256>::new_from_slice(key).expect("any length").chain_update(message).finalize().into_bytes().into()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
