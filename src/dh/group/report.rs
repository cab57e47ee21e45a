//! What is to be said about a group.

use std::fmt;

use crypto_primes::{Flavor, is_prime};

use super::DhGroup;

/// The length that IBKR asks for, in bits.
const USUAL_BITS: u64 = 2048;

/// What [`DhGroup::check`] found. `Display` writes one line for each finding, those to worry about after `warning: `.
///
/// A warning does not say that the group cannot be used: IBKR's own published example earns several.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupReport {
    /// The length of the modulus in bits. IBKR asks for 2048.
    pub bits: u64,
    /// Whether the modulus p is a prime, with overwhelming probability.
    pub is_prime: bool,
    /// Whether (p - 1) / 2 is a prime too, so that there are no small subgroups.
    pub is_safe_prime: bool,
    /// The generator, where it fits 32 bits. IBKR always uses 2.
    pub small_generator: Option<u32>,
    /// Whether the generator was given larger than the modulus, and then reduced by it.
    pub generator_exceeded_prime: bool,
}

impl DhGroup {
    /// Looks for what is unusual about the group, and changes nothing.
    ///
    /// Tests the modulus for primality, which takes some tenths of a second for 2048 bits and many seconds for 8192.
    #[must_use]
    pub fn check(&self) -> GroupReport {
        let is = |flavor| is_prime(flavor, self.montgomery().modulus().as_ref());
        // A safe prime is the usual case, and then one test answers both questions.
        let is_safe_prime = is(Flavor::Safe);
        GroupReport {
            bits: self.bits(),
            is_prime: is_safe_prime || is(Flavor::Any),
            is_safe_prime,
            small_generator: u32::try_from(self.generator()).ok(),
            generator_exceeded_prime: self.0.generator_exceeded_prime,
        }
    }
}

impl GroupReport {
    /// Whether anything about the group is other than IBKR documents or than is safe.
    #[must_use]
    pub fn has_warnings(&self) -> bool {
        self.bits != USUAL_BITS
            || !self.is_safe_prime
            || self.small_generator != Some(2)
            || self.generator_exceeded_prime
    }
}

impl fmt::Display for GroupReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bits, is_prime, is_safe_prime, small_generator, generator_exceeded_prime } = self;
        if *bits == USUAL_BITS {
            write!(f, "the modulus has {bits} bits")?;
        } else {
            write!(f, "warning: the modulus has {bits} bits; IBKR asks for {USUAL_BITS}")?;
        }
        f.write_str(match (is_prime, is_safe_prime) {
            (_, true) => "\nthe modulus is a safe prime",
            (true, false) => "\nwarning: the modulus is a prime, but not a safe one: (p - 1) / 2 is composite",
            (false, false) => "\nwarning: the modulus is composite: the agreed key can be found by factoring it",
        })?;
        match small_generator {
            Some(2) => f.write_str("\nthe generator is 2")?,
            Some(small) => write!(f, "\nwarning: the generator is {small}; IBKR always uses 2")?,
            None => f.write_str("\nwarning: the generator is a large number; IBKR always uses 2")?,
        }
        if *generator_exceeded_prime {
            f.write_str("\nwarning: the generator was larger than the modulus, and was reduced by it")?;
        }
        Ok(())
    }
}
