//! The Rust version that `Cargo.toml` names is true of all that is depended on, tests included, so far as it says.

use std::process::Command;

use serde_json::Value;

/// `1.87` as `[1, 87, 0]`.
fn version(text: &str) -> [u64; 3] {
    let mut numbers = text.split('.').map(|number| number.parse().expect("a number between the points"));
    std::array::from_fn(|_| numbers.next().unwrap_or_default())
}

/// Runs `cargo` or `rustc` without a network.
fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {complaint}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn no_dependency_declares_a_newer_rust_than_ours() {
    // What other platforms would need besides was not downloaded.
    let rustc = output("rustc", &["-vV"]);
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: ")).expect("rustc names its host");
    let arguments = ["metadata", "--format-version=1", "--all-features", "--locked", "--offline", "--filter-platform"];
    let metadata: Value = serde_json::from_str(&output(env!("CARGO"), &[&arguments[..], &[host]].concat())).unwrap();

    let ours = env!("CARGO_PKG_RUST_VERSION");
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 50, "the dependencies are among {} packages", packages.len());
    let newer: Vec<String> = packages
        .iter()
        .filter(|package| package["rust_version"].as_str().is_some_and(|theirs| version(theirs) > version(ours)))
        .map(|package| format!("{} {} wants {}", package["name"], package["version"], package["rust_version"]))
        .collect();
    assert!(newer.is_empty(), "Cargo.toml says Rust {ours}, but {}", newer.join(", "));
}

#[test]
fn versions_are_compared_as_numbers() {
    assert!(version("1.100") > version("1.87.1"));
    assert!(version("1.87") > version("1.9"));
    assert_eq!(version("1.87"), version("1.87.0"));
}
