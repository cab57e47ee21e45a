//! Keys, groups, signatures and ciphertexts that are wrong on purpose, as in Wycheproof's tests: each is made here, number
//! by number and tag by tag, from a good key.

mod ciphertexts;
mod der;
mod groups;
mod numbers;
mod private_keys;
mod public_keys;
mod signatures;
mod variants;
