//! One process stops, another goes on.

use ibkr_oauth::{
    Consumer, Error, ErrorKind, Secret, Timestamp, UnlockedToken,
    session::{CompetePolicy, Input, OnShutdown, Session, SessionConfig, SessionEvent, Snapshot, State},
    simulator::Broker,
};
use serde_json::Value;

use super::{OPEN, config, hours, seconds};
use crate::known_user::{self, SECRET, TOKEN};
use crate::machine::{COMPETING, Machine, READY, tickle};

/// A process that is live and leaves its session open, and the broker that knows its token.
fn first() -> Machine {
    let config = config(|config| config.on_shutdown = OnShutdown::LeaveOpen);
    let mut machine = Machine::new(config);
    machine.drain();
    machine.answer();
    machine.answer();
    assert_eq!(machine.state(), State::Live);
    machine
}

fn stored(machine: &Machine) -> Value {
    serde_json::to_value(machine.session.snapshot().expect("a snapshot").expose_secrets()).unwrap()
}

fn resume(stored: &Value, config: SessionConfig, now: Timestamp) -> Result<Session, Error> {
    let snapshot: Snapshot = serde_json::from_value(stored.clone()).unwrap();
    Session::resume(known_user::consumer(), known_user::token(), config, snapshot, now)
}

/// Another process, later, with the same broker.
fn second(first: Machine, config: SessionConfig) -> Machine {
    let stored = stored(&first);
    let session = resume(&stored, config, first.now).unwrap();
    Machine { session, events: Vec::new(), sent: Vec::new(), request: None, deadline: None, ..first }
}

#[test]
fn the_second_process_needs_no_handshake() {
    let mut machine = first();
    let token_id = machine.session.view().token_id();
    machine.tell(Input::Shutdown);
    assert_eq!(machine.state(), State::Closed);
    machine.pass(120);
    let mut machine = second(machine, SessionConfig::default());
    // It has a signer at once, and is live when the first tickle says so.
    assert_eq!((machine.state(), machine.session.view().token_id()), (State::BackingOff, token_id));
    machine.drain();
    machine.answer();
    assert_eq!((machine.state(), machine.paths()), (State::Live, vec!["/tickle"]));
    assert_eq!(machine.broker.live_session_tokens_issued(), 1);
    assert!(machine.broker.refusals().is_empty());
    for _ in 0..100 {
        machine.wait();
        machine.answer();
    }
    assert_eq!((machine.state(), machine.handshakes()), (State::Live, 0));
}

#[test]
fn timestamps_do_not_go_back() {
    let mut machine = first();
    let last = machine.now;
    // The second machine's clock is four minutes behind.
    machine.now = last.saturating_sub(seconds(240));
    let stored = stored(&machine);
    let session = resume(&stored, SessionConfig::default(), machine.now).unwrap();
    let mut second = Machine { session, sent: Vec::new(), ..machine };
    second.drain();
    let header = second.sent[0].1.headers()["authorization"].to_str().unwrap();
    assert!(header.contains(&format!("oauth_timestamp=\"{}\"", last.as_secs())), "{header}");

    // One whose clock is much further behind says so and starts afresh.
    let session = resume(&stored, SessionConfig::default(), last.saturating_sub(hours(2))).unwrap();
    let mut second = Machine { session, sent: Vec::new(), now: last.saturating_sub(hours(2)), ..second };
    second.drain();
    assert_eq!(second.count(|event| matches!(event, SessionEvent::ClockStepped { .. })), 1);
    assert_eq!(second.handshakes(), 1);
}

#[test]
fn what_does_not_fit_is_refused() {
    let machine = first();
    let stored = stored(&machine);
    let now = machine.now;
    let snapshot = || serde_json::from_value::<Snapshot>(stored.clone()).unwrap();
    let refused = |result: Result<Session, Error>, words: &str| {
        let error = result.expect_err(words);
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(words), "{error}");
    };
    let other = Consumer::builder("OTHER").build().unwrap();
    refused(Session::resume(other, known_user::token(), SessionConfig::default(), snapshot(), now), "another consumer");
    let other = UnlockedToken::from_plaintext("another", Secret::from(SECRET.to_vec()));
    let consumer = known_user::consumer();
    refused(Session::resume(consumer, other, SessionConfig::default(), snapshot(), now), "another access token");
    let expired = snapshot().expires_at();
    refused(resume(&stored, SessionConfig::default(), expired), "expired");
    assert!(resume(&stored, SessionConfig::default(), Timestamp::from_millis(expired.as_millis() - 1)).is_ok());
}

