//! What is read: the broker's replies, keys, groups, and a bundle.
#![allow(missing_docs, reason = "criterion's macros write none")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark may fail")]

mod requests;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use http::Response;
use ibkr_oauth::{
    Context, CredentialBundle,
    bytes::Bytes,
    dh::DhGroup,
    key::{RsaKey, RsaPublicKey},
    simulator::test_keys,
};
use requests::{NOW, SeededEntropy};
use serde_json::json;

fn replies(criterion: &mut Criterion) {
    let signer = requests::signer();
    let mut rng = SeededEntropy(1);
    let mut cx = Context::new(NOW, &mut rng);
    let tickle = Bytes::from_static(
        br#"{"session":"bb665d0f55b6289d70bc7380089fc96f","collission":false,
        "userId":100000001,"hmds":{"error":"no bridge"},"iserver":{"authStatus":{"authenticated":true,"competing":false,
        "connected":true,"established":true,"message":"","MAC":"98:F2:B3:23:BF:A0"}}}"#,
    );
    let refusal = Bytes::from_static(br#"{"error":"id: 10003, error: invalid consumer, timestamp: 1700000000"}"#);
    let mut group = criterion.benchmark_group("replies");
    for (name, status, body) in [("tickle", 200, tickle), ("refusal", 401, refusal)] {
        group.bench_function(name, |bencher| {
            let exchange = || {
                let mut response = Response::new(body.clone());
                *response.status_mut() = status.try_into().unwrap();
                (signer.brokerage().tickle(&mut cx).unwrap(), response)
            };
            bencher.iter_batched(exchange, |(exchange, response)| exchange.complete(response), BatchSize::SmallInput);
        });
    }
    group.finish();
}

fn keys(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("keys");
    group.bench_function("RSA private key", |bencher| {
        bencher.iter(|| RsaKey::from_pem(test_keys::SIGNATURE_KEY).unwrap());
    });
    group.bench_function("RSA public key", |bencher| {
        let public = RsaKey::from_pem(test_keys::SIGNATURE_KEY).unwrap().public_key().to_pem();
        bencher.iter(|| RsaPublicKey::read(&public).unwrap());
    });
    group.bench_function("Diffie-Hellman parameters", |bencher| {
        bencher.iter(|| DhGroup::read(test_keys::DH_PARAMETERS).unwrap());
    });
    group.finish();
}

fn bundle(criterion: &mut Criterion) {
    let text = json!({
        "consumer_key": test_keys::CONSUMER_KEY,
        "access_token": requests::TOKEN,
        "access_token_secret": "c2VjcmV0".repeat(43),
        "signature_key": test_keys::SIGNATURE_KEY,
        "encryption_key": test_keys::ENCRYPTION_KEY,
        "dh_params": test_keys::DH_PARAMETERS,
    });
    let text = text.to_string();
    let mut group = criterion.benchmark_group("bundle");
    group.bench_function("JSON", |bencher| bencher.iter(|| CredentialBundle::from_json(&text).unwrap()));
    let bundle = CredentialBundle::from_json(&text).unwrap();
    group.bench_function("consumer", |bencher| bencher.iter(|| bundle.consumer().unwrap()));
    group.finish();
}

criterion_group!(benches, replies, keys, bundle);
criterion_main!(benches);
