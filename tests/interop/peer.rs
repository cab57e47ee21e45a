//! Another implementation in a process of its own, asked by lines of JSON.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use serde_json::{Value, json};

/// A Python program of this directory. It ends when this is dropped.
pub(super) struct Peer {
    process: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts `program` with the Python that `INTEROP_PYTHON` names.
    pub(super) fn start(program: &str) -> Self {
        let python = env::var("INTEROP_PYTHON").expect(
            "INTEROP_PYTHON names no Python that has `tests/interop/requirements.txt`: `bash .ci/interop` makes one and \
             runs these tests with it",
        );
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop").join(program);
        let mut process = Command::new(&python)
            // No bytecode beside the sources, no warnings of what is old in Diffie-Hellman.
            .args(["-B", "-W", "ignore"])
            .arg(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("INTEROP_PYTHON is `{python}`, which cannot be started: {error}"));
        let questions = process.stdin.take();
        let answers = BufReader::new(process.stdout.take().unwrap());
        Self { process, questions, answers }
    }

    /// Asks `operation`; `Err` is what was raised over there.
    pub(super) fn try_ask(&mut self, operation: &str, mut question: Value) -> Result<Value, String> {
        question["op"] = json!(operation);
        let mut line = String::new();
        writeln!(self.questions.as_mut().unwrap(), "{question}").expect("the other side has ended: see its message");
        self.answers.read_line(&mut line).unwrap();
        let mut answer: Value = serde_json::from_str(&line).expect("the other side has ended: see its message");
        match answer.get("error").and_then(Value::as_str) {
            Some(error) => Err(error.to_owned()),
            None => Ok(answer["result"].take()),
        }
    }

    /// As [`try_ask`](Self::try_ask), where nothing may be raised.
    pub(super) fn ask(&mut self, operation: &str, question: Value) -> Value {
        let shown = question.to_string();
        self.try_ask(operation, question).unwrap_or_else(|error| panic!("{operation} {shown}: {error}"))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // The end of its input is the end of it.
        self.questions = None;
        let _ = self.process.wait();
    }
}

/// Bytes as a question has them.
pub(super) fn hex(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}

/// A text in an answer.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}
