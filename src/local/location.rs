//! What is at the places that a bundle names.

#![allow(clippy::disallowed_methods, reason = "this is the place that reads the environment")]

use std::{env, path::Path};

use super::reading::{self, Content};
use crate::{
    error::{Error, Stage},
    key::KeyLocation,
    secret::Secret,
};

impl KeyLocation {
    /// Reads the file, whose path is relative to `folder` if not absolute, or the environment variable: what
    /// [`CredentialBundle::resolve`](crate::CredentialBundle::resolve) asks for.
    ///
    /// `on_file` is called with each file that was read, under its whole path.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config), without any part of the content: for a file as
    /// [`reading::file`]; for a variable if it is not set, or not UTF-8.
    pub fn read(&self, folder: &Path, on_file: impl FnOnce(&Path, &Content)) -> Result<Secret, Error> {
        match self {
            Self::File(name) => {
                let path = folder.join(name);
                let content = reading::file(&path).map_err(|error| {
                    Error::config(Stage::Bundle, format!("{error} ({})", path.display()))
                        .with_remedy(reading::remedy(&error))
                        .with_source(error)
                })?;
                on_file(&path, &content);
                Ok(content.bytes)
            }
            Self::Env(name) => {
                let value = env::var_os(name).ok_or_else(|| {
                    Error::config(Stage::Bundle, "it is not set")
                        .with_remedy("set it for this program, or correct its name in the bundle")
                })?;
                let value = Secret::from(value.into_encoded_bytes());
                if std::str::from_utf8(value.expose()).is_err() {
                    return Err(Error::config(Stage::Bundle, "it is not UTF-8")
                        .with_remedy("set it to text in UTF-8; what is binary belongs in a file"));
                }
                Ok(value)
            }
        }
    }
}
