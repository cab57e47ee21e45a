//! RSA keys, from their texts to their last use.
//!
//! `rsa` leaves copies of the primes behind where it checks a key, makes it ready and works with it, as `SECURITY.md` says.
//! Held against that is what is left where `rsa` is used without this crate.

use std::{convert::Infallible, sync::LazyLock};

use ibkr_oauth::{
    Callback, Consumer, Context, Timestamp,
    key::{DecryptionKey, RsaKey},
    simulator::SeededEntropy,
};
use ibkr_oauth_wiped::{Content, Heap, Marker, rsa_key};
use rsa::{PrivateKey, pkcs1::RsaPrivateKeyRef, sha2::Sha256};

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
const DER: &[u8] = include_bytes!("../../data/keys/pkcs1.der");
const PKCS1: &str = include_str!("../../data/keys/pkcs1.pem");
const PKCS8: &str = include_str!("../../data/keys/pkcs8.pem");
const ENCRYPTED: &str = include_str!("../../data/keys/encrypted_pkcs8.pem");
const PASSPHRASE: &[u8] = b"correct-horse";

/// Everything that is secret in the key.
static MARKERS: LazyLock<Vec<Marker>> = LazyLock::new(|| rsa_key(PKCS1));

fn record() -> Heap {
    LazyLock::force(&MARKERS);
    Heap::record()
}

/// How many blocks hold parts of the primes p and q.
fn primes(content: &Content) -> [usize; 2] {
    ["prime p", "prime q"].map(|name| content.count(MARKERS.iter().find(|marker| marker.name() == name).unwrap()))
}

#[track_caller]
fn assert_wiped(freed: &Content, left_by_rsa: [usize; 2]) {
    for marker in MARKERS.iter().filter(|marker| !marker.name().starts_with("prime")) {
        freed.assert_without(marker);
    }
    assert_eq!(primes(freed), left_by_rsa, "copies of the primes, and how many of them are `rsa`'s");
}

fn bare_key() -> PrivateKey {
    PrivateKey::try_from(RsaPrivateKeyRef::try_from(DER).unwrap()).unwrap()
}

/// Random bytes in the form in which `rsa` wants them.
struct Counter(u64);

impl rand_core::TryRng for Counter {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.0 += 1;
        Ok(u32::try_from(self.0).unwrap())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0 += 1;
        Ok(self.0)
    }

    fn try_fill_bytes(&mut self, destination: &mut [u8]) -> Result<(), Infallible> {
        self.0 += 1;
        destination.iter_mut().zip(self.0.to_be_bytes().iter().cycle()).for_each(|(to, from)| *to = *from);
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Counter {}

#[test]
fn a_key_is_wiped_whatever_it_was_read_from() {
    let heap = record();
    drop(bare_key());
    let left_by_rsa = primes(&heap.freed());
    println!("`rsa` leaves {left_by_rsa:?} copies of the primes where a key is read");

    let escaped = PKCS8.replace('\n', "\\n");
    let readers: [(&str, &dyn Fn() -> RsaKey); 5] = [
        ("DER", &|| RsaKey::read(DER, None).unwrap()),
        ("PKCS#1", &|| RsaKey::from_pem(PKCS1).unwrap()),
        ("PKCS#8", &|| RsaKey::from_pem(PKCS8).unwrap()),
        ("escaped line breaks", &|| RsaKey::from_pem(&escaped).unwrap()),
        ("a passphrase", &|| RsaKey::read(ENCRYPTED.as_bytes(), Some(PASSPHRASE)).unwrap()),
    ];
    for (what, read) in readers {
        println!("{what}");
        let heap = record();
        let key = read();
        let clone = key.clone();
        drop(key);
        let held = heap.held();
        // The texts are read and gone, and the coefficient is kept in Montgomery's form, which is not searched for.
        for marker in &MARKERS[..5] {
            held.assert_with(marker);
        }
        drop(clone);
        assert_wiped(&heap.freed(), left_by_rsa);
    }
}

#[test]
fn a_key_of_three_primes_is_wiped_but_for_those() {
    const THREE_PRIMES: &str = include_str!("../../data/keys/rsa_three_primes.pem");
    let markers = rsa_key(THREE_PRIMES);
    let mut entropy = SeededEntropy::new(1);
    let heap = record();
    let key = RsaKey::from_pem(THREE_PRIMES).unwrap();
    heap.held().assert_with(&markers[0]);
    drop(key.decrypt(&[1; 256], &mut entropy).unwrap());
    let consumer = Consumer::builder("WIPED").signature_key(key).build().unwrap();
    drop(consumer.request_token(&mut Context::new(NOW, &mut entropy), Callback::OutOfBand).unwrap());
    drop(consumer);
    let freed = heap.freed();
    for marker in markers.iter().filter(|marker| !marker.name().starts_with("prime")) {
        freed.assert_without(marker);
    }
}

#[test]
fn the_text_of_a_key_that_is_refused_is_wiped() {
    let cut = &PKCS8[..PKCS8.len() - 60];
    let twice = [PKCS8, include_str!("../../data/keys/rsa_3072.pem")].concat();
    let unfinished = &DER[..DER.len() - 1];
    // The public exponent, which then does not fit the others.
    let mut wrong = DER.to_vec();
    wrong[270] ^= 2;
    let heap = record();
    drop(RsaKey::from_pem(cut).unwrap_err());
    drop(RsaKey::from_pem(&twice).unwrap_err());
    drop(RsaKey::read(unfinished, None).unwrap_err());
    drop(RsaKey::read(&wrong, None).unwrap_err());
    drop(RsaKey::read(ENCRYPTED.as_bytes(), Some(b"another")).unwrap_err());
    let freed = heap.freed();
    for marker in MARKERS.iter().filter(|marker| marker.name().ends_with("of the key")) {
        freed.assert_without(marker);
    }
}

#[test]
fn work_with_a_key_leaves_nothing_of_it() {
    let bare = bare_key();
    let heap = record();
    drop(bare.pkcs1v15_sign_prehash_with_rng::<Sha256, _>(&mut Counter(1), &[7; 32]).unwrap());
    let left_by_signing = primes(&heap.freed());
    let heap = record();
    drop(bare.pkcs1v15_decrypt_with_rng(&mut Counter(1), &[1; 256]).unwrap());
    let left_by_decryption = primes(&heap.freed());
    println!(
        "`rsa` leaves {left_by_signing:?} copies of the primes where it signs, {left_by_decryption:?} where it opens"
    );

    let consumer = Consumer::builder("WIPED").signature_key(RsaKey::read(DER, None).unwrap()).build().unwrap();
    let mut entropy = SeededEntropy::new(1);
    let heap = record();
    drop(consumer.request_token(&mut Context::new(NOW, &mut entropy), Callback::OutOfBand).unwrap());
    assert_wiped(&heap.freed(), left_by_signing);

    let key = RsaKey::read(DER, None).unwrap();
    let heap = record();
    drop(key.decrypt(&[1; 256], &mut entropy).unwrap());
    assert_wiped(&heap.freed(), left_by_decryption);
}
