//! The client's half of a whole handshake, keys loaded, from the access token to the proved live session token; and the
//! limit: its four computations by themselves.
//!
//! `benches/peers` has the same beside OpenSSL.
#![allow(missing_docs, reason = "criterion's macros write none")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark may fail")]

mod handshakes;
mod requests;

use criterion::{Criterion, criterion_group, criterion_main};
use handshakes::Handshakes;
use ibkr_oauth::{
    Callback, Context,
    dh::{DhGroup, Exponent},
    key::{DecryptionKey, RsaKey, SigningKey},
    simulator::test_keys,
};
use requests::{NOW, SeededEntropy};

fn handshake(criterion: &mut Criterion) {
    let handshakes = Handshakes::new(16);
    let mut group = criterion.benchmark_group("handshake");
    let mut rehearsals = handshakes.rehearsals.iter().cycle();
    group.bench_function("whole", |bencher| {
        bencher.iter(|| handshakes.shake_hands(rehearsals.next().unwrap()));
    });

    let mut rng = SeededEntropy(1);
    let consumer = &handshakes.consumer;
    let unsigned = consumer.prepare_request_token(&mut Context::new(NOW, &mut rng), Callback::OutOfBand).unwrap();
    let signing_key = RsaKey::from_pem(test_keys::SIGNATURE_KEY).unwrap();
    let decryption_key = RsaKey::from_pem(test_keys::ENCRYPTION_KEY).unwrap();
    let diffie_hellman = DhGroup::read(test_keys::DH_PARAMETERS).unwrap();
    let response = Exponent::generate(&mut rng).unwrap().challenge(&diffie_hellman);
    group.bench_function("limit", |bencher| {
        bencher.iter(|| {
            let secret = decryption_key.decrypt(handshakes.token.encrypted_secret(), &mut rng).unwrap();
            let signature = signing_key.sign(unsigned.input(), &mut rng).unwrap();
            let exponent = Exponent::generate(&mut rng).unwrap();
            let challenge = exponent.challenge(&diffie_hellman);
            (secret, signature, challenge, exponent.shared_secret(&response, &diffie_hellman).unwrap())
        });
    });
    group.finish();
}

criterion_group!(benches, handshake);
criterion_main!(benches);
