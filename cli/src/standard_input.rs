//! Reading what is piped in.

#[cfg(unix)]
use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal};

use ibkr_oauth::{Secret, local::reading};
use zeroize::Zeroizing;

use crate::failure::Failure;

/// The argument or, where that is `-`, the content of standard input: `what`, of at most `most` bytes.
pub(crate) fn given(argument: &str, what: &str, most: usize, remedy: &str) -> Result<Zeroizing<String>, Failure> {
    if argument == "-" { read(what, most, remedy) } else { Ok(Zeroizing::new(argument.to_owned())) }
}

/// Reads all of standard input, into memory that is wiped. More than `most` bytes are refused.
fn read(what: &str, most: usize, remedy: &str) -> Result<Zeroizing<String>, Failure> {
    let unreadable = |error: &dyn std::fmt::Display, remedy: &str| {
        Failure::usage(format!("{what} cannot be read from standard input: {error}"), remedy)
    };
    let content = all(most).map_err(|error| match error.kind() {
        ErrorKind::FileTooLarge => {
            Failure::usage(format!("what standard input has is longer than {what} can be"), remedy)
        }
        ErrorKind::TimedOut => unreadable(&error, reading::remedy(&error)),
        _ => unreadable(&error, remedy),
    })?;
    let text = str::from_utf8(content.expose()).map_err(|_| unreadable(&"it is not UTF-8", remedy))?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// Whatever standard input is. A person who types has no deadline.
fn all(limit: usize) -> io::Result<Secret> {
    if io::stdin().is_terminal() { reading::to_end(unbuffered()?, limit) } else { reading::stream(unbuffered, limit) }
}

/// The standard library's own buffer is not wiped.
#[cfg(unix)]
fn unbuffered() -> io::Result<File> {
    std::os::fd::AsFd::as_fd(&io::stdin()).try_clone_to_owned().map(File::from)
}

#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
fn unbuffered() -> io::Result<io::Stdin> {
    Ok(io::stdin())
}
