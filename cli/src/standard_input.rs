//! Reading what is piped in.

use zeroize::Zeroizing;

use crate::{
    failure::Failure,
    reading::{self, Unreadable},
};

/// The argument or, where that is `-`, the content of standard input: `what`, of at most `most` bytes.
pub(crate) fn given(argument: &str, what: &str, most: usize, remedy: &str) -> Result<Zeroizing<String>, Failure> {
    if argument == "-" { read(what, most, remedy) } else { Ok(Zeroizing::new(argument.to_owned())) }
}

/// Reads all of standard input, into memory that is wiped. More than `most` bytes are refused.
fn read(what: &str, most: usize, remedy: &str) -> Result<Zeroizing<String>, Failure> {
    let unreadable = |error: &dyn std::fmt::Display, remedy: &str| {
        Failure::usage(format!("{what} cannot be read from standard input: {error}"), remedy)
    };
    let content = reading::standard_input(most).map_err(|error| match error {
        Unreadable::TooLong => Failure::usage(format!("what standard input has is longer than {what} can be"), remedy),
        Unreadable::TooSlow => unreadable(&error, error.remedy()),
        _ => unreadable(&error, remedy),
    })?;
    let text = str::from_utf8(content.expose()).map_err(|_| unreadable(&"it is not UTF-8", remedy))?;
    Ok(Zeroizing::new(text.to_owned()))
}
