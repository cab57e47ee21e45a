//! Troubles with keys as errors of the protocol.

use super::KeyError;
use crate::error::{Error, ErrorKind, Stage};

impl Error {
    pub(crate) fn key(stage: Stage, error: KeyError) -> Self {
        let error = match error.into_entropy_error() {
            Ok(entropy) => return Self::entropy(stage, entropy),
            Err(error) => error,
        };
        let mut this = Self::new(ErrorKind::Key, stage, error.to_string());
        if let Some(remedy) = error.remedy() {
            this = this.with_remedy(remedy.to_owned());
        }
        match error.into_source() {
            Some(source) => this.with_source(source),
            None => this,
        }
    }
}

impl From<KeyError> for Error {
    /// An error of [`Stage::Key`]: the key could not be read.
    fn from(error: KeyError) -> Self {
        Self::key(Stage::Key, error)
    }
}
