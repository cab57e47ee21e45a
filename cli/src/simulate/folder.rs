//! The folder with the bundle of the simulated account.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use ibkr_oauth::local::reading;

use crate::{
    failure::Failure,
    files::{self, NewFile, Readers},
    simulated_account::Bundle,
};

const BUNDLE: &str = "bundle.json";

/// How many names are tried for a folder that nobody gave a name.
const MOST_NAMES: u32 = 10_000;

/// A file with a key, by its name and content.
pub(super) type KeyFile = (&'static str, String);

/// Writes the bundle and the keys beside it, all or none, and returns the bundle's absolute path.
pub(super) fn write(out: Option<&Path>, bundle: &Bundle, keys: &[KeyFile]) -> Result<PathBuf, Failure> {
    let (folder, is_new) = match out {
        Some(folder) => (folder.to_owned(), files::make_folder(folder).map_err(|error| cannot_write(folder, &error))?),
        None => (make_fresh()?, true),
    };
    if let Err(failure) = fill(&folder, bundle, keys) {
        if is_new {
            // The failure says more than that a folder is left.
            let _ = fs::remove_dir(&folder);
        }
        return Err(failure);
    }
    let folder = folder.canonicalize().map_err(|error| cannot_write(&folder, &error))?;
    Ok(folder.join(BUNDLE))
}

fn fill(folder: &Path, bundle: &Bundle, keys: &[KeyFile]) -> Result<(), Failure> {
    let mut missing = Vec::new();
    for (name, content) in keys {
        if is_free(&folder.join(name), |found| found == content.as_bytes())? {
            missing.push(NewFile { name, content: content.as_bytes(), readers: Readers::Owner });
        }
    }
    let path = folder.join(BUNDLE);
    let content = bundle.write();
    let is_renewed = |found: &[u8]| bundle.renews(found);
    let is_first = is_free(&path, is_renewed)?;
    if is_first {
        missing.push(NewFile { name: BUNDLE, content: content.as_bytes(), readers: Readers::Owner });
    }
    if !is_first && path.symlink_metadata().is_ok_and(|metadata| files::has_other_names(&metadata)) {
        return Err(in_the_way(&path, "it has another name, a hard link"));
    }
    let created = files::create_all(folder, &missing).map_err(|(path, error)| cannot_write(&path, &error))?;
    if is_first {
        return Ok(());
    }
    let failure =
        match files::replace(&path, content.as_bytes(), || is_free(&path, is_renewed).is_ok_and(|is_free| !is_free)) {
            Ok(true) => return Ok(()),
            Ok(false) => in_the_way(&path, FOREIGN),
            Err(error) => cannot_write(&path, &error),
        };
    created.undo();
    Err(failure)
}

const FOREIGN: &str = "it is not a file of the simulator's";

/// Whether nothing has this name. An error where it is something that is not `known` to be the simulator's, and of which
/// there may be no other copy.
fn is_free(path: &Path, is_known: impl FnOnce(&[u8]) -> bool) -> Result<bool, Failure> {
    let metadata = match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        result => result.map_err(|error| cannot_write(path, &error))?,
    };
    let why = if metadata.is_symlink() {
        "it is a link".to_owned()
    } else if metadata.is_dir() {
        "it is a folder".to_owned()
    } else {
        match reading::regular_file(path) {
            Ok(content) if is_known(content.bytes.expose()) => return Ok(false),
            Ok(_) => FOREIGN.to_owned(),
            Err(error) => error.to_string(),
        }
    };
    Err(in_the_way(path, &why))
}

fn in_the_way(path: &Path, why: &str) -> Failure {
    Failure::usage(
        format!("{} is there already, and is not overwritten: {why}", path.display()),
        "give another folder after `--out`: a new one, or that of an earlier simulation",
    )
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::usage(format!("{} cannot be written: {error}", path.display()), "give another folder after `--out`")
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
    result.map(|()| PathBuf::new()).map_err(|error| cannot_write(Path::new("."), &error))
}
