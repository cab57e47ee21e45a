//! Answers of one's own, from a folder.

use std::{
    fs,
    path::{Path, PathBuf},
};

use ibkr_oauth::{http::Method, local::reading, simulator::Broker};
use serde_json::{Map, Value};

use crate::failure::Failure;

/// Sets the answers in each `.json` file of the folder, by name: objects of a body for each `METHOD /path`.
pub(super) fn set(broker: &mut Broker, folder: &Path) -> Result<(), Failure> {
    let cannot = |error| {
        Failure::usage(format!("{} cannot be read: {error}", folder.display()), "give a folder after `--responses`")
    };
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder).map_err(cannot)? {
        let path = entry.map_err(cannot)?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(Failure::usage(format!("no file in {} ends in `.json`", folder.display()), SHAPE));
    }
    files.iter().try_for_each(|file| set_file(broker, file))
}

const SHAPE: &str =
    "write files such as `{\"GET /portfolio/accounts\": [{\"id\": \"DU1\"}]}`; in a path, `{}` stands for any segment";

fn set_file(broker: &mut Broker, file: &Path) -> Result<(), Failure> {
    let shown = file.display();
    let wrong = |why: String| Failure::usage(format!("{shown}: {why}"), SHAPE);
    let content = reading::regular_file(file)
        .map_err(|error| Failure::usage(format!("{shown} cannot be read: {error}"), reading::remedy(&error)))?;
    let answers: Map<String, Value> = serde_json::from_slice(content.bytes.expose())
        .map_err(|error| wrong(format!("it is not one JSON object: {error}")))?;
    for (place, body) in answers {
        let wrong_place = || wrong(format!("`{place}` is not a method and a path"));
        let (method, path) = place.split_once(' ').filter(|(_, path)| path.starts_with('/')).ok_or_else(wrong_place)?;
        let method: Method = method.parse().map_err(|_| wrong_place())?;
        broker.respond(method, path, &body.to_string()).map_err(|error| wrong(error.to_string()))?;
    }
    Ok(())
}
