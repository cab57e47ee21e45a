//! Keys and Diffie-Hellman parameters in every form: the input is handed to every reader.

use std::fmt::{Debug, Display};

use ibkr_oauth::{
    Entropy, EntropyError, Error,
    dh::{DhGroup, Exponent},
    key::{RsaKey, RsaPublicKey},
};
use num_bigint::BigUint;

const PASSPHRASE: &[u8] = b"correct-horse";

pub fn run(data: &[u8]) {
    private(RsaKey::read(data, None), data);
    public(RsaPublicKey::read(data), data);
    group(DhGroup::read(data), data);
    if is_quickly_opened(data) {
        private(RsaKey::read(data, Some(PASSPHRASE)), data);
    }
    if let Some((split, rest)) = data.split_first() {
        let (prime, generator) = rest.split_at(usize::from(*split).min(rest.len()));
        let [prime, generator] = [prime, generator].map(BigUint::from_bytes_be);
        group(DhGroup::read(format!("prime: 0x{prime:x}\ngenerator: 0x{generator:x}")), data);
    }
}

/// Up to ten million rounds are allowed, which would be no fuzzing: only keys are opened that have no large number in
/// their first part, where the rounds stand.
fn is_quickly_opened(der: &[u8]) -> bool {
    let head = &der[..der.len().min(160)];
    // An INTEGER of one or two bytes is at most 32767; any that is longer might be more.
    !head.windows(2).any(|window| window[0] == 2 && (3..=9).contains(&window[1]))
}

fn private(outcome: Result<RsaKey, Error>, data: &[u8]) {
    let Some(key) = kept(outcome, data) else { return };
    assert!((2048..=8192).contains(&key.public_key().modulus_bits()));
    let public = RsaPublicKey::read(&key.public_key().to_pem()).expect("what we write");
    assert!(public == key.public_key() && public.fingerprint() == key.public_key().fingerprint());
}

fn public(outcome: Result<RsaPublicKey, Error>, data: &[u8]) {
    let Some(key) = kept(outcome, data) else { return };
    assert!((2048..=8192).contains(&key.modulus_bits()));
    assert!(RsaPublicKey::read(&key.to_pem()).expect("what we write") == key);
    let signature = &data[..data.len().min(key.modulus_bits().div_ceil(8))];
    assert!(key.verify(&[7; 32], signature).is_err(), "a forgery");
}

/// Random bytes that are the same each time.
struct Same;

impl Entropy for Same {
    fn fill(&mut self, destination: &mut [u8]) -> Result<(), EntropyError> {
        destination
            .iter_mut()
            .zip(b"the client's secret exponent....".iter().cycle())
            .for_each(|(to, from)| *to = *from);
        Ok(())
    }
}

fn group(outcome: Result<DhGroup, Error>, data: &[u8]) {
    let Some(group) = kept(outcome, data) else { return };
    let bits = BigUint::parse_bytes(group.prime_hex().as_bytes(), 16).expect("hexadecimal").bits();
    assert!((128..=8192).contains(&bits));
    if bits > 2112 {
        return;
    }
    // Only the library knows the numbers; the powers tell whether both sides compute alike, whatever they are.
    let exponent = Exponent::generate(&mut Same).expect("bytes");
    let challenge = exponent.challenge(&group);
    let number = BigUint::parse_bytes(challenge.as_bytes(), 16).expect("hexadecimal");
    assert!(number.bits() <= bits && number.to_str_radix(16) == challenge);
    let _ = exponent.shared_secret(&challenge, &group);
    let _ = exponent.shared_secret("2", &group);
}

/// What was read; of an error, that it says something useful, and nothing of what was given.
fn kept<T: Debug>(outcome: Result<T, Error>, data: &[u8]) -> Option<T> {
    let shown = match &outcome {
        Ok(key) => format!("{key:?} {key:#?}"),
        Err(error) => {
            let mut shown = said(error);
            shown += error.remedy();
            let mut source = std::error::Error::source(error);
            while let Some(cause) = source {
                shown += &said(&cause);
                source = cause.source();
            }
            shown
        }
    };
    assert!(shown.len() < 4000, "{} characters", shown.len());
    // Twelve characters of base64 or of hexadecimal digits, as they stand in keys and hardly in words.
    let is_secret = |run: &&[u8]| {
        run.iter().all(u8::is_ascii_alphanumeric)
            && run.iter().filter(|byte| byte.is_ascii_digit()).count() >= 2
            && run.iter().filter(|byte| byte.is_ascii_uppercase()).count() >= 2
            && run.iter().filter(|byte| byte.is_ascii_lowercase()).count() >= 2
    };
    for run in data.windows(12).filter(is_secret).take(512) {
        let run = std::str::from_utf8(run).expect("ASCII");
        assert!(!shown.contains(run), "{shown} shows {run}");
    }
    outcome.ok()
}

fn said(error: &(impl Debug + Display + ?Sized)) -> String {
    format!("{error} {error:?} ")
}
