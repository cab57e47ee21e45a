//! Diffie-Hellman groups.

use ibkr_oauth::dh::DhGroup;
use num_bigint::BigUint;

use super::{
    der::{INTEGER, SEQUENCE, integer, sequence, small, tlv, unsigned},
    variants,
};

#[test]
fn groups_that_are_badly_written_are_refused() {
    let p = BigUint::from_bytes_be(&[0xd6; 128]) + 1_u8;
    let (p_field, two) = (integer(&p), integer(&small(2)));
    assert!(DhGroup::read(sequence(&[&p_field, &two])).is_ok());
    let inner = [p_field.as_slice(), &two].concat();
    for (what, der) in [
        ("a negative modulus", sequence(&[&unsigned(&p), &two])),
        ("an even modulus", sequence(&[&integer(&(&p + 1_u8)), &two])),
        ("a modulus of zero", sequence(&[&integer(&small(0)), &two])),
        ("a negative generator", sequence(&[&p_field, &tlv(INTEGER, &[0xfe])])),
        ("the generator 0", sequence(&[&p_field, &integer(&small(0))])),
        ("the generator 1", sequence(&[&p_field, &integer(&small(1))])),
        ("the generator p - 1", sequence(&[&p_field, &integer(&(&p - 1_u8))])),
        ("the generator p", sequence(&[&p_field, &integer(&p)])),
        ("the generator p + 1", sequence(&[&p_field, &integer(&(&p + 1_u8))])),
        ("an indefinite length", [&[SEQUENCE, 0x80], inner.as_slice(), &[0, 0]].concat()),
        ("a long length", [&[SEQUENCE, 0x82, 0, u8::try_from(inner.len()).unwrap()], inner.as_slice()].concat()),
        ("trailing bytes", [sequence(&[&p_field, &two]), vec![0]].concat()),
        ("a modulus of 8200 bits", sequence(&[&integer(&((small(1) << 8199) + 1_u8)), &two])),
    ] {
        assert!(DhGroup::read(&der).is_err(), "parameters with {what} are accepted");
    }
    // A public number with a zero too many is the same number: there is nothing to forge.
    let lenient = DhGroup::read(sequence(&[&p_field, &tlv(INTEGER, &[0, 2])])).unwrap();
    assert!(lenient == DhGroup::read(sequence(&[&p_field, &two])).unwrap());
}

/// They are public, and what is read is shown by `check`; so that a form which leaves no doubt about the numbers is put up
/// with, and any other refused.
#[test]
fn a_group_whose_der_is_bad_anywhere_is_refused_or_the_same() {
    let der = include_bytes!("../../data/keys/dh.der");
    let good = DhGroup::read(der).unwrap();
    for variant in variants::of(der) {
        let Ok(group) = DhGroup::read(&variant.der) else { continue };
        assert!(variant.is_other_number || group == good, "parameters whose {} are accepted", variant.what);
    }
}
