//! Diffie-Hellman parameters in DER.

use der::{
    Encode, Tag, Tagged,
    asn1::{AnyRef, UintRef},
};
use num_bigint::BigUint;

use crate::{
    error::Error,
    key::encoding::{Content, Wanted, elements, outer},
};

/// The command that makes parameters as IBKR wants them.
pub(super) const MAKE_ANEW: &str =
    "`openssl dhparam -out dhparam.pem 2048` makes new parameters, which IBKR must be given too";

/// Modulus and generator, the first two members both of PKCS#3's `DHParameter` and of X9.42's `DomainParameters`; what
/// follows them (the length of an exponent; the order of a subgroup and how it was found) says nothing that is needed.
pub(super) fn read(der: &[u8]) -> Result<(BigUint, BigUint), Error> {
    match Content::from_der(der, Wanted::DhParameters)? {
        Content::DhParameters => {}
        other => return Err(other.refuse(Wanted::DhParameters)),
    }
    let members = elements(outer(der, Wanted::DhParameters)?).unwrap_or_default();
    match members.as_slice() {
        [prime, generator, ..] => Ok((unsigned(prime, "modulus")?, unsigned(generator, "generator")?)),
        _ => Err(Content::Unknown.refuse(Wanted::DhParameters)),
    }
}

fn unsigned(member: &AnyRef<'_>, name: &str) -> Result<BigUint, Error> {
    let bytes = member.value();
    match bytes.first() {
        Some(first) if member.tag() == Tag::Integer && *first < 0x80 => Ok(BigUint::from_bytes_be(bytes)),
        Some(first) if member.tag() == Tag::Integer => Err(Error::key(format!(
            "the Diffie-Hellman {name} is encoded as a negative number (its first byte is {first:02x}, with no 00 before \
             it); IBKR would read it so, and every signature would fail"
        ))
        .with_remedy(MAKE_ANEW)),
        _ => Err(Error::key(format!("the Diffie-Hellman {name} is empty")).with_remedy(MAKE_ANEW)),
    }
}

/// PKCS#3's `DHParameter`, without the length of an exponent.
#[allow(clippy::expect_used, reason = "DER has room for numbers of far more than 8192 bits")]
pub(super) fn write(prime: &BigUint, generator: &BigUint) -> Vec<u8> {
    let numbers = [prime, generator].map(BigUint::to_bytes_be);
    let numbers: der::Result<Vec<UintRef<'_>>> = numbers.iter().map(|bytes| UintRef::new(bytes)).collect();
    numbers.and_then(|numbers| numbers.to_der()).expect("two short numbers")
}
