//! What holds secret bytes by itself.

use std::{hint::black_box, sync::LazyLock};

use ibkr_oauth::Secret;
use ibkr_oauth_wiped::{Heap, Marker};

const BYTES: &[u8] = b"bytes that nobody must find, when they are not needed any more";

static MARKER: LazyLock<Marker> = LazyLock::new(|| Marker::bytes("secret", BYTES));

/// Made before anything is recorded, for it holds the secret too.
fn record() -> Heap {
    LazyLock::force(&MARKER);
    Heap::record()
}

/// Without this the other tests would prove nothing.
#[test]
fn what_is_not_wiped_is_found() {
    let heap = record();
    drop(black_box(BYTES.to_vec()));
    assert_eq!(heap.freed().count(&MARKER), 1);

    let heap = record();
    let mut grown = black_box(BYTES.to_vec());
    grown.reserve(1000);
    grown.fill(0);
    drop(black_box(grown));
    assert_eq!(heap.freed().count(&MARKER), 1, "what was left behind by growing");

    let heap = record();
    let boxed: Box<[u8]> = black_box(BYTES.into());
    assert_eq!(heap.held().count(&MARKER), 1);
    assert_eq!(heap.freed().count(&MARKER), 0);
    drop(boxed);
}

#[test]
fn a_secret_is_wiped_however_it_was_made() {
    let roomy = || {
        let mut bytes = Vec::with_capacity(1000);
        bytes.extend_from_slice(BYTES);
        bytes
    };
    let text = || String::from_utf8(BYTES.to_vec()).unwrap();
    let makers: [&dyn Fn() -> Secret; 5] = [
        &|| Secret::from(BYTES),
        &|| Secret::from(BYTES.to_vec()),
        &|| Secret::from(roomy()),
        &|| Secret::from(text()),
        &|| Secret::from(BYTES).clone(),
    ];
    for make in makers {
        let heap = record();
        let secret = make();
        assert_eq!(secret.expose(), BYTES);
        heap.held().assert_with(&MARKER);
        drop(secret);
        heap.freed().assert_without(&MARKER);
    }
}

#[test]
fn a_secret_is_wiped_where_a_panic_drops_it() {
    let heap = record();
    let outcome = std::panic::catch_unwind(|| {
        let secret = Secret::from(BYTES);
        assert!(secret.is_empty(), "this panic is meant");
    });
    assert!(outcome.is_err());
    heap.freed().assert_without(&MARKER);
}
