//! Keys, signatures and ciphertexts that are wrong on purpose, as in Wycheproof's tests: each is made here, number by
//! number and tag by tag, from a good key.

#![cfg(feature = "rsa")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test fails by panicking"
)]

use std::sync::LazyLock;

use ibkr_oauth::{
    Entropy, EntropyError,
    dh::DhGroup,
    key::{DecryptionKey, RsaKey, RsaPublicKey},
};
use num_bigint::BigUint;
use sha2::{Digest, Sha256};

const PKCS1_DER: &[u8] = include_bytes!("data/keys/pkcs1.der");
const PKCS8_DER: &[u8] = include_bytes!("data/keys/pkcs8.der");
const PUBLIC_DER: &[u8] = include_bytes!("data/keys/public.der");

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;
const NULL: &[u8] = &[0x05, 0];
const RSA: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let head = match length {
        0..=0x7f => vec![u8::try_from(length).unwrap()],
        0x80..=0xff => vec![0x81, u8::try_from(length).unwrap()],
        _ => [&[0x82], u16::try_from(length).unwrap().to_be_bytes().as_slice()].concat(),
    };
    [&[tag], head.as_slice(), content].concat()
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(SEQUENCE, &parts.concat())
}

fn integer(number: &BigUint) -> Vec<u8> {
    let bytes = number.to_bytes_be();
    let sign = if bytes[0] >= 0x80 { &[0][..] } else { &[] };
    tlv(INTEGER, &[sign, bytes.as_slice()].concat())
}

/// The number as somebody writes it who forgets that DER's numbers have a sign.
fn unsigned(number: &BigUint) -> Vec<u8> {
    tlv(INTEGER, &number.to_bytes_be())
}

fn small(number: u32) -> BigUint {
    BigUint::from(number)
}

/// The content of the element at the start of `der`, and what stands behind it.
fn open(der: &[u8]) -> (&[u8], &[u8]) {
    let (start, length) = match der[1] {
        0x81 => (3, usize::from(der[2])),
        0x82 => (4, usize::from(der[2]) << 8 | usize::from(der[3])),
        short => (2, usize::from(short)),
    };
    (&der[start..start + length], &der[start + length..])
}

/// The nine numbers of a private key in PKCS#1: version, n, e, d, p, q and what follows from them.
#[derive(Clone)]
struct Numbers(Vec<BigUint>);

const N: usize = 1;
const E: usize = 2;
const D: usize = 3;
const P: usize = 4;
const Q: usize = 5;

