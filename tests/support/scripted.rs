//! A source of "random" bytes whose every byte is known.

use std::collections::VecDeque;

use ibkr_oauth::{Entropy, EntropyError};

/// Gives out the prepared pieces, each to the first request of its length; every other request gets the bytes of a
/// counter, so that nothing repeats.
#[derive(Debug, Default)]
pub(crate) struct Scripted {
    pieces: VecDeque<Vec<u8>>,
    counter: u64,
}

impl Scripted {
    #[allow(dead_code, reason = "not every test that shares this file prepares pieces")]
    pub(crate) fn new(pieces: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self { pieces: pieces.into_iter().collect(), counter: 0 }
    }
}

impl Entropy for Scripted {
    fn fill(&mut self, destination: &mut [u8]) -> Result<(), EntropyError> {
        if let Some(index) = self.pieces.iter().position(|piece| piece.len() == destination.len()) {
            let piece = self.pieces.remove(index).expect("the position was just found");
            destination.copy_from_slice(&piece);
            return Ok(());
        }
        for chunk in destination.chunks_mut(8) {
            self.counter += 1;
            let bytes = (self.counter.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5555_aaaa_1234_8765).to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
        Ok(())
    }
}
