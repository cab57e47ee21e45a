//! New keys by AWS-LC.

use aws_lc_rs::{
    encoding::AsDer as _,
    rsa::{KeyPair, KeySize},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

/// The length of the keys: what IBKR asks for.
const SIZE: KeySize = KeySize::Rsa2048;

/// How many characters a line of PEM has.
const LINE: usize = 64;

/// A new key in PKCS#8's PEM.
pub(crate) fn private_key() -> Result<Zeroizing<String>, String> {
    let unusable = |_| "AWS-LC refused".to_owned();
    let der = KeyPair::generate(SIZE).and_then(|key| key.as_der()).map_err(unusable)?;
    let mut digits = Zeroizing::new(vec![0; der.as_ref().len().div_ceil(3).saturating_mul(4)]);
    let length = STANDARD.encode_slice(der.as_ref(), &mut digits).map_err(|error| error.to_string())?;
    // Room for all, so that the text never moves and leaves a copy behind.
    let mut pem = Zeroizing::new(String::with_capacity(length.saturating_mul(2).saturating_add(100)));
    pem.push_str("-----BEGIN PRIVATE KEY-----\n");
    for line in digits.chunks(LINE) {
        pem.push_str(std::str::from_utf8(line).map_err(|error| error.to_string())?);
        pem.push('\n');
    }
    pem.push_str("-----END PRIVATE KEY-----\n");
    Ok(pem)
}