static KEY: LazyLock<Numbers> = LazyLock::new(|| {
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
    fn with(mut self, index: usize, number: BigUint) -> Self {
        self.0[index] = number;
        self
    }

    fn fields(&self) -> Vec<Vec<u8>> {
        self.0.iter().map(integer).collect()
    }

    fn pkcs1(&self) -> Vec<u8> {
        tlv(SEQUENCE, &self.fields().concat())
    }

    /// With one field spelled in another way.
    fn spelled(&self, index: usize, field: Vec<u8>) -> Vec<u8> {
        let mut fields = self.fields();
        fields[index] = field;
        tlv(SEQUENCE, &fields.concat())
    }
}

fn pkcs8(version: &[u8], algorithm: &[&[u8]], key: &[u8]) -> Vec<u8> {
    sequence(&[version, &sequence(algorithm), &tlv(OCTET_STRING, key)])
}

fn in_pkcs8(key: &[u8]) -> Vec<u8> {
    pkcs8(&integer(&small(0)), &[RSA, NULL], key)
}

fn public(n: &BigUint, e: &BigUint) -> Vec<u8> {
    sequence(&[&integer(n), &integer(e)])
}

fn in_spki(algorithm: &[&[u8]], unused_bits: u8, key: &[u8]) -> Vec<u8> {
    sequence(&[&sequence(algorithm), &tlv(BIT_STRING, &[&[unused_bits], key].concat())])
}

#[track_caller]
fn refused(what: &str, der: &[u8]) {
    for der in [der, &in_pkcs8(der)] {
        let error = RsaKey::from_der(der).err().unwrap_or_else(|| panic!("a key with {what} is accepted"));
        assert!(!error.to_string().is_empty());
    }
}

#[track_caller]
fn public_refused(what: &str, der: &[u8]) {
    for der in [der, &in_spki(&[RSA, NULL], 0, der)] {
        assert!(RsaPublicKey::from_der(der).is_err(), "a public key with {what} is accepted");
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
        assert!(RsaKey::from_der(&key.pkcs1()).is_err(), "{what}");
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

/// They only speed decryption up, and are computed anew.
#[test]
fn what_follows_from_the_primes_is_not_believed() {
    let good = RsaKey::from_der(PKCS1_DER).unwrap();
    for index in [6, 7, 8] {
        for number in [small(0), small(1), &KEY.0[index] + 2_u8] {
            let Ok(key) = RsaKey::from_der(&KEY.clone().with(index, number).pkcs1()) else { continue };
            assert_eq!(key.fingerprint(), good.fingerprint());
            for secret in [b"one".as_slice(), b"another"] {
                let ciphertext = encrypted(&padded(2, &[7; 200], secret));
                assert_eq!(key.decrypt(&ciphertext, &mut Dice(1)).unwrap().expose(), secret);
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
        assert!(RsaKey::from_der(&der).is_err(), "PKCS#8 version {version}");
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
        assert!(RsaKey::from_der(&pkcs8(&zero, &[oid, NULL], PKCS1_DER)).is_err(), "{oid:02x?}");
        let key = public(&KEY.0[N], &KEY.0[E]);
        assert!(RsaPublicKey::from_der(&in_spki(&[oid, NULL], 0, &key)).is_err(), "{oid:02x?}");
    }
    for (what, der) in [
        ("behind the key", pkcs8(&zero, &[RSA, NULL], &[PKCS1_DER, &[0]].concat())),
        ("behind the algorithm's parameters", pkcs8(&zero, &[RSA, NULL, NULL], PKCS1_DER)),
        ("behind all", [PKCS8_DER, NULL].concat()),
        ("within", sequence(&[&zero, &sequence(&[RSA, NULL]), &tlv(OCTET_STRING, PKCS1_DER), NULL])),
        ("around", sequence(&[PKCS8_DER])),
    ] {
        assert!(RsaKey::from_der(&der).is_err(), "something stands {what}");
    }
    assert!(RsaKey::from_der(&pkcs8(&zero, &[RSA, NULL], &[])).is_err());
    assert!(RsaKey::from_der(&pkcs8(&zero, &[RSA, NULL], PKCS8_DER)).is_err(), "PKCS#8 in PKCS#8");
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
        assert!(RsaPublicKey::from_der(&in_spki(&[RSA, NULL], unused_bits, &key)).is_err(), "{unused_bits} bits");
    }
    assert!(RsaPublicKey::from_der(&[in_spki(&[RSA, NULL], 0, &key), vec![0]].concat()).is_err());
    assert!(RsaPublicKey::from_der(&in_spki(&[RSA, NULL, NULL], 0, &key)).is_err());
}

#[test]
fn groups_that_are_badly_written_are_refused() {
    let p = BigUint::from_bytes_be(&[0xd6; 128]) + 1_u8;
    let (p_field, two) = (integer(&p), integer(&small(2)));
    assert!(DhGroup::from_der(&sequence(&[&p_field, &two])).is_ok());
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
        assert!(DhGroup::from_der(&der).is_err(), "parameters with {what} are accepted");
    }
    // A public number with a zero too many is the same number: there is nothing to forge.
    let lenient = DhGroup::from_der(&sequence(&[&p_field, &tlv(INTEGER, &[0, 2])])).unwrap();
    assert!(lenient == DhGroup::from_der(&sequence(&[&p_field, &two])).unwrap());
}

/// `DigestInfo` of SHA-256, up to the hash (RFC 8017 section 9.2, note 1).
const SHA_256: &[u8] = b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20";

fn raw(number: &BigUint, exponent: &BigUint, modulus: &BigUint) -> Vec<u8> {
    let bytes = number.modpow(exponent, modulus).to_bytes_be();
    [vec![0; 256 - bytes.len()], bytes].concat()
}

/// The "signature" of an encoded message of any content: raw RSA.
fn forged(message: &[u8]) -> Vec<u8> {
    assert_eq!(message.len(), 256);
    raw(&BigUint::from_bytes_be(message), &KEY.0[D], &KEY.0[N])
}

/// `00 01 ff … ff 00 info`.
fn encoded(info: &[u8]) -> Vec<u8> {
    [&[0, 1], vec![0xff; 253 - info.len()].as_slice(), &[0], info].concat()
}

fn digest(number: u32) -> [u8; 32] {
    Sha256::digest(number.to_be_bytes()).into()
}

#[test]
fn only_the_one_encoding_of_a_signature_is_accepted() {
    let key = RsaKey::from_der(PKCS1_DER).unwrap().public_key();
    let hash = digest(1);
    let good = encoded(&[SHA_256, &hash].concat());
    assert!(key.verify(&hash, &forged(&good)).is_ok(), "forging works");
    assert!(key.verify(&digest(2), &forged(&good)).is_err());

    let with = |index: usize, byte: u8| {
        let mut message = good.clone();
        message[index] = byte;
        message
    };
    // Bleichenbacher's of 2006: short padding, and garbage where nobody looks.
    let padded = |padding: usize, info: &[u8]| {
        let head = [&[0, 1], vec![0xff; padding].as_slice(), &[0], info].concat();
        [head.as_slice(), vec![0x5a; 256 - head.len()].as_slice()].concat()
    };
    let oid = |last: u8| [&SHA_256[..14], &[last], &SHA_256[15..]].concat();
    let without_null = b"\x30\x2f\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x04\x20";
    let info = |head: &[u8]| [head, &hash].concat();
    let garbage_inside =
        [b"\x30\x35\x30\x11\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x04", &[7; 4][..], b"\x04\x20", &hash];
    let cases = [
        ("garbage behind the hash", padded(8, &info(SHA_256))),
        ("garbage behind the hash, full padding but one", padded(200, &info(SHA_256))),
        ("no padding", padded(0, &info(SHA_256))),
        ("short padding and zeros in front", [vec![0; 190], encoded(&info(SHA_256))[190..].to_vec()].concat()),
        ("no NULL", encoded(&info(without_null))),
        ("garbage in the parameters", encoded(&garbage_inside.concat())),
        ("the name of SHA-384", encoded(&info(&oid(2)))),
        ("the name of SHA-224", encoded(&info(&oid(4)))),
        ("the name of SHA-1", encoded(&info(b"\x30\x2d\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x20"))),
        (
            "a long length",
            encoded(&info(b"\x30\x81\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20")),
        ),
        (
            "a long NULL",
            encoded(&info(b"\x30\x32\x30\x0e\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x81\x00\x04\x20")),
        ),
        ("no DigestInfo", encoded(&hash)),
        ("an OCTET STRING alone", encoded(&info(b"\x04\x20"))),
        ("the hash cut", encoded(&[SHA_256, &hash[..31]].concat())),
        ("the hash and more", encoded(&[SHA_256, &hash, &[0]].concat())),
        ("nothing", encoded(&[])),
        ("block type 0", with(1, 0)),
        ("block type 2", with(1, 2)),
        ("a one in front", with(0, 1)),
        ("another byte at the start of the padding", with(2, 0xfe)),
        ("another byte within the padding", with(100, 0x7f)),
        ("a zero within the padding", with(100, 0)),
        ("no end of the padding", with(256 - 52, 0xff)),
    ];
    for (what, message) in cases {
        assert!(key.verify(&hash, &forged(&message)).is_err(), "{what} is accepted");
    }
}

#[test]
fn a_signature_is_one_number_of_one_length() {
    let key = RsaKey::from_der(PKCS1_DER).unwrap().public_key();
    let n = &KEY.0[N];
    // One that starts with a zero: the number plus the modulus then has as many bytes still.
    let (hash, signature) = (0..100_000)
        .map(digest)
        .map(|hash| (hash, forged(&encoded(&[SHA_256, &hash].concat()))))
        .find(|(_, signature)| signature[0] == 0)
        .unwrap();
    assert!(key.verify(&hash, &signature).is_ok());
    assert!(key.verify(&hash, &signature[1..]).is_err(), "the zero is cut");
    assert!(key.verify(&hash, &[&[0], signature.as_slice()].concat()).is_err(), "another zero");
    assert!(key.verify(&hash, &[signature.as_slice(), &[0]].concat()).is_err(), "a zero behind");
    let number = BigUint::from_bytes_be(&signature);
    let surplus = (&number + n).to_bytes_be();
    assert_eq!(surplus.len(), 256);
    assert!(key.verify(&hash, &surplus).is_err(), "not reduced by the modulus");
    assert!(key.verify(&hash, &raw(&(n - &number), &small(1), n)).is_err(), "the negative number");
    for number in [small(0), small(1), n - 1_u8, n.clone(), n + 1_u8, (small(1) << 2048) - 1_u8] {
        let bytes = number.to_bytes_be();
        let signature = [vec![0; 256 - bytes.len()], bytes].concat();
        assert!(key.verify(&hash, &signature).is_err(), "{number:x}");
    }
    for length in [0, 1, 32, 128, 512, 4096] {
        assert!(key.verify(&hash, &vec![1; length]).is_err(), "{length} bytes");
    }
}

/// With the exponent 3, whoever lets garbage stand behind the hash lets everybody sign: a cube root will do.
#[test]
fn cube_roots_are_no_signatures() {
    let Ok(key) = RsaPublicKey::from_der(&public(&KEY.0[N], &small(3))) else { return };
    let hash = digest(1);
    let head = [&[0, 1], vec![0xff; 8].as_slice(), &[0], SHA_256, &hash].concat();
    let target = BigUint::from_bytes_be(&[head.as_slice(), vec![0xff; 256 - head.len()].as_slice()].concat());
    let root = target.cbrt();
    let cube = raw(&root, &small(3), &KEY.0[N]);
    assert_eq!(cube[..head.len()], head, "the forgery begins as a good message does");
    assert!(key.verify(&hash, &raw(&root, &small(1), &KEY.0[N])).is_err());
}

/// Random-looking bytes that are the same for the same seed.
struct Dice(u64);

impl Entropy for Dice {
    fn fill(&mut self, destination: &mut [u8]) -> Result<(), EntropyError> {
        for byte in destination {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = self.0.to_be_bytes()[0];
        }
        Ok(())
    }
}

fn encrypted(message: &[u8]) -> Vec<u8> {
    assert_eq!(message.len(), 256);
    raw(&BigUint::from_bytes_be(message), &KEY.0[E], &KEY.0[N])
}

/// `00 type padding 00 secret`, with zeros of padding left out to make it fit.
fn padded(block_type: u8, padding: &[u8], secret: &[u8]) -> Vec<u8> {
    let padding = padding.iter().cycle().take(253 - secret.len()).copied();
    [0, block_type].into_iter().chain(padding).chain([0]).chain(secret.iter().copied()).collect()
}

/// Bleichenbacher's of 1998: whoever can tell good padding from bad decrypts with enough questions. So that bad padding
/// looks like any secret: no error, as long as it happens to be, and the same for the same ciphertext.
#[test]
fn bad_padding_cannot_be_told_from_good() {
    let key = RsaKey::from_der(PKCS1_DER).unwrap();
    let decrypt =
        |message: &[u8], seed| key.decrypt(&encrypted(message), &mut Dice(seed)).map(|secret| secret.expose().to_vec());
    let good = padded(2, &[0x5a], &[7; 32]);
    assert_eq!(decrypt(&good, 1).unwrap(), [7; 32]);
    assert_eq!(decrypt(&padded(2, &[0x5a], b""), 1).unwrap(), b"", "an empty secret is one");
    let with = |index: usize, byte: u8| {
        let mut message = good.clone();
        message[index] = byte;
        message
    };
    let zero = [vec![0; 255], vec![2]].concat();
    let mut seen = Vec::new();
    for (what, message) in [
        ("block type 1", padded(1, &[0xff], &[7; 32])),
        ("block type 0", padded(0, &[0x5a], &[7; 32])),
        ("a one in front", with(0, 1)),
        ("seven bytes of padding", with(9, 0)),
        ("one byte of padding", with(3, 0)),
        ("no padding", with(2, 0)),
        ("no end of the padding", [&[0, 2], vec![0x5a; 254].as_slice()].concat()),
        ("next to nothing", zero),
    ] {
        let (first, second) = (decrypt(&message, 1), decrypt(&message, 2));
        let (first, second) = (first.unwrap_or_else(|error| panic!("{what}: {error}")), second.unwrap());
        assert_eq!(first, second, "{what}: random bytes show that it was refused");
        assert!(first.len() <= 245, "{what}");
        assert_ne!(first, [7; 32], "{what}");
        seen.push(first);
    }
    let lengths: std::collections::HashSet<usize> = seen.iter().map(Vec::len).collect();
    assert!(lengths.len() > 1, "a length that is always the same tells it too: {lengths:?}");
}

/// Errors there are for what everybody sees: the length, and a number that is none of this key's.
#[test]
fn ciphertexts_are_refused_only_for_what_everybody_sees() {
    let key = RsaKey::from_der(PKCS1_DER).unwrap();
    let bytes = |number: &BigUint| {
        let bytes = number.to_bytes_be();
        [vec![0; 256 - bytes.len()], bytes].concat()
    };
    for number in [KEY.0[N].clone(), &KEY.0[N] + 1_u8, (small(1) << 2048) - 1_u8] {
        assert!(key.decrypt(&bytes(&number), &mut Dice(1)).is_err());
    }
    for number in [small(0), small(1), &KEY.0[N] - 1_u8] {
        assert!(key.decrypt(&bytes(&number), &mut Dice(1)).is_ok(), "{number:x}");
    }
}
