//! How a failure is told: two lines for people, an object for programs.

use std::process::ExitCode;

use crate::{
    failure::Failure,
    output::{self, Format, Palette, Shown, Tone},
};

pub(crate) fn report(failure: &Failure, format: Format) -> ExitCode {
    match format {
        _ if failure.what().is_empty() => {}
        Format::Json => output::note_json(&failure.to_json()),
        Format::Text => {
            let palette = Palette::of_stderr();
            let line = |tone, word, text: &str| palette.paint(tone, word).then(&Shown::line(&format!(" {text}")));
            output::note(&line(Tone::Bad, "error:", failure.what()));
            output::note(&line(Tone::Good, "try:", failure.remedy()));
        }
    }
    failure.exit_code()
}
