//! A bundle with all that it names.

use std::{io, path::Path};

use super::reading;
use crate::{
    bundle::CredentialBundle,
    error::{Error, Stage},
};

impl CredentialBundle {
    /// Reads a bundle from a file, with all that it names: files, whose paths are relative to the bundle's folder, and
    /// environment variables.
    ///
    /// Files are regular files or pipes of at most 1 MiB, each of which arrives within 10 s; they are read into memory that
    /// is wiped, on a separate thread, for which this one waits.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config), which names the bundle, and the field, for what cannot be read, and
    /// as [`from_json`](Self::from_json). No error shows what was read.
    ///
    /// ```no_run
    /// use ibkr_oauth::CredentialBundle;
    ///
    /// let bundle = CredentialBundle::from_file("bundle.json")?;
    /// # Ok::<(), ibkr_oauth::Error>(())
    /// ```
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let shown = path.to_string_lossy();
        if !is_path(&shown) {
            return Err(Error::config(Stage::Bundle, "what is given as the path of the bundle looks like its text")
                .with_remedy("give the path of a file, or call `CredentialBundle::from_json`"));
        }
        let unreadable = |error: io::Error| {
            Error::config(Stage::Bundle, format!("the bundle {shown} cannot be read: {error}"))
                .with_remedy(reading::remedy(&error))
                .with_source(error)
        };
        let content = reading::file(path).map_err(unreadable)?;
        let text = content.text().map_err(unreadable)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::from_json(text)
            .and_then(|bundle| bundle.resolve(|location| location.read(folder, |_, _| ())))
            .map_err(|error| error.in_file(&shown))
    }
}

/// Whether a text can be a path. Errors show it, so that a bundle's text must not pass for one.
fn is_path(text: &str) -> bool {
    text.len() <= 4096 && !text.contains(char::is_control) && !text.trim_start().starts_with('{')
}
