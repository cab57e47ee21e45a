//! A yes or a no from whoever runs the program.

use std::io::{self, BufRead, Read};

use crate::{failure::Failure, output};

/// The longest answer that is read, in bytes.
const LONGEST: u64 = 100;

/// Asks on standard error, and reads a line of standard input: whether it says yes.
pub(crate) fn given(question: &str) -> Result<bool, Failure> {
    output::print_note(&format!("{question} [y/N]"));
    let mut line = Vec::new();
    let read = io::stdin().lock().take(LONGEST).read_until(b'\n', &mut line);
    read.map_err(|error| {
        Failure::usage(format!("standard input cannot be read: {error}"), "answer by `--yes` on the command line")
    })?;
    let answer = String::from_utf8_lossy(&line).trim().to_ascii_lowercase();
    Ok(answer == "y" || answer == "yes")
}
