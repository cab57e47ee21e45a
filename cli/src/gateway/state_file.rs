//! The session on paper, so that a restart needs no handshake: a day's right to sign, in a file that only its owner may read.

use std::path::Path;

use ibkr_oauth::session::Snapshot;
use zeroize::Zeroizing;

use crate::{exposure, failure::Failure, hidden, own_files::OwnFiles};

const STATES: OwnFiles = OwnFiles {
    foreign: "it is no state of a gateway",
    remedy: "give the name of a file that does not exist yet, or of one that an earlier run wrote",
};

fn is_one(content: &[u8]) -> bool {
    serde_json::from_slice::<Snapshot>(content).is_ok()
}

/// What an earlier run left; `None` where there is no such file.
pub(super) fn read(path: &Path) -> Result<Option<Snapshot>, Failure> {
    let Some(content) = STATES.find_replaceable(path, is_one)? else { return Ok(None) };
    exposure::check(path, &content);
    content.text().into_iter().for_each(hidden::add_words);
    Ok(serde_json::from_slice(content.bytes.expose()).ok())
}

pub(super) fn write(path: &Path, snapshot: &Snapshot) -> Result<(), Failure> {
    let text = serde_json::to_vec(&snapshot.expose_secrets()).map(Zeroizing::new);
    STATES.write(path, &text.map_err(|error| STATES.cannot_write(path, &error.into()))?, is_one)
}
