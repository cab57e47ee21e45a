//! A good key, and what it is made of.

use std::sync::LazyLock;

use num_bigint::BigUint;

use super::der::{BIT_STRING, NULL, OCTET_STRING, RSA, SEQUENCE, integer, open, sequence, small, tlv};

pub(crate) const PKCS1_DER: &[u8] = include_bytes!("../../data/keys/pkcs1.der");
pub(crate) const PKCS8_DER: &[u8] = include_bytes!("../../data/keys/pkcs8.der");
pub(crate) const PUBLIC_DER: &[u8] = include_bytes!("../../data/keys/public.der");

/// The nine numbers of a private key in PKCS#1: version, n, e, d, p, q and what follows from them.
#[derive(Clone)]
pub(crate) struct Numbers(pub(crate) Vec<BigUint>);

pub(crate) const N: usize = 1;
pub(crate) const E: usize = 2;
pub(crate) const D: usize = 3;
pub(crate) const P: usize = 4;
pub(crate) const Q: usize = 5;
pub(crate) const COEFFICIENT: usize = 8;

pub(crate) static KEY: LazyLock<Numbers> = LazyLock::new(|| {
    let (mut rest, nothing) = open(PKCS1_DER);
    assert!(nothing.is_empty());
    let mut numbers = Vec::new();
    while !rest.is_empty() {
        let (number, behind) = open(rest);
        numbers.push(BigUint::from_bytes_be(number));
        rest = behind;
    }
    Numbers(numbers)
});

impl Numbers {
    pub(crate) fn with(mut self, index: usize, number: BigUint) -> Self {
        self.0[index] = number;
        self
    }

    pub(crate) fn fields(&self) -> Vec<Vec<u8>> {
        self.0.iter().map(integer).collect()
    }

    pub(crate) fn pkcs1(&self) -> Vec<u8> {
        tlv(SEQUENCE, &self.fields().concat())
    }

    /// With one field spelled in another way.
    pub(crate) fn spelled(&self, index: usize, field: Vec<u8>) -> Vec<u8> {
        let mut fields = self.fields();
        fields[index] = field;
        tlv(SEQUENCE, &fields.concat())
    }
}

pub(crate) fn pkcs8(version: &[u8], algorithm: &[&[u8]], key: &[u8]) -> Vec<u8> {
    sequence(&[version, &sequence(algorithm), &tlv(OCTET_STRING, key)])
}

pub(crate) fn in_pkcs8(key: &[u8]) -> Vec<u8> {
    pkcs8(&integer(&small(0)), &[RSA, NULL], key)
}

pub(crate) fn public(n: &BigUint, e: &BigUint) -> Vec<u8> {
    sequence(&[&integer(n), &integer(e)])
}

pub(crate) fn in_spki(algorithm: &[&[u8]], unused_bits: u8, key: &[u8]) -> Vec<u8> {
    sequence(&[&sequence(algorithm), &tlv(BIT_STRING, &[&[unused_bits], key].concat())])
}
