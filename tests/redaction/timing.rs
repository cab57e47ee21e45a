//! Whether a secret shows in the time that work with it takes.
//!
//! ```sh
//! taskset -c 1 cargo test --release --features simulator --test redaction timing -- --ignored --nocapture --test-threads 1
//! ```
//!
//! It says something only on a machine that does nothing else, and of optimized code; so it is ignored by default.
//!
//! The method is dudect's (Reparaz, Balasch, Verbauwhede: "Dude, is my code constant time?", DATE 2017). The same work is
//! done with inputs of two classes, and each time a coin says which: what else goes on in the machine, and its changing
//! speed, meet both alike. The inputs of both classes lie ready in memory, equally many and equally old, and are taken from
//! there in the same way before the clock starts: an input that was drawn a moment ago, against one that was always there,
//! shows in the time of a comparison (0.3 ns), and is no secret. Where the mean times differ, by Welch's t-test, the time depends on the input: |t| < 4.5 is what dudect takes
//! for no evidence of it.
//!
//! Left out are the first hundredth of the samples, in which caches are cold, and the slowest tenth of the others, of both
//! classes together: those were interrupted. The t of all samples is printed too.
//!
//! That the method finds something is shown by a comparison that stops at the first difference.

#![allow(clippy::as_conversions, clippy::cast_precision_loss, reason = "statistics of numbers below 2^53")]

use std::{hint::black_box, time::Instant};

use ibkr_oauth::{
    Entropy, EntropyError, Secret,
    dh::{self, DhGroup, Exponent},
};

use crate::fixture::SeededEntropy;

const LIMIT: f64 = 4.5;
/// How often a comparison is done for one sample, so that it is long enough for the clock.
const REPETITIONS: usize = 32;
const COMPARISONS: usize = 1_200_000;
const EXPONENTIATIONS: usize = 24_000;

fn bytes<const N: usize>(rng: &mut SeededEntropy) -> [u8; N] {
    std::array::from_fn(|_| rng.next().to_be_bytes()[0])
}

/// Gives out the exponent that is wanted.
struct Given<'a>(&'a [u8; 32]);

impl Entropy for Given<'_> {
    fn fill(&mut self, destination: &mut [u8]) -> Result<(), EntropyError> {
        destination.copy_from_slice(self.0);
        Ok(())
    }
}

/// The times of one class, in nanoseconds.
#[derive(Default)]
struct Class(Vec<f64>);

impl Class {
    fn mean(&self) -> f64 {
        self.0.iter().sum::<f64>() / self.0.len() as f64
    }

    /// The square of the standard error of the mean.
    fn error(&self) -> f64 {
        let mean = self.mean();
        let squares: f64 = self.0.iter().map(|time| (time - mean).powi(2)).sum();
        squares / (self.0.len() as f64 - 1.0) / self.0.len() as f64
    }

    fn below(&self, limit: f64) -> Self {
        Self(self.0.iter().copied().filter(|time| *time <= limit).collect())
    }
}

/// Welch's t: positive where the second class takes longer.
fn welch(classes: &[Class; 2]) -> f64 {
    let [first, second] = classes;
    (second.mean() - first.mean()) / (first.error() + second.error()).sqrt()
}

/// How many inputs of each class lie ready.
const READY: usize = 256;

/// What a class takes its inputs from.
#[derive(Clone, Copy)]
enum Inputs<const N: usize> {
    Fixed([u8; N]),
    Random,
}

impl<const N: usize> Inputs<N> {
    fn ready(self, rng: &mut SeededEntropy) -> Vec<[u8; N]> {
        let draw = |_| match self {
            Self::Fixed(input) => input,
            Self::Random => bytes(rng),
        };
        (0..READY).map(draw).collect()
    }
}

/// Takes samples: `prepare` makes of some bytes what `work`, which is timed, is done with. Returns t, slow samples cropped.
fn measure<const N: usize, I>(
    what: &str,
    samples: usize,
    inputs: [Inputs<N>; 2],
    prepare: impl Fn(&[u8; N]) -> I,
    work: impl Fn(&I),
) -> f64 {
    let mut rng = SeededEntropy(0x1234_5678);
    let inputs = inputs.map(|inputs| inputs.ready(&mut rng));
    let mut classes = [Class(Vec::with_capacity(samples)), Class(Vec::with_capacity(samples))];
    for sample in 0..samples + samples / 100 {
        let class = usize::from(rng.next() >> 63 == 1);
        let input = prepare(black_box(&inputs[class][sample % READY]));
        let start = Instant::now();
        work(black_box(&input));
        let time = start.elapsed();
        if sample >= samples / 100 {
            classes[class].0.push(time.as_nanos() as f64);
        }
    }
    let mut all: Vec<f64> = classes.iter().flat_map(|class| class.0.iter().copied()).collect();
    all.sort_by(f64::total_cmp);
    let limit = all[samples * 9 / 10];
    let cropped = [classes[0].below(limit), classes[1].below(limit)];
    let t = welch(&cropped);
    println!(
        "{what}: {} + {} samples, means {:.2} and {:.2} ns, t = {t:.2}; of all {samples} samples t = {:.2}",
        cropped[0].0.len(),
        cropped[1].0.len(),
        cropped[0].mean(),
        cropped[1].mean(),
        welch(&classes)
    );
    t
}

