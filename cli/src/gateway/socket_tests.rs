//! Frames are cut where they end, and a relay holds, swallows and answers what it must, however the bytes arrive.

use ibkr_oauth::bytes::Bytes;
use proptest::prelude::*;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::{
    frames::{CLOSE, Frame, Frames, NoFrame, TEXT, framed},
    relay::{Passed, Relay, Supply},
};

const BINARY: OpCode = OpCode::Data(Data::Binary);
const PING: OpCode = OpCode::Control(Control::Ping);
const MASK: [u8; 4] = [1, 2, 3, 4];
const SUPPLY: Supply<'static> = Supply { session: "s3cr3t", local_session: "local", mask: [9, 8, 7, 6] };

fn text(words: &str) -> Bytes {
    framed(TEXT, words.as_bytes(), Some(MASK))
}

fn said(words: &str) -> Bytes {
    framed(TEXT, words.as_bytes(), None)
}

fn frames(bytes: &[u8]) -> Vec<Frame> {
    let mut frames = Frames::default();
    frames.push(bytes);
    std::iter::from_fn(|| frames.next().unwrap()).collect()
}

fn texts(bytes: &[u8]) -> Vec<String> {
    frames(bytes).iter().map(|frame| String::from_utf8_lossy(&frame.payload).into_owned()).collect()
}

