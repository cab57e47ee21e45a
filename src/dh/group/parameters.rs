//! Diffie-Hellman parameters in DER.

use der::{Tag, Tagged, asn1::AnyRef};
use num_bigint::BigUint;

use crate::key::{
    KeyError,
    encoding::{Content, Wanted, elements, outer},
};

/// The command that makes parameters as IBKR wants them.
pub(super) const MAKE_ANEW: &str =
    "`openssl dhparam -out dhparam.pem 2048` makes new parameters, which IBKR must be given too";

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

/// PKCS#3's `DHParameter`, without the length of an exponent.
pub(super) fn write(prime: &BigUint, generator: &BigUint) -> Vec<u8> {
    const INTEGER: u8 = 0x02;
    const SEQUENCE: u8 = 0x30;
    let integer = |number: &BigUint| {
        let mut bytes = number.to_bytes_be();
        // With its top bit set, the number would be a negative one.
        if bytes.first().is_some_and(|first| *first >= 0x80) {
            bytes.insert(0, 0);
        }
        element(INTEGER, &bytes)
    };
    element(SEQUENCE, &[integer(prime), integer(generator)].concat())
}

/// Tag, length and content.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let significant: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
    let mut out = vec![tag];
    match significant.as_slice() {
        [] => out.push(0),
        [short] if *short < 0x80 => out.push(*short),
        long => {
            // A length has at most eight bytes.
            out.push(0x80 | u8::try_from(long.len()).unwrap_or_default());
            out.extend_from_slice(long);
        }
    }
    out.extend_from_slice(content);
    out
}
