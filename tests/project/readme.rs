//! What the README and the pages in `docs` say of this repository is so: screens, commands, files and links. (Their Rust
//! code is compiled and run with the documentation tests.)

use std::{collections::HashSet, path::Path};

const README: &str = include_str!("../../README.md");
const COMMAND_LINE: &str = include_str!("../../docs/command-line.md");

#[test]
fn every_screen_is_shown_as_it_is() {
    for (page, name, screen) in [
        (README, "doctor", include_str!("../../docs/screens/doctor.txt")),
        (COMMAND_LINE, "doctor", include_str!("../../docs/screens/doctor.txt")),
        (COMMAND_LINE, "offline", include_str!("../../docs/screens/offline.txt")),
        (COMMAND_LINE, "keygen", include_str!("../../docs/screens/keygen.txt")),
    ] {
        let block = format!("<!-- docs/screens/{name}.txt -->\n```text\n{screen}```\n");
        assert!(page.contains(&block), "there ought to be:\n{block}");
    }
}

#[test]
fn the_two_commands_come_before_all_others_and_stand_alone() {
    let commands: Vec<&str> = README.lines().filter(|line| line.starts_with("cargo ")).collect();
    let expected = ["cargo run --example sign_in --features simulator", "cargo test --workspace --all-features"];
    assert_eq!(commands[..2], expected);
    for command in expected {
        assert!(README.contains(&format!("```sh\n{command}\n```\n")), "{command}");
    }
}

/// The README without its blocks of code.
fn prose() -> String {
    README.split("```").step_by(2).collect()
}

/// What stands in backquotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Where links lead.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link)
}

/// As it is done for headings where the repository is shown.
fn anchor(heading: &str) -> String {
    let kept = |char: &char| char.is_alphanumeric() || matches!(char, ' ' | '-');
    heading.to_lowercase().chars().filter(kept).map(|char| if char == ' ' { '-' } else { char }).collect()
}

#[test]
fn every_file_that_is_named_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let prose = prose();
    let folders = ["tests/", "examples/", "docs/", "src/", "benches/"];
    let named = quoted(&prose).filter(|name| folders.iter().any(|folder| name.starts_with(folder)));
    let linked = links(&prose).filter(|link| !link.contains("://"));
    let linked = linked.map(|link| link.split_once('#').map_or(link, |(file, _)| file));
    let mut count = 0;
    for file in named.chain(linked).filter(|file| !file.is_empty()) {
        assert!(root.join(file).exists(), "the README names {file}");
        count += 1;
    }
    assert!(count > 20, "{count} files are named");
}

#[test]
fn every_link_within_leads_to_a_heading() {
    let headings: HashSet<String> = README
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| anchor(line.trim_start_matches('#').trim()))
        .collect();
    let prose = prose();
    let within: Vec<&str> = links(&prose).filter_map(|link| link.strip_prefix('#')).collect();
    assert!(!within.is_empty());
    for link in within {
        assert!(headings.contains(link), "the README has no heading for #{link}");
    }
}

#[test]
fn every_feature_is_listed() {
    let manifest = include_str!("../../Cargo.toml");
    let features = manifest.split("[features]\n").nth(1).and_then(|rest| rest.split("\n[").next()).unwrap_or_default();
    let names =
        features.lines().filter(|line| !line.starts_with(['#', ' ', ']'])).filter_map(|line| line.split_once(" = "));
    let crate_page = include_str!("../../src/lib.rs");
    for (name, _) in names.filter(|(name, _)| *name != "default") {
        assert!(README.contains(&format!("\n| `{name}` | ")), "the README does not list `{name}`");
        assert!(crate_page.contains(&format!("//! | `{name}` | ")), "the crate's page does not list `{name}`");
    }
}
