//! The offline part: the bundle's keys, secret and parameters, and whether they fit together.

use ibkr_oauth::{
    CredentialBundle,
    diagnose::{self, Findings},
};

use crate::{
    credentials,
    failure::Failure,
    report::{Check, Report},
};

/// Checks the bundle, and adds what is found to the report.
pub(super) fn check(bundle: &CredentialBundle, report: &mut Report) -> Result<Findings, Failure> {
    let findings = credentials::with_context(|cx| diagnose::check(bundle, cx));
    for finding in findings.findings() {
        report.add(Check::from(finding))?;
    }
    Ok(findings)
}