#[test]
fn what_a_program_subscribes_to_is_held_until_the_broker_is_ready() {
    let mut relay = Relay::new(false);
    let early = [text(r#"{"session":"mine"}"#), text(r#"smd+265598+{"fields":["31"]}"#), text("tic")].concat();
    assert_eq!(relay.program_said(&early), Ok(Passed::default()));
    let burst = [
        said(r#"{"topic":"system","success":"u"}"#),
        said(r#"{"topic":"sts","args":{"competing":false}}"#),
        said(r#"{"topic":"sts","args":{"authenticated":false}}"#),
    ]
    .concat();
    let passed = relay.broker_said(&burst, &SUPPLY).unwrap();
    assert_eq!((&passed.to_program[..], passed.to_broker.len()), (&burst[..], 0));
    let ready = said(r#"{"topic":"sts","args":{"authenticated":true}}"#);
    let passed = relay.broker_said(&ready, &SUPPLY).unwrap();
    assert_eq!(&passed.to_program[..], &ready[..]);
    // Its own session is swallowed, and the rest comes as it was.
    assert_eq!(texts(&passed.to_broker), [r#"smd+265598+{"fields":["31"]}"#, "tic"]);
    let later = [text(r#" {"session":"mine"}"#), text("umd+265598+{}")].concat();
    assert_eq!(texts(&relay.program_said(&later).unwrap().to_broker), ["umd+265598+{}"]);
}

#[test]
fn a_broker_that_waits_for_the_session_gets_the_brokers_own_once() {
    let mut relay = Relay::new(false);
    let waiting = said(r#"{"message":"waiting for session"}"#);
    let passed = relay.broker_said(&waiting, &SUPPLY).unwrap();
    assert!(passed.to_program.is_empty());
    assert_eq!(texts(&passed.to_broker), [r#"{"session":"s3cr3t"}"#]);
    // A client masks what it sends.
    assert!(!passed.to_broker.windows(6).any(|bytes| bytes == b"s3cr3t"));
    let passed = relay.broker_said(&waiting, &SUPPLY).unwrap();
    assert_eq!((&passed.to_program[..], passed.to_broker.len()), (&waiting[..], 0));
}

#[test]
fn the_brokers_session_does_not_pass() {
    let mut relay = Relay::new(false);
    let tic = said(r#"{"topic":"tic","alive":true,"id":"s3cr3t","lastAccessed":1}"#);
    let passed = relay.broker_said(&[tic.clone(), tic].concat(), &SUPPLY).unwrap();
    assert_eq!(texts(&passed.to_program), [r#"{"topic":"tic","alive":true,"id":"local","lastAccessed":1}"#; 2]);
}

#[test]
fn without_allow_orders_a_socket_only_reads() {
    let mut reads = Relay::new(false);
    reads.release();
    let asked = [
        text("sor+{}"),
        text(r#"inp+exercise+{"action":"user_input"}"#),
        text("new+thing"),
        framed(CLOSE, &[3, 232], Some(MASK)),
    ];
    let passed = reads.program_said(&asked.concat()).unwrap();
    assert_eq!(frames(&passed.to_broker).iter().map(|frame| frame.opcode).collect::<Vec<_>>(), [TEXT, CLOSE]);
    let refusals = texts(&passed.to_program);
    assert!(refusals.len() == 2 && refusals.iter().all(|refusal| refusal.contains("--allow-orders")), "{refusals:?}");
    // Nobody writes a message in pieces but to hide it.
    assert_eq!(reads.program_said(&[0x01, 0x82, 0, 0, 0, 0, b'i', b'n']), Err(NoFrame));
    let mut trades = Relay::new(true);
    trades.release();
    assert_eq!(texts(&trades.program_said(&asked[1]).unwrap().to_broker), [r#"inp+exercise+{"action":"user_input"}"#]);
}

#[test]
fn what_is_no_text_passes_as_it_is() {
    let mut relay = Relay::new(false);
    let odd = [
        framed(TEXT, b"{\"topic\":\"sor\",\"x\":\"\x99\"}", None),
        framed(BINARY, &vec![0; 70_000], None),
        framed(PING, b"ping", None),
    ];
    let passed = relay.broker_said(&odd.concat(), &SUPPLY).unwrap();
    assert_eq!(passed.to_program, odd.concat());
}

#[test]
fn what_is_no_frame_ends_it() {
    for bytes in [
        &[0xc1, 0x00][..],
        &[0x89, 0x7e, 0, 200],
        &[0x09, 0x00],
        &[0x81, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    ] {
        let mut frames = Frames::default();
        frames.push(bytes);
        assert_eq!(frames.next(), Err(NoFrame), "{bytes:?}");
    }
    let mut relay = Relay::new(true);
    let held = framed(BINARY, &vec![0; 600_000], Some(MASK));
    assert!(relay.program_said(&held).is_ok());
    assert_eq!(relay.program_said(&held), Err(NoFrame), "only so much is held");
}

proptest! {
    #[test]
    fn bytes_may_come_in_any_pieces(
        messages in prop::collection::vec(("[a-z+{}]{0,200}", any::<bool>()), 1..12), cuts in prop::collection::vec(1_usize..40, 1..20),
    ) {
        let mut stream = Vec::new();
        for (words, is_ready) in &messages {
            let ready = r#"{"topic":"sts","args":{"authenticated":true}}"#;
            stream.extend_from_slice(&said(if *is_ready { ready } else { words }));
        }
        let (mut whole, mut pieces) = (Relay::new(true), Relay::new(true));
        for relay in [&mut whole, &mut pieces] {
            relay.program_said(&text("smd+1")).unwrap();
        }
        let expected = whole.broker_said(&stream, &SUPPLY).unwrap();
        let (mut found, mut rest, mut sizes) = (Passed::default(), &stream[..], cuts.iter().cycle());
        while !rest.is_empty() {
            let (piece, later) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
            let passed = pieces.broker_said(piece, &SUPPLY).unwrap();
            found.to_program.extend_from_slice(&passed.to_program);
            found.to_broker.extend_from_slice(&passed.to_broker);
            rest = later;
        }
        prop_assert_eq!(&found.to_program[..], &stream[..]);
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn no_bytes_make_a_relay_panic_or_lose_any(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut relay = Relay::new(false);
        let _ = relay.program_said(&bytes);
        if let Ok(passed) = relay.broker_said(&bytes, &SUPPLY) {
            let is_beginning = bytes.starts_with(&passed.to_program);
            prop_assert!(is_beginning || !passed.to_broker.is_empty());
        }
    }
}
