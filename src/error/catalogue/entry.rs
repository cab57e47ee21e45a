//! A row of the catalogue.

use super::{cause::Cause, scope::Scope};
use crate::error::kind::Stage;

/// One known way in which the broker says no. A field that is `None` fits everything.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    pub(super) status: Option<u16>,
    pub(super) stage: Option<Stage>,
    /// Part of the broker's text, in lower case; `…` matches anything. Empty matches every text.
    pub(super) text: &'static str,
    pub(super) cause: Cause,
    pub(super) scope: Scope,
}

impl Entry {
    pub(super) const fn only(self, status: u16) -> Self {
        Self { status: Some(status), ..self }
    }

    pub(super) const fn at(self, stage: Stage) -> Self {
        Self { stage: Some(stage), ..self }
    }

    pub(super) const fn about(self, scope: Scope) -> Self {
        Self { scope, ..self }
    }
}
