//! Writing to standard output and standard error without ever panicking.

use std::io::{self, ErrorKind, Write};

use crate::failure::Failure;

/// Writes the bytes to standard output, and nothing else. That nobody reads on is no failure.
pub(crate) fn print_bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::refused(format!("standard output cannot be written: {error}"), "check where it leads"))
        }
        _ => Ok(()),
    }
}

/// Writes a line to standard error, where there is one.
pub(crate) fn print_note(line: &str) {
    // There is no other place to report a failure to.
    let _ = writeln!(io::stderr().lock(), "{line}");
}
