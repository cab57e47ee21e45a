//! `doctor` on a simulated account, for those who have none yet: first with everything as it should be, then with the
//! commonest trouble of all.

use std::{
    env,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    failure::Failure,
    output::{self, Format},
};

/// What is shown: a sentence, the fault of the simulator, and the status that `doctor` then ends with.
const SCENES: [(&str, &[&str], i32); 2] = [
    ("A simulated account, with everything as it should be:", &[], 0),
    (
        "The same account, before the broker has activated its consumer key:",
        &["--fault", "invalid-consumer@/oauth/live_session_token"],
        1,
    ),
];

/// Runs each scene, as somebody would type it: `simulate`, and `doctor` with the bundle that it wrote.
pub(super) fn run(format: Format) -> Result<(), Failure> {
    if cfg!(not(feature = "simulate")) {
        return Err(Failure::usage(
            "this program was built without `simulate`, and so has no simulated account",
            "build it with its default features",
        ));
    }
    let program = env::current_exe().map_err(|error| cannot(&error))?;
    for (sentence, fault, expected) in SCENES {
        if format == Format::Text {
            output::print_line(sentence)?;
            output::print_line("")?;
        }
        let simulator = Simulator::start(&program, fault)?;
        let status = doctor(&program, &simulator.bundle, format)?;
        if status.code() != Some(expected) {
            return Err(cannot(&format!("`doctor` ended with {status}")));
        }
        if format == Format::Text {
            output::print_line("")?;
        }
    }
    if format == Format::Text {
        output::print_line("With your own credentials: ibkr-oauth doctor --bundle bundle.json")?;
    }
    Ok(())
}

fn doctor(program: &Path, bundle: &Path, format: Format) -> Result<ExitStatus, Failure> {
    let mut command = Command::new(program);
    command.arg("doctor").arg("--bundle").arg(bundle).stdin(Stdio::null());
    command.args(["--output", if format == Format::Json { "json" } else { "text" }]);
    // The simulator is on this machine, where no proxy leads.
    command.env("NO_PROXY", "127.0.0.1").status().map_err(|error| cannot(&error))
}

fn cannot(why: &dyn std::fmt::Display) -> Failure {
    Failure::refused(
        format!("the simulated account cannot be shown: {why}"),
        "run `ibkr-oauth simulate --out sim` and, beside it, `ibkr-oauth doctor --bundle sim/bundle.json`",
    )
}

/// A running `simulate`, and the folder that it wrote into: both are gone when it is dropped.
struct Simulator {
    child: Child,
    bundle: PathBuf,
    _folder: TempDir,
}

impl Simulator {
    fn start(program: &Path, fault: &[&str]) -> Result<Self, Failure> {
        let folder = tempfile::tempdir().map_err(|error| cannot(&error))?;
        let mut command = Command::new(program);
        command.args(["simulate", "--output", "json", "--out"]).arg(folder.path().join("sim")).args(fault);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let child = command.spawn().map_err(|error| cannot(&error))?;
        let mut simulator = Self { child, bundle: PathBuf::new(), _folder: folder };
        let mut line = String::new();
        if let Some(output) = simulator.child.stdout.take() {
            BufReader::new(output).read_line(&mut line).map_err(|error| cannot(&error))?;
        }
        let ready: Option<Value> = serde_json::from_str(&line).ok();
        let bundle = ready.and_then(|ready| ready.get("bundle")?.as_str().map(PathBuf::from));
        simulator.bundle = bundle.ok_or_else(|| cannot(&"`simulate` does not start"))?;
        Ok(simulator)
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
