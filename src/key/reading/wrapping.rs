//! What is around a key's numbers and says that they are RSA's: PKCS#8 (RFC 5958) and `SubjectPublicKeyInfo` (RFC 5280).

#[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
use der::Tagged;
use der::{
    Encode, Tag,
    asn1::{AnyRef, BitStringRef, UintRef},
};
#[cfg(feature = "aws-lc-rs")]
use zeroize::Zeroizing;

use super::PublicNumbers;
use crate::key::encoding::{Wanted, elements, outer};

/// The content of RSA's `AlgorithmIdentifier`: its name and NULL.
const ALGORITHM: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";

/// The PKCS#1 within PKCS#8. Attributes and, from the second version on, a public key may follow; they are not looked at.
#[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
pub(super) fn private_key_within(der: &[u8]) -> Option<&[u8]> {
    let members = elements(outer(der, Wanted::PrivateKey).ok()?)?;
    match members.as_slice() {
        [version, algorithm, key, rest @ ..]
            if has_no_parameters(algorithm)
                && rest.iter().all(|member| member.tag().is_context_specific())
                && version.value() == [u8::from(rest.iter().any(is_public_key))] =>
        {
            Some(key.value())
        }
        _ => None,
    }
}

#[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
fn is_public_key(member: &AnyRef<'_>) -> bool {
    member.tag().number() == der::TagNumber(1)
}

/// The PKCS#1 within a `SubjectPublicKeyInfo`.
pub(super) fn public_key_within(der: &[u8]) -> Option<&[u8]> {
    let members = elements(outer(der, Wanted::PublicKey).ok()?)?;
    match members.as_slice() {
        [algorithm, key] if has_no_parameters(algorithm) => key.decode_as::<BitStringRef<'_>>().ok()?.as_bytes(),
        _ => None,
    }
}

/// Whether nothing is said beside the algorithm's name: RFC 8017 appendix A.1 wants NULL, and some leave that out.
fn has_no_parameters(algorithm: &AnyRef<'_>) -> bool {
    match elements(algorithm.value()).unwrap_or_default().as_slice() {
        [_name] => true,
        [_name, parameters] => parameters.is_null(),
        _ => false,
    }
}

/// A public key as `SubjectPublicKeyInfo` in DER.
#[allow(clippy::expect_used, reason = "DER has room for numbers of far more than 8192 bits")]
pub(in crate::key) fn subject_public_key_info(numbers: &PublicNumbers<'_>) -> Vec<u8> {
    let write = || {
        let key = vec![UintRef::new(numbers.modulus)?, UintRef::new(numbers.exponent)?].to_der()?;
        // No bit of the last byte is unused.
        let key = [&[0], key.as_slice()].concat();
        vec![AnyRef::new(Tag::Sequence, ALGORITHM)?, AnyRef::new(Tag::BitString, &key)?].to_der()
    };
    write().expect("two short numbers")
}

/// A private key of PKCS#1, in DER, as PKCS#8.
#[cfg(feature = "aws-lc-rs")]
#[allow(clippy::expect_used, reason = "DER has room for far more than five numbers of 8192 bits")]
pub(in crate::key) fn private_key_info(pkcs1: &[u8]) -> Zeroizing<Vec<u8>> {
    let write = || {
        let version = AnyRef::new(Tag::Integer, &[0])?;
        vec![version, AnyRef::new(Tag::Sequence, ALGORITHM)?, AnyRef::new(Tag::OctetString, pkcs1)?].to_der()
    };
    Zeroizing::new(write().expect("a short key"))
}
