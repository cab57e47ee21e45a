//! The work of `.ci/instructions`: so many signatures, or as many bare HMACs over the same base string, for a processor
//! that counts; each with a nonce drawn from the same dice. `instructions fresh|hmac|prepared|absorbed|PARAMETERS COUNT`,
//! the last of them for a form with so many parameters.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a benchmark may fail")]
#![allow(clippy::disallowed_methods, reason = "its arguments say what is counted")]

mod requests;

use std::hint::black_box;

use hmac::Mac;
use http::HeaderValue;
use ibkr_oauth::{Context, Scratch};
use requests::{Dice, NOW, SNAPSHOT, Sample};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let what = arguments.next().unwrap_or_default();
    let count: u64 = arguments.next().and_then(|count| count.parse().ok()).unwrap_or(1);

    let (signer, key, parts) = (requests::signer(), requests::keyed_hmac(), requests::get(SNAPSHOT));
    let (mut scratch, mut dice) = (Scratch::new(), Dice(1));
    let mut cx = Context::new(NOW, &mut dice);
    // Whatever is measured, all is got ready, so that only the repetitions differ.
    let prepared = signer.prepare(&parts).unwrap();
    signer.write_header(&mut cx, &parts, None, &mut scratch).unwrap();
    let base_string = requests::base_string(&signer, &parts, None, scratch.header());

    // What a prepared request has hashed before, and what it hashes each time.
    let (before, behind) = base_string.split_once("oauth_nonce%3D").unwrap();
    let absorbed = key.clone().chain_update(before).chain_update("oauth_nonce%3D");
    let form = what.parse().ok().map(Sample::form_of);

    for _ in 0..count {
        match what.as_str() {
            _ if form.is_some() => {
                let form = form.as_ref().unwrap();
                signer.write_header(&mut cx, black_box(&form.parts), form.form(), &mut scratch).unwrap();
            }
            "fresh" => {
                signer.write_header(&mut cx, black_box(&parts), None, &mut scratch).unwrap();
                black_box(HeaderValue::from_bytes(scratch.header()).unwrap());
            }
            "prepared" => {
                prepared.write_header(&mut cx, &mut scratch).unwrap();
                black_box(HeaderValue::from_bytes(scratch.header()).unwrap());
            }
            "hmac" => {
                cx.entropy().fill(black_box(&mut [0; 16])).unwrap();
                black_box(key.clone().chain_update(black_box(&base_string)).finalize());
            }
            "absorbed" => {
                cx.entropy().fill(black_box(&mut [0; 16])).unwrap();
                black_box(absorbed.clone().chain_update(black_box(behind)).finalize());
            }
            // `cargo bench` runs all benchmarks without telling them what to do.
            _ => return,
        }
    }
}