#[test]
fn what_cannot_be_read_is_refused() {
    let stored = stored(&first());
    let with = |field: &str, value: Value| {
        let mut changed = stored.clone();
        changed[field] = value;
        serde_json::from_value::<Snapshot>(changed).map(drop).map_err(|error| error.to_string())
    };
    assert!(with("version", 1.into()).is_ok());
    assert!(with("version", 2.into()).unwrap_err().contains("another version"));
    assert!(with("version", 0.into()).is_err());
    assert!(with("live_session_token", "AAAA".into()).is_err());
    assert!(with("live_session_token", "no Base64!".into()).is_err());
    assert!(with("new_field", 1.into()).is_err());
    assert!(with("timestamp_floor", (-1).into()).is_err());
    assert!(with("timestamp_floor", u64::MAX.into()).is_ok());
}

#[test]
fn secrets_come_out_only_where_they_are_asked_for() {
    let machine = first();
    let snapshot = machine.session.snapshot().unwrap();
    let stored = serde_json::to_value(snapshot.expose_secrets()).unwrap();
    let secret = stored["live_session_token"].as_str().unwrap();
    for shown in [format!("{snapshot:?}"), format!("{:?}", machine.session), format!("{:?}", machine.session.view())] {
        assert!(!shown.contains(secret) && !shown.contains(TOKEN), "{shown}");
    }
    let mut fields: Vec<_> = stored.as_object().unwrap().keys().map(String::as_str).collect();
    fields.sort_unstable();
    assert_eq!(
        fields,
        [
            "access_token",
            "clock_correction",
            "consumer_key",
            "expires_at",
            "live_session_token",
            "penalty_until",
            "timestamp_floor",
            "version"
        ]
    );
}

#[test]
fn a_floor_or_a_correction_out_of_this_world_does_no_harm() {
    let machine = first();
    for (floor, correction) in [(u64::MAX, 0), (0, i64::MAX), (0, i64::MIN), (u64::MAX, i64::MIN), (0, 4000)] {
        let mut stored = stored(&machine);
        stored["timestamp_floor"] = floor.into();
        stored["clock_correction"] = correction.into();
        let config = config(|config| config.correct_clock = true);
        let session = resume(&stored, config, machine.now).unwrap();
        let broker = known_user::known_to(Broker::builder().strict()).build().unwrap();
        let entropy = machine.entropy.clone();
        let mut second = Machine { session, broker, entropy, ..first() };
        second.sent.clear();
        second.drain();
        let header = second.sent[0].1.headers()["authorization"].to_str().unwrap();
        assert!(header.contains(&format!("oauth_timestamp=\"{}\"", second.now.as_secs())), "{floor} {correction}");
    }
}

#[test]
fn a_correction_is_taken_over_only_where_it_is_allowed() {
    let machine = first();
    for (allowed, offset) in [(true, 100), (false, 0)] {
        let mut stored = stored(&machine);
        stored["clock_correction"] = 100.into();
        stored["timestamp_floor"] = 0.into();
        let config = config(|config| config.correct_clock = allowed);
        let mut second = Machine { session: resume(&stored, config, machine.now).unwrap(), ..first() };
        second.sent.clear();
        second.drain();
        let header = second.sent[0].1.headers()["authorization"].to_str().unwrap();
        assert!(header.contains(&format!("oauth_timestamp=\"{}\"", second.now.as_secs() + offset)), "{header}");
        if allowed {
            // The broker's clock turns out to be ours: the correction ends, though nothing was told before.
            // Three responses say so.
            second.reply_with(200, tickle(READY), &[("date", "Tue, 14 Nov 2023 22:13:20 GMT")]);
            second.wait();
            second.reply_with(200, tickle(READY), &[("date", "Tue, 14 Nov 2023 22:14:20 GMT")]);
            second.wait();
            second.reply_with(200, tickle(READY), &[("date", "Tue, 14 Nov 2023 22:15:20 GMT")]);
            let told = |event: &SessionEvent| matches!(event, SessionEvent::ClockSkew { seconds: 0, corrected: false });
            assert_eq!(second.count(told), 1);
        }
    }
}

