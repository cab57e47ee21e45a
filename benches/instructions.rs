//! The work of `.ci/instructions`: so many signatures, or as many bare HMACs over the same base string, for a processor
//! that counts; each with a new nonce. `instructions fresh|hmac|PARAMETERS COUNT`,
//! the last of them for a form with so many parameters.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a benchmark may fail")]
#![allow(clippy::disallowed_methods, reason = "its arguments say what is counted")]

mod requests;

use std::hint::black_box;

use hmac::Mac;
use ibkr_oauth::Context;
use requests::{NOW, SNAPSHOT, Sample, SeededEntropy};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let what = arguments.next().unwrap_or_default();
    let count: u64 = arguments.next().and_then(|count| count.parse().ok()).unwrap_or(1);

    let (signer, key, mut parts) = (requests::signer(), requests::keyed_hmac(), requests::get(SNAPSHOT));
    let mut rng = SeededEntropy(1);
    let mut cx = Context::new(NOW, &mut rng);
    // Whatever is measured, all is got ready, so that only the repetitions differ.
    requests::sign(&signer, &mut cx, &mut parts, None);
    let base_string = requests::base_string(&signer, &parts, None);
    let mut form = what.parse().ok().map(Sample::form_of);

    for _ in 0..count {
        match (what.as_str(), &mut form) {
            (_, Some(Sample { parts, form: Some(form), .. })) => {
                black_box(requests::sign(&signer, &mut cx, black_box(parts), Some(form.as_bytes())));
            }
            ("fresh", _) => {
                black_box(requests::sign(&signer, &mut cx, black_box(&mut parts), None));
            }
            ("hmac", _) => {
                cx.entropy().fill(black_box(&mut [0; 16])).unwrap();
                black_box(key.clone().chain_update(black_box(&base_string)).finalize());
            }
            // `cargo bench` runs all benchmarks without telling them what to do.
            _ => return,
        }
    }
}
