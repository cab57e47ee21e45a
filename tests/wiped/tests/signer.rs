//! Signers: the states of the HMAC that a live session token keys.

use std::sync::LazyLock;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{Request, request::Parts};
use ibkr_oauth::{Consumer, Context, Secret, Signer, Timestamp, simulator::SeededEntropy};
use ibkr_oauth_wiped::{Heap, Marker, hmac_states};

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
const TOKEN: &[u8; 20] = b"live session token!!";

static MARKERS: LazyLock<Vec<Marker>> = LazyLock::new(|| {
    let mut markers = hmac_states(TOKEN);
    let token = Marker::bytes("live session token", TOKEN);
    markers.push(token.and_hexadecimal(TOKEN).and(STANDARD.encode(TOKEN).as_bytes()));
    markers
});

fn consumer() -> Consumer {
    Consumer::builder("WIPEDCONS").build().unwrap()
}

fn parts() -> Parts {
    Request::get("https://api.ibkr.com/v1/api/portfolio/accounts?a=1&b=2").body(()).unwrap().into_parts().0
}

#[test]
fn a_signer_is_wiped() {
    let (consumer, markers) = (consumer(), &*MARKERS);
    let heap = Heap::record();
    let signer = Signer::from_stored(&consumer, "218c1d970d85a8442825", &Secret::from(TOKEN.as_slice())).unwrap();
    let held = heap.held();
    markers[..2].iter().for_each(|state| held.assert_with(state));
    let mut entropy = SeededEntropy::new(1);
    let mut cx = Context::new(NOW, &mut entropy);
    for _ in 0..3 {
        signer.sign_parts(&mut cx, &mut parts(), None).unwrap();
        drop(signer.sign_with(&parts(), None, "nonce", 1_700_000_000).unwrap());
    }
    drop(signer.clone());
    drop(signer);
    let freed = heap.freed();
    markers.iter().for_each(|marker| freed.assert_without(marker));
}
