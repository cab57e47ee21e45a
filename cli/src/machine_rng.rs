//! The machine's random bytes for code that cannot be told that there are none.

use std::convert::Infallible;

use ibkr_oauth::{Entropy, OsEntropy};
use rand_core::{TryCryptoRng, TryRng};

use crate::output;

/// The operating system's random numbers. Where they fail, the program ends: nothing was written yet.
pub(crate) struct MachineRng;

impl TryRng for MachineRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, destination: &mut [u8]) -> Result<(), Infallible> {
        if let Err(error) = OsEntropy.fill(destination) {
            output::print_note(&format!("error: {error}\ntry: look after the machine's source of random numbers"));
            std::process::exit(1);
        }
        Ok(())
    }
}

impl TryCryptoRng for MachineRng {}
