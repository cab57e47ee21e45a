//! `gateway` in front of `simulate`, spoken to as programs in any language do.

mod attacks;
#[path = "../../src/gateway/frames.rs"]
#[allow(dead_code, reason = "the program uses all of it")]
mod frames;
mod life;
mod passing;
mod sockets;

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use crate::terminal::{Folder, Running};
use serde_json::{Value, json};
use ureq::{Agent, http::Response, tls::TlsConfig};

/// A broker, a gateway in front of it, and a program.
pub(crate) struct Gateway {
    broker: Running,
    broker_ready: Value,
    running: Running,
    pub(crate) ready: Value,
    pub(crate) folder: Folder,
}

/// What a program got.
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) headers: ureq::http::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}", self.text()))
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl From<Response<ureq::Body>> for Got {
    fn from(response: Response<ureq::Body>) -> Self {
        let (head, mut body) = response.into_parts();
        let body = body.with_config().limit(64 << 20).read_to_vec().unwrap();
        Self { status: head.status.as_u16(), headers: head.headers, body }
    }
}

impl Gateway {
    /// A broker with these arguments, a gateway with those.
    fn start(broker: &[&str], gateway: &[&str]) -> Self {
        Self::start_in(Folder::new(), broker, gateway)
    }

    fn start_in(folder: Folder, broker: &[&str], gateway: &[&str]) -> Self {
        let mut simulator = Running::start(&folder.0, &[&["simulate", "--out", "sim"], broker].concat());
        let broker_ready: Value = serde_json::from_str(&simulator.line()).unwrap();
        let (running, ready) = started(&folder, gateway);
        Self { broker: simulator, broker_ready, running, ready, folder }
    }

    /// A broker, and a gateway with these variables in its environment.
    fn start_with(variables: &[(&str, &str)]) -> Self {
        let folder = Folder::new();
        let mut broker = Running::start(&folder.0, &["simulate", "--out", "sim"]);
        let broker_ready: Value = serde_json::from_str(&broker.line()).unwrap();
        let (running, ready) = started_with(&folder, &[], variables);
        Self { broker, broker_ready, running, ready, folder }
    }

    /// The same broker with another gateway.
    fn start_again(self, gateway: &[&str]) -> (Self, String) {
        self.running.signal("TERM");
        let said = self.running.end();
        assert_eq!(said.status, 0, "{}", said.stderr);
        let (running, ready) = started(&self.folder, gateway);
        (Self { running, ready, ..self }, said.stderr)
    }

    fn address(&self) -> &str {
        self.ready["address"].as_str().unwrap()
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    fn get(&self, path: &str) -> Got {
        agent().get(self.url(path)).call().unwrap().into()
    }

    fn post(&self, path: &str, body: &str) -> Got {
        agent().post(self.url(path)).send(body).unwrap().into()
    }

    /// Waits until the session is open.
    fn live(self) -> Self {
        self.wait_for("live");
        self
    }

    /// Waits until the gateway says of its session that it is in this state.
    fn wait_for(&self, word: &str) {
        let deadline = std::time::Instant::now() + Duration::from_secs(60);
        loop {
            let health = self.get("/health").json();
            if health["status"] == word {
                return;
            }
            assert!(std::time::Instant::now() < deadline, "{health}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What comes back for these bytes before the connection ends.
    fn say(&self, bytes: &str) -> String {
        let mut stream = TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(bytes.as_bytes()).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        reply
    }

    /// Has something happen to the broker.
    fn order(&self, order: &Value) {
        let url = format!("http://{}/__simulator/faults", self.broker_ready["address"].as_str().unwrap());
        let got: Got = agent().post(url).send(order.to_string()).unwrap().into();
        assert_eq!(got.status, 200, "{order}: {}", got.text());
    }

    fn action(&self, name: &str) {
        self.order(&json!({ "action": name }));
    }

    /// Ends both, and returns what each said.
    fn stop(self) -> Said {
        self.running.signal("TERM");
        let gateway = self.running.end();
        assert_eq!((gateway.status, gateway.text()), (0, ""), "{}", gateway.stderr);
        self.broker.signal("TERM");
        Said { gateway: gateway.stderr, broker: self.broker.end().stderr }
    }
}

/// What was said on standard error.
struct Said {
    gateway: String,
    broker: String,
}

impl Said {
    /// How many requests with these words reached the broker.
    fn count(&self, words: &str) -> usize {
        self.broker.lines().filter(|line| line.contains(words)).count()
    }
}

fn started(folder: &Folder, arguments: &[&str]) -> (Running, Value) {
    started_with(folder, arguments, &[])
}

fn started_with(folder: &Folder, arguments: &[&str], variables: &[(&str, &str)]) -> (Running, Value) {
    let common = ["gateway", "--bundle", "sim/bundle.json", "--listen", "0"];
    let all = if arguments.contains(&"--listen") { &common[..3] } else { &common[..] };
    let mut running = Running::start_with(&folder.0, &[all, arguments].concat(), variables);
    let line = running.line();
    let Ok(ready) = serde_json::from_str(&line) else { panic!("{line:?}: {}", running.end().stderr) };
    (running, ready)
}

/// A program that takes what it gets, and any certificate.
fn agent() -> Agent {
    Agent::config_builder()
        .proxy(None)
        .http_status_as_error(false)
        .max_redirects(0)
        .tls_config(TlsConfig::builder().disable_verification(true).build())
        .timeout_global(Some(Duration::from_secs(60)))
        .build()
        .into()
}
