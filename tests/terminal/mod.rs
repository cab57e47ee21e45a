//! Running the program `ibkr-oauth`, and looking at what it left behind.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use ibkr_oauth::simulator::test_keys;

/// A folder of its own for each test, gone at its end.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("command_line_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(path.join("keys")).unwrap();
        fs::create_dir_all(path.join("elsewhere")).unwrap();
        Self(path)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What the program left behind.
pub(crate) struct Outcome {
    pub(crate) status: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Outcome {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }

    /// Asserts that the program failed with two lines, what and what to do, after `before`.
    pub(crate) fn assert_failure(&self, status: i32, before: &str, what: &str, remedy: &str) {
        assert_eq!(self.status, status, "{}", self.stderr);
        let rest = self.stderr.strip_prefix(before).unwrap_or_else(|| panic!("{}", self.stderr));
        let lines: Vec<&str> = rest.lines().collect();
        assert_eq!(lines.len(), 2, "{}", self.stderr);
        assert!(lines[0].starts_with("error: ") && lines[0].contains(what), "{}", self.stderr);
        assert!(lines[1].starts_with("try: ") && lines[1].contains(remedy), "{}", self.stderr);
    }
}

/// The program, to be started in this folder, with no proxy between it and the loopback interface.
pub(crate) fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ibkr-oauth"));
    command.current_dir(folder).stdin(Stdio::null()).env("TEST_ENCRYPTION_KEY", test_keys::DECRYPTION_KEY);
    for proxy in ["ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY"] {
        command.env_remove(proxy).env_remove(proxy.to_ascii_lowercase());
    }
    command
}

pub(crate) fn run_in(folder: &Path, arguments: &[&str]) -> Outcome {
    let Output { status, stdout, stderr } = command(folder).args(arguments).output().unwrap();
    let stderr = String::from_utf8(stderr).unwrap();
    assert!(!stderr.contains("panicked"), "{stderr}");
    Outcome { status: status.code().unwrap(), stdout, stderr }
}
