//! The group in which keys are agreed: a modulus and a generator, both public.

use std::{fmt, sync::Arc};

use crypto_bigint::{BoxedUint, Odd, U2048, modular::BoxedMontyParams};
use num_bigint::BigUint;

use crate::{encoding::pem, error::Error};

mod digits;
mod named;
mod parameters;
mod reading;

use self::parameters::MAKE_ANEW;

/// The shortest modulus with which the arithmetic works, in bits: two machine words.
const MIN_BITS: u64 = 128;
/// The longest modulus that is accepted, in bits.
const MAX_BITS: u64 = 8192;

/// Diffie-Hellman parameters: a modulus of 128 to 8192 bits and a generator.
///
/// They must be the ones registered with IBKR. Refused is only what cannot work: an even modulus, or a generator that,
/// reduced by the modulus, generates next to nothing. IBKR's own published example has a composite modulus and a
/// generator larger than it, and is accepted; [`diagnose::check`](crate::diagnose::check) says what is unusual.
///
/// A clone shares the same numbers.
///
/// ```
/// use ibkr_oauth::dh::DhGroup;
///
/// let group = DhGroup::modp_2048();
/// assert_eq!(DhGroup::read(group.to_pem())?, group);
/// assert!(DhGroup::read("0x17").is_err());
/// # Ok::<(), ibkr_oauth::Error>(())
/// ```
#[derive(Clone)]
pub struct DhGroup(Arc<Inner>);

struct Inner {
    prime: BigUint,
    /// Reduced by the modulus.
    generator: BigUint,
    #[cfg_attr(
        not(any(feature = "rsa", feature = "aws-lc-rs")),
        expect(dead_code, reason = "only the check of credentials asks")
    )]
    generator_exceeded_prime: bool,
    montgomery: BoxedMontyParams,
}

impl DhGroup {
    /// The 2048-bit MODP group, number 14 of RFC 3526, with the generator 2.
    #[must_use]
    pub fn modp_2048() -> Self {
        Self::named(&named::MODP_2048)
    }

    /// The group `ffdhe2048` of RFC 7919, with the generator 2.
    pub(crate) fn ffdhe_2048() -> Self {
        Self::named(&named::FFDHE_2048)
    }

    fn named(prime: &Odd<U2048>) -> Self {
        let odd = Odd::<BoxedUint>::from(prime);
        Self(Arc::new(Inner {
            prime: BigUint::from_bytes_be(&odd.to_be_bytes()),
            generator: BigUint::from(2_u8),
            generator_exceeded_prime: false,
            montgomery: BoxedMontyParams::new_vartime(odd),
        }))
    }

    fn new(prime: BigUint, generator: &BigUint) -> Result<Self, Error> {
        let unusable = |how: String| Error::key(how).with_remedy(MAKE_ANEW);
        let bits = prime.bits();
        if !(MIN_BITS..=MAX_BITS).contains(&bits) {
            return Err(unusable(format!(
                "the Diffie-Hellman modulus has {bits} bits; {MIN_BITS} to {MAX_BITS} are accepted"
            )));
        }
        let odd = odd(&prime).ok_or_else(|| unusable("the Diffie-Hellman modulus is even".to_owned()))?;
        let reduced = generator % &prime;
        if reduced < BigUint::from(2_u8) || reduced > &prime - 2_u8 {
            return Err(unusable(
                "the Diffie-Hellman generator, reduced by the modulus p, is not between 2 and p - 2".to_owned(),
            ));
        }
        Ok(Self(Arc::new(Inner {
            generator_exceeded_prime: *generator >= prime,
            prime,
            generator: reduced,
            montgomery: BoxedMontyParams::new_vartime(odd),
        })))
    }

    /// The length of the modulus in bits: 128 to 8192.
    pub(crate) fn bits(&self) -> u64 {
        self.prime().bits()
    }

    /// The parameters in PEM (`DH PARAMETERS`, PKCS#3), as OpenSSL writes them and IBKR wants them: each number with a zero
    /// byte before it where it would be read as a negative one otherwise. The generator is written reduced by the modulus.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem("DH PARAMETERS", &parameters::write(self.prime(), self.generator()))
    }

    /// The modulus in lower-case hexadecimal digits without leading zeros, as a bundle's `dh_prime` has it.
    #[must_use]
    pub fn prime_hex(&self) -> String {
        format!("{:x}", self.prime())
    }

    /// p.
    pub(crate) fn prime(&self) -> &BigUint {
        &self.0.prime
    }

    /// g mod p, from 2 to p - 2.
    pub(crate) fn generator(&self) -> &BigUint {
        &self.0.generator
    }

    /// Whether the generator was given larger than the modulus, and then reduced by it.
    #[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
    pub(crate) fn generator_exceeded_prime(&self) -> bool {
        self.0.generator_exceeded_prime
    }

    /// p made ready for modular arithmetic, its precision being that of p rounded up to a multiple of 64 bits.
    pub(crate) fn montgomery(&self) -> &BoxedMontyParams {
        &self.0.montgomery
    }
}

/// The number with just as many whole words as it needs, if it is odd.
fn odd(number: &BigUint) -> Option<Odd<BoxedUint>> {
    let precision = u32::try_from(number.bits().next_multiple_of(64)).ok()?;
    BoxedUint::from_be_slice(&number.to_bytes_be(), precision).ok()?.into_odd().into_option()
}

impl PartialEq for DhGroup {
    /// Two groups are equal where the modulus and the generator, reduced by it, are.
    fn eq(&self, other: &Self) -> bool {
        self.0.prime == other.0.prime && self.0.generator == other.0.generator
    }
}

impl Eq for DhGroup {}

impl fmt::Debug for DhGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let generator = u32::try_from(&self.0.generator).map_or("large".to_owned(), |small| small.to_string());
        write!(f, "DhGroup({} bits, generator {generator})", self.bits())
    }
}
