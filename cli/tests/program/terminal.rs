//! Running the program `ibkr-oauth`, and looking at what it left behind.

pub(crate) mod user;

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use ibkr_oauth::{diagnose::Cause, simulator::test_keys};

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

    /// Writes a file that only its owner may read.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        #[cfg(unix)]
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
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

    /// Asserts that the program failed with two lines, what and what to do, after `before`; a third may say where more is
    /// known, and then it is.
    pub(crate) fn assert_failure(&self, status: i32, before: &str, what: &str, remedy: &str) {
        assert_eq!(self.status, status, "{}", self.stderr);
        let rest = self.stderr.strip_prefix(before).unwrap_or_else(|| panic!("{}", self.stderr));
        let lines: Vec<&str> = rest.lines().collect();
        let causes = lines.get(2..).unwrap_or_else(|| panic!("{}", self.stderr));
        let is_explained = |line: &&str| {
            let name = line.strip_prefix("more: ibkr-oauth explain ");
            name.and_then(Cause::from_name).is_some_and(|cause| Some(cause.name()) == name)
        };
        assert!(causes.len() <= 1 && causes.iter().all(is_explained), "{}", self.stderr);
        assert!(lines[0].starts_with("error: ") && lines[0].contains(what), "{}", self.stderr);
        assert!(lines[1].starts_with("try: ") && lines[1].contains(remedy), "{}", self.stderr);
    }
}

impl Outcome {
    /// As [`assert_failure`](Self::assert_failure), of a wrong command line whose error is an object.
    pub(crate) fn assert_failure_json(&self, what: &str, remedy: &str) {
        let error: serde_json::Value = serde_json::from_str(&self.stderr).unwrap();
        assert_eq!(self.status, 2, "{error}");
        assert!(error["error"].as_str().unwrap().contains(what), "{error}");
        assert!(error["try"].as_str().unwrap().contains(remedy), "{error}");
    }
}

/// The program, to be started in this folder, with no proxy between it and the loopback interface.
pub(crate) fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ibkr-oauth"));
    command.current_dir(folder).stdin(Stdio::null()).env("TEST_ENCRYPTION_KEY", test_keys::ENCRYPTION_KEY);
    command.env_remove("NO_COLOR");
    for proxy in ["ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"] {
        command.env_remove(proxy).env_remove(proxy.to_ascii_lowercase());
    }
    command
}

/// As [`run_in`], with this text on standard input.
pub(crate) fn run_with_input(folder: &Path, arguments: &[&str], input: &str) -> Outcome {
    let mut command = command(folder);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A program that reads no more has seen enough.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    outcome(child.wait_with_output().unwrap())
}

pub(crate) fn run_in(folder: &Path, arguments: &[&str]) -> Outcome {
    outcome(command(folder).args(arguments).output().unwrap())
}

/// Runs the program where no file may be longer than this, in blocks of 512 bytes: as on a disk that is full.
pub(crate) fn run_with_room(folder: &Path, blocks: u32, arguments: &[&str]) -> Outcome {
    // Without the trap, the signal ends the program before it can clean up.
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    let program = command(folder).get_program().to_owned();
    let mut shell = Command::new("sh");
    shell.current_dir(folder).args(["-c", &script]).arg(program).args(arguments).stdin(Stdio::null());
    outcome(shell.output().unwrap())
}

/// What the finished program left behind.
pub(crate) fn outcome(Output { status, stdout, stderr }: Output) -> Outcome {
    let stderr = String::from_utf8(stderr).unwrap();
    assert!(!stderr.contains("panicked"), "{stderr}");
    Outcome { status: status.code().unwrap(), stdout, stderr }
}

/// A program that goes on running, and is killed if the test forgets it.
pub(crate) struct Running {
    child: Child,
    /// `None` once the test has stopped reading.
    out: Option<BufReader<ChildStdout>>,
}

impl Running {
    pub(crate) fn start(folder: &Path, arguments: &[&str]) -> Self {
        Self::start_with(folder, arguments, &[])
    }

    /// With these variables in its environment.
    pub(crate) fn start_with(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = command(folder);
        command.envs(variables.iter().copied());
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let out = child.stdout.take().map(BufReader::new);
        Self { child, out }
    }

    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.as_mut().unwrap().read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Reads lines until one has these words.
    pub(crate) fn line_with(&mut self, words: &str) -> String {
        loop {
            let line = self.line();
            assert!(!line.is_empty(), "the program ended without `{words}`");
            if line.contains(words) {
                return line;
            }
        }
    }

    pub(crate) fn type_line(&mut self, line: &str) {
        let input = self.child.stdin.as_mut().unwrap();
        input.write_all(line.as_bytes()).and_then(|()| input.write_all(b"\n")).unwrap();
    }

    /// Sends a signal, such as `TERM`.
    #[cfg(unix)]
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap().success());
    }

    /// Stops reading the output, and waits for the end.
    pub(crate) fn leave(mut self) -> Outcome {
        self.out = None;
        self.end()
    }

    /// Waits for the end; the output is what was not read before.
    pub(crate) fn end(mut self) -> Outcome {
        drop(self.child.stdin.take());
        let mut stdout = Vec::new();
        if let Some(mut out) = self.out.take() {
            out.read_to_end(&mut stdout).unwrap();
        }
        let mut stderr = Vec::new();
        self.child.stderr.take().unwrap().read_to_end(&mut stderr).unwrap();
        outcome(Output { status: self.child.wait().unwrap(), stdout, stderr })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
