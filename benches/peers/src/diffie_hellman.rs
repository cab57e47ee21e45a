//! The exponentiations of the key agreement: 2048 bits, and an exponent of 256.

use crypto_bigint::{BoxedUint, Odd, modular::BoxedMontyForm, modular::BoxedMontyParams};
use ibkr_oauth::{
    Entropy,
    dh::{DhGroup, Exponent},
    simulator::test_keys,
};
use num_bigint::BigUint;
use openssl::{
    bn::{BigNum, BigNumContext},
    dh::Dh,
};

use crate::{
    contender::{Comparison, Contender, OURS},
    requests::SeededEntropy,
};

pub(crate) fn comparisons() -> [Comparison; 2] {
    [challenge(), secret()]
}

/// Each draws the same exponents.
fn exponent(rng: &mut SeededEntropy) -> [u8; 32] {
    let mut exponent = [0; 32];
    rng.fill(&mut exponent).unwrap();
    exponent
}

/// The modulus of the test keys' group, and the generator.
pub(crate) fn group() -> (BigNum, BigNum) {
    let parameters = Dh::params_from_pem(test_keys::DH_PARAMETERS.as_bytes()).unwrap();
    (parameters.prime_p().to_owned().unwrap(), parameters.generator().to_owned().unwrap())
}

/// A power in OpenSSL's constant time.
pub(crate) fn power(base: &BigNum, exponent: &[u8], modulus: &BigNum, context: &mut BigNumContext) -> BigNum {
    let (mut result, mut exponent) = (BigNum::new().unwrap(), BigNum::from_slice(exponent).unwrap());
    exponent.set_const_time();
    result.mod_exp(base, &exponent, modulus, context).unwrap();
    result
}

fn challenge() -> Comparison {
    let (modulus, generator) = group();
    agreement("Diffie-Hellman challenge", generator, modulus, |exponent, group, _| exponent.challenge(group))
}

fn secret() -> Comparison {
    let (modulus, generator) = group();
    let response = power(&generator, &exponent(&mut SeededEntropy(7)), &modulus, &mut BigNumContext::new().unwrap());
    agreement("Diffie-Hellman secret", response, modulus, |exponent, group, response| {
        let secret = exponent.shared_secret(response, group).unwrap();
        hexadecimal(&BigUint::from_bytes_be(secret.expose()).to_bytes_be())
    })
}

fn hexadecimal(number: &[u8]) -> String {
    BigUint::from_bytes_be(number).to_str_radix(16)
}

type Work = Box<dyn FnMut() -> String>;

/// The powers of `base`, each by an exponent of its own. `ours` has it in hexadecimal, as it is sent.
fn agreement(
    name: &'static str,
    base: BigNum,
    modulus: BigNum,
    ours: fn(&Exponent, &DhGroup, &str) -> String,
) -> Comparison {
    let (base_bytes, modulus_bytes) = (base.to_vec(), modulus.to_vec());
    let by_openssl = {
        let (mut rng, mut context) = (SeededEntropy(1), BigNumContext::new().unwrap());
        move || hexadecimal(&power(&base, &exponent(&mut rng), &modulus, &mut context).to_vec())
    };
    let by_us = {
        let (group, mut rng, base) =
            (DhGroup::read(test_keys::DH_PARAMETERS).unwrap(), SeededEntropy(1), hexadecimal(&base_bytes));
        move || ours(&Exponent::generate(&mut rng).unwrap(), &group, &base)
    };
    let by_crypto_bigint = {
        let number = |bytes| BoxedUint::from_be_slice(bytes, 2048).unwrap();
        let parameters = BoxedMontyParams::new_vartime(Odd::new(number(&modulus_bytes)).unwrap());
        let padded = [vec![0; 256 - base_bytes.len()], base_bytes.clone()].concat();
        let base = BoxedMontyForm::new(number(&padded), &parameters);
        let mut rng = SeededEntropy(1);
        move || {
            let exponent = BoxedUint::from_be_slice(&exponent(&mut rng), 256).unwrap();
            hexadecimal(&base.pow_bounded_exp(&exponent, 256).retrieve().to_be_bytes())
        }
    };
    let by_num_bigint = {
        let (base, modulus) = (BigUint::from_bytes_be(&base_bytes), BigUint::from_bytes_be(&modulus_bytes));
        let mut rng = SeededEntropy(1);
        move || base.modpow(&BigUint::from_bytes_be(&exponent(&mut rng)), &modulus).to_str_radix(16)
    };
    let work: [(&str, Work); 4] = [
        ("OpenSSL", Box::new(by_openssl)),
        (OURS, Box::new(by_us)),
        ("crypto-bigint alone", Box::new(by_crypto_bigint)),
        ("num-bigint", Box::new(by_num_bigint)),
    ];
    let mut results = Vec::new();
    let contenders = work.into_iter().map(|(who, mut work)| {
        results.push((work(), work()));
        Contender::new(who, work)
    });
    let contenders = contenders.collect();
    assert!(results.iter().all(|result| *result == results[0] && result.0 != result.1), "{name}");
    Comparison { name, contenders }
}
