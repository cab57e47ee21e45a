//! Public keys, alone and as `SubjectPublicKeyInfo`.

use super::{
    RsaPublicKey,
    der::{INTEGER, NULL, RSA, SEQUENCE, integer, sequence, small, tlv, unsigned},
    numbers::{E, KEY, N, PUBLIC_DER, in_spki, public},
    variants,
};

#[track_caller]
fn public_refused(what: &str, der: &[u8]) {
    for der in [der, &in_spki(&[RSA, NULL], 0, der)] {
        assert!(RsaPublicKey::read(der).is_err(), "a public key with {what} is accepted");
    }
}

#[test]
fn public_keys_that_cannot_be_are_refused() {
    let (n, e) = (&KEY.0[N], &KEY.0[E]);
    for (what, n, e) in [
        ("an even modulus", n + 1_u8, e.clone()),
        ("a modulus of zero", small(0), e.clone()),
        ("a short modulus", small(1) << 1024 | small(1), e.clone()),
        ("a modulus of 8193 bits", (small(1) << 8192) + 1_u8, e.clone()),
        ("the exponent 0", n.clone(), small(0)),
        ("the exponent 1", n.clone(), small(1)),
        ("the exponent 2", n.clone(), small(2)),
        ("an even exponent", n.clone(), small(65_536)),
        ("a huge exponent", n.clone(), (small(1) << 64) + 1_u8),
        ("the exponent n", n.clone(), n.clone()),
    ] {
        public_refused(what, &public(&n, &e));
    }
    let (n_field, e_field) = (integer(n), integer(e));
    public_refused("a negative modulus", &sequence(&[&unsigned(n), &e_field]));
    public_refused("a negative exponent", &sequence(&[&n_field, &tlv(INTEGER, &[0xff, 1, 1])]));
    public_refused("a zero in front", &sequence(&[&n_field, &tlv(INTEGER, &[0, 1, 0, 1])]));
    public_refused("three numbers", &sequence(&[&n_field, &e_field, &e_field]));
    public_refused("one number", &sequence(&[&n_field]));
    public_refused("trailing bytes", &[public(n, e), vec![0]].concat());
    let inner = [n_field, e_field].concat();
    public_refused("an indefinite length", &[&[SEQUENCE, 0x80], inner.as_slice(), &[0, 0]].concat());

    let key = public(n, e);
    for unused_bits in [1, 7, 8, 255] {
        assert!(RsaPublicKey::read(in_spki(&[RSA, NULL], unused_bits, &key)).is_err(), "{unused_bits} bits");
    }
    assert!(RsaPublicKey::read([in_spki(&[RSA, NULL], 0, &key), vec![0]].concat()).is_err());
    assert!(RsaPublicKey::read(in_spki(&[RSA, NULL, NULL], 0, &key)).is_err());
}

/// Whoever changes a public key to a well-formed other one has another one; badly written it is none at all. Only the
/// algorithm's parameters may be left out.
#[test]
fn a_public_key_whose_der_is_bad_anywhere_is_refused() {
    let alone = public(&KEY.0[N], &KEY.0[E]);
    let mut accepted = Vec::new();
    for der in [alone.as_slice(), PUBLIC_DER] {
        let good = RsaPublicKey::read(der).unwrap();
        for variant in variants::of(der) {
            let Ok(key) = RsaPublicKey::read(&variant.der) else { continue };
            assert_eq!(key != good, variant.is_other_number, "{}", variant.what);
            if !variant.is_other_number {
                accepted.push(variant.what);
            }
        }
    }
    assert_eq!(accepted, ["element 1 (05) has nothing in its place"]);
}
