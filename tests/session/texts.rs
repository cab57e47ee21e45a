//! What the values around a session say of themselves.

use ibkr_oauth::session::{Failure, FailureKind, Snapshot};

#[test]
fn a_failure_says_what_is_certain_and_then_the_detail() {
    let said = |kind, detail: &str| Failure { kind, detail: detail.to_owned() }.to_string();
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
