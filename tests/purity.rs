//! Nothing in the library reads time, randomness, files, the environment or the network, or starts or stops a thread:
//! a scan of the sources, beside the lints that say the same.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]
#![allow(clippy::disallowed_methods, reason = "the test reads the sources")]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// What no source may hold, at the start of a word.
const FORBIDDEN: [&str; 22] = [
    "SystemTime::now",
    "Instant::now",
    "fs::",
    "File::",
    "env::",
    "process::",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "ToSocketAddrs",
    "thread::spawn",
    "thread::sleep",
    "thread::Builder",
    "thread::scope",
    "getrandom::",
    "OsRng",
    "println!",
    "eprintln!",
    "print!",
    "dbg!",
    "unsafe",
];

/// Where the outside world may be touched: the adapters for HTTP clients, the loops that drive them with the clock they
/// use, and the command line. Of `context.rs` only the one line of `OsEntropy`.
fn is_allowed(file: &Path, what: &str) -> bool {
    let path = file.to_string_lossy().replace('\\', "/");
    ["adapter/", "adapter.rs", "driver/", "driver.rs", "clock.rs", "bin/"].iter().any(|room| path.starts_with(room))
        || (path == "context.rs" && what == "getrandom::")
}

/// Unit tests may read files.
fn is_test(file: &Path) -> bool {
    file.components().any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "tests.rs")))
}

/// The forbidden words of a source, each with its line. Comments and the module of unit tests do not count.
fn findings(source: &str) -> Vec<(usize, &'static str)> {
    let mut found = Vec::new();
    let lines: Vec<&str> = source.lines().collect();
    for (index, line) in lines.iter().enumerate() {
        if line.trim() == "#[cfg(test)]" && lines.get(index + 1).is_some_and(|next| next.starts_with("mod tests {")) {
            break;
        }
        let code = if line.trim_start().starts_with("//") { "" } else { line.split(" // ").next().unwrap() };
        for what in FORBIDDEN {
            let starts_word = |at: usize| !code[..at].ends_with(|char: char| char.is_alphanumeric() || char == '_');
            let ends_word = |at: usize| {
                let after = &code[at + what.len()..];
                !what.ends_with(char::is_alphanumeric)
                    || !after.starts_with(|char: char| char.is_alphanumeric() || char == '_')
            };
            if code.match_indices(what).any(|(at, _)| starts_word(at) && ends_word(at)) {
                found.push((index + 1, what));
            }
        }
    }
    found
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

#[test]
fn the_library_touches_nothing_outside_itself() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 30, "only {} sources", files.len());
    let mut found = Vec::new();
    for file in files {
        let name = file.strip_prefix(&root).unwrap();
        if is_test(name) {
            continue;
        }
        let all = findings(&fs::read_to_string(&file).unwrap());
        let refused = all.into_iter().filter(|(_, what)| !is_allowed(name, what));
        found.extend(refused.map(|(line, what)| format!("src/{}:{line}: `{what}`", name.display())));
    }
    assert!(found.is_empty(), "the outside world is touched:\n{}", found.join("\n"));
}

#[test]
fn the_scan_finds_each_planted_line() {
    for (line, what) in [
        ("    let now = SystemTime::now();", "SystemTime::now"),
        ("let now = std::time::Instant::now();", "Instant::now"),
        ("use std::fs::read;", "fs::"),
        ("    let text = fs::read_to_string(path)?;", "fs::"),
        ("let file = File::open(path)?;", "File::"),
        ("let home = std::env::var(\"HOME\");", "env::"),
        ("std::process::exit(1);", "process::"),
        ("use std::net::{Ipv6Addr, TcpStream};", "TcpStream"),
        ("let socket = UdpSocket::bind(address)?;", "UdpSocket"),
        ("std::thread::spawn(|| {});", "thread::spawn"),
        ("thread::sleep(delay); // a moment", "thread::sleep"),
        ("getrandom::fill(destination)", "getrandom::"),
        ("eprintln!(\"{secret}\");", "eprintln!"),
        ("println!(\"{secret}\");", "println!"),
        ("let byte = unsafe { *pointer };", "unsafe"),
    ] {
        assert_eq!(findings(&format!("fn f() {{\n{line}\n}}\n")), [(2, what)], "{line}");
    }
}

#[test]
fn the_scan_lets_words_be_that_only_look_alike() {
    for line in [
        "// SystemTime::now() is read by the caller",
        "    /// let now = std::time::SystemTime::now();",
        "#[cfg(feature = \"getrandom\")]",
        "concat!(\"ibkr-oauth/\", env!(\"CARGO_PKG_VERSION\"))",
        "#![forbid(unsafe_code)]",
        "address.parse::<std::net::Ipv6Addr>()",
        "let my_fs::path = proofs::of(it);",
        "impl From<SystemTime> for Timestamp {",
    ] {
        assert_eq!(findings(line), [], "{line}");
    }
    let with_tests = "fn f() {}\n#[cfg(test)]\nmod tests {\n    use std::fs::read;\n}\n";
    assert_eq!(findings(with_tests), []);
    assert_eq!(findings("#[cfg(test)]\nmod tests;\nuse std::fs::read;\n"), [(3, "fs::")]);
    assert!(is_allowed(Path::new("context.rs"), "getrandom::"));
    assert!(!is_allowed(Path::new("context.rs"), "SystemTime::now"));
    assert!(!is_allowed(Path::new("session.rs"), "getrandom::") && !is_test(Path::new("attests.rs")));
}