/// Its keys and its token were good when the snapshot was taken: what refuses now may be a night's maintenance, and a program
/// that is deployed then is to be there in the morning.
#[test]
fn a_resumed_session_goes_on_as_the_one_before_it_would() {
    let machine = first();
    let stored = stored(&machine);
    let session = resume(&stored, SessionConfig::default(), machine.now).unwrap();
    let mut second = Machine { session, ..first() };
    second.sent.clear();
    second.drain();
    let end = second.now.saturating_add(hours(3));
    while second.now < end {
        match second.state() {
            State::Closed => break,
            _ if second.session.awaited().is_some() => {
                let is_handshake = second.path().contains("live_session_token");
                second.reply(401, if is_handshake { r#"{"error":"LST failed"}"# } else { "" });
            }
            _ => second.wait(),
        }
    }
    assert_ne!(second.state(), State::Closed, "{:?}", second.session.view().last_error());
    assert!((2..=20).contains(&second.handshakes()), "{}", second.handshakes());
}

#[test]
fn resumed_sessions_do_not_renew_all_at_once() {
    let machine = first();
    let stored = stored(&machine);
    let mut renewals = Vec::new();
    for seed in 0..20 {
        let session = resume(&stored, config(|config| config.tickle_interval = hours(100)), machine.now).unwrap();
        let entropy = ibkr_oauth::simulator::SeededEntropy::new(seed);
        let mut second = Machine { session, entropy, ..first() };
        second.drain();
        second.reply(200, tickle(READY));
        renewals.push(second.deadline.unwrap().as_secs());
    }
    renewals.sort_unstable();
    renewals.dedup();
    assert!(renewals.len() > 15, "{renewals:?}");
    assert!(renewals.last().unwrap() - renewals[0] <= 300);
}

#[test]
fn a_successor_takes_nothing_that_it_was_displaced_from() {
    let machine = first();
    let mut second = second(machine, config(|config| config.compete = CompetePolicy::TakeOnce));
    second.drain();
    second.reply(200, tickle(COMPETING));
    second.pass(900);
    second.tell(Input::Timeout);
    assert_eq!(second.path(), OPEN);
    assert!(second.sent.last().unwrap().1.body().windows(15).any(|window| window == b"\"compete\":false"));
}

#[test]
fn a_successor_waits_out_the_penalty_box() {
    let mut machine = first();
    crate::machine::boxed(&mut machine);
    let until = machine.session.view().wait_until();
    assert_eq!(until, Some(machine.now.saturating_add(seconds(900))));
    machine.pass(100);
    let stored = stored(&machine);
    let mut second = second(machine, SessionConfig::default());
    assert_eq!(second.session.view().wait_until(), until);
    second.drain();
    assert!(second.sent.is_empty());
    assert_eq!(second.deadline, until);
    second.wait();
    assert_eq!(second.paths(), ["/tickle"]);

    // One that has ended meanwhile, and one that nobody can have meant.
    let session = resume(&stored, SessionConfig::default(), until.unwrap()).unwrap();
    assert_eq!(session.view().wait_until(), None);
    let mut stored = stored;
    stored["penalty_until"] = u64::MAX.into();
    let session = resume(&stored, SessionConfig::default(), second.now).unwrap();
    assert_eq!(session.view().wait_until(), Some(second.now.saturating_add(hours(1))));
    stored.as_object_mut().unwrap().remove("penalty_until");
    let session = resume(&stored, SessionConfig::default(), second.now).unwrap();
    assert_eq!(session.view().wait_until(), None);
}

#[test]
fn there_is_no_snapshot_without_a_token() {
    let mut machine = Machine::new(SessionConfig::default());
    assert!(machine.session.snapshot().is_none());
    machine.drain();
    assert!(machine.session.snapshot().is_none());
    machine.answer();
    assert!(machine.session.snapshot().is_some());
    // Nor with one that the broker refuses.
    machine.reply(401, "");
    assert!(machine.session.snapshot().is_none());
}
