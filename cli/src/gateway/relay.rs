//! One WebSocket of a program's and the broker's behind it: what passes, what is held, and what is answered. Pure.
//!
//! The broker drops what is subscribed to before it is ready, and refuses a session that is announced although it knows it.
//! Programs do both, for the Java gateway does not mind: so theirs is swallowed, and what they subscribe to is held until the
//! broker has said that it is ready.

use ibkr_oauth::bytes::{Bytes, BytesMut};
use serde_json::{Value, json};

use super::frames::{Frame, Frames, NoFrame, TEXT, framed};

/// The longest text that is looked at for what the broker says about the session.
const LONGEST_WORDS: usize = 64 << 10;
/// How much of a program's is held until the broker is ready.
const MOST_HELD: usize = 1 << 20;

/// What only reads; all other messages may trade.
const READS: [&str; 18] = [
    "smd", "umd", "smh", "umh", "sbd", "ubd", "sor", "uor", "str", "utr", "spl", "upl", "ssd", "usd", "sld", "uld",
    "tic", "ech",
];

/// A pair of WebSockets.
pub(crate) struct Relay {
    allow_orders: bool,
    from_program: Frames,
    from_broker: Frames,
    /// What the program has sent before the broker was ready; `None` from then on.
    held: Option<BytesMut>,
    /// The broker has asked for the session, and got it.
    has_announced: bool,
    /// A message of the program's is under way whose rest is swallowed too.
    swallows: bool,
}

/// What has to be sent, to whom.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Passed {
    pub(crate) to_program: BytesMut,
    pub(crate) to_broker: BytesMut,
}

/// What only the session and chance can give.
pub(crate) struct Supply<'a> {
    /// The broker's session, which opens a WebSocket.
    pub(crate) session: &'a str,
    /// What programs get in its place.
    pub(crate) local_session: &'a str,
    pub(crate) mask: [u8; 4],
}

impl Relay {
    pub(crate) fn new(allow_orders: bool) -> Self {
        Self {
            allow_orders,
            from_program: Frames::default(),
            from_broker: Frames::default(),
            held: Some(BytesMut::new()),
            has_announced: false,
            swallows: false,
        }
    }

    /// Bytes from the program.
    pub(crate) fn program_said(&mut self, bytes: &[u8]) -> Result<Passed, NoFrame> {
        let mut passed = Passed::default();
        self.from_program.push(bytes);
        while let Some(frame) = self.from_program.next()? {
            if self.swallow(&frame) {
                continue;
            }
            if !frame.is_control() && !self.allow_orders {
                if !frame.is_whole() {
                    return Err(NoFrame);
                }
                if let Some(refusal) = refusal(&frame) {
                    passed.to_program.extend_from_slice(&framed(TEXT, refusal.as_bytes(), None));
                    continue;
                }
            }
            match &mut self.held {
                // Pings and the end are the connection's, and wait for nobody.
                Some(held) if !frame.is_control() => {
                    if held.len().saturating_add(frame.raw.len()) > MOST_HELD {
                        return Err(NoFrame);
                    }
                    held.extend_from_slice(&frame.raw);
                }
                _ => passed.to_broker.extend_from_slice(&frame.raw),
            }
        }
        Ok(passed)
    }

    /// Bytes from the broker.
    pub(crate) fn broker_said(&mut self, bytes: &[u8], supply: &Supply<'_>) -> Result<Passed, NoFrame> {
        let mut passed = Passed::default();
        self.from_broker.push(bytes);
        while let Some(frame) = self.from_broker.next()? {
            match words(&frame).as_ref().map(meaning) {
                // The gateway's to answer, for the program has no session of the broker's.
                Some(Meaning::WaitsForSession) => {
                    if !std::mem::replace(&mut self.has_announced, true) {
                        let announced = json!({ "session": supply.session }).to_string();
                        passed.to_broker.extend_from_slice(&framed(TEXT, announced.as_bytes(), Some(supply.mask)));
                        continue;
                    }
                }
                Some(Meaning::Ready) => passed.to_broker.extend_from_slice(&self.release()),
                Some(Meaning::Other) | None => {}
            }
            passed.to_program.extend_from_slice(&without_session(&frame, supply).unwrap_or(frame.raw));
        }
        Ok(passed)
    }

    /// What was held, for the broker is ready, or nobody waits for that any longer.
    pub(crate) fn release(&mut self) -> Bytes {
        self.held.take().unwrap_or_default().freeze()
    }

    /// Whether this is the program's announcement of a session, or the rest of one.
    fn swallow(&mut self, frame: &Frame) -> bool {
        if frame.is_control() {
            return false;
        }
        let swallowed = if frame.begins() { frame.payload.trim_ascii_start().starts_with(b"{") } else { self.swallows };
        self.swallows = swallowed && !frame.is_last;
        swallowed
    }
}

/// What a program gets for a message that may trade, where it may not.
fn refusal(frame: &Frame) -> Option<String> {
    let topic: String = String::from_utf8_lossy(&frame.payload).chars().take(3).collect();
    if READS.contains(&topic.as_str()) {
        return None;
    }
    let error = "this gateway only reads: start it with `--allow-orders` if the programs behind it may trade";
    Some(json!({ "topic": topic, "error": error, "code": 403 }).to_string())
}

/// The frame with the local session where it has the broker's, as the answer to `tic` does.
fn without_session(frame: &Frame, supply: &Supply<'_>) -> Option<Bytes> {
    let (session, local) = (supply.session.as_bytes(), supply.local_session.as_bytes());
    let is_short = frame.is_whole() && frame.payload.len() <= LONGEST_WORDS && !session.is_empty();
    let at = frame.payload.windows(session.len().max(1)).position(|bytes| is_short && bytes == session)?;
    let (before, rest) = frame.payload.split_at_checked(at)?;
    let changed = [before, local, rest.get(session.len()..).unwrap_or_default()].concat();
    Some(framed(frame.opcode, &changed, None))
}

/// What a message of the broker's means for the session.
enum Meaning {
    WaitsForSession,
    Ready,
    Other,
}

fn words(frame: &Frame) -> Option<Value> {
    let is_short = frame.is_whole() && frame.payload.len() <= LONGEST_WORDS;
    let looks_so = || frame.payload.windows(4).any(|words| words == b"sts\"" || words == b"wait");
    if is_short && looks_so() { serde_json::from_slice(&frame.payload).ok() } else { None }
}

fn meaning(message: &Value) -> Meaning {
    if message.get("message").and_then(Value::as_str) == Some("waiting for session") {
        return Meaning::WaitsForSession;
    }
    let is_status = message.get("topic").and_then(Value::as_str) == Some("sts");
    // Some servers say it beside `args`.
    let says = |place: Option<&Value>| place.and_then(|place| place.get("authenticated")?.as_bool()) == Some(true);
    if is_status && (says(message.get("args")) || says(Some(message))) { Meaning::Ready } else { Meaning::Other }
}
