//! The keyed MAC of base strings (HMAC-SHA256).

use hmac::{
    KeyInit,
    block_api::HmacCore,
    digest::{
        Output,
        array::Array,
        block_api::{Block, Buffer, FixedOutputCore, UpdateCore},
    },
};
use sha2::Sha256;

type Core = HmacCore<Sha256>;

/// HMAC-SHA256 with its key absorbed. Wiped when it is dropped.
///
/// Base strings lie in memory as a whole. [`Hmac`](hmac::Hmac) is for texts that come in pieces: it keeps a block of its
/// own to collect them in, and each clone takes that along.
#[derive(Clone)]
pub(super) struct KeyedMac(Core);

impl KeyedMac {
    #[allow(clippy::expect_used, reason = "HMAC takes keys of every length")]
    pub(super) fn new(key: &[u8]) -> Self {
        Self(Core::new_from_slice(key).expect("a key of any length"))
    }

    /// The MAC of a text.
    pub(super) fn of(&self, text: &[u8]) -> [u8; 32] {
        let mut state = self.0.clone();
        let (blocks, rest): (&[Block<Core>], _) = Array::slice_as_chunks(text);
        state.update_blocks(blocks);
        let mut mac = Output::<Core>::default();
        state.finalize_fixed_core(&mut Buffer::<Core>::new(rest), &mut mac);
        mac.into()
    }
}

#[cfg(test)]
mod tests {
    use hmac::{Hmac, Mac};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_that_of_hmac(key: Vec<u8>, text in prop::collection::vec(any::<u8>(), 0..400)) {
            let hmac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
            let expected: [u8; 32] = hmac.chain_update(&text).finalize().into_bytes().into();
            prop_assert_eq!(KeyedMac::new(&key).of(&text), expected);
        }
    }
}
