//! A command line that says nothing that the program could do, and one that only asks for help.

use std::{ffi::OsString, process::ExitCode};

use clap::error::ErrorKind;

use crate::{
    failure::Failure,
    failure_report, hidden,
    output::{self, Format, Palette, Shown, Tone},
};

/// Writes the help that was asked for, or says what is wrong with these arguments, the program's name among them.
pub(crate) fn report(error: &clap::Error, arguments: &[OsString]) -> ExitCode {
    let rendered = error.render();
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return output::print_help(&rendered)
            .map_or_else(|failure| failure_report::report(&failure, Format::Text), |()| ExitCode::SUCCESS);
    }
    hide_credentials(arguments);
    let text = rendered.to_string();
    if asks_for_json(arguments) {
        let (what, remedy) = in_two(&text);
        return failure_report::report(&Failure::usage(what, remedy), Format::Json);
    }
    output::note(&Shown::lines(text.trim_end()).with_tone(Palette::of_stderr(), Tone::Bad, "error:"));
    ExitCode::from(2)
}

/// The shell takes a header apart that stands in no quotes, and then its parts are arguments that nobody expects.
fn hide_credentials(arguments: &[OsString]) {
    for argument in arguments.iter().map(|argument| argument.to_string_lossy()) {
        if argument.to_ascii_lowercase().contains("oauth_") {
            hidden::add(&argument);
            // The message has what stands before the first `=` of an option, too.
            argument.split(['=', '"', '\'', ',', ':']).filter(|part| !part.contains("oauth")).for_each(hidden::add);
        }
        hidden::add_words(&argument);
    }
}

/// Nothing has read the arguments, so that the option is looked for where it may stand.
fn asks_for_json(arguments: &[OsString]) -> bool {
    let arguments =
        || arguments.iter().map(|argument| argument.to_string_lossy()).take_while(|argument| argument != "--");
    let joined = arguments().any(|argument| argument == "--output=json");
    joined || arguments().zip(arguments().skip(1)).any(|(name, value)| name == "--output" && value == "json")
}

/// What is wrong, and what to try: clap writes paragraphs, the last of which only points to the help.
fn in_two(text: &str) -> (String, String) {
    let mut paragraphs: Vec<String> = text.split("\n\n").map(in_one_line).filter(|text| !text.is_empty()).collect();
    let help = paragraphs.pop_if(|last| last.starts_with("For more information")).is_some();
    let mut paragraphs = paragraphs.into_iter();
    let what = paragraphs.next().unwrap_or_default();
    let mut rest: Vec<String> = paragraphs.collect();
    if rest.is_empty() || help {
        rest.push("see `ibkr-oauth --help`".to_owned());
    }
    (what.trim_start_matches("error: ").to_owned(), rest.join("; "))
}

fn in_one_line(paragraph: &str) -> String {
    paragraph.split('\n').map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}
