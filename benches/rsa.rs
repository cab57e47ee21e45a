//! RSA with 2048 bits: signing, opening a secret, loading a key; and the limit: what the crate `rsa` takes by itself,
//! blinded too.
//!
//! `benches/peers` has the same beside others' code.
#![allow(missing_docs, reason = "criterion's macros write none")]
#![allow(clippy::unwrap_used, reason = "a benchmark may fail")]

mod requests;

use criterion::{Criterion, criterion_group, criterion_main};
use ibkr_oauth::{
    Callback, Context, Entropy, EntropyError,
    key::{DecryptionKey, RsaKey, SigningKey},
    simulator::{Broker, test_keys},
};
use rand_core::{TryCryptoRng, TryRng};
use requests::{NOW, SeededEntropy};
use rsa::{PrivateKey, pkcs8::DecodePrivateKey, sha2::Sha256};

/// The rng as `rsa` wants them.
struct Random(SeededEntropy);

impl Random {
    fn draw<const N: usize>(&mut self) -> Result<[u8; N], EntropyError> {
        let mut bytes = [0; N];
        self.0.fill(&mut bytes)?;
        Ok(bytes)
    }
}

impl TryRng for Random {
    type Error = EntropyError;

    fn try_next_u32(&mut self) -> Result<u32, EntropyError> {
        self.draw().map(u32::from_le_bytes)
    }

    fn try_next_u64(&mut self) -> Result<u64, EntropyError> {
        self.draw().map(u64::from_le_bytes)
    }

    fn try_fill_bytes(&mut self, destination: &mut [u8]) -> Result<(), EntropyError> {
        self.0.fill(destination)
    }
}

impl TryCryptoRng for Random {}

fn sign(criterion: &mut Criterion) {
    let mut rng = SeededEntropy(1);
    let consumer = test_keys::consumer().unwrap();
    let unsigned = consumer.prepare_request_token(&mut Context::new(NOW, &mut rng), Callback::OutOfBand).unwrap();
    let (input, mut random) = (unsigned.input(), Random(rng.clone()));
    let key = RsaKey::from_pem(test_keys::SIGNATURE_KEY).unwrap();
    let bare = PrivateKey::from_pkcs8_pem(test_keys::SIGNATURE_KEY).unwrap();

    let mut group = criterion.benchmark_group("RSA-SHA256 signature");
    group.bench_function("RsaKey", |bencher| bencher.iter(|| key.sign(input, &mut rng).unwrap()));
    group.bench_function("limit", |bencher| {
        bencher.iter(|| bare.pkcs1v15_sign_prehash_with_rng::<Sha256, _>(&mut random, &input.digest()).unwrap());
    });
    group.finish();
}

fn decrypt(criterion: &mut Criterion) {
    let mut rng = SeededEntropy(1);
    let token = test_keys::access_token(&mut Broker::default(), &mut Context::new(NOW, &mut rng)).unwrap();
    let (ciphertext, mut random) = (token.encrypted_secret(), Random(rng.clone()));
    let key = RsaKey::from_pem(test_keys::ENCRYPTION_KEY).unwrap();
    let bare = PrivateKey::from_pkcs8_pem(test_keys::ENCRYPTION_KEY).unwrap();

    let mut group = criterion.benchmark_group("RSA decryption");
    group.bench_function("RsaKey", |bencher| bencher.iter(|| key.decrypt(ciphertext, &mut rng).unwrap()));
    group.bench_function("limit", |bencher| {
        bencher.iter(|| bare.pkcs1v15_decrypt_with_rng(&mut random, ciphertext).unwrap());
    });
    group.finish();
}

fn load(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("loading an RSA key");
    group.bench_function("RsaKey", |bencher| bencher.iter(|| RsaKey::from_pem(test_keys::SIGNATURE_KEY).unwrap()));
    group.bench_function("limit", |bencher| {
        bencher.iter(|| PrivateKey::from_pkcs8_pem(test_keys::SIGNATURE_KEY).unwrap());
    });
    group.finish();
}

criterion_group!(benches, sign, decrypt, load);
criterion_main!(benches);
