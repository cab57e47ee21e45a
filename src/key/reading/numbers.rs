//! The numbers of an RSA key in PKCS#1's DER (RFC 8017 appendix A.1).

use der::asn1::{AnyRef, UintRef};
#[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
use der::{Tag, Tagged};

use crate::key::encoding::{Wanted, elements, outer};

/// The numbers of a public key, big-endian and without leading zeros.
pub(in crate::key) struct PublicNumbers<'a> {
    pub(in crate::key) modulus: &'a [u8],
    pub(in crate::key) exponent: &'a [u8],
}

impl<'a> PublicNumbers<'a> {
    /// Reads an `RSAPublicKey`.
    pub(super) fn read(der: &'a [u8]) -> Option<Self> {
        let members = elements(outer(der, Wanted::PublicKey).ok()?)?;
        match members.as_slice() {
            [modulus, exponent] => Some(Self { modulus: number(modulus)?, exponent: number(exponent)? }),
            _ => None,
        }
    }
}

/// The numbers of a private key, big-endian and without leading zeros. Those from which work is only faster are left out.
#[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
pub(crate) struct PrivateNumbers<'a> {
    /// All of them: PKCS#1 in DER.
    #[cfg(feature = "aws-lc-rs")]
    pub(in crate::key) der: &'a [u8],
    pub(in crate::key) public: PublicNumbers<'a>,
    #[cfg(feature = "rsa")]
    pub(in crate::key) private_exponent: &'a [u8],
    /// Two or more.
    pub(in crate::key) primes: Vec<&'a [u8]>,
}

#[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
impl<'a> PrivateNumbers<'a> {
    /// Reads an `RSAPrivateKey`.
    pub(super) fn read(der: &'a [u8]) -> Option<Self> {
        let members = elements(outer(der, Wanted::PrivateKey).ok()?)?;
        let [
            version,
            modulus,
            exponent,
            private_exponent,
            first,
            second,
            exponent1,
            exponent2,
            coefficient,
            others @ ..,
        ] = members.as_slice()
        else {
            return None;
        };
        // Without them, work would be slower, and they are read by who computes if by anybody.
        for number_of_speed in [private_exponent, exponent1, exponent2, coefficient] {
            number(number_of_speed)?;
        }
        let others = match (number(version)?, others) {
            ([0], []) => Vec::new(),
            ([1], [others]) if others.tag() == Tag::Sequence => {
                elements(others.value()).filter(|others| !others.is_empty())?
            }
            _ => return None,
        };
        let pair = [number(first), number(second)];
        let primes = pair.into_iter().chain(others.iter().map(other_prime)).collect::<Option<_>>()?;
        Some(Self {
            #[cfg(feature = "aws-lc-rs")]
            der,
            public: PublicNumbers { modulus: number(modulus)?, exponent: number(exponent)? },
            #[cfg(feature = "rsa")]
            private_exponent: number(private_exponent)?,
            primes,
        })
    }
}

/// The prime in an `OtherPrimeInfo`, which stands there with its exponent and its coefficient.
#[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
fn other_prime<'a>(info: &AnyRef<'a>) -> Option<&'a [u8]> {
    let members = elements(info.value()).filter(|_| info.tag() == Tag::Sequence)?;
    match members.as_slice() {
        [prime, exponent, coefficient] => {
            number(exponent)?;
            number(coefficient)?;
            number(prime)
        }
        _ => None,
    }
}

/// A number that is not negative, and encoded in no more bytes than it needs.
fn number<'a>(member: &AnyRef<'a>) -> Option<&'a [u8]> {
    member.decode_as::<UintRef<'a>>().ok().map(|number| number.as_bytes())
}
