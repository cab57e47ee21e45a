//! What the project promises of its speed.

use std::collections::BTreeMap;

use ibkr_oauth_peers::contender::{OURS, OURS_BY_AWS_LC};
use serde_json::{Value, json};

use crate::{Rounds, median};

enum Promise {
    /// It takes at most so many times as long as the other, and so many are aimed for.
    AtMost { than: &'static str, times: f64, aim: f64 },
    /// The other takes at least so many times as long.
    FasterThan { than: &'static str, times: f64 },
}

const GET: &str = "signing a GET";
const HMAC: &str = "the HMAC alone";
const HANDSHAKE: &str = "handshake";

const PROMISES: [(&str, &str, Promise); 7] = [
    (GET, OURS, Promise::AtMost { than: HMAC, times: 2.1, aim: 1.9 }),
    (GET, OURS, Promise::FasterThan { than: "oauth1-request", times: 2.5 }),
    (GET, OURS, Promise::FasterThan { than: "oauth1-request-ios", times: 2.5 }),
    (GET, OURS, Promise::FasterThan { than: "reqwest-oauth1", times: 7.0 }),
    (GET, OURS, Promise::FasterThan { than: "plain code", times: 7.0 }),
    (HANDSHAKE, OURS, Promise::AtMost { than: "OpenSSL", times: 4.3, aim: 3.6 }),
    (HANDSHAKE, OURS_BY_AWS_LC, Promise::AtMost { than: "OpenSSL", times: 1.7, aim: 1.5 }),
];

/// The median, over the rounds, of how many times as long as `than` it takes.
pub(crate) fn ratio(rounds: &Rounds, who: &str, than: &str) -> f64 {
    median(rounds[who].iter().zip(&rounds[than]).map(|(time, other)| time / other).collect())
}

pub(crate) fn check(measured: &BTreeMap<&str, Rounds>) -> Vec<Value> {
    println!("\nwhat is promised");
    let mut results: Vec<Value> = PROMISES
        .iter()
        .filter(|(comparison, ..)| measured.contains_key(comparison))
        .filter(|(comparison, who, _)| (*comparison, *who) != (HANDSHAKE, OURS) || !openssl_has_wide_multiplication())
        .map(|(comparison, who, promise)| {
            let rounds = &measured[comparison];
            let (text, is_kept) = match promise {
                Promise::AtMost { than, times, aim } => {
                    let ratio = ratio(rounds, who, than);
                    (format!("{ratio:.2} x {than} (at most {times}, aim {aim})"), ratio <= *times)
                }
                Promise::FasterThan { than, times } => {
                    let ratio = ratio(rounds, than, who);
                    (format!("{ratio:.1} x as fast as {than} (at least {times})"), ratio >= *times)
                }
            };
            say(comparison, who, &text, is_kept)
        })
        .collect();
    results.extend(measured.get("form parameters").map(growth));
    results
}

/// Whether OpenSSL may compute RSA with AVX-512's multiplications of 52 bits, which halves its time: what is promised of Rust
/// is to come near to code for all processors, and so OpenSSL is also measured without them (`OPENSSL_ia32cap`, which AWS-LC
/// heeds too).
fn openssl_has_wide_multiplication() -> bool {
    #[cfg(target_arch = "x86_64")]
    let processor_has_it = std::arch::is_x86_feature_detected!("avx512ifma");
    #[cfg(not(target_arch = "x86_64"))]
    let processor_has_it = false;
    processor_has_it && std::env::var_os("OPENSSL_ia32cap").is_none()
}

/// From ten parameters to ten thousand, a form's cost grows no faster than n log n. (One parameter costs what all
/// requests do.)
fn growth(rounds: &Rounds) -> Value {
    let cost = |size: f64| median(rounds[&format!("{size}")].clone()) / (size * size.log2());
    let worst = [100.0, 1000.0, 10_000.0].map(cost).into_iter().fold(0.0, f64::max) / cost(10.0);
    let text = format!("{worst:.2} x the cost at 10, each divided by n log n, is the most of 100, 1,000 and 10,000");
    say("form parameters", OURS, &text, worst <= 1.0)
}

fn say(comparison: &str, who: &str, text: &str, is_kept: bool) -> Value {
    println!("  {}  {comparison}: {who}: {text}", if is_kept { "kept  " } else { "BROKEN" });
    json!({"comparison": comparison, "who": who, "text": text, "kept": is_kept})
}
