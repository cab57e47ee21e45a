//! The file of a recording: a new one, or one that this program wrote and nobody changed.

use std::{
    io,
    path::{Path, PathBuf},
};

use ibkr_oauth::local::reading;

use super::recording::Recording;
use crate::{
    failure::Failure,
    files::{self, NewFile, Readers},
};

const OTHER_FILE: &str = "give a file after `--record` that is not there yet, or an earlier recording";

/// Whether the file is there, and may be replaced. An error where it is something else.
pub(super) fn is_earlier(path: &Path) -> Result<bool, Failure> {
    let in_the_way = |why: &str| {
        Failure::usage(format!("{} is there already, and is not overwritten: {why}", path.display()), OTHER_FILE)
    };
    let metadata = match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        result => result.map_err(|error| cannot_write(path, &error))?,
    };
    if metadata.is_symlink() {
        return Err(in_the_way("it is a link"));
    }
    if metadata.is_dir() {
        return Err(in_the_way("it is a folder"));
    }
    if files::has_other_names(&metadata) {
        return Err(in_the_way("it has another name, a hard link"));
    }
    match reading::regular_file(path) {
        Ok(content) if Recording::is_one(content.bytes.expose()) => Ok(true),
        Ok(_) => Err(in_the_way("it is no recording, or was changed")),
        Err(error) => Err(in_the_way(&error.to_string())),
    }
}

pub(super) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    if is_earlier(path)? {
        let is_unchanged = || is_earlier(path).is_ok_and(|is_earlier| is_earlier);
        return match files::replace(path, text.as_bytes(), is_unchanged) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Failure::usage(format!("{} was changed meanwhile", path.display()), OTHER_FILE)),
            Err(error) => Err(cannot_write(path, &error)),
        };
    }
    let folder = path.parent().map_or_else(PathBuf::new, Path::to_owned);
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or_else(|| Failure::usage(format!("{} is no name of a file", path.display()), OTHER_FILE))?;
    let file = NewFile { name, content: text.as_bytes(), readers: Readers::Owner };
    match files::create_all(&folder, &[file]) {
        Ok(_) => Ok(()),
        Err((path, error)) => Err(cannot_write(&path, &error)),
    }
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::usage(format!("{} cannot be written: {error}", path.display()), OTHER_FILE)
}
