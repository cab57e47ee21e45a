//! The only place that writes to standard output and standard error. It never panics, shows no credential of the
//! bundle's, and hands no terminal what others wrote to control it.
//!
//! - What is said to people, as text or in JSON, is a [`Shown`]: credentials are hidden, and invisible characters are
//!   visible escapes.
//! - What is data for a program ([`print_data`], [`print_body`]) keeps its characters: JSON has escapes of its own, and
//!   bytes that are piped on are not ours to change. Credentials are hidden there too: whoever asked for a response did not
//!   ask for what she already has, and responses are pasted in forums.
//! - What is a credential and was asked for by name is printed by [`print_credential`] alone.

use std::{
    fmt::Write as _,
    io::{self, ErrorKind, IsTerminal, Write},
};

use anstream::{AutoStream, ColorChoice};
use clap::{
    ValueEnum,
    builder::{
        StyledStr,
        styling::{AnsiColor, Style},
    },
};
use ibkr_oauth::diagnose::{escape_invisible, is_invisible};
use serde_json::Value;

use crate::{failure::Failure, hidden};

/// How results and errors are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs: each result and each error is one JSON object in one line.
    Json,
}

impl Format {
    /// Writes a line to standard output: this one, or the object.
    pub(crate) fn print(self, line: &str, object: &Value) -> Result<(), Failure> {
        match self {
            Self::Text => print_line(line),
            Self::Json => print_json(object),
        }
    }

    /// As [`print`](Self::print), to standard error.
    pub(crate) fn note(self, line: &str, object: &Value) {
        match self {
            Self::Text => print_note(line),
            Self::Json => note_json(object),
        }
    }
}

/// A text that may be shown.
pub(crate) struct Shown(String);

impl Shown {
    /// The text in one line.
    pub(crate) fn line(text: &str) -> Self {
        Self(one_line(text))
    }

    /// A text whose lines are ours, whatever stands in them.
    pub(crate) fn lines(text: &str) -> Self {
        Self(hidden::hide(text).split('\n').map(escape_invisible).collect::<Vec<_>>().join("\n"))
    }

    /// With this after it.
    pub(crate) fn then(mut self, more: &Self) -> Self {
        self.0.push_str(&more.0);
        self
    }

    /// With these words in this tone, wherever they stand.
    pub(crate) fn with_tone(self, palette: Palette, tone: Tone, words: &str) -> Self {
        Self(self.0.replace(words, &palette.paint(tone, words).0))
    }
}

/// The text as it may be shown, in one line.
pub(crate) fn one_line(text: &str) -> String {
    escape_invisible(&hidden::hide(text)).into_owned()
}

/// Writes the line to standard output.
pub(crate) fn print_line(line: &str) -> Result<(), Failure> {
    print(&Shown::line(line))
}

/// Writes the text and a line end to standard output.
pub(crate) fn print(text: &Shown) -> Result<(), Failure> {
    to_stdout(format!("{}\n", text.0).as_bytes())
}

/// Writes a JSON object for people and programs to standard output, in one line.
pub(crate) fn print_json(value: &Value) -> Result<(), Failure> {
    to_stdout(json_line(&with_texts(value, &one_line)).as_bytes())
}

/// Writes a JSON object with data of others to standard output, in one line. Their texts stay what they were.
pub(crate) fn print_data(value: &Value) -> Result<(), Failure> {
    print_more(value).map(drop)
}

/// As [`print_data`], and says whether anybody still reads, for a command whose output does not end by itself.
pub(crate) fn print_more(value: &Value) -> Result<bool, Failure> {
    offer(json_line(&with_texts(value, &|text| hidden::hide(text).into_owned())).as_bytes())
}

/// Writes bytes of others to standard output: as they are, and on a terminal as text in which nothing controls it.
pub(crate) fn print_body(bytes: &[u8]) -> Result<(), Failure> {
    if io::stdout().is_terminal() {
        return to_stdout(Shown::lines(&String::from_utf8_lossy(bytes)).0.as_bytes());
    }
    to_stdout(&hidden::hide_bytes(bytes))
}

/// Writes to standard output what has a credential in it, and was asked for because of that.
pub(crate) fn print_credential(text: &str) -> Result<(), Failure> {
    to_stdout(text.as_bytes())
}

