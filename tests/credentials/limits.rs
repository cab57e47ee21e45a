//! Limits of the key agreement from both sides, and what the errors of its and the header's syntax say.

use ibkr_oauth::{
    Entropy, EntropyError, ErrorKind,
    dh::{DhGroup, Exponent},
};
use num_bigint::BigUint;

/// The same bytes each time.
struct Fixed([u8; 32]);

impl Entropy for Fixed {
    fn fill(&mut self, destination: &mut [u8]) -> Result<(), EntropyError> {
        destination.copy_from_slice(&self.0);
        Ok(())
    }
}

fn small(number: u8) -> Result<Exponent, EntropyError> {
    let mut bytes = [0; 32];
    bytes[31] = number;
    Exponent::generate(&mut Fixed(bytes))
}

/// 2^127 + 1: odd, and as short as is accepted.
fn modulus() -> BigUint {
    (BigUint::from(1_u8) << 127_u8) + 1_u8
}

fn group() -> DhGroup {
    from_numbers(&modulus(), 2)
}

fn from_numbers(prime: &BigUint, generator: u8) -> DhGroup {
    DhGroup::read(format!("prime: 0x{prime:x}\ngenerator: 0x{generator:x}")).unwrap()
}

#[test]
fn an_exponent_is_at_least_two() {
    assert!(small(0).is_err());
    assert!(small(1).is_err());
    let two = small(2).unwrap();
    assert_eq!(two.challenge(&group()), "4");
    assert_eq!(format!("{two:?}"), "Exponent([redacted])");
}

#[test]
fn the_brokers_number_lies_within_two_and_the_modulus_less_two() {
    let (exponent, group, modulus) = (small(2).unwrap(), group(), modulus());
    let outcome = |response: &str| {
        exponent.shared_secret(response, &group).map(|shared| shared.expose().to_vec()).map_err(|error| error.kind())
    };
    assert_eq!(outcome("2"), Ok(vec![4]));
    assert_eq!(outcome(&(&modulus - 2_u8).to_str_radix(16)), Ok(vec![4]));
    assert_eq!(outcome(&format!("{:0>100}", "C")), Ok(vec![0, 144]), "leading zeros and a sign byte");
    for outside in [0_u8, 1] {
        assert_eq!(outcome(&outside.to_string()), Err(ErrorKind::Unverified), "{outside}");
    }
    for beyond in 0_u8..4 {
        let response = &modulus - 1_u8 + beyond;
        assert_eq!(outcome(&response.to_str_radix(16)), Err(ErrorKind::Unverified), "p - 1 + {beyond}");
    }
    assert_eq!(outcome(&format!("2{:0>32}", 0)), Err(ErrorKind::Unverified), "a digit too many");
    for syntax in ["", "g", "0x2", " 2", "-2", "2\n", "٢"] {
        assert_eq!(outcome(syntax), Err(ErrorKind::Malformed), "{syntax:?}");
    }
}

/// PKCS#3 parameters of which the modulus has these bytes, and the generator these.
fn parameters(modulus: &[u8], generator: &[u8]) -> Vec<u8> {
    let element = |tag: u8, content: &[u8]| [&[tag, u8::try_from(content.len()).unwrap()], content].concat();
    element(0x30, &[element(2, modulus), element(2, generator)].concat())
}

#[test]
fn a_modulus_is_negative_from_its_first_bit_on() {
    let mut positive = vec![0xff; 17];
    positive[0] = 0x7f;
    assert!(DhGroup::read(parameters(&positive, &[2])).is_ok());
    positive[0] = 0x80;
    let error = DhGroup::read(parameters(&positive, &[2])).unwrap_err();
    assert!(error.to_string().contains("negative"), "{error}");
    positive.insert(0, 0);
    assert_eq!(format!("{:?}", DhGroup::read(parameters(&positive, &[2])).unwrap()), "DhGroup(136 bits, generator 2)");
    assert!(DhGroup::read(parameters(&positive, &[0x80])).is_err());
}

#[test]
fn of_two_groups_the_modulus_and_the_generator_are_compared() {
    assert_eq!(group(), from_numbers(&modulus(), 2));
    assert_ne!(group(), from_numbers(&modulus(), 3));
    assert_ne!(group(), from_numbers(&(modulus() + 2_u8), 2));
}
