//! How a failure is reported: two lines for people, an object for programs.

use std::process::ExitCode;

use crate::{
    failure::Failure,
    output::{self, Format, Tone},
};

pub(crate) fn report(failure: &Failure, format: Format) -> ExitCode {
    match format {
        _ if failure.what().is_empty() => {}
        Format::Json => output::note_json(&failure.to_json()),
        Format::Text => output::note_with_remedy(Tone::Bad, "error:", failure.what(), failure.remedy()),
    }
    failure.exit_code()
}
