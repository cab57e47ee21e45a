//! `ibkr-oauth examine`

use clap::Args;
use ibkr_oauth::{
    CredentialBundle,
    diagnose::{self, Examination},
};

use crate::{
    credentials::{self, BundleArguments},
    failure::Failure,
    output::Format,
    report::{Check, Report},
};

/// The arguments of `examine`.
#[derive(Args)]
#[command(after_help = "\
Each line is `fine`, `warning` or `error`, the field that it is about, and what was found; the last line says what to do
next. Nothing secret is shown: the output may be pasted in a forum. The status is 1 where there is an error.

Examples:
  ibkr-oauth examine --bundle bundle.json
  ibkr-oauth examine --bundle bundle.json --output json")]
pub(crate) struct Arguments {
    #[command(flatten)]
    bundle: BundleArguments,
}

pub(crate) fn run(arguments: &Arguments, format: Format) -> Result<(), Failure> {
    let bundle = arguments.bundle.read_whole()?;
    let mut report = Report::new(format);
    let examination = examine(&bundle, &mut report)?;
    report.finish(examination.next_step())
}

/// Examines the bundle, and adds what is found to the report.
pub(crate) fn examine(bundle: &CredentialBundle, report: &mut Report) -> Result<Examination, Failure> {
    let examination = credentials::with_context(|cx| diagnose::examine(bundle, cx));
    for finding in examination.findings() {
        report.add(Check::from(finding))?;
    }
    Ok(examination)
}
