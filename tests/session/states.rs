//! The diagram of states in the documentation is the machine's own table.

use std::fmt::Write as _;

use ibkr_oauth::session::State;

use State::{BackingOff, Closing, Displaced, Live, Negotiating, Opening, Renewing, Settling};

const STATES: [State; 8] = [Negotiating, Opening, Settling, Live, Renewing, Displaced, BackingOff, Closing];

/// Draws the table: each state with those that may follow it.
fn diagram() -> String {
    let mut out = String::from("```text\n");
    for from in STATES {
        let successors: Vec<String> = from.successors().iter().map(State::to_string).collect();
        writeln!(out, "{:<12}─► {}", format!("{from} "), successors.join(", ")).unwrap();
    }
    out.push_str("```\n");
    out
}

#[test]
fn the_documented_diagram_is_the_table() {
    let expected = diagram();
    let documented = include_str!("../../src/session/states.md");
    assert!(documented == expected, "src/session/states.md ought to be:\n{expected}");
}
