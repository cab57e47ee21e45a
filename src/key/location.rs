//! Where a key is that a bundle only names.

use std::fmt;

/// Where a bundle says that a key, Diffie-Hellman parameters or a passphrase are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyLocation {
    /// A file. Its path is as in the bundle; where it is relative, it is meant from the folder of the bundle.
    File(String),
    /// An environment variable, by its name.
    Env(String),
}

impl fmt::Display for KeyLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file `{path}`"),
            Self::Env(name) => write!(f, "environment variable `{name}`"),
        }
    }
}
