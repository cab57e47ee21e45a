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

/// HMAC-SHA256 with its key, and perhaps with the start of a text, absorbed. Wiped when it is dropped.
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

    /// Absorbs the whole blocks at the start of `text`, and returns what is behind them.
    pub(super) fn absorb<'a>(&mut self, text: &'a [u8]) -> &'a [u8] {
        let (blocks, rest): (&[Block<Core>], _) = Array::slice_as_chunks(text);
        self.0.update_blocks(blocks);
        rest
    }

    /// The MAC of what was absorbed, and `text` behind it.
    pub(super) fn of(&self, text: &[u8]) -> [u8; 32] {
        let mut state = self.clone();
        let rest = state.absorb(text);
        let mut mac = Output::<Core>::default();
        state.0.finalize_fixed_core(&mut Buffer::<Core>::new(rest), &mut mac);
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
        fn it_is_that_of_hmac_wherever_the_text_is_cut(
            key: Vec<u8>,
            text in prop::collection::vec(any::<u8>(), 0..400),
            cut: prop::sample::Index,
        ) {
            let hmac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
            let expected: [u8; 32] = hmac.chain_update(&text).finalize().into_bytes().into();
            let mut mac = KeyedMac::new(&key);
            prop_assert_eq!(mac.of(&text), expected);

            let (start, end) = text.split_at(cut.index(text.len() + 1));
            let mut rest = mac.absorb(start).to_vec();
            rest.extend_from_slice(end);
            prop_assert_eq!(mac.of(&rest), expected);
        }
    }
}