/// Writes the help to standard output, which has nothing in it of others.
pub(crate) fn print_help(help: &StyledStr) -> Result<(), Failure> {
    let is_plain = AutoStream::choice(&io::stdout()) == ColorChoice::Never;
    let text = if is_plain { help.to_string() } else { help.ansi().to_string() };
    to_stdout(text.as_bytes())
}

/// Writes a line to standard error, where there is one.
pub(crate) fn print_note(line: &str) {
    note(&Shown::line(line));
}

/// Writes the text and a line end to standard error, where there is one.
pub(crate) fn note(text: &Shown) {
    to_stderr(format!("{}\n", text.0).as_bytes());
}

/// Writes two lines to standard error: what is the matter, after this word in this tone, and what to try.
pub(crate) fn note_with_remedy(tone: Tone, word: &str, what: &str, remedy: &str) {
    let palette = Palette::of_stderr();
    let line = |tone, word, text: &str| palette.paint(tone, word).then(&Shown::line(&format!(" {text}")));
    note(&line(tone, word, what));
    note(&line(Tone::Good, "try:", remedy));
}

/// Writes a JSON object to standard error, in one line.
pub(crate) fn note_json(value: &Value) {
    to_stderr(json_line(&with_texts(value, &one_line)).as_bytes());
}

/// That nobody reads on is no failure.
fn to_stdout(bytes: &[u8]) -> Result<(), Failure> {
    offer(bytes).map(drop)
}

/// Writes to standard output, and says whether anybody still reads it.
fn offer(bytes: &[u8]) -> Result<bool, Failure> {
    #[cfg(test)]
    {
        captured(0, bytes);
        return Ok(true);
    }
    #[cfg_attr(test, expect(unreachable_code, reason = "a test looks at what would be written"))]
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => {
            Err(Failure::refused(format!("standard output cannot be written: {error}"), "check where it leads"))
        }
    }
}

fn to_stderr(bytes: &[u8]) {
    #[cfg(test)]
    return captured(1, bytes);
    #[cfg_attr(test, expect(unreachable_code, reason = "a test looks at what would be written"))]
    // There is no other place to report a failure to.
    let _ = io::stderr().lock().write_all(bytes);
}

/// What was written to standard output and to standard error, in tests.
#[cfg(test)]
pub(crate) static CAPTURED: std::sync::Mutex<[Vec<u8>; 2]> = std::sync::Mutex::new([Vec::new(), Vec::new()]);

#[cfg(test)]
fn captured(stream: usize, bytes: &[u8]) {
    let mut captured = CAPTURED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    captured.iter_mut().skip(stream).take(1).for_each(|written| written.extend_from_slice(bytes));
}

/// The value with each text in it, names included, changed.
fn with_texts(value: &Value, change: &dyn Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => Value::String(change(text)),
        Value::Array(values) => values.iter().map(|value| with_texts(value, change)).collect(),
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(name, value)| (change(name), with_texts(value, change))).collect())
        }
        other => other.clone(),
    }
}

/// The value in a line of JSON, in which no character is invisible: JSON itself lets most of them through.
fn json_line(value: &Value) -> String {
    let mut line = String::new();
    for char in value.to_string().chars() {
        if is_invisible(char) {
            for unit in char.encode_utf16(&mut [0; 2]) {
                // Writing into a text cannot fail.
                let _ = write!(line, "\\u{unit:04x}");
            }
        } else {
            line.push(char);
        }
    }
    line.push('\n');
    line
}

/// Colours, where they are wanted: on a terminal, unless `NO_COLOR` is set.
#[derive(Clone, Copy)]
pub(crate) struct Palette(ColorChoice);

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
        Self(AutoStream::choice(&io::stdout()))
    }

    pub(crate) fn of_stderr() -> Self {
        Self(AutoStream::choice(&io::stderr()))
    }

    pub(crate) fn paint(self, tone: Tone, text: &str) -> Shown {
        let style = match tone {
            _ if self.0 == ColorChoice::Never => Style::new(),
            Tone::Good => AnsiColor::Green.on_default(),
            Tone::Doubtful => AnsiColor::Yellow.on_default(),
            Tone::Bad => AnsiColor::Red.on_default().bold(),
            Tone::Strong => Style::new().bold(),
        };
        Shown(format!("{style}{}{style:#}", one_line(text)))
    }
}
