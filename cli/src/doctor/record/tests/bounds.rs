//! What is sent: little, nothing that changes anything, and nothing to a live account unless it is asked for.

use std::collections::BTreeSet;

use ibkr_oauth::simulator::{Broker, Fault};

use super::{ALL, Simulated, Wishes, answers};
use crate::doctor::record::recording::Login;

/// What may be sent.
const READING: [(&str, &str); 14] = [
    ("POST", "/oauth/live_session_token"),
    ("GET", "/portfolio/accounts"),
    ("POST", "/iserver/auth/status"),
    ("GET", "/iserver/auth/status"),
    ("POST", "/tickle"),
    ("GET", "/tickle"),
    ("GET", "/iserver/contract/265598/info"),
    ("GET", "/no/such/path"),
    ("GET", "/trsrv/stocks"),
    ("POST", "/iserver/auth/ssodh/init"),
    ("GET", "/iserver/marketdata/snapshot"),
    ("GET", "/iserver/accounts"),
    ("GET", "/ws"),
    ("POST", "/logout"),
];

fn assert_reading(simulated: &Simulated, may_log_out: bool) {
    for (method, path) in &simulated.sent {
        assert!(READING.contains(&(method.as_str(), path.as_str())), "{method} {path}");
        assert!(may_log_out || path != "/logout");
    }
}

#[test]
fn it_reads_and_logs_out_only_where_that_is_asked_for() {
    let mut simulated = Simulated::new(Broker::builder());
    let recording = simulated.record(Wishes { logout: false, ..ALL });
    assert_reading(&simulated, false);
    assert!(answers(&recording).contains(&("token_after_logout", "not asked")));
    let mut simulated = Simulated::new(Broker::builder());
    simulated.record(ALL);
    assert_reading(&simulated, true);
}

#[test]
fn whatever_is_answered_it_ends_within_the_documented_requests() {
    let lasting = ["competing", "drop-response", "expired-lst", "gone", "no-bridge", "short-life", "unavailable", ""];
    for name in lasting {
        for (after, times) in [(0, 3), (2, 1000), (20, 2), (30, 1000)] {
            let mut simulated = Simulated::new(Broker::builder());
            let fault = if name.is_empty() { Fault::status(401) } else { name.parse().unwrap() };
            simulated.broker.inject(fault.after(after).times(times));
            simulated.record(ALL);
            assert_reading(&simulated, true);
            // Two more go before them.
            assert!(simulated.sent.len() + 2 <= 64, "{name}: {}", simulated.sent.len());
        }
    }
}

#[test]
fn after_a_429_nothing_is_sent() {
    for after in [0, 3, 9, 17, 26, 33] {
        let mut simulated = Simulated::new(Broker::builder());
        simulated.broker.inject(Fault::status(429).after(after));
        simulated.record(ALL);
        assert_eq!(simulated.sent.len(), usize::try_from(after).unwrap() + 1);
    }
}

#[test]
fn live_accounts_are_left_alone_unless_asked_for() {
    for (accounts, login) in
        [(vec!["U1234567"], Login::Live), (vec!["DU1234567", "U1234567"], Login::Live), (vec!["DF1234"], Login::Paper)]
    {
        let builder = || Broker::builder().accounts(accounts.clone()).paper(login == Login::Paper);
        let mut simulated = Simulated::new(builder());
        let recording = simulated.record(ALL);
        assert_eq!(recording.login, login);
        assert_eq!(simulated.sent.len() == 2, login == Login::Live, "{accounts:?}: {:?}", simulated.sent);
        let mut simulated = Simulated::new(builder());
        simulated.record(Wishes { live: true, ..ALL });
        assert!(simulated.sent.len() > 40);
    }
    // Nor are those of which nobody knows.
    let mut simulated = Simulated::new(Broker::builder());
    simulated.broker.inject(Fault::status(503).at("/portfolio/accounts").times(2));
    assert_eq!(simulated.record(ALL).login, Login::Unknown);
    assert_eq!(simulated.sent.len(), 3);
}

#[test]
fn a_brokerage_session_elsewhere_is_left_alone() {
    let mut simulated = Simulated::new(Broker::builder());
    simulated.broker.start_competing_session();
    let recording = simulated.record(Wishes { logout: false, ..ALL });
    let answers: BTreeSet<_> = answers(&recording).into_iter().collect();
    assert!(answers.contains(&("compete_false", "somebody else has it")), "{answers:?}");
    assert!(answers.contains(&("opening_by_query", "not asked")));
    assert_eq!(simulated.broker.brokerage_sessions_opened(), 0);
}
