//! RSA keys that AWS-LC computes with: on Rust's heap, and on that of C.
//!
//! AWS-LC wipes each block that it frees. That it does is seen here, and not believed.

#![cfg(all(target_os = "linux", target_env = "gnu"))]

mod aws_lc {
    pub(crate) mod c_heap;
}

use std::sync::{LazyLock, Mutex, MutexGuard};

use ibkr_oauth::{
    Callback, Consumer, Context, Timestamp,
    key::{DecryptionKey, RsaKey},
    simulator::{Broker, SeededEntropy, test_keys},
};
use ibkr_oauth_wiped::{Heap, Marker, rsa_key};

use self::aws_lc::c_heap;

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
const DER: &[u8] = include_bytes!("../../data/keys/pkcs1.der");
const PKCS1: &str = include_str!("../../data/keys/pkcs1.pem");
const PKCS8: &str = include_str!("../../data/keys/pkcs8.pem");
const ENCRYPTED: &str = include_str!("../../data/keys/encrypted_pkcs8.pem");
const PASSPHRASE: &[u8] = b"correct-horse";

/// Everything that is secret in the key.
static MARKERS: LazyLock<Vec<Marker>> = LazyLock::new(|| rsa_key(PKCS1));

/// The heap of C is one for all tests.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    LazyLock::force(&MARKERS);
    ONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

#[track_caller]
fn assert_wiped<'a>(heap: Heap, markers: impl IntoIterator<Item = &'a Marker>) {
    let freed = heap.freed();
    for marker in markers {
        freed.assert_without(marker);
        assert_eq!(c_heap::count(marker, true), 0, "blocks of C hold parts of the {}", marker.name());
    }
}

#[test]
fn a_key_is_wiped_whatever_it_was_read_from() {
    let _alone = alone();
    let escaped = PKCS8.replace('\n', "\\n");
    let readers: [(&str, &dyn Fn() -> RsaKey); 5] = [
        ("DER", &|| RsaKey::read_with_aws_lc(DER, None).unwrap()),
        ("PKCS#1", &|| RsaKey::read_with_aws_lc(PKCS1, None).unwrap()),
        ("PKCS#8", &|| RsaKey::read_with_aws_lc(PKCS8, None).unwrap()),
        ("escaped line breaks", &|| RsaKey::read_with_aws_lc(&escaped, None).unwrap()),
        ("a passphrase", &|| RsaKey::read_with_aws_lc(ENCRYPTED.as_bytes(), Some(PASSPHRASE)).unwrap()),
    ];
    for (what, read) in readers {
        println!("{what}");
        let heap = Heap::record();
        let key = c_heap::record(read);
        let clone = key.clone();
        c_heap::record(|| drop(key));
        // The numbers, each by itself: they are where they are needed, and so would be found.
        for marker in &MARKERS[..3] {
            assert!(c_heap::count(marker, false) > 0, "no block of C holds the {}", marker.name());
        }
        c_heap::record(|| drop(clone));
        assert_wiped(heap, MARKERS.iter());
        for marker in MARKERS.iter() {
            assert_eq!(c_heap::count(marker, false), 0, "the {} is still in use", marker.name());
        }
    }
}

#[test]
fn a_key_that_is_refused_is_wiped() {
    let _alone = alone();
    // The public exponent, which then does not fit the others.
    let mut wrong = DER.to_vec();
    wrong[270] ^= 2;
    let heap = Heap::record();
    c_heap::record(|| {
        drop(RsaKey::read_with_aws_lc(&wrong, None).unwrap_err());
        drop(RsaKey::read_with_aws_lc(&DER[..DER.len() - 1], None).unwrap_err());
        drop(RsaKey::read_with_aws_lc(ENCRYPTED.as_bytes(), Some(b"another")).unwrap_err());
    });
    assert_wiped(heap, MARKERS.iter());
}

#[test]
fn work_with_a_key_leaves_nothing_of_it_nor_of_the_secret() {
    let _alone = alone();
    let mut entropy = SeededEntropy::new(1);
    let token = test_keys::access_token(&mut Broker::default(), &mut Context::new(NOW, &mut entropy)).unwrap();
    let key = RsaKey::read_with_aws_lc(test_keys::ENCRYPTION_KEY, None).unwrap();
    let secret = key.decrypt(token.encrypted_secret(), &mut entropy).unwrap();
    let secret = Marker::bytes("opened secret", secret.expose());
    let (signing, opening) = (rsa_key(test_keys::SIGNATURE_KEY), rsa_key(test_keys::ENCRYPTION_KEY));

    let heap = Heap::record();
    let opened = c_heap::record(|| {
        let key = RsaKey::read_with_aws_lc(test_keys::ENCRYPTION_KEY, None).unwrap();
        // The first work makes a key ready for more.
        drop(key.decrypt(token.encrypted_secret(), &mut entropy).unwrap());
        key.decrypt(token.encrypted_secret(), &mut entropy).unwrap()
    });
    heap.held().assert_with(&secret);
    c_heap::record(|| drop(opened));
    assert_wiped(heap, opening.iter().chain([&secret]));

    let heap = Heap::record();
    c_heap::record(|| {
        let key = RsaKey::read_with_aws_lc(test_keys::SIGNATURE_KEY, None).unwrap();
        let consumer = Consumer::builder("WIPED").signature_key(key).build().unwrap();
        for _ in 0..2 {
            drop(consumer.request_token(&mut Context::new(NOW, &mut entropy), Callback::OutOfBand).unwrap());
        }
    });
    assert_wiped(heap, &signing);
}

/// To show that the search finds something.
#[test]
fn a_block_of_c_that_is_freed_as_it_is_is_found() {
    let _alone = alone();
    let secret = b"a secret that nobody wiped";
    let marker = Marker::bytes("secret", secret);
    c_heap::record(|| {
        // SAFETY: the block is as long as what is written there, and freed once.
        unsafe {
            let block = c_heap::malloc(secret.len());
            std::ptr::copy_nonoverlapping(secret.as_ptr(), block.cast(), secret.len());
            assert_eq!((c_heap::count(&marker, false), c_heap::count(&marker, true)), (1, 0));
            c_heap::free(block);
        }
    });
    assert_eq!((c_heap::count(&marker, false), c_heap::count(&marker, true)), (0, 1));
}
