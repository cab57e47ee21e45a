//! Private keys, alone and in PKCS#8.

use ibkr_oauth::key::DecryptionKey;
use num_bigint::BigUint;

use super::{
    IS_RSA, RsaKey, RsaPublicKey,
    ciphertexts::{encrypted, padded},
    der::{INTEGER, NULL, OCTET_STRING, RSA, SEQUENCE, integer, open, sequence, small, tlv, unsigned},
    numbers::{D, E, KEY, N, Numbers, P, PKCS1_DER, PKCS8_DER, PUBLIC_DER, Q, in_pkcs8, in_spki, pkcs8, public},
    variants,
};
use crate::seeded_entropy::SeededEntropy;

/// A key whose version says that it has more primes than two, and these.
fn with_primes(key: &Numbers, others: &[BigUint]) -> Vec<u8> {
    let others = others.iter().map(|prime| sequence(&[&integer(prime), &integer(&small(1)), &integer(&small(1))]));
    let fields = [key.clone().with(0, small(1)).fields().concat(), tlv(SEQUENCE, &others.collect::<Vec<_>>().concat())];
    tlv(SEQUENCE, &fields.concat())
}

#[track_caller]
fn says(der: &[u8], message: &str) {
    let error = RsaKey::read(der, None).unwrap_err();
    assert!(error.to_string().contains(message), "{error}");
    assert!(error.remedy().contains("openssl"), "{error:?}");
}

#[test]
fn more_primes_than_two_are_refused_where_they_do_not_belong() {
    refused("no primes where others are announced", &with_primes(&KEY, &[]));
    let q = (&KEY.0[Q] << 100) + 1_u8;
    let unbalanced = KEY.clone().with(N, &KEY.0[P] * &q).with(Q, q).pkcs1();
    if !IS_RSA {
        for count in 1..5 {
            let message = format!("has {} primes; 2 are accepted by the backend `aws-lc-rs`", count + 2);
            says(&with_primes(&KEY, &vec![small(1); count]), &message);
        }
        return says(&unbalanced, "do not fit together");
    }
    says(&with_primes(&KEY, &[small(1)]), "primes are not distinct ones");
    says(&with_primes(&KEY, &[small(3)]), "do not fit together");
    says(&with_primes(&KEY, &[small(1), small(1), small(1)]), "primes are not distinct ones");
    says(&with_primes(&KEY, &[small(1), small(1), small(1), small(1)]), "has 6 primes; 2 to 5 are accepted");
    says(&with_primes(&KEY, &vec![small(3); 4000]), "has 4002 primes");
    says(&with_primes(&KEY, &[small(1) << 2100]), "do not fit together");
    says(&unbalanced, "half the modulus's length");
}

#[test]
fn exponents_that_cannot_be_are_named() {
    for (e, message) in [
        (small(0), "public exponent has 0 bits; 2 to 33"),
        (small(1), "public exponent has 1 bits; 2 to 33"),
        (small(2), "public exponent is even"),
        (small(65_536), "public exponent is even"),
        (small(1) << 33, "public exponent has 34 bits"),
        ((small(1) << 60_000) + 1_u8, "public exponent has 60001 bits"),
        ((small(1) << 33) - 1_u8, "do not fit together"),
    ] {
        says(&KEY.clone().with(E, e.clone()).pkcs1(), message);
        let public = RsaPublicKey::read(public(&KEY.0[N], &e));
        assert_eq!(public.is_err(), !message.contains("fit"), "{e}");
    }
}

#[track_caller]
fn refused(what: &str, der: &[u8]) {
    for der in [der, &in_pkcs8(der)] {
        let error = RsaKey::read(der, None).err().unwrap_or_else(|| panic!("a key with {what} is accepted"));
        assert!(!error.to_string().is_empty());
    }
}

#[test]
fn what_is_made_here_is_what_openssl_makes() {
    assert_eq!(KEY.pkcs1(), PKCS1_DER);
    assert_eq!(in_pkcs8(PKCS1_DER), PKCS8_DER);
    assert_eq!(in_spki(&[RSA, NULL], 0, &public(&KEY.0[N], &KEY.0[E])), PUBLIC_DER);
    assert_eq!(&KEY.0[P] * &KEY.0[Q], KEY.0[N]);
}

