//! The folder with the bundle of the simulated account.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ibkr_oauth::{AccessToken, QueryPolicy, simulator::test_keys};
use serde_json::{Value, json};

use crate::{failure::Failure, files};

const BUNDLE: &str = "bundle.json";

/// How many names are tried for a folder that nobody gave a name.
const MOST_NAMES: u32 = 10_000;

/// Writes the bundle, and returns its absolute path.
pub(super) fn write(
    out: Option<&Path>,
    base_url: &str,
    query_policy: QueryPolicy,
    token: &AccessToken,
) -> Result<PathBuf, Failure> {
    let folder = match out {
        Some(folder) => take(folder)?,
        None => make_fresh()?,
    };
    let bundle = json!({
        "consumer_key": test_keys::CONSUMER_KEY,
        "realm": "limited_poa",
        "base_url": base_url,
        "query_policy": query_policy.name(),
        "access_token": token.token(),
        "access_token_secret": STANDARD.encode(token.encrypted_secret()),
        // In it, so that it can be moved; and beside it, for clients that want files.
        "signature_key": test_keys::SIGNING_KEY,
        "encryption_key": test_keys::DECRYPTION_KEY,
        "dh_params": test_keys::DH_PARAMETERS,
    });
    for (name, content) in [
        ("private_signature.pem", test_keys::SIGNING_KEY),
        ("private_encryption.pem", test_keys::DECRYPTION_KEY),
        ("dhparam.pem", test_keys::DH_PARAMETERS),
        (BUNDLE, &format!("{bundle:#}\n")),
    ] {
        files::replace(&folder.join(name), content.as_bytes()).map_err(|error| cannot_write(&folder, &error))?;
    }
    let folder = folder.canonicalize().map_err(|error| cannot_write(&folder, &error))?;
    Ok(folder.join(BUNDLE))
}

fn cannot_write(folder: &Path, error: &io::Error) -> Failure {
    Failure::usage(format!("the folder {} cannot be written: {error}", folder.display()), "give another `--out`")
}

/// The folder as given, made where it is missing. It must hold no JSON file but the bundle of an earlier simulation.
fn take(folder: &Path) -> Result<PathBuf, Failure> {
    files::make_folder(folder).map_err(|error| cannot_write(folder, &error))?;
    for entry in fs::read_dir(folder).map_err(|error| cannot_write(folder, &error))? {
        let path = entry.map_err(|error| cannot_write(folder, &error))?.path();
        let is_json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
        if is_json && !is_simulated(&path) {
            return Err(Failure::usage(
                format!("{} is there already", path.display()),
                "give a folder of its own after `--out`",
            ));
        }
    }
    Ok(folder.to_owned())
}

fn is_simulated(path: &Path) -> bool {
    let bundle: Option<Value> = fs::read(path).ok().and_then(|content| serde_json::from_slice(&content).ok());
    let consumer_key = bundle.as_ref().and_then(|bundle| bundle.get("consumer_key")?.as_str());
    path.file_name().is_some_and(|name| name == BUNDLE) && consumer_key == Some(test_keys::CONSUMER_KEY)
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
