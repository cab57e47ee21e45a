//! A private key put together from its numbers.

use ::rsa::{
    Error as RsaError, PrivateKey,
    pkcs1::{RsaPrivateKeyRef, UintRef},
};
use crypto_bigint::BoxedUint;

use crate::key::KeyError;

/// The most primes that a key may have. OpenSSL makes keys of as many.
const MAX_PRIMES: usize = 5;

/// The key with these numbers, if they fit together. Those from which decryption is only faster are computed anew.
///
/// `rsa` reads no key of more than two primes by itself, and tells nothing of why it refuses one.
pub(super) fn private_key(parts: &RsaPrivateKeyRef<'_>) -> Result<PrivateKey, KeyError> {
    let others = parts.other_prime_infos.as_deref().unwrap_or_default();
    let count = others.len().saturating_add(2);
    if count > MAX_PRIMES {
        let message = format!("the RSA private key has {count} primes; 2 to {MAX_PRIMES} are accepted");
        return Err(KeyError::new(message).with_remedy(MAKE_ANEW));
    }
    // All secret numbers are as wide as the modulus, so that their width tells nothing.
    let bits = u32::try_from(parts.modulus.as_bytes().len().saturating_mul(8)).unwrap_or(u32::MAX);
    let number = |number: &UintRef<'_>| BoxedUint::from_be_slice(number.as_bytes(), bits).map_err(|_| unfit());
    let primes = [&parts.prime1, &parts.prime2].into_iter().chain(others.iter().map(|other| &other.prime));
    let primes = primes.map(number).collect::<Result<Vec<_>, _>>()?;
    let (n, e) = (number(&parts.modulus)?, BoxedUint::from_be_slice_vartime(parts.public_exponent.as_bytes()));
    // Last, since it is not wiped where it is not handed over.
    let d = number(&parts.private_exponent)?;
    PrivateKey::from_components(n, e, d, primes).map_err(|error| match error {
        RsaError::InvalidPrime => KeyError::new(
            "the RSA private key cannot be used: its primes are not distinct ones, or, being two, have not half the \
             modulus's length each",
        )
        .with_remedy(CHECK)
        .with_source(error),
        error => unfit().with_source(error),
    })
}

const MAKE_ANEW: &str =
    "`openssl genrsa -out private.pem 2048` makes a key of two, whose public half IBKR must be given";
const CHECK: &str = "`openssl rsa -in private.pem -check -noout` looks at it more closely";

fn unfit() -> KeyError {
    KeyError::new("the RSA private key is damaged: its numbers do not fit together").with_remedy(CHECK)
}
