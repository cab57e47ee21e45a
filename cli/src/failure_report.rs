//! How a failure is reported: two lines for people, and a third where its cause can be explained; an object for programs.

use std::process::ExitCode;

use crate::{
    failure::{self, Failure},
    output::{self, Format, Palette, Shown, Tone},
};

pub(crate) fn report(failure: &Failure, format: Format) -> ExitCode {
    match format {
        _ if failure.what().is_empty() => {}
        Format::Json => output::note_json(&failure.to_json()),
        Format::Text => {
            output::note_with_remedy(Tone::Bad, "error:", failure.what(), failure.remedy());
            if let Some(cause) = failure.cause() {
                output::note(
                    &Palette::of_stderr()
                        .paint(Tone::Strong, "more:")
                        .then(&Shown::line(&format!(" {}", failure::explaining(cause)))),
                );
            }
        }
    }
    failure.exit_code()
}
