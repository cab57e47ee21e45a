//! Keys, groups, signatures and ciphertexts that are wrong on purpose, as in Wycheproof's tests: each is made here, number
//! by number and tag by tag, from a good key.

use super::{IS_RSA, RsaKey, RsaPublicKey};

#[path = "malformed/ciphertexts.rs"]
mod ciphertexts;
#[path = "malformed/der.rs"]
mod der;
#[path = "malformed/groups.rs"]
mod groups;
#[path = "malformed/numbers.rs"]
pub(crate) mod numbers;
#[path = "malformed/private_keys.rs"]
mod private_keys;
#[path = "malformed/public_keys.rs"]
mod public_keys;
#[path = "malformed/signatures.rs"]
mod signatures;
#[path = "malformed/variants.rs"]
pub(crate) mod variants;
