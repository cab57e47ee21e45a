//! The Diffie-Hellman exchange from which the live session token comes, step by step.
//!
//! [`UnlockedToken::live_session_token`](crate::UnlockedToken::live_session_token) does all of this. The steps are public
//! for callers that compare them with another client.
//!
//! Public numbers (prime, generator, the broker's response) are read and compared with `num-bigint`; whatever depends on
//! the secret exponent is computed with `crypto-bigint`, in constant time and in memory that is wiped.
//!
//! ```
//! # #[cfg(feature = "getrandom")] {
//! use ibkr_oauth::{OsEntropy, Secret, dh::{DhGroup, Exponent, live_session_token, proof}};
//!
//! let group = DhGroup::modp_2048(); // the one that is registered with the broker
//! let (ours, brokers) = (Exponent::generate(&mut OsEntropy)?, Exponent::generate(&mut OsEntropy)?);
//! let shared = ours.shared_secret(&brokers.challenge(&group), &group)?;
//! assert_eq!(shared, brokers.shared_secret(&ours.challenge(&group), &group)?);
//!
//! let token = live_session_token(&shared, &Secret::from("the access token's opened secret"));
//! assert_eq!((token.len(), proof(&token, "MYCONSKEY").len()), (20, 20));
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;

use crypto_bigint::{BoxedUint, modular::BoxedMontyForm};
use hmac::{Hmac, KeyInit, Mac};
use num_bigint::BigUint;
use sha1::Sha1;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use crate::{
    context::{Entropy, EntropyError},
    error::{Error, ErrorKind, Stage},
    secret::Secret,
};

mod group;

pub use self::group::DhGroup;

/// The client's secret exponent: 256 random bits, fresh for each exchange.
pub struct Exponent(Zeroizing<BoxedUint>);

const EXPONENT_BITS: u32 = 256;

/// The bytes of a live session token, and of the proof of it: an HMAC-SHA1.
pub(crate) const TOKEN_LENGTH: usize = 20;

impl Exponent {
    /// Draws an exponent: 32 bytes, taken as a big-endian number.
    ///
    /// # Errors
    /// When `entropy` fails, or returns 0 or 1, which is not random.
    pub fn generate(entropy: &mut dyn Entropy) -> Result<Self, EntropyError> {
        let mut bytes = Zeroizing::new([0; 32]);
        entropy.fill(&mut *bytes)?;
        let exponent = Zeroizing::new(BoxedUint::from_be_slice_truncated(&*bytes, EXPONENT_BITS));
        // Chance has it so once in 2^255 draws; a broken generator each time.
        if *exponent <= BoxedUint::one_with_precision(EXPONENT_BITS) {
            return Err(EntropyError::with_source("it returned nothing but zeros"));
        }
        Ok(Self(exponent))
    }

    /// `A = g^a mod p` as `diffie_hellman_challenge` wants it: lower-case hexadecimal without leading zeros.
    #[must_use]
    pub fn challenge(&self, group: &DhGroup) -> String {
        let challenge = self.raise(group.generator(), group);
        BigUint::from_bytes_be(&challenge).to_str_radix(16)
    }

    /// The shared secret `K = B^a mod p`, where `response` is the broker's `B`: hexadecimal in any case, of odd or even
    /// length, with or without leading zeros.
    ///
    /// Its bytes are made as Java's `BigInteger.toByteArray` makes them: big-endian without leading zeros, but with one zero
    /// byte in front where the first bit is set, since Java's numbers have a sign. About half of all exchanges need that
    /// byte; without it the broker computes another token.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`] where `response` is no number, and [`ErrorKind::Unverified`] where it is not within `2..=p-2`, so
    /// that anybody could know the shared secret.
    pub fn shared_secret(&self, response: &str, group: &DhGroup) -> Result<Secret, Error> {
        let magnitude = self.raise(&read_response(response, group)?, group);
        let first = magnitude.iter().position(|byte| *byte != 0).unwrap_or(magnitude.len());
        let trimmed = magnitude.get(first..).unwrap_or_default();
        let sign_byte = trimmed.first().is_none_or(|byte| *byte >= 0x80);
        let mut bytes = Vec::with_capacity(trimmed.len() + usize::from(sign_byte));
        if sign_byte {
            bytes.push(0);
        }
        bytes.extend_from_slice(trimmed);
        Ok(Secret::from(bytes))
    }

