//! Files that this program may write anew, for it wrote them. Whatever else has their name stays as it is.

use std::{io, path::Path};

use ibkr_oauth::local::reading;

use crate::{failure::Failure, files};

/// Files of one kind.
pub(crate) struct OwnFiles {
    /// What is said of a file that is not one of them.
    pub(crate) foreign: &'static str,
    /// What to do where something is in the way, or nothing can be written.
    pub(crate) remedy: &'static str,
}

impl OwnFiles {
    /// Whether one is there, which `is_own` recognizes by its content; `false` where nothing is. An error where it is something
    /// else.
    pub(crate) fn is_there(&self, path: &Path, is_own: impl FnOnce(&[u8]) -> bool) -> Result<bool, Failure> {
        let metadata = match path.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            result => result.map_err(|error| self.cannot_write(path, &error))?,
        };
        if metadata.is_symlink() {
            return Err(self.in_the_way(path, "it is a link"));
        }
        if metadata.is_dir() {
            return Err(self.in_the_way(path, "it is a folder"));
        }
        match reading::regular_file(path) {
            Ok(content) if is_own(content.bytes.expose()) => Ok(true),
            Ok(_) => Err(self.in_the_way(path, self.foreign)),
            Err(error) => Err(self.in_the_way(path, &error.to_string())),
        }
    }

    /// As [`is_there`](Self::is_there), for one that is to be replaced: its other names would keep the old content.
    pub(crate) fn is_replaceable(&self, path: &Path, is_own: impl FnOnce(&[u8]) -> bool) -> Result<bool, Failure> {
        let is_there = self.is_there(path, is_own)?;
        if is_there && path.symlink_metadata().is_ok_and(|metadata| files::has_other_names(&metadata)) {
            return Err(self.in_the_way(path, "it has another name, a hard link"));
        }
        Ok(is_there)
    }

    /// Replaces the content of a file, if it is still there and still this program's.
    pub(crate) fn replace(&self, path: &Path, content: &[u8], is_own: impl Fn(&[u8]) -> bool) -> Result<(), Failure> {
        let is_unchanged = || self.is_replaceable(path, &is_own).is_ok_and(|is_there| is_there);
        match files::replace(path, content, is_unchanged) {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.in_the_way(path, self.foreign)),
            Err(error) => Err(self.cannot_write(path, &error)),
        }
    }

    fn in_the_way(&self, path: &Path, why: &str) -> Failure {
        Failure::usage(format!("{} is there already, and is not overwritten: {why}", path.display()), self.remedy)
    }

    pub(crate) fn cannot_write(&self, path: &Path, error: &io::Error) -> Failure {
        Failure::usage(format!("{} cannot be written: {error}", path.display()), self.remedy)
    }
}
