//! Each program that users must be able to write is in `examples/`, no longer than it has to be.

use std::{fs, path::Path};

/// The programs, each with the most lines of code that it may have: those of `main`, and of what else a user has to write.
const BUDGETS: [(&str, &[&str], usize); 6] = [
    ("examples/bot.rs", &["async fn main("], 12),
    ("examples/script.rs", &["fn main("], 6),
    ("examples/stream.rs", &["async fn main("], 15),
    ("examples/bot_under_test.rs", &["async fn main("], 15),
    ("examples/custom_stack.rs", &["impl Transport for MyStack", "fn main("], 10),
    // 25, and the signatures of three handlers.
    ("cli/examples/web_app.rs", &["async fn connect(", "async fn callback(", "async fn accounts("], 28),
];

/// Lines of code of the item that starts so: without blank lines, comments, attributes and the last brace.
fn lines(source: &str, start: &str) -> usize {
    let lines = source.lines().skip_while(|line| !line.starts_with(start)).take_while(|line| *line != "}");
    lines.map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//") && !line.starts_with('#')).count()
}

#[test]
fn each_program_is_within_its_budget() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for (name, items, budget) in BUDGETS {
        let source = fs::read_to_string(root.join(name)).unwrap();
        let counts: Vec<usize> = items.iter().map(|item| lines(&source, item)).collect();
        assert!(counts.iter().all(|count| *count > 2), "{name}: {counts:?}");
        let count: usize = counts.iter().sum();
        assert!(count <= budget, "{name} has {count} lines of code, {budget} are allowed");
    }
}