    /// `base^a mod p`, big-endian and as wide as the modulus. `base` is less than the modulus: `crypto-bigint` panics
    /// where operands differ in width.
    fn raise(&self, base: &BigUint, group: &DhGroup) -> Zeroizing<Box<[u8]>> {
        let parameters = group.montgomery();
        let base = BoxedUint::from_be_slice_truncated(&base.to_bytes_be(), parameters.bits_precision());
        let base = BoxedMontyForm::new(base, parameters);
        let mut power = base.pow_bounded_exp(&self.0, EXPONENT_BITS);
        let result = Zeroizing::new(power.retrieve());
        power.as_montgomery_mut().zeroize();
        Zeroizing::new(result.to_be_bytes())
    }
}

impl fmt::Debug for Exponent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Exponent([redacted])")
    }
}

fn read_response(text: &str, group: &DhGroup) -> Result<BigUint, Error> {
    const STAGE: Stage = Stage::LiveSessionToken;

    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Error::malformed(STAGE, "the response's `diffie_hellman_response` is not hexadecimal"));
    }
    let out_of_range = || {
        Error::new(ErrorKind::Unverified, STAGE, "the response's `diffie_hellman_response` is out of range").with_remedy(
            "check that the Diffie-Hellman group is the registered one; if it is, somebody is between you and the broker",
        )
    };
    let digits = text.trim_start_matches('0');
    // Comparing lengths first keeps a huge response from being turned into a huge number.
    let longest = group.prime().bits().div_ceil(4);
    if u64::try_from(digits.len()).is_ok_and(|length| length > longest) {
        return Err(out_of_range());
    }
    let number = BigUint::parse_bytes(digits.as_bytes(), 16).unwrap_or_default();
    if number < BigUint::from(2u8) || number > group.prime() - 2u8 {
        return Err(out_of_range());
    }
    Ok(number)
}

/// The 20 bytes of the live session token: the HMAC-SHA1 of the access token's opened secret, keyed with the
/// [shared secret](Exponent::shared_secret).
///
/// Not yet proved to be the broker's too: check the proof that it sent with [`verify_proof`].
#[must_use]
pub fn live_session_token(shared_secret: &Secret, access_token_secret: &Secret) -> Secret {
    let token = Zeroizing::new(hmac_sha1(shared_secret.expose(), access_token_secret.expose()));
    Secret::from(token.as_slice())
}

/// The proof that the holder of `live_session_token` gives: the HMAC-SHA1 of the consumer key, keyed with the token. The
/// broker sends it in hexadecimal as `live_session_token_signature`.
#[must_use]
pub fn proof(live_session_token: &Secret, consumer_key: &str) -> [u8; TOKEN_LENGTH] {
    hmac_sha1(live_session_token.expose(), consumer_key.as_bytes())
}

/// Whether `proof` is the [`proof`] of that token and that consumer key: compared in constant time, for whoever learns how
/// far a guess was right can guess on.
#[must_use]
pub fn verify_proof(live_session_token: &Secret, consumer_key: &str, proof: &[u8; TOKEN_LENGTH]) -> bool {
    self::proof(live_session_token, consumer_key).ct_eq(proof).into()
}

#[allow(clippy::expect_used, reason = "HMAC takes keys of every length")]
fn hmac_sha1(key: &[u8], message: &[u8]) -> [u8; TOKEN_LENGTH] {
    let mac = Hmac::<Sha1>::new_from_slice(key).expect("a key of any length");
    mac.chain_update(message).finalize().into_bytes().into()
}
