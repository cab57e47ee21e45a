//! Signatures of protected requests, and the limit: the same HMAC, keyed already, over a base string that is there
//! already. Then forms of one parameter to ten thousand.
//!
//! `benches/peers` has the same beside others' code.
#![allow(missing_docs, reason = "criterion's macros write none")]
#![allow(clippy::unwrap_used, reason = "a benchmark may fail")]

mod requests;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hmac::Mac;
use ibkr_oauth::Context;
use requests::{NOW, Sample, SeededEntropy};

fn signatures(criterion: &mut Criterion) {
    let signer = requests::signer();
    for sample in Sample::all() {
        let mut group = criterion.benchmark_group(sample.name);
        let (mut parts, mut rng) = (sample.parts.clone(), SeededEntropy(1));
        let mut cx = Context::new(NOW, &mut rng);
        group.bench_function("signature", |bencher| {
            bencher.iter(|| requests::sign(&signer, &mut cx, &mut parts, sample.form()));
        });
        let base_string = requests::base_string(&signer, &sample.parts, sample.form());
        let key = requests::keyed_hmac();
        group.bench_function("limit", |bencher| bencher.iter(|| key.clone().chain_update(&base_string).finalize()));
        group.finish();
    }
}

fn growth(criterion: &mut Criterion) {
    let (signer, mut rng) = (requests::signer(), SeededEntropy(1));
    let mut group = criterion.benchmark_group("form parameters");
    for parameters in [1, 10, 100, 1000, 10_000] {
        let sample = Sample::form_of(parameters);
        group.throughput(Throughput::Elements(parameters));
        group.bench_function(BenchmarkId::from_parameter(parameters), |bencher| {
            let (mut parts, mut cx) = (sample.parts.clone(), Context::new(NOW, &mut rng));
            bencher.iter(|| requests::sign(&signer, &mut cx, &mut parts, sample.form()));
        });
    }
    group.finish();
}

criterion_group!(benches, signatures, growth);
criterion_main!(benches);
