//! DER, put together and taken apart.

use num_bigint::BigUint;

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const NULL: &[u8] = &[0x05, 0];
pub(crate) const RSA: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";

pub(crate) fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let head = match length {
        0..=0x7f => vec![u8::try_from(length).unwrap()],
        0x80..=0xff => vec![0x81, u8::try_from(length).unwrap()],
        _ => [&[0x82], u16::try_from(length).unwrap().to_be_bytes().as_slice()].concat(),
    };
    [&[tag], head.as_slice(), content].concat()
}

pub(crate) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(SEQUENCE, &parts.concat())
}

pub(crate) fn integer(number: &BigUint) -> Vec<u8> {
    let bytes = number.to_bytes_be();
    let sign = if bytes[0] >= 0x80 { &[0][..] } else { &[] };
    tlv(INTEGER, &[sign, bytes.as_slice()].concat())
}

/// The number as somebody writes it who forgets that DER's numbers have a sign.
pub(crate) fn unsigned(number: &BigUint) -> Vec<u8> {
    tlv(INTEGER, &number.to_bytes_be())
}

pub(crate) fn small(number: u32) -> BigUint {
    BigUint::from(number)
}

/// The content of the element at the start of `der`, and what stands behind it.
pub(crate) fn open(der: &[u8]) -> (&[u8], &[u8]) {
    let (start, length) = match der[1] {
        0x81 => (3, usize::from(der[2])),
        0x82 => (4, usize::from(der[2]) << 8 | usize::from(der[3])),
        short => (2, usize::from(short)),
    };
    (&der[start..start + length], &der[start + length..])
}
