//! Diffie-Hellman parameters in DER.

use der::{Tag, Tagged, asn1::AnyRef};
use num_bigint::BigUint;

use super::MAKE_ANEW;
use crate::key::{
    KeyError,
    encoding::{Content, Wanted, elements, outer},
};

/// Modulus and generator, the first two members both of PKCS#3's `DHParameter` and of X9.42's `DomainParameters`; what
/// follows them (the length of an exponent; the order of a subgroup and how it was found) says nothing that is needed.
pub(super) fn read(der: &[u8]) -> Result<(BigUint, BigUint), KeyError> {
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

fn unsigned(member: &AnyRef<'_>, name: &str) -> Result<BigUint, KeyError> {
    let bytes = member.value();
    match bytes.first() {
        Some(first) if member.tag() == Tag::Integer && *first < 0x80 => Ok(BigUint::from_bytes_be(bytes)),
        Some(first) if member.tag() == Tag::Integer => Err(KeyError::new(format!(
            "the Diffie-Hellman {name} is encoded as a negative number (its first byte is {first:02x}, with no 00 before \
             it); IBKR would read it so, and every signature would fail"
        ))
        .with_remedy(MAKE_ANEW)),
        _ => Err(KeyError::new(format!("the Diffie-Hellman {name} is empty")).with_remedy(MAKE_ANEW)),
    }
}
