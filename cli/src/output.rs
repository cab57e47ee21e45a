//! Writing to standard output and standard error without ever panicking.

use std::{
    env,
    io::{self, ErrorKind, IsTerminal, Write},
    sync::OnceLock,
};

use clap::ValueEnum;
use serde_json::Value;

use crate::failure::Failure;

/// How results and errors are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs: each result and each error is one JSON object in one line.
    Json,
}

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

/// Writes a line to standard output.
pub(crate) fn print_line(line: &str) -> Result<(), Failure> {
    print_bytes(format!("{line}\n").as_bytes())
}

/// Writes a JSON object to standard output, in one line.
pub(crate) fn print_json(value: &Value) -> Result<(), Failure> {
    print_line(&value.to_string())
}

/// Writes a line to standard error, where there is one.
pub(crate) fn print_note(line: &str) {
    // There is no other place to report a failure to.
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// The access token, which the broker's words may name.
static HIDDEN: OnceLock<String> = OnceLock::new();

/// Keeps the access token out of all that [`one_line`] makes.
pub(crate) fn hide(access_token: &str) {
    if !access_token.is_empty() {
        // There is one bundle, so that the first one is the only one.
        let _ = HIDDEN.set(access_token.to_owned());
    }
}

/// The text in one line, with nothing in it that a terminal would obey, and without the access token.
pub(crate) fn one_line(text: &str) -> String {
    let text: String = text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
    match HIDDEN.get() {
        Some(access_token) => text.replace(access_token.as_str(), "[hidden]"),
        None => text,
    }
}

/// Colours, where they are wanted: on a terminal, unless `NO_COLOR` is set.
#[derive(Clone, Copy)]
pub(crate) struct Palette(bool);

/// What a piece of text is about.
#[derive(Clone, Copy)]
pub(crate) enum Tone {
    Good,
    Doubtful,
    Bad,
    Strong,
}

impl Palette {
    pub(crate) fn of_stdout() -> Self {
        Self(io::stdout().is_terminal() && is_allowed())
    }

    pub(crate) fn of_stderr() -> Self {
        Self(io::stderr().is_terminal() && is_allowed())
    }

    pub(crate) fn paint(self, tone: Tone, text: &str) -> String {
        if !self.0 {
            return text.to_owned();
        }
        let code = match tone {
            Tone::Good => "32",
            Tone::Doubtful => "33",
            Tone::Bad => "1;31",
            Tone::Strong => "1",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

/// As <https://no-color.org> has it: set, to whatever but nothing.
fn is_allowed() -> bool {
    let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    !is_set("NO_COLOR") && env::var_os("TERM").is_none_or(|terminal| terminal != "dumb")
}