#[test]
fn moduli_that_cannot_be_are_refused() {
    let n = &KEY.0[N];
    let with = |n: BigUint| KEY.clone().with(N, n);
    for (what, key) in [
        ("an even modulus", with(n + 1_u8)),
        ("a modulus that is not p * q", with(n + 2_u8)),
        ("a modulus of zero", with(small(0))),
        ("a modulus of one", with(small(1))),
        ("the modulus shifted", with(n << 8)),
        ("a modulus that is a power of two", with(small(1) << 2047)),
        ("a modulus of 8193 bits", with((small(1) << 8192) + 1_u8)),
        ("a modulus of 60000 bytes", with((small(1) << 480_000) + 1_u8)),
    ] {
        if key.0[N].bits() < 300_000 {
            refused(what, &key.pkcs1());
        }
        assert!(RsaKey::read(key.pkcs1(), None).is_err(), "{what}");
    }
    refused("a negative modulus", &KEY.spelled(N, unsigned(n)));
    refused("an empty modulus", &KEY.spelled(N, tlv(INTEGER, &[])));
    for index in [E, D, P, Q] {
        let negative = tlv(INTEGER, &[0xff, 0x01]);
        refused("a negative number", &KEY.spelled(index, negative));
        refused("an empty number", &KEY.spelled(index, tlv(INTEGER, &[])));
        refused("a zero", &KEY.clone().with(index, small(0)).pkcs1());
    }
}

#[test]
fn exponents_that_cannot_be_are_refused() {
    let numbers = &KEY.0;
    let phi = (&numbers[P] - 1_u8) * (&numbers[Q] - 1_u8);
    for (what, e) in [
        ("1", small(1)),
        ("2", small(2)),
        ("another, which is even", small(65_536)),
        ("another that does not fit", small(3)),
        ("phi + e", &phi + &numbers[E]),
        ("2^64 + 1", (small(1) << 64) + 1_u8),
        ("the modulus", numbers[N].clone()),
    ] {
        refused(&format!("the public exponent {what}"), &KEY.clone().with(E, e).pkcs1());
    }
    for (what, d) in [
        ("1", small(1)),
        ("another", &numbers[D] + 2_u8),
        ("an even one", &numbers[D] + 1_u8),
        ("the modulus", numbers[N].clone()),
        ("a huge one", small(1) << 60_000),
    ] {
        refused(&format!("the private exponent {what}"), &KEY.clone().with(D, d).pkcs1());
    }
}

/// `e * d = 1` holds for them, and nobody may sign with them: what is "encrypted" with 1 is not.
#[test]
fn exponents_that_do_nothing_are_refused() {
    refused("both exponents 1", &KEY.clone().with(E, small(1)).with(D, small(1)).pkcs1());
}

#[test]
fn primes_that_do_not_belong_are_refused() {
    let numbers = &KEY.0;
    for (what, p, q) in [
        ("1 and n", small(1), numbers[N].clone()),
        ("n and 1", numbers[N].clone(), small(1)),
        ("p twice", numbers[P].clone(), numbers[P].clone()),
        ("p + 2", &numbers[P] + 2_u8, numbers[Q].clone()),
        ("p * 2", &numbers[P] * 2_u8, numbers[Q].clone()),
        ("huge ones", small(1) << 40_000, numbers[Q].clone()),
    ] {
        refused(&format!("the primes {what}"), &KEY.clone().with(P, p).with(Q, q).pkcs1());
    }
}

/// They only speed decryption up: `rsa` computes them anew, and AWS-LC refuses wrong ones.
#[test]
fn what_follows_from_the_primes_is_not_believed() {
    let good = RsaKey::read(PKCS1_DER, None).unwrap();
    for index in [6, 7, 8] {
        for number in [small(0), small(1), &KEY.0[index] + 2_u8] {
            let key = RsaKey::read(KEY.clone().with(index, number).pkcs1(), None);
            assert_eq!(key.is_ok(), IS_RSA);
            let Ok(key) = key else { continue };
            assert_eq!(key.public_key().fingerprint(), good.public_key().fingerprint());
            for secret in [b"one".as_slice(), b"another"] {
                let ciphertext = encrypted(&padded(2, &[7; 200], secret));
                assert_eq!(key.decrypt(&ciphertext, &mut SeededEntropy(1)).unwrap().expose(), secret);
            }
        }
    }
}

