//! Files with secrets in them that others than their owner can read.

use std::{
    fs::Metadata,
    path::Path,
    sync::{Mutex, PoisonError},
};

use ibkr_oauth::{dh::DhGroup, local::reading::Content};

use crate::warning;

/// What tells one file from another, whatever they are called.
type Identity = (u64, u64);

/// Warns of a file that has a bundle or a private key in it where others can read it, once for each file.
pub(crate) fn check(path: &Path, content: &Content) {
    static WARNED: Mutex<Vec<Identity>> = Mutex::new(Vec::new());

    let Some((file, mode)) = exposed(&content.metadata) else { return };
    if is_public(content.bytes.expose()) {
        return;
    }
    let mut warned = WARNED.lock().unwrap_or_else(PoisonError::into_inner);
    if !warned.contains(&file) {
        warned.push(file);
        let path = path.display();
        warning::warn(
            &format!("{path} is secret, and others than its owner can read or change it (mode {mode:04o})"),
            &format!("chmod 600 {path}"),
        );
    }
}

/// The file and its permissions, where others have any. Those of a pipe say nothing about what comes out of it.
#[cfg(unix)]
fn exposed(metadata: &Metadata) -> Option<(Identity, u32)> {
    use std::os::unix::fs::MetadataExt;

    let mode = metadata.mode() & 0o777;
    (metadata.is_file() && mode & 0o077 != 0).then(|| ((metadata.dev(), metadata.ino()), mode))
}

#[cfg(not(unix))]
fn exposed(_: &Metadata) -> Option<(Identity, u32)> {
    None
}

/// Diffie-Hellman parameters are no secret, and the simulator's keys are everybody's.
fn is_public(content: &[u8]) -> bool {
    DhGroup::read(content).is_ok() || is_the_simulators(content)
}

#[cfg(feature = "simulate")]
fn is_the_simulators(content: &[u8]) -> bool {
    use crate::simulated_account;
    simulated_account::is_private_key(content) || simulated_account::is_bundle(content)
}

/// Whoever has no simulator is warned of its keys too.
#[cfg(not(feature = "simulate"))]
fn is_the_simulators(_: &[u8]) -> bool {
    false
}
