//! What the README and the pages in `docs` say of this repository is so: screens, commands, files and links. (Their Rust
//! code is compiled and run with the documentation tests.)

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};

const README: &str = include_str!("../../README.md");
const COMMAND_LINE: &str = include_str!("../../docs/command-line.md");

#[test]
fn every_screen_is_shown_as_it_is() {
    for (page, name, screen) in [
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

/// The README, and the pages beside it and in `docs`, each with its folder.
fn pages() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let files = [root.clone(), root.join("docs")].into_iter().flat_map(|folder| fs::read_dir(folder).unwrap());
    let files = files.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|it| it == "md"));
    files.map(|path| (path.parent().unwrap().to_owned(), fs::read_to_string(&path).unwrap())).collect()
}

/// A page without its blocks of code.
fn prose(page: &str) -> String {
    page.split("```").step_by(2).collect()
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
    let kept = |char: &char| char.is_alphanumeric() || matches!(char, ' ' | '-' | '_');
    heading.to_lowercase().chars().filter(kept).map(|char| if char == ' ' { '-' } else { char }).collect()
}

/// The headings of a page, as links name them.
fn anchors(page: &str) -> HashSet<String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| anchor(line.trim_start_matches('#').trim())).collect()
}

#[test]
fn every_file_that_is_named_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folders = ["tests/", "examples/", "docs/", "src/", "benches/", "cli/"];
    let mut count = 0;
    for (folder, page) in pages() {
        let prose = prose(&page);
        let named = quoted(&prose).filter(|name| folders.iter().any(|folder| name.starts_with(folder)));
        let named = named.filter(|name| !name.contains([' ', '*', '{'])).map(|name| root.join(name));
        let linked = links(&prose).filter(|link| !link.contains("://") && !link.starts_with('#'));
        let linked = linked.map(|link| folder.join(link.split_once('#').map_or(link, |(file, _)| file)));
        for file in named.chain(linked) {
            assert!(file.exists(), "a page in {} names {}", folder.display(), file.display());
            count += 1;
        }
    }
    assert!(count > 60, "{count} files are named");
}

#[test]
fn every_link_to_a_heading_leads_to_one() {
    let mut count = 0;
    for (folder, page) in pages() {
        let prose = prose(&page);
        for (file, heading) in
            links(&prose).filter(|link| !link.contains("://")).filter_map(|link| link.split_once('#'))
        {
            let target = if file.is_empty() { page.clone() } else { fs::read_to_string(folder.join(file)).unwrap() };
            assert!(anchors(&target).contains(heading), "no heading for {file}#{heading}");
            count += 1;
        }
    }
    assert!(count > 2, "{count} links lead to headings");
}

#[test]
fn every_feature_is_listed() {
    let manifest = include_str!("../../Cargo.toml");
    let features = manifest.split("[features]\n").nth(1).and_then(|rest| rest.split("\n[").next()).unwrap_or_default();
    let names =
        features.lines().filter(|line| !line.starts_with(['#', ' ', ']'])).filter_map(|line| line.split_once(" = "));
    let crate_page = include_str!("../../src/lib.rs");
    let rows: Vec<&str> = README.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next()).collect();
    for (name, _) in names.filter(|(name, _)| *name != "default") {
        let quoted = format!("`{name}`");
        assert!(rows.iter().any(|row| row.split(", ").any(|it| it == quoted)), "the README does not list `{name}`");
        assert!(crate_page.contains(&format!("//! | `{name}` | ")), "the crate's page does not list `{name}`");
    }
}

#[test]
fn it_is_short() {
    for (page, most) in [(README, 160), (include_str!("../../CONTRIBUTING.md"), 150)] {
        assert!(page.lines().count() <= most, "{} lines, where {most} are allowed", page.lines().count());
    }
}
