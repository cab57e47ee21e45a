//! Data flows one way through the house, as `CONTRIBUTING.md` has it: a room names only rooms that stand below it.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test reads files, and fails by panicking")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// From the outside in. The rooms of one line know nothing of one another.
const FLOORS: [&[&str]; 14] = [
    &["adapter", "simulator"],
    &["driver", "diagnose"],
    &["bundle", "clock"],
    &["session"],
    &["brokerage", "flow"],
    &["signer"],
    &["exchange", "response"],
    &["consumer"],
    &["oauth1", "dh"],
    &["timestamp_floor", "header_value"],
    &["error"],
    &["key"],
    &["encoding", "json"],
    &["secret", "context"],
];

/// What is told about everything, and so named everywhere.
const EVERYWHERE: &str = "trace";

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&room))
}

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// The program without its comments and its own tests.
fn program(text: &str) -> String {
    let program = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    program.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The rooms that a text names, as `crate::room` or in the braces of `use crate::{…}`.
fn named(program: &str) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    for rest in program.split("crate::").skip(1) {
        let (mut depth, mut path_goes_on, mut name) = (0, false, String::new());
        for char in rest.chars() {
            match char {
                _ if char.is_alphanumeric() || char == '_' => {
                    name.push(char);
                    continue;
                }
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            let is_first = !path_goes_on && depth <= 1;
            if is_first && !name.is_empty() {
                rooms.insert(name.clone());
            }
            // What follows `::` belongs to the room before it.
            path_goes_on = match char {
                ':' | '{' if !name.is_empty() || path_goes_on => true,
                ',' if depth == 1 => false,
                _ => path_goes_on && depth > 1,
            };
            name.clear();
            if depth == 0 {
                break;
            }
        }
    }
    rooms
}

#[test]
fn the_names_in_a_text_are_found() {
    let text =
        "use crate::{\n    a::{B, c::D},\n    e,\n    f::G,\n};\nuse crate::h::I;\nlet x = crate::j(crate::k::L);";
    let expected = ["a", "e", "f", "h", "j", "k"].map(str::to_owned);
    assert_eq!(named(text), BTreeSet::from(expected));
}

#[test]
fn every_room_names_only_those_below_it() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&source, &mut files);
    let mut checked = 0;
    for file in files {
        let path = file.strip_prefix(&source).unwrap();
        let first = path.components().next().unwrap().as_os_str().to_str().unwrap();
        let room = first.trim_end_matches(".rs");
        if ["bin", "lib", EVERYWHERE].contains(&room) {
            continue;
        }
        let here = floor(room).unwrap_or_else(|| panic!("`{room}` stands on no floor of this test"));
        for other in named(&program(&fs::read_to_string(&file).unwrap())) {
            let Some(there) = floor(&other) else { continue };
            assert!(other == room || there > here, "{} names `{other}`, which does not stand below it", path.display());
            checked += 1;
        }
    }
    assert!(checked > 200, "{checked} names");
}
