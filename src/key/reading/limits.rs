//! Which RSA keys are accepted.

use crate::error::Error;

/// The shortest modulus that is accepted, in bits: what IBKR asks for.
const MIN_BITS: usize = 2048;
/// The longest modulus that is accepted, in bits.
const MAX_BITS: usize = 8192;

/// How many bits the big-endian number has, without leading zeros.
pub(in crate::key) fn significant_bits(number: &[u8]) -> usize {
    let leading = number.iter().take_while(|byte| **byte == 0).count();
    let zeros_in_first = number.get(leading).map_or(0, |byte| usize::try_from(byte.leading_zeros()).unwrap_or(0));
    number.len().saturating_sub(leading).saturating_mul(8).saturating_sub(zeros_in_first)
}

pub(super) fn check_bits(bits: usize, half: &str) -> Result<(), Error> {
    if (MIN_BITS..=MAX_BITS).contains(&bits) {
        return Ok(());
    }
    Err(Error::key(format!("the RSA {half} key has {bits} bits; {MIN_BITS} to {MAX_BITS} are accepted"))
        .with_remedy("`openssl genrsa -out private.pem 2048` makes a new key, whose public half IBKR must be given"))
}

/// The longest public exponent that is accepted, in bits: work with it takes time in proportion.
const MAX_EXPONENT_BITS: usize = 33;

/// Checks a public exponent, a big-endian number.
pub(super) fn check_exponent(exponent: &[u8], half: &str) -> Result<(), Error> {
    let bits = significant_bits(exponent);
    let how = if !(2..=MAX_EXPONENT_BITS).contains(&bits) {
        format!("has {bits} bits; 2 to {MAX_EXPONENT_BITS} are accepted, and nearly all keys have 65537, of 17 bits")
    } else if exponent.last().is_some_and(|last| last % 2 == 0) {
        "is even, which that of no RSA key is".to_owned()
    } else {
        return Ok(());
    };
    Err(Error::key(format!("the RSA {half} key's public exponent {how}")).with_remedy(
        "if the key was made with another exponent, copy the whole file again; if with this one, \
         `openssl genrsa -out private.pem 2048` makes a key with 65537, whose public half IBKR must be given",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bits_of_a_number_are_counted_without_leading_zeros() {
        for (number, bits) in
            [(&[][..], 0), (&[0, 0], 0), (&[1], 1), (&[0, 0x80], 8), (&[0, 1, 0], 9), (&[0xff; 256], 2048)]
        {
            assert_eq!(significant_bits(number), bits, "{number:?}");
        }
    }
}