#[track_caller]
fn assert_even(t: f64) {
    assert!(t.abs() < LIMIT, "the time depends on the secret: t = {t}");
}

const FIXED: [u8; 32] = *b"a secret that is to be guessed..";

fn one_off(index: usize) -> [u8; 32] {
    let mut other = FIXED;
    other[index] ^= 1;
    other
}

#[test]
fn the_means_of_two_classes_are_compared_as_welch_says() {
    let classes = [Class(vec![1.0, 2.0, 3.0, 4.0]), Class(vec![2.0, 4.0, 6.0, 8.0, 10.0])];
    assert!((welch(&classes) - 3.5 / (5.0_f64 / 12.0 + 2.0).sqrt()).abs() < 1e-12);
}

/// Stops where the first byte differs, as `==` of slices may.
fn leaky(one: &[u8], other: &[u8]) -> bool {
    one.iter().zip(other).all(|(one, other)| black_box(one) == black_box(other))
}

fn leak(guess: &Secret) {
    for _ in 0..REPETITIONS {
        black_box(leaky(&FIXED, black_box(guess.expose())));
    }
}

#[test]
#[ignore = "needs a machine that does nothing else, and an optimized build"]
fn a_comparison_that_leaks_is_found_out() {
    let t = measure(
        "leaky, right or random",
        COMPARISONS,
        [Inputs::Fixed(FIXED), Inputs::Random],
        |guess| Secret::from(guess.as_slice()),
        leak,
    );
    assert!(t.abs() > 100.0, "the method finds nothing: t = {t}");
    let t = measure(
        "leaky, the first byte wrong or the last",
        COMPARISONS,
        [Inputs::Fixed(one_off(0)), Inputs::Fixed(one_off(31))],
        |guess| Secret::from(guess.as_slice()),
        leak,
    );
    assert!(t.abs() > 100.0, "the method finds nothing: t = {t}");
}

#[test]
#[ignore = "needs a machine that does nothing else, and an optimized build"]
fn secrets_are_compared_in_constant_time() {
    let secret = Secret::from(FIXED.as_slice());
    let work = |guess: &Secret| {
        for _ in 0..REPETITIONS {
            black_box(secret == *black_box(guess));
        }
    };
    assert_even(measure(
        "`Secret`, right or random",
        COMPARISONS,
        [Inputs::Fixed(FIXED), Inputs::Random],
        |guess| Secret::from(guess.as_slice()),
        work,
    ));
    assert_even(measure(
        "`Secret`, the first byte wrong or the last",
        COMPARISONS,
        [Inputs::Fixed(one_off(0)), Inputs::Fixed(one_off(31))],
        |guess| Secret::from(guess.as_slice()),
        work,
    ));
}

#[test]
#[ignore = "needs a machine that does nothing else, and an optimized build"]
fn the_proof_is_compared_in_constant_time() {
    let token = Secret::from(FIXED[..20].to_vec());
    let right = dh::proof(&token, "TESTCONS");
    let mut first_wrong = right;
    first_wrong[0] ^= 1;
    let mut last_wrong = right;
    last_wrong[19] ^= 1;
    let work = |proof: &[u8; 20]| {
        black_box(dh::verify_proof(&token, "TESTCONS", black_box(proof)));
    };
    assert_even(measure(
        "the proof, right or random",
        COMPARISONS,
        [Inputs::Fixed(right), Inputs::Random],
        |proof| *proof,
        work,
    ));
    assert_even(measure(
        "the proof, the first byte wrong or the last",
        COMPARISONS,
        [Inputs::Fixed(first_wrong), Inputs::Fixed(last_wrong)],
        |proof| *proof,
        work,
    ));
}

/// Of the fixed exponents one has next to no bits set, and one all: what skips zeros would be fast or slow with them.
#[test]
#[ignore = "needs a machine that does nothing else, and an optimized build"]
fn the_exponentiation_takes_constant_time() {
    let group = DhGroup::modp_2048();
    let theirs = Exponent::generate(&mut Given(&[0x5a; 32])).unwrap().challenge(&group);
    let mut low = [0; 32];
    low[31] = 2;
    for (what, fixed) in [("the exponent 2", low), ("the exponent 2^256 - 1", [0xff; 32])] {
        assert_even(measure(
            &format!("{what} or a random one"),
            EXPONENTIATIONS,
            [Inputs::Fixed(fixed), Inputs::Random],
            |exponent| Exponent::generate(&mut Given(exponent)).unwrap(),
            |exponent| {
                black_box(exponent.shared_secret(&theirs, &group).unwrap());
            },
        ));
    }
}
