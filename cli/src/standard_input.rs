//! Reading what is piped in.

use std::io::{self, Read};

use zeroize::Zeroizing;

use crate::failure::Failure;

/// The argument, or what standard input has where that is `-`: it is to be `what`, of at most so many bytes.
pub(crate) fn given(argument: &str, what: &str, most: usize, remedy: &str) -> Result<Zeroizing<String>, Failure> {
    if argument == "-" { read(what, most, remedy) } else { Ok(Zeroizing::new(argument.to_owned())) }
}

/// Reads all of standard input, into memory that is wiped. More than `most` bytes are refused.
fn read(what: &str, most: usize, remedy: &str) -> Result<Zeroizing<String>, Failure> {
    // At its final size from the start: one that grows leaves copies behind.
    let mut text = Zeroizing::new(String::with_capacity(most.saturating_add(1)));
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    let read = io::stdin().lock().take(limit).read_to_string(&mut text);
    read.map_err(|error| Failure::usage(format!("{what} cannot be read from standard input: {error}"), remedy))?;
    if text.len() > most {
        return Err(Failure::usage(format!("what standard input has is longer than {what} can be"), remedy));
    }
    Ok(text)
}
