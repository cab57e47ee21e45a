//! Files that this program may write anew, for it wrote them. Whatever else has their name stays as it is.

use std::{io, path::Path};

use ibkr_oauth::local::reading::{self, Content};

use crate::{
    failure::Failure,
    files::{self, Readers},
};

/// Files of one kind.
pub(crate) struct OwnFiles {
    /// What is said of a file that is not one of them.
    pub(crate) foreign: &'static str,
    /// What to do where something is in the way, or nothing can be written.
    pub(crate) remedy: &'static str,
}

impl OwnFiles {
    /// One that is there, which `is_own` recognizes by its content. An error where it is something else.
    pub(crate) fn find(&self, path: &Path, is_own: impl FnOnce(&[u8]) -> bool) -> Result<Option<Content>, Failure> {
        let metadata = match path.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            result => result.map_err(|error| self.cannot_write(path, &error))?,
        };
        if metadata.is_symlink() {
            return Err(self.in_the_way(path, "it is a link"));
        }
        if metadata.is_dir() {
            return Err(self.in_the_way(path, "it is a folder"));
        }
        match reading::regular_file(path) {
            Ok(content) if is_own(content.bytes.expose()) => Ok(Some(content)),
            Ok(_) => Err(self.in_the_way(path, self.foreign)),
            Err(error) => Err(self.in_the_way(path, &error.to_string())),
        }
    }

    /// As [`find`](Self::find), of one that is to be replaced: its other names would keep the old content.
    pub(crate) fn find_replaceable(
        &self,
        path: &Path,
        is_own: impl FnOnce(&[u8]) -> bool,
    ) -> Result<Option<Content>, Failure> {
        let found = self.find(path, is_own)?;
        if found.as_ref().is_some_and(|content| files::has_other_names(&content.metadata)) {
            return Err(self.in_the_way(path, "it has another name, a hard link"));
        }
        Ok(found)
    }

    /// Writes one that its owner alone may read, in place of an earlier one or as the first.
    pub(crate) fn write(&self, path: &Path, content: &[u8], is_own: impl Fn(&[u8]) -> bool) -> Result<(), Failure> {
        if self.find_replaceable(path, &is_own)?.is_some() {
            return self.replace(path, content, is_own);
        }
        files::create(path, content, Readers::Owner).map_err(|error| self.cannot_write(path, &error))
    }

    /// Replaces the content of a file, if it is still there and still this program's.
    pub(crate) fn replace(&self, path: &Path, content: &[u8], is_own: impl Fn(&[u8]) -> bool) -> Result<(), Failure> {
        let is_unchanged = || self.find_replaceable(path, &is_own).is_ok_and(|found| found.is_some());
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