#[test]
fn der_that_is_not_the_shortest_is_refused() {
    let numbers = KEY.fields();
    let inner = numbers.concat();
    let length = u16::try_from(inner.len()).unwrap().to_be_bytes();
    refused("trailing bytes", &[PKCS1_DER, &[0]].concat());
    refused("trailing elements", &tlv(SEQUENCE, &[inner.as_slice(), NULL].concat()));
    refused("a tenth number", &tlv(SEQUENCE, &[inner.clone(), integer(&small(1))].concat()));
    refused("eight numbers", &tlv(SEQUENCE, &numbers[..8].concat()));
    refused("no numbers", &[SEQUENCE, 0]);
    refused("a length of three bytes", &[&[SEQUENCE, 0x83, 0], length.as_slice(), &inner].concat());
    refused("a length of nine bytes", &[&[SEQUENCE, 0x89, 0, 0, 0, 0, 0, 0, 0], length.as_slice(), &inner].concat());
    refused("an indefinite length", &[&[SEQUENCE, 0x80], inner.as_slice(), &[0, 0]].concat());
    refused("the reserved length", &[&[SEQUENCE, 0xff], inner.as_slice()].concat());
    refused("a SET", &tlv(0x31, &inner));
    for (index, number) in numbers.iter().enumerate().take(9) {
        let (content, _) = open(number);
        let spelled = |field: Vec<u8>| KEY.spelled(index, field);
        refused("a number with a zero in front", &spelled(tlv(INTEGER, &[&[0], content].concat())));
        refused("a number as OCTET STRING", &spelled(tlv(OCTET_STRING, content)));
        refused("a number missing", &spelled(Vec::new()));
    }
    let e = [INTEGER, 0x81, 3, 1, 0, 1];
    refused("a number with a long length", &KEY.spelled(E, e.to_vec()));
    refused("a number of indefinite length", &KEY.spelled(E, vec![0x22, 0x80, INTEGER, 3, 1, 0, 1, 0, 0]));
}

#[test]
fn versions_that_are_unknown_are_refused() {
    for version in [1, 2, 255] {
        refused("another version", &KEY.clone().with(0, small(version)).pkcs1());
    }
    refused("a negative version", &KEY.spelled(0, tlv(INTEGER, &[0xff])));
    for version in [2, 3, 255] {
        let der = pkcs8(&integer(&small(version)), &[RSA, NULL], PKCS1_DER);
        assert!(RsaKey::read(&der, None).is_err(), "PKCS#8 version {version}");
    }
}

#[test]
fn pkcs8_of_another_algorithm_or_with_surplus_is_refused() {
    let zero = integer(&small(0));
    let pss = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a";
    let encryption = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b";
    let ec = b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01";
    let long = b"\x06\x0a\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x01";
    let unfinished = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x81";
    for oid in [pss.as_slice(), encryption, ec, long, unfinished, b"\x06\x00", NULL, b""] {
        assert!(RsaKey::read(pkcs8(&zero, &[oid, NULL], PKCS1_DER), None).is_err(), "{oid:02x?}");
        let key = public(&KEY.0[N], &KEY.0[E]);
        assert!(RsaPublicKey::read(in_spki(&[oid, NULL], 0, &key)).is_err(), "{oid:02x?}");
    }
    for (what, der) in [
        ("behind the key", pkcs8(&zero, &[RSA, NULL], &[PKCS1_DER, &[0]].concat())),
        ("behind the algorithm's parameters", pkcs8(&zero, &[RSA, NULL, NULL], PKCS1_DER)),
        ("behind all", [PKCS8_DER, NULL].concat()),
        ("within", sequence(&[&zero, &sequence(&[RSA, NULL]), &tlv(OCTET_STRING, PKCS1_DER), NULL])),
        ("around", sequence(&[PKCS8_DER])),
    ] {
        assert!(RsaKey::read(&der, None).is_err(), "something stands {what}");
    }
    assert!(RsaKey::read(pkcs8(&zero, &[RSA, NULL], &[]), None).is_err());
    assert!(RsaKey::read(pkcs8(&zero, &[RSA, NULL], PKCS8_DER), None).is_err(), "PKCS#8 in PKCS#8");
}

/// Wycheproof's way with signatures, for keys. Let through is what changes nothing: the three numbers at the end, which are
/// computed anew, algorithm parameters that are left out, and elements of a later version behind a key in PKCS#8.
#[test]
fn a_key_whose_der_is_bad_anywhere_is_refused() {
    let good = RsaKey::read(PKCS1_DER, None).unwrap();
    let mut accepted = Vec::new();
    for (der, first_of_no_matter) in [(PKCS1_DER, 6), (PKCS8_DER, 10)] {
        let variants = variants::of(der);
        assert!(variants.len() > 400, "{}", variants.len());
        for variant in variants {
            let Ok(key) = RsaKey::read(&variant.der, None) else { continue };
            assert_eq!(key.public_key().fingerprint(), good.public_key().fingerprint(), "{}", variant.what);
            let ciphertext = encrypted(&padded(2, &[7; 200], b"secret"));
            assert_eq!(
                key.decrypt(&ciphertext, &mut SeededEntropy(1)).unwrap().expose(),
                b"secret",
                "{}",
                variant.what
            );
            if !variant.is_other_number || variant.index < first_of_no_matter {
                accepted.push(variant.what);
            }
        }
    }
    assert_eq!(
        accepted,
        ["element 2 (05) has nothing in its place", "element 14 (04) has an unknown element behind it"]
    );
}
