//! Measures all contenders in turns, so that a neighbour's load falls on each alike, and says whether what is promised
//! is true: `cargo run --release --bin measure [RESULTS.json [COMPARISON …]]`.
//!
//! A round measures each contender once, for some milliseconds. A ratio is the median of the ratios within the rounds.

mod promises;

use std::{collections::BTreeMap, time::Duration};

use ibkr_oauth_peers::{
    comparisons,
    contender::{Comparison, Contender},
};
use serde_json::{Value, json};

const ROUNDS: usize = 61;

/// How long a contender works in a round, or once if that takes longer.
const TURN: Duration = Duration::from_millis(4);

/// For each contender its nanoseconds in each round.
type Rounds = BTreeMap<String, Vec<f64>>;

fn main() {
    let mut measured = BTreeMap::new();
    let mut data = Vec::new();
    let (file, wanted) = (std::env::args().nth(1), std::env::args().skip(2).collect::<Vec<_>>());
    for comparison in comparisons() {
        let name = comparison.name;
        if !wanted.is_empty() && !wanted.iter().any(|wanted| wanted == name) {
            continue;
        }
        println!("\n{name}");
        let yardstick = comparison.contenders[0].name.clone();
        let order: Vec<String> = comparison.contenders.iter().map(|contender| contender.name.clone()).collect();
        let rounds = measure(comparison);
        for who in order {
            let (nanoseconds, ratio) = (median(rounds[&who].clone()), promises::ratio(&rounds, &who, &yardstick));
            println!("  {who:<24} {nanoseconds:>12.0} ns   {ratio:>7.2} x {yardstick}");
            data.push(json!({"comparison": name, "who": who, "nanoseconds": nanoseconds, "ratio": ratio}));
        }
        measured.insert(name, rounds);
    }
    let promises = promises::check(&measured);
    if let Some(file) = file {
        let data: Value = json!({"measured": data, "promises": promises});
        std::fs::write(file, format!("{data:#}\n")).expect("the results can be written");
    }
}

fn measure(mut comparison: Comparison) -> Rounds {
    let turns: Vec<u64> = comparison.contenders.iter_mut().map(repetitions).collect();
    let mut rounds = Rounds::new();
    for round in 0..ROUNDS {
        // Not always in the same order.
        let count = comparison.contenders.len();
        for index in (0..count).map(|index| (index + round) % count) {
            let contender = &mut comparison.contenders[index];
            let nanoseconds = contender.time(turns[index]).as_nanos() as f64 / turns[index] as f64;
            rounds.entry(contender.name.clone()).or_default().push(nanoseconds);
        }
    }
    rounds
}

/// How often a contender does its work in a turn.
fn repetitions(contender: &mut Contender) -> u64 {
    let mut times = 1;
    loop {
        let took = contender.time(times);
        if took * 2 >= TURN || times > 1 << 30 {
            let wanted = TURN.as_nanos() * u128::from(times) / took.as_nanos().max(1);
            return u64::try_from(wanted).unwrap_or(u64::MAX).max(1);
        }
        times *= 2;
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
