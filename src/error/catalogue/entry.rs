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
    pub(super) remedy: &'static str,
}
