//! RSAES-PKCS1-v1_5: what was not encrypted as it ought to be (RFC 8017 section 7.2.2).

use ibkr_oauth::key::DecryptionKey;
use num_bigint::BigUint;

use super::{
    IS_RSA, RsaKey,
    der::small,
    numbers::{E, KEY, N, PKCS1_DER},
    signatures::raw,
};
use crate::seeded_entropy::SeededEntropy;

pub(crate) fn encrypted(message: &[u8]) -> Vec<u8> {
    assert_eq!(message.len(), 256);
    raw(&BigUint::from_bytes_be(message), &KEY.0[E], &KEY.0[N])
}

/// `00 type padding 00 secret`, with zeros of padding left out to make it fit.
pub(crate) fn padded(block_type: u8, padding: &[u8], secret: &[u8]) -> Vec<u8> {
    let padding = padding.iter().cycle().take(253 - secret.len()).copied();
    [0, block_type].into_iter().chain(padding).chain([0]).chain(secret.iter().copied()).collect()
}

/// Bleichenbacher's of 1998: whoever can tell good padding from bad decrypts with enough questions. So that to `rsa` bad
/// padding looks like any secret: no error, as long as it happens to be, and the same for the same ciphertext. AWS-LC refuses
/// it, and does not tell one bad padding from another.
#[test]
fn bad_padding_cannot_be_told_from_other_padding() {
    let key = RsaKey::read(PKCS1_DER, None).unwrap();
    let decrypt = |message: &[u8], seed| {
        key.decrypt(&encrypted(message), &mut SeededEntropy(seed)).map(|secret| secret.expose().to_vec())
    };
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
        if !IS_RSA {
            assert_eq!(first.unwrap_err().to_string(), REFUSED, "{what}");
            continue;
        }
        let (first, second) = (first.unwrap_or_else(|error| panic!("{what}: {error}")), second.unwrap());
        assert_eq!(first, second, "{what}: random bytes show that it was refused");
        assert!(first.len() <= 245, "{what}");
        assert_ne!(first, [7; 32], "{what}");
        seen.push(first);
    }
    if !IS_RSA {
        return;
    }
    let lengths: std::collections::HashSet<usize> = seen.iter().map(Vec::len).collect();
    assert!(lengths.len() > 1, "a length that is always the same tells it too: {lengths:?}");
}

const REFUSED: &str = "key: the secret cannot have been encrypted for this key";

/// Errors there are for what everybody sees: the length, and a number that is none of this key's.
#[test]
fn ciphertexts_are_refused_only_for_what_everybody_sees() {
    let key = RsaKey::read(PKCS1_DER, None).unwrap();
    let bytes = |number: &BigUint| {
        let bytes = number.to_bytes_be();
        [vec![0; 256 - bytes.len()], bytes].concat()
    };
    for number in [KEY.0[N].clone(), &KEY.0[N] + 1_u8, (small(1) << 2048) - 1_u8] {
        assert!(key.decrypt(&bytes(&number), &mut SeededEntropy(1)).is_err());
    }
    for number in [small(0), small(1), &KEY.0[N] - 1_u8] {
        assert_eq!(key.decrypt(&bytes(&number), &mut SeededEntropy(1)).is_ok(), IS_RSA, "{number:x}");
    }
}

/// Nothing about the padding but its length is looked at: its bytes are random, and may be any but zero.
#[test]
fn padding_of_any_bytes_and_secrets_of_any_length_are_opened() {
    let key = RsaKey::read(PKCS1_DER, None).unwrap();
    let decrypt = |message: &[u8]| key.decrypt(&encrypted(message), &mut SeededEntropy(1));
    let open = |message: &[u8]| decrypt(message).unwrap().expose().to_vec();
    for length in [0, 1, 8, 31, 32, 33, 128, 244, 245] {
        let secret = vec![0x11; length];
        assert_eq!(open(&padded(2, &[0xff], &secret)), secret, "{length} bytes");
        assert_eq!(open(&padded(2, &[1], &secret)), secret, "{length} bytes");
    }
    // Zeros are the secret's own, once the first has ended the padding.
    assert_eq!(open(&padded(2, &[2], &[0; 40])), [0; 40]);
    assert_eq!(open(&padded(2, &[2], b"\0secret\0")), b"\0secret\0");
    // One byte of padding too few for the longest secret of all.
    let message = [&[0, 2], [0x5a; 7].as_slice(), &[0], &[7; 246]].concat();
    let opened = decrypt(&message);
    assert_eq!(opened.is_ok(), IS_RSA);
    assert!(opened.is_err() || open(&message) != [7; 246], "seven bytes of padding");
}

/// Wycheproof's edge cases of length; a text that lost or won a zero was changed on its way.
#[test]
fn ciphertexts_of_another_length_are_refused() {
    let key = RsaKey::read(PKCS1_DER, None).unwrap();
    let good = encrypted(&padded(2, &[0x5a], b"secret"));
    for bad in [
        &[][..],
        &[0],
        &good[1..],
        &good[..255],
        &[&[0], good.as_slice()].concat(),
        &[good.as_slice(), &[0]].concat(),
        &good.repeat(2),
    ] {
        let error = key.decrypt(bad, &mut SeededEntropy(1)).unwrap_err();
        assert!(error.to_string().contains(&format!("{} bytes", bad.len())), "{error}");
    }
}
