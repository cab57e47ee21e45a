//! Findings about credentials, as tests ask for them.

use std::fmt;

use crate::fixture::{NOW, SeededEntropy};
use ibkr_oauth::{
    Context, CredentialBundle,
    diagnose::{Finding, Severity, check},
};

/// What a check found, to be asked and to be shown where a test fails.
pub(crate) struct Findings(pub(crate) Vec<Finding>);

impl Findings {
    pub(crate) fn of(bundle: &CredentialBundle) -> Self {
        Self(check(bundle, &mut Context::new(NOW, &mut SeededEntropy(1))))
    }

    pub(crate) fn severity(&self) -> Severity {
        self.0.iter().map(|finding| finding.severity).max().unwrap()
    }

    /// The first of the worst.
    pub(crate) fn worst(&self) -> &Finding {
        self.0.iter().find(|finding| finding.severity == self.severity()).unwrap()
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|finding| writeln!(f, "{finding}"))
    }
}
