//! The diagram of states in the documentation is the machine's own table.

use std::fmt::Write as _;

use ibkr_oauth::session::TRANSITIONS;

/// Draws the table: each state with the triggers that leave it.
fn diagram() -> String {
    let mut out = String::from("```text\n");
    let mut last = None;
    for (from, trigger, to) in TRANSITIONS {
        let name = if last == Some(*from) { String::new() } else { from.to_string() };
        let line = format!("{:─<18}─► {to}", format!("{trigger} "));
        writeln!(out, "{name:<12} {} {line}", if name.is_empty() { "├─" } else { "┬─" }).unwrap();
        last = Some(*from);
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
