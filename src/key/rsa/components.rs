//! Keys of the crate `rsa`, put together from their numbers.

use ::rsa::{Error as RsaError, PrivateKey};
use crypto_bigint::BoxedUint;

use crate::{
    error::Error,
    key::reading::{LOOK_CLOSER, PrivateNumbers, unfit},
};

/// The most primes that a key may have. OpenSSL makes keys of as many.
const MAX_PRIMES: usize = 5;

/// The key with these numbers, if they fit together. Those from which decryption is only faster are computed anew.
///
/// `rsa` reads no key of more than two primes by itself, and tells nothing of why it refuses one.
pub(super) fn private_key(numbers: &PrivateNumbers<'_>) -> Result<PrivateKey, Error> {
    let count = numbers.primes.len();
    if count > MAX_PRIMES {
        let message = format!("the RSA private key has {count} primes; 2 to {MAX_PRIMES} are accepted");
        return Err(Error::key(message).with_remedy(MAKE_ANEW));
    }
    // All secret numbers are as wide as the modulus, so that their width tells nothing.
    let public = &numbers.public;
    let bits = whole_bytes(public.modulus);
    let number = |number: &[u8]| BoxedUint::from_be_slice(number, bits).map_err(|_| unfit());
    let primes = numbers.primes.iter().copied().map(number).collect::<Result<Vec<_>, _>>()?;
    let (n, e) = (number(public.modulus)?, BoxedUint::from_be_slice_vartime(public.exponent));
    // Last, since it is not wiped where it is not handed over.
    let d = number(numbers.private_exponent)?;
    PrivateKey::from_components(n, e, d, primes).map_err(|error| match error {
        RsaError::InvalidPrime => Error::key(
            "the RSA private key cannot be used: its primes are not distinct ones, or, being two, have not half the \
             modulus's length each",
        )
        .with_remedy(LOOK_CLOSER)
        .with_source(error),
        error => unfit().with_source(error),
    })
}

const MAKE_ANEW: &str =
    "`openssl genrsa -out private.pem 2048` makes a key of two, whose public half IBKR must be given";

/// The length of a number in bits, rounded up to whole bytes.
fn whole_bytes(number: &[u8]) -> u32 {
    u32::try_from(number.len().saturating_mul(8)).unwrap_or(u32::MAX)
}
