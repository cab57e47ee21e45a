//! What a key is turned into by HMAC-SHA256 (RFC 2104): whoever has both states signs as if he had the key.

use sha2::block_api::compress256;

use crate::Marker;

/// The square roots of the first eight primes: where SHA-256 starts (FIPS 180-4 section 5.3.3).
const START: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// The states of the inner and the outer hash after the key, and the blocks that lead there.
#[must_use]
pub fn hmac_states(key: &[u8]) -> Vec<Marker> {
    [("inner state", 0x36), ("outer state", 0x5c)]
        .map(|(name, pad)| Marker::bytes(name, &state(&[padded(key, pad)])).and(&padded(key, pad)[..key.len().max(16)]))
        .into()
}

/// The state of the inner hash after the key and the whole blocks of `message`.
///
/// # Panics
/// When there is not one whole block.
#[must_use]
pub fn advanced_state(key: &[u8], message: &[u8]) -> Marker {
    let (blocks, _) = message.as_chunks();
    assert!(!blocks.is_empty(), "nothing is hashed yet");
    Marker::bytes("advanced inner state", &state(&[&[padded(key, 0x36)], blocks].concat()))
}

/// The state of SHA-256 after these blocks, as it stands in memory.
fn state(blocks: &[[u8; 64]]) -> Vec<u8> {
    let mut words = START;
    compress256(&mut words, blocks);
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

fn padded(key: &[u8], pad: u8) -> [u8; 64] {
    let mut block = [pad; 64];
    block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
    block
}
