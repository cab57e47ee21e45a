//! The keys of the simulated account's owner.

use std::path::{Path, PathBuf};

use ibkr_oauth::{
    Error,
    dh::DhGroup,
    key::RsaKey,
    local::reading::{self, Content},
    simulator::test_keys,
};
use serde_json::{Value, json};

use super::folder::KeyFile;
use crate::{
    exposure,
    failure::Failure,
    hidden,
    keygen::{DH_PARAMETERS, PRIVATE_ENCRYPTION, PRIVATE_SIGNATURE},
    simulated_account::KeyFields,
};

/// The keys of the simulated account's owner, and how its bundle has them.
pub(crate) struct Keys {
    pub(crate) signature: RsaKey,
    pub(crate) encryption: RsaKey,
    pub(crate) group: DhGroup,
    pub(crate) fields: KeyFields,
    /// Whether they are those that everybody has.
    are_for_tests: bool,
}

impl Keys {
    /// Those for tests, which everybody has.
    pub(crate) fn for_tests() -> Result<Self, Failure> {
        Ok(Self {
            signature: RsaKey::from_pem(test_keys::SIGNATURE_KEY)?,
            encryption: RsaKey::from_pem(test_keys::ENCRYPTION_KEY)?,
            group: DhGroup::modp_2048(),
            fields: KeyFields::for_tests(),
            are_for_tests: true,
        })
    }

    /// Those in a folder as `keygen` makes one. The bundle names the files; nothing secret is copied.
    pub(crate) fn in_folder(folder: &Path) -> Result<Self, Failure> {
        let (signature_path, signature) = read_key(&folder.join(PRIVATE_SIGNATURE))?;
        let (encryption_path, encryption) = read_key(&folder.join(PRIVATE_ENCRYPTION))?;
        let group = folder.join(DH_PARAMETERS);
        let tests = Self::for_tests()?;
        let keys = Self {
            signature,
            encryption,
            fields: KeyFields {
                signature_key: file(&signature_path),
                encryption_key: file(&encryption_path),
                ..tests.fields
            },
            are_for_tests: false,
            ..tests
        };
        if group.exists() { keys.with_group(&group) } else { Ok(keys) }
    }

    /// The files to be written beside the bundle, for clients that want files: none of those that are their owner's alone.
    pub(super) fn files(&self) -> Vec<KeyFile> {
        if !self.are_for_tests {
            return Vec::new();
        }
        let (signature, encryption) = (test_keys::SIGNATURE_KEY, test_keys::ENCRYPTION_KEY);
        vec![
            (PRIVATE_SIGNATURE, signature.to_owned()),
            (PRIVATE_ENCRYPTION, encryption.to_owned()),
            (DH_PARAMETERS, self.group.to_pem()),
        ]
    }

    /// With the Diffie-Hellman parameters in this file.
    pub(crate) fn with_group(mut self, path: &Path) -> Result<Self, Failure> {
        let content = read(path)?;
        let content = content.bytes.expose();
        let group = DhGroup::read(content).map_err(|error| unusable(path, &error))?;
        self.fields.dh_params = group.to_pem().into();
        self.fields.dh_prime = group.prime_hex().into();
        self.group = group;
        Ok(self)
    }
}

/// The key in a file, and the file's absolute path.
fn read_key(path: &Path) -> Result<(PathBuf, RsaKey), Failure> {
    let content = read(path)?;
    exposure::check(path, &content);
    hidden::add_content(&content.bytes);
    let key = RsaKey::read(content.bytes.expose(), None).map_err(|error| unusable(path, &error))?;
    let path = path.canonicalize().map_err(|error| {
        Failure::usage(
            format!("{} cannot be found again: {error}", path.display()),
            "give a folder that stays where it is",
        )
    })?;
    Ok((path, key))
}

fn read(path: &Path) -> Result<Content, Failure> {
    reading::file(path)
        .map_err(|error| Failure::usage(format!("{} cannot be read: {error}", path.display()), reading::remedy(&error)))
}

fn unusable(path: &Path, error: &Error) -> Failure {
    Failure::usage(format!("{}: {error}", path.display()), error.remedy())
}

fn file(path: &Path) -> Value {
    json!({ "file": path.to_string_lossy() })
}
