//! What is published.

use std::process::Command;

#[test]
fn the_test_vectors_and_their_schema_come_with_the_package() {
    let arguments = ["package", "--list", "--allow-dirty", "--offline", "--locked", "--package", "ibkr-oauth"];
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let list = String::from_utf8(output.stdout).unwrap();
    let files: Vec<&str> = list.lines().collect();
    for file in ["tests/data/vectors.json", "tests/data/vectors.schema.json"] {
        assert!(files.contains(&file), "{file} is not published");
    }
    let foreign: Vec<&&str> = files
        .iter()
        .filter(|file| [".ci/", "cli/", "tests/interop/"].iter().any(|own| file.starts_with(own)))
        .collect();
    assert!(foreign.is_empty(), "{foreign:?} is nobody's business");
}
