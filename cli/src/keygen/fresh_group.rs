//! The search for a safe prime.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use crypto_bigint::U2048;
use crypto_primes::{
    Flavor,
    hazmat::{SetBits, SmallFactorsSieveFactory},
    is_prime, sieve_and_find,
};
use ibkr_oauth::{Error, dh::DhGroup};

use super::machine_rng::MachineRng;
use crate::{failure::Failure, output, stop};

const BITS: u32 = 2048;
/// The time between two pictures of the spinner.
const TURN: Duration = Duration::from_millis(100);

/// A group of a safe prime of 2048 bits and the generator 2. Takes minutes; ends early where the program is asked to stop.
pub(super) fn find() -> Result<DhGroup, Failure> {
    let asked = stop::flag()?;
    let done = Arc::new(AtomicBool::new(false));
    let (sender, found) = mpsc::channel();
    for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
        let (sender, done) = (sender.clone(), Arc::clone(&done));
        thread::spawn(move || {
            if let Some(prime) = search(&done) {
                // Another thread may have been faster.
                let _ = sender.send(prime);
            }
        });
    }
    let mut spinner = Spinner::new();
    let result = loop {
        if asked.load(Ordering::SeqCst) {
            break Err(Failure::refused(
                "cancelled: nothing was written",
                "leave out `--fresh-group`, and it is done at once",
            ));
        }
        match found.recv_timeout(TURN) {
            Ok(prime) => {
                break DhGroup::from_be_bytes(prime.to_be_bytes().as_ref(), &[2])
                    .map_err(|error| Error::from(error).into());
            }
            Err(RecvTimeoutError::Timeout) => spinner.turn(),
            Err(RecvTimeoutError::Disconnected) => {
                break Err(Failure::refused("the search for a prime failed", "leave out `--fresh-group`"));
            }
        }
    };
    done.store(true, Ordering::SeqCst);
    output::show_progress("");
    result
}

/// A safe prime p with p mod 8 = 7: then 2 generates the subgroup of prime order, and no bit of an exponent leaks.
fn search(done: &AtomicBool) -> Option<U2048> {
    let fits = |candidate: &U2048| candidate.as_words().first().is_some_and(|word| word & 7 == 7);
    let sieve = SmallFactorsSieveFactory::<U2048>::new(Flavor::Safe, BITS, SetBits::Msb).ok()?;
    let found = sieve_and_find(&mut MachineRng, sieve, |_, candidate| {
        done.load(Ordering::SeqCst) || (fits(candidate) && is_prime(Flavor::Safe, candidate))
    });
    found.ok().flatten().filter(|_| !done.load(Ordering::SeqCst))
}

/// What turns on a terminal while somebody waits; elsewhere nothing.
struct Spinner {
    began: Instant,
    turns: usize,
}

impl Spinner {
    fn new() -> Self {
        Self { began: Instant::now(), turns: 0 }
    }

    fn turn(&mut self) {
        self.turns = self.turns.wrapping_add(1);
        let picture = ["|", "/", "-", "\\"].into_iter().cycle().nth(self.turns % 4).unwrap_or_default();
        let seconds = self.began.elapsed().as_secs();
        output::show_progress(&format!("{picture} looking for a safe prime: {seconds} s (Ctrl-C cancels)"));
    }
}
