//! RSASSA-PKCS1-v1_5: signatures that are none (RFC 8017 section 8.2.2).

use num_bigint::BigUint;
use sha2::{Digest, Sha256};

use super::{
    RsaKey, RsaPublicKey,
    der::small,
    numbers::{COEFFICIENT, D, KEY, N, P, PKCS1_DER, Q, public},
    variants,
};

/// `DigestInfo` of SHA-256, up to the hash (RFC 8017 section 9.2, note 1).
const SHA_256: &[u8] = b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20";

pub(crate) fn raw(number: &BigUint, exponent: &BigUint, modulus: &BigUint) -> Vec<u8> {
    let bytes = number.modpow(exponent, modulus).to_bytes_be();
    [vec![0; 256 - bytes.len()], bytes].concat()
}

/// The "signature" of an encoded message of any content: raw RSA.
fn forged(message: &[u8]) -> Vec<u8> {
    assert_eq!(message.len(), 256);
    let numbers = &KEY.0;
    let message = BigUint::from_bytes_be(message);
    // By the Chinese remainder theorem (RFC 8017 section 5.1.2): four times as fast, for hundreds of forgeries.
    let [p, q] = [P, Q].map(|prime| message.modpow(&(&numbers[D] % (&numbers[prime] - 1_u8)), &numbers[prime]));
    let difference = (p + &numbers[P] - (&q % &numbers[P])) * &numbers[COEFFICIENT] % &numbers[P];
    let bytes = (q + difference * &numbers[Q]).to_bytes_be();
    [vec![0; 256 - bytes.len()], bytes].concat()
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
    let key = RsaKey::read(PKCS1_DER, None).unwrap().public_key();
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

/// Every element of the `DigestInfo` in every bad form, the padding as long as it then must be.
#[test]
fn a_signature_whose_der_is_bad_anywhere_is_refused() {
    let key = RsaKey::read(PKCS1_DER, None).unwrap().public_key();
    let hash = digest(1);
    let variants = variants::of(&[SHA_256, &hash].concat());
    assert!(variants.len() > 180, "{}", variants.len());
    for variant in variants.iter().filter(|variant| variant.der.len() <= 245) {
        let signature = forged(&encoded(&variant.der));
        assert!(key.verify(&hash, &signature).is_err(), "a signature whose {} is accepted", variant.what);
    }
}

/// Each byte of the message that is signed counts: none is skipped.
#[test]
fn a_signature_with_any_byte_changed_is_refused() {
    let key = RsaKey::read(PKCS1_DER, None).unwrap().public_key();
    let hash = digest(1);
    let good = encoded(&[SHA_256, &hash].concat());
    for index in 0..good.len() {
        let mut message = good.clone();
        message[index] ^= 1 << (index % 8);
        if BigUint::from_bytes_be(&message) < KEY.0[N] {
            assert!(key.verify(&hash, &forged(&message)).is_err(), "byte {index}");
        }
    }
}

/// The right hash under the other padding of the same key (RFC 8017 section 9.1), with an empty salt.
#[test]
fn a_signature_with_pss_is_refused() {
    let key = RsaKey::read(PKCS1_DER, None).unwrap().public_key();
    let hash = digest(1);
    let inner = Sha256::digest([&[0; 8], hash.as_slice()].concat());
    let mut block = [vec![0; 256 - 32 - 2], vec![1]].concat();
    for (counter, chunk) in (0_u32..).zip(block.chunks_mut(32)) {
        let mask = Sha256::digest([inner.as_slice(), &counter.to_be_bytes()].concat());
        chunk.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
    }
    block[0] &= 0x7f;
    let message = [block.as_slice(), &inner, &[0xbc]].concat();
    assert!(key.verify(&hash, &forged(&message)).is_err());
}

#[test]
fn a_signature_is_one_number_of_one_length() {
    let key = RsaKey::read(PKCS1_DER, None).unwrap().public_key();
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
    let Ok(key) = RsaPublicKey::read(public(&KEY.0[N], &small(3))) else { return };
    let hash = digest(1);
    let head = [&[0, 1], vec![0xff; 8].as_slice(), &[0], SHA_256, &hash].concat();
    let target = BigUint::from_bytes_be(&[head.as_slice(), vec![0xff; 256 - head.len()].as_slice()].concat());
    let root = target.cbrt();
    let cube = raw(&root, &small(3), &KEY.0[N]);
    assert_eq!(cube[..head.len()], head, "the forgery begins as a good message does");
    assert!(key.verify(&hash, &raw(&root, &small(1), &KEY.0[N])).is_err());
}
