//! New keys by the crate `rsa`.

use rsa::{
    PrivateKey,
    pkcs8::{EncodePrivateKey as _, LineEnding},
};
use zeroize::Zeroizing;

use crate::machine_rng::MachineRng;

/// The length of the keys, in bits: what IBKR asks for.
const BITS: usize = 2048;

/// A new key in PKCS#8's PEM.
pub(crate) fn private_key() -> Result<Zeroizing<String>, String> {
    let key = PrivateKey::new(&mut MachineRng, BITS).map_err(|error| error.to_string())?;
    key.to_pkcs8_pem(LineEnding::LF).map_err(|error| error.to_string())
}
