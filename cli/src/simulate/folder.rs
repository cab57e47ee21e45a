//! The folder with the bundle of the simulated account.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    failure::Failure,
    files::{self, NewFile, Readers},
    own_files::OwnFiles,
    simulated_account::Bundle,
};

const BUNDLE: &str = "bundle.json";

/// Of anything else there may be no other copy.
const OWN: OwnFiles = OwnFiles {
    foreign: "it is not a file of the simulator's",
    remedy: "give another folder after `--out`: a new one, or that of an earlier simulation",
};

/// How many names are tried for a folder that nobody gave a name.
const MOST_NAMES: u32 = 10_000;

/// A file with a key, by its name and content.
pub(super) type KeyFile = (&'static str, String);

/// Writes the bundle and the keys beside it, all or none, and returns the bundle's absolute path.
pub(super) fn write(out: Option<&Path>, bundle: &Bundle, keys: &[KeyFile]) -> Result<PathBuf, Failure> {
    let (folder, is_new) = match out {
        Some(folder) => {
            (folder.to_owned(), files::make_folder(folder).map_err(|error| OWN.cannot_write(folder, &error))?)
        }
        None => (make_fresh()?, true),
    };
    if let Err(failure) = fill(&folder, bundle, keys) {
        if is_new {
            // The failure says more than that a folder is left.
            let _ = fs::remove_dir(&folder);
        }
        return Err(failure);
    }
    let folder = folder.canonicalize().map_err(|error| OWN.cannot_write(&folder, &error))?;
    Ok(folder.join(BUNDLE))
}

fn fill(folder: &Path, bundle: &Bundle, keys: &[KeyFile]) -> Result<(), Failure> {
    let mut missing = Vec::new();
    for (name, content) in keys {
        if OWN.find(&folder.join(name), |found| found == content.as_bytes())?.is_none() {
            missing.push(NewFile { name, content: content.as_bytes(), readers: Readers::Owner });
        }
    }
    let path = folder.join(BUNDLE);
    let content = bundle.write();
    let is_renewed = |found: &[u8]| bundle.renews(found);
    let is_first = OWN.find_replaceable(&path, is_renewed)?.is_none();
    if is_first {
        missing.push(NewFile { name: BUNDLE, content: content.as_bytes(), readers: Readers::Owner });
    }
    let created = files::create_all(folder, &missing).map_err(|(path, error)| OWN.cannot_write(&path, &error))?;
    if is_first {
        return Ok(());
    }
    OWN.replace(&path, content.as_bytes(), is_renewed).inspect_err(|_| created.undo())
}

fn make_fresh() -> Result<PathBuf, Failure> {
    let mut result = Err(io::Error::from(io::ErrorKind::AlreadyExists));
    for number in 1..=MOST_NAMES {
        let name = if number == 1 { "ibkr-simulator".to_owned() } else { format!("ibkr-simulator-{number}") };
        let folder = PathBuf::from(name);
        result = files::make_new_folder(&folder);
        match &result {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(_) => break,
        }
    }
    result.map(|()| PathBuf::new()).map_err(|error| OWN.cannot_write(Path::new("."), &error))
}
