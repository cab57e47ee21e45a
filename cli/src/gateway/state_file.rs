//! The session on paper, so that a restart needs no handshake: a day's right to sign, in a file that only its owner may read.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use ibkr_oauth::{local::reading, session::Snapshot};
use zeroize::Zeroizing;

use crate::{
    exposure,
    failure::Failure,
    files::{self, NewFile, Readers},
    hidden,
};

/// A file of `--state`.
#[derive(Clone)]
pub(super) struct StateFile(PathBuf);

impl StateFile {
    pub(super) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// What an earlier run left; `None` where there is no such file.
    pub(super) fn read(&self) -> Result<Option<Snapshot>, Failure> {
        let shown = self.0.display();
        let content = match reading::file(&self.0) {
            Err(_) if fs::symlink_metadata(&self.0).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) => {
                return Ok(None);
            }
            result => result.map_err(|error| {
                Failure::usage(format!("the state {shown} cannot be read: {error}"), reading::remedy(&error))
            })?,
        };
        exposure::check(&self.0, &content);
        let text = content.text().ok();
        if let Some(text) = text {
            hidden::add_words(text);
        }
        let snapshot = text.and_then(|text| serde_json::from_str::<Snapshot>(text).ok());
        snapshot.map(Some).ok_or_else(|| {
            Failure::usage(
                format!("{shown} is no state of a gateway"),
                "give the name of a file that does not exist yet, or of one that an earlier run wrote",
            )
        })
    }

    /// Writes it whole or not at all. A file that is there is one that [`read`](Self::read) has read.
    pub(super) fn write(&self, snapshot: &Snapshot) -> io::Result<()> {
        let text = Zeroizing::new(serde_json::to_vec(&snapshot.expose_secrets())?);
        if fs::symlink_metadata(&self.0).is_ok() {
            let is_ours = || {
                let found = fs::read(&self.0).map(Zeroizing::new);
                found.is_ok_and(|found| serde_json::from_slice::<Snapshot>(&found).is_ok())
            };
            if files::replace(&self.0, &text, is_ours)? {
                return Ok(());
            }
            return Err(io::Error::other("it is not the state of a gateway any more"));
        }
        let folder = self.0.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = self.0.file_name().and_then(|name| name.to_str()).ok_or(io::ErrorKind::InvalidFilename)?;
        let new = [NewFile { name, content: &text, readers: Readers::Owner }];
        files::create_all(folder, &new).map(|_created| ()).map_err(|(_, error)| error)
    }
}
