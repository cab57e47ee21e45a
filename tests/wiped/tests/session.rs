//! A session's life: live session tokens that are renewed, and snapshots on their way to another process.

use std::{sync::LazyLock, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ibkr_oauth::{
    Consumer, Context, Timestamp, UnlockedToken,
    session::{Input, Output, Session, SessionConfig, SessionEvent, Snapshot},
    simulator::{Broker, SeededEntropy, test_keys},
};
use ibkr_oauth_wiped::{Heap, Marker, hmac_states};

const START: Timestamp = Timestamp::from_secs(1_700_000_000);
const DAY: Duration = Duration::from_secs(24 * 3600);
const TOKEN: &str = "218c1d970d85a8442825";
const SECRET: &[u8; 32] = b"the opened secret of this token!";

static CONSUMER: LazyLock<Consumer> = LazyLock::new(|| test_keys::consumer().unwrap());

/// The live session token of a session, in every form, keyed HMACs included.
fn markers_of(session: &Session) -> Vec<Marker> {
    let snapshot = serde_json::to_value(session.snapshot().unwrap().expose_secrets()).unwrap();
    let token = STANDARD.decode(snapshot["live_session_token"].as_str().unwrap()).unwrap();
    let mut markers = hmac_states(&token);
    markers.push(
        Marker::bytes("live session token", &token).and_hexadecimal(&token).and(STANDARD.encode(&token).as_bytes()),
    );
    markers
}

struct Life {
    session: Session,
    broker: Broker,
    now: Timestamp,
    entropy: SeededEntropy,
}

impl Life {
    fn new() -> Self {
        LazyLock::force(&CONSUMER);
        let token = UnlockedToken::from_plaintext(TOKEN, SECRET.as_slice().into());
        let session = Session::new(CONSUMER.clone(), token, SessionConfig::default());
        let broker = Broker::builder().strict().access_token(TOKEN, *SECRET).build().unwrap();
        Self { session, broker, now: START, entropy: SeededEntropy::new(1) }
    }

    /// Lets time pass, and counts the live session tokens that were negotiated.
    fn run(&mut self, heap: &Heap, until: Timestamp) -> usize {
        let mut tokens = 0;
        while self.now < until {
            match self.session.poll_output(&mut Context::new(self.now, &mut self.entropy)) {
                Output::Transmit { id, request, .. } => {
                    let cx = &mut Context::new(self.now, &mut self.entropy);
                    let response = heap.pause(|| self.broker.handle(cx, &request));
                    self.session.handle_input(cx, Input::Response { id, response });
                }
                Output::Timeout { at, .. } => {
                    self.now = at;
                    self.session.handle_input(&mut Context::new(at, &mut self.entropy), Input::Timeout);
                }
                Output::Event(SessionEvent::Negotiated { .. }) => tokens += 1,
                Output::Event(_) => {}
                output => panic!("{output:?}"),
            }
        }
        tokens
    }
}

fn secret_marker() -> Marker {
    Marker::bytes("opened secret", SECRET).and_hexadecimal(SECRET)
}

#[test]
fn a_session_wipes_each_token_when_it_is_renewed_and_all_in_the_end() {
    let (secret, mut life) = (secret_marker(), Life::new());
    let heap = Heap::record();
    assert_eq!(life.run(&heap, START.saturating_add(Duration::from_secs(3600))), 1);
    let first = heap.pause(|| markers_of(&life.session));
    let held = heap.held();
    first.iter().for_each(|marker| held.assert_with(marker));

    assert!(life.run(&heap, START.saturating_add(DAY)) >= 1, "the token is renewed within its day");
    let second = heap.pause(|| markers_of(&life.session));
    let held = heap.held();
    first.iter().for_each(|marker| held.assert_without(marker));
    second.iter().for_each(|marker| held.assert_with(marker));

    let Life { session, .. } = life;
    drop(session);
    let freed = heap.freed();
    first.iter().chain(&second).chain([&secret]).for_each(|marker| freed.assert_without(marker));
}

#[test]
fn a_snapshot_is_wiped_on_both_sides() {
    let mut life = Life::new();
    let heap = Heap::record();
    life.run(&heap, START.saturating_add(Duration::from_secs(3600)));
    let markers = heap.pause(|| markers_of(&life.session));
    // The text is the caller's to wipe.
    let mut text = [0; 1000];
    let snapshot = life.session.snapshot().unwrap();
    serde_json::to_writer(text.as_mut_slice(), &snapshot.expose_secrets()).unwrap();
    drop((snapshot, life.session));

    let text = heap.pause(|| String::from_utf8(text.to_vec()).unwrap());
    let text = text.trim_end_matches('\0');
    let snapshot: Snapshot = serde_json::from_str(text).unwrap();
    let token = UnlockedToken::from_plaintext(TOKEN, SECRET.as_slice().into());
    let session = Session::resume(CONSUMER.clone(), token, SessionConfig::default(), snapshot, life.now).unwrap();
    let held = heap.held();
    markers.iter().for_each(|marker| held.assert_with(marker));
    drop(session);
    let freed = heap.freed();
    markers.iter().for_each(|marker| freed.assert_without(marker));
}

#[test]
fn a_snapshot_that_is_refused_is_wiped() {
    let mut life = Life::new();
    let heap = Heap::record();
    life.run(&heap, START.saturating_add(Duration::from_secs(3600)));
    drop(heap);
    let markers = markers_of(&life.session);
    let good = serde_json::to_string(&life.session.snapshot().unwrap().expose_secrets()).unwrap();
    let token = serde_json::from_str::<serde_json::Value>(&good).unwrap()["live_session_token"].clone();
    let token = token.as_str().unwrap();
    let damaged = [
        good.replace("\"version\":1", "\"version\":2"),
        good.replace('}', ",\"another\":1}"),
        good.replace('}', ""),
        good.replace("\"expires_at\":", "\"expires_at\":-"),
        good.replace(token, &format!("{token}AAAA")),
        good.replace(token, &token[..24]),
        good.replace(token, &format!("{}!", &token[..27])),
        good.replace(token, &format!(" {token} ")),
    ];
    let heap = Heap::record();
    for (index, text) in damaged.iter().enumerate() {
        assert_eq!(serde_json::from_str::<Snapshot>(text).is_ok(), index == 7, "{index}");
    }
    // Expired: refused only where it is used.
    let snapshot: Snapshot = serde_json::from_str(&good).unwrap();
    let token = UnlockedToken::from_plaintext(TOKEN, SECRET.as_slice().into());
    let late = START.saturating_add(DAY * 3);
    assert!(Session::resume(CONSUMER.clone(), token, SessionConfig::default(), snapshot, late).is_err());
    let freed = heap.freed();
    markers.iter().for_each(|marker| freed.assert_without(marker));
}
