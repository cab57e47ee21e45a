//! What is secret in an RSA key.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::Marker;

/// The numbers of a private key in PEM (PKCS#1 or PKCS#8, 2048 bits), each by itself, and the text that holds them all.
#[must_use]
pub fn rsa_key(pem: &str) -> Vec<Marker> {
    let base64: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = STANDARD.decode(&base64).expect("PEM");
    // Version, n, e, d, p, q, d mod p-1, d mod q-1, 1/q mod p, and perhaps a third prime.
    let numbers = integers(&der);
    let [_, _, _, secret @ ..] = numbers.as_slice() else { panic!("no RSA private key") };
    let names = ["private exponent", "prime p", "prime q", "exponent of p", "exponent of q", "coefficient"];
    let third = ["prime r", "exponent of r", "coefficient of r"];
    let names = [&names[..], &third[..]].concat();
    assert!([6, 9].contains(&secret.len()));
    let mut markers: Vec<_> = names.iter().zip(secret).map(|(name, number)| Marker::number(name, number)).collect();
    // The beginning is the same for every key, and then comes the modulus, which is public.
    markers.push(Marker::bytes("DER of the key", &der[400..]));
    markers.push(Marker::bytes("PEM of the key", &base64.as_bytes()[560..]));
    markers
}

/// The numbers within nested DER, without the zero in front that keeps them positive.
fn integers(mut der: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    while let [tag, length, rest @ ..] = der {
        let (length, rest) = match (length, rest) {
            (0x81, [length, rest @ ..]) => (usize::from(*length), rest),
            (0x82, [high, low, rest @ ..]) => (usize::from(*high) << 8 | usize::from(*low), rest),
            (short, rest) => (usize::from(*short), rest),
        };
        let (content, behind) = rest.split_at(length);
        match tag {
            0x02 => found.push(content.strip_prefix(&[0]).unwrap_or(content)),
            0x30 => found.extend(integers(content)),
            // PKCS#8 has PKCS#1 within, and before it a version of its own.
            0x04 => found = integers(content),
            _ => {}
        }
        der = behind;
    }
    found
}
