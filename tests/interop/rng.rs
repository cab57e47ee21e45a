//! Random numbers that can be repeated.

use ibkr_oauth::{Entropy, EntropyError, simulator::SeededEntropy};

/// Numbers from a seed, which is printed so that a failure can be looked at again.
pub(super) struct Rng(SeededEntropy);

impl Rng {
    pub(super) fn new(seed: u64, what: &str) -> Self {
        println!("seed {seed:#x}: {what}");
        Self(SeededEntropy::new(seed))
    }

    pub(super) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill(&mut bytes).unwrap();
        bytes
    }

    pub(super) fn vec(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.0.fill(&mut bytes).unwrap();
        bytes
    }

    /// A number less than `end`.
    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::try_from(u64::from_le_bytes(self.bytes()) % u64::try_from(end).unwrap()).unwrap()
    }

    /// True once in `of` times.
    pub(super) fn once_in(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }

    pub(super) fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }

    /// From `least` to `most` characters of `alphabet`.
    pub(super) fn text(&mut self, alphabet: &str, least: usize, most: usize) -> String {
        let alphabet: Vec<char> = alphabet.chars().collect();
        let length = least + self.below(most - least + 1);
        (0..length).map(|_| alphabet[self.below(alphabet.len())]).collect()
    }
}

impl Entropy for Rng {
    fn fill(&mut self, destination: &mut [u8]) -> Result<(), EntropyError> {
        self.0.fill(destination)
    }
}
