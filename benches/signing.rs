//! Signatures of protected requests, and the limit: the same HMAC, keyed already, over a base string that is there
//! already. Then forms of one parameter to ten thousand.
//!
//! `benches/peers` has the same beside others' code.
#![allow(missing_docs, reason = "criterion's macros write none")]
#![allow(clippy::unwrap_used, reason = "a benchmark may fail")]

mod requests;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hmac::Mac;
use http::HeaderValue;
use ibkr_oauth::{Context, Scratch};
use requests::{Dice, NOW, Sample};

fn signatures(criterion: &mut Criterion) {
    let signer = requests::signer();
    for sample in Sample::all() {
        let mut group = criterion.benchmark_group(sample.name);
        let (mut scratch, mut dice) = (Scratch::new(), Dice(1));
        let mut cx = Context::new(NOW, &mut dice);
        group.bench_function("fresh", |bencher| {
            bencher.iter(|| {
                signer.write_header(&mut cx, &sample.parts, sample.form(), &mut scratch).unwrap();
                HeaderValue::from_bytes(scratch.header()).unwrap()
            });
        });
        let base_string = requests::base_string(&signer, &sample.parts, sample.form(), scratch.header());
        if sample.form.is_none() {
            let prepared = signer.prepare(&sample.parts).unwrap();
            group.bench_function("prepared", |bencher| {
                bencher.iter(|| {
                    prepared.write_header(&mut cx, &mut scratch).unwrap();
                    HeaderValue::from_bytes(scratch.header()).unwrap()
                });
            });
        }
        let key = requests::keyed_hmac();
        group.bench_function("limit", |bencher| bencher.iter(|| key.clone().chain_update(&base_string).finalize()));
        group.finish();
    }
}

fn growth(criterion: &mut Criterion) {
    let (signer, mut scratch, mut dice) = (requests::signer(), Scratch::new(), Dice(1));
    let mut group = criterion.benchmark_group("form parameters");
    for parameters in [1, 10, 100, 1000, 10_000] {
        let sample = Sample::form_of(parameters);
        group.throughput(Throughput::Elements(parameters));
        group.bench_function(BenchmarkId::from_parameter(parameters), |bencher| {
            let mut cx = Context::new(NOW, &mut dice);
            bencher.iter(|| signer.write_header(&mut cx, &sample.parts, sample.form(), &mut scratch).unwrap());
        });
    }
    group.finish();
}

criterion_group!(benches, signatures, growth);
criterion_main!(benches);
