//! The broker's statuses and texts as data: what each means, who must act, and what to try.

use http::StatusCode;
use serde::Serialize;

use super::{ErrorKind, Stage};

mod cause;
mod entries;

pub use self::cause::{Cause, Confidence};

/// The version of the [catalogue](crate::diagnose::catalogue). It rises with each change of an entry.
pub const CATALOGUE_VERSION: u32 = 1;

/// One known way in which the broker says no. A field that is `None` fits everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CatalogueEntry {
    /// The status of the reply, or the one that a reply of status 200 names as its `statusCode`.
    pub status: Option<u16>,
    /// The step of the protocol that was refused.
    pub stage: Option<Stage>,
    /// Part of the broker's text, in lower case; empty fits every text.
    pub text: &'static str,
    /// What it means.
    pub cause: Cause,
    /// How much is known of it.
    pub confidence: Confidence,
    /// Who must act.
    pub kind: ErrorKind,
    /// What to try.
    pub remedy: &'static str,
    /// Where it was seen or is written.
    pub source: &'static str,
}

/// All entries. The first one that fits a reply is the one that counts, so that the specific ones stand above the
/// general ones.
#[must_use]
pub fn catalogue() -> &'static [CatalogueEntry] {
    entries::CATALOGUE
}

/// The entry for a reply, if it is a known one.
pub(super) fn find(stage: Stage, status: StatusCode, text: &str) -> Option<&'static CatalogueEntry> {
    let text = text.to_ascii_lowercase();
    entries::CATALOGUE.iter().find(|entry| {
        // An error inside a 200 has lost its own status, but not its words.
        let by_words = status.is_success() && !entry.text.is_empty();
        entry.status.is_none_or(|code| code == status.as_u16() || by_words)
            && entry.stage.is_none_or(|at| at == stage)
            && text.contains(entry.text)
    })
}

/// Who must act on a reply that the catalogue does not know.
pub(super) fn kind_of(status: StatusCode) -> ErrorKind {
    if status.is_server_error() {
        ErrorKind::Unavailable
    } else if status.is_redirection() || status.is_informational() {
        ErrorKind::Malformed
    } else {
        ErrorKind::Rejected
    }
}
