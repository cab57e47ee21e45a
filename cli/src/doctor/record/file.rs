//! The file of a recording: a new one, or one that this program wrote and nobody changed.

use std::path::{Path, PathBuf};

use super::recording::Recording;
use crate::{
    failure::Failure,
    files::{self, NewFile, Readers},
    own_files::OwnFiles,
};

const RECORDINGS: OwnFiles = OwnFiles {
    foreign: "it is no recording, or was changed",
    remedy: "give a file after `--record` that is not there yet, or an earlier recording",
};

/// Whether the file is there, and may be replaced. An error where it is something else.
pub(super) fn is_earlier(path: &Path) -> Result<bool, Failure> {
    RECORDINGS.is_replaceable(path, Recording::is_one)
}

pub(super) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    if is_earlier(path)? {
        return RECORDINGS.replace(path, text.as_bytes(), Recording::is_one);
    }
    let folder = path.parent().map_or_else(PathBuf::new, Path::to_owned);
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or_else(|| Failure::usage(format!("{} is no name of a file", path.display()), RECORDINGS.remedy))?;
    let file = NewFile { name, content: text.as_bytes(), readers: Readers::Owner };
    files::create_all(&folder, &[file])
        .map(|_created| ())
        .map_err(|(path, error)| RECORDINGS.cannot_write(&path, &error))
}
