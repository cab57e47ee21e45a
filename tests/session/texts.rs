//! What the values around a session say of themselves.

use ibkr_oauth::session::{Failure, FailureKind, Snapshot};

#[test]
fn a_failure_says_what_is_certain_and_then_the_detail() {
    let said = |kind, detail: &str| Failure::new(kind, detail).to_string();
    assert_eq!(said(FailureKind::NotSent, "connection refused"), "nothing was sent: connection refused");
    assert_eq!(said(FailureKind::MaybeSent, "reset"), "the connection broke: reset");
    assert_eq!(said(FailureKind::TimedOut, ""), "no answer came in time");
    assert_eq!(said(FailureKind::TooLarge, "2 MB"), "the response is too large: 2 MB");
    assert_eq!(said(FailureKind::Refused, "no such key"), "the key store refused: no such key");
}

#[test]
fn a_snapshot_shows_until_when_it_is_of_use_and_no_more() {
    let stored = r#"{"version":1,"consumer_key":"MARKER","access_token":"MARKER",
        "live_session_token":"bGl2ZSBzZXNzaW9uIHRva2VuISE=","expires_at":1700000000000,
        "timestamp_floor":1699990000,"clock_correction":0,"penalty_until":null}"#;
    let snapshot: Snapshot = serde_json::from_str(stored).unwrap();
    let shown = format!("{snapshot:?}");
    assert!(shown.starts_with("Snapshot { expires_at: ") && shown.ends_with(", .. }"), "{shown}");
    assert!(shown.contains(&format!("{:?}", snapshot.expires_at())), "{shown}");
    assert!(!shown.contains("MARKER") && !shown.contains("bGl2"), "{shown}");
}

/// What a day's events say, each once.
#[test]
fn each_event_says_one_sentence_and_has_its_name() {
    use ibkr_oauth::session::{SessionConfig, SessionEvent};

    use crate::machine::{COMPETING, Machine, boxed, tickle};

    let mut machine = Machine::live(SessionConfig::default());
    machine.wait();
    machine.reply(200, tickle(COMPETING));
    machine.wait();
    machine.reply(503, "");
    boxed(&mut machine);
    machine.now = machine.now.saturating_sub(std::time::Duration::from_secs(4000));
    machine.tell(ibkr_oauth::session::Input::Timeout);
    machine.tell(ibkr_oauth::session::Input::Shutdown);
    machine.tell(ibkr_oauth::session::Input::Shutdown);
    let said = |name: &str| {
        let named = |event: &&SessionEvent| event.name() == name;
        machine.events.iter().find(named).unwrap_or_else(|| panic!("no {name}: {:?}", machine.events)).to_string()
    };
    for (name, words) in [
        ("state-changed", "Negotiating -> Opening"),
        ("negotiated", "a live session token was negotiated and proved; it expires at 2023-11-1"),
        (
            "displaced",
            "the brokerage session is not free: brokerage status: it takes no requests (authenticated: false",
        ),
        ("failed", "tickle: the broker cannot answer now (503 Service Unavailable); next attempt at 2023-11-14T"),
        ("penalty-box", "too many requests: nothing is sent until 2023-11-14T"),
        ("clock-stepped", "the clock was set back by "),
        ("closed", "closed, without a confirmed logout"),
        ("input-after-end", "the session has ended; what came after that was ignored"),
    ] {
        assert!(said(name).starts_with(words), "{name}: {}", said(name));
    }
    assert!(machine.events.iter().all(|event| !event.to_string().contains('\n')));
}
