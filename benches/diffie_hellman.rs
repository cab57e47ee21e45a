//! The two exponentiations of the key agreement, in a group of 2048 bits; and the limit: `crypto-bigint` with all that can
//! be got ready. `num-bigint`, whose time depends on the secret, stands beside them.
//!
//! `benches/peers` has the same beside OpenSSL.
#![allow(missing_docs, reason = "criterion's macros write none")]
#![allow(clippy::unwrap_used, reason = "a benchmark may fail")]

mod requests;

use criterion::{Criterion, criterion_group, criterion_main};
use crypto_bigint::{
    BoxedUint, Odd,
    modular::{BoxedMontyForm, BoxedMontyParams},
};
use ibkr_oauth::{
    Entropy,
    dh::{DhGroup, Exponent},
};
use num_bigint::BigUint;
use requests::SeededEntropy;

/// The prime of RFC 3526 group 14: `DhGroup::modp_2048`.
const PRIME: &str = "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404dd\
    ef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7ed\
    ee386bfb5a899fa5ae9f24117c4b1fe649286651ece45b3dc2007cb8a163bf0598da48361c55d39a69163fa8fd24cf5f\
    83655d23dca3ad961c62f356208552bb9ed529077096966d670c354e4abc9804f1746c08ca18217c32905e462e36ce3b\
    e39e772c180e86039b2783a2ec07a28fb5c55df06f4c52c9de2bcbf6955817183995497cea956ae515d2261898fa0510\
    15728e5a8aacaa68ffffffffffffffff";

fn bytes(rng: &mut SeededEntropy) -> [u8; 32] {
    let mut bytes = [0; 32];
    rng.fill(&mut bytes).unwrap();
    bytes
}

fn agreement(criterion: &mut Criterion) {
    let (group, mut rng) = (DhGroup::modp_2048(), SeededEntropy(1));
    let response = Exponent::generate(&mut rng).unwrap().challenge(&group);
    let challenge = |exponent: &Exponent| exponent.challenge(&group);
    let secret = |exponent: &Exponent| exponent.shared_secret(&response, &group).unwrap();

    for (name, base) in [("Diffie-Hellman challenge", "2"), ("Diffie-Hellman secret", &*response)] {
        let mut benchmark = criterion.benchmark_group(name);
        benchmark.bench_function("DhGroup", |bencher| {
            let mut draw = || Exponent::generate(&mut rng).unwrap();
            if base == "2" {
                bencher.iter(|| challenge(&draw()));
            } else {
                bencher.iter(|| secret(&draw()));
            }
        });
        let number = |digits| BoxedUint::from_str_radix_with_precision_vartime(digits, 16, 2048).unwrap();
        let parameters = BoxedMontyParams::new_vartime(Odd::new(number(PRIME)).unwrap());
        let power = BoxedMontyForm::new(number(base), &parameters);
        benchmark.bench_function("limit", |bencher| {
            bencher.iter(|| {
                let exponent = BoxedUint::from_be_slice(&bytes(&mut rng), 256).unwrap();
                power.pow_bounded_exp(&exponent, 256).retrieve()
            });
        });
        let number = |digits: &str| BigUint::parse_bytes(digits.as_bytes(), 16).unwrap();
        let (power, modulus) = (number(base), number(PRIME));
        benchmark.bench_function("num-bigint", |bencher| {
            bencher.iter(|| power.modpow(&BigUint::from_bytes_be(&bytes(&mut rng)), &modulus));
        });
        benchmark.finish();
    }
}

criterion_group!(benches, agreement);
criterion_main!(benches);
