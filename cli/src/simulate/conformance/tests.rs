//! The cases, played by clients that are lists of requests.

use super::*;

/// A client that sends a request each second.
struct Client {
    conformance: Conformance,
    now: u64,
    orders: Vec<String>,
}

impl Client {
    fn new() -> Self {
        let (conformance, orders) = Conformance::new();
        let mut client = Self { conformance, now: 0, orders: Vec::new() };
        client.note(&orders);
        client
    }

    fn note(&mut self, orders: &[Order]) {
        self.orders.extend(orders.iter().map(|order| format!("{order:?}")));
    }

    fn see(&mut self, purpose: Purpose, status: u16, refused: Option<&'static str>, dropped: bool) {
        self.now += 1;
        let seen = Seen { at: Duration::from_secs(self.now), purpose, status, refused, dropped };
        let orders = self.conformance.see(&seen);
        self.note(&orders);
    }

    fn ok(&mut self, purposes: &[Purpose]) {
        for purpose in purposes {
            self.see(*purpose, 200, None, false);
        }
    }

    fn refused(&mut self, purpose: Purpose, status: u16, reason: &'static str) {
        self.see(purpose, status, Some(reason), false);
    }

    fn idle(&mut self, seconds: u64) {
        self.now += seconds;
        let orders = self.conformance.wait(Duration::from_secs(self.now));
        self.note(&orders);
    }

    /// Signs in and sends a request, until this case is the next.
    fn skip_to(&mut self, case: &str) {
        for _ in 0..200 {
            let index = self.conformance.begun - 1;
            if CASES[index].0 == case {
                return;
            }
            match CASES[index].1 {
                Kind::Handshake(..) => self.ok(&[Handshake, Other]),
                _ => self.ok(&[Other]),
            }
            if self.conformance.kind() == Some(Kind::Displaced) && self.conformance.struck.is_some() {
                self.idle(30);
            }
        }
        panic!("{case} never comes");
    }

    fn outcome(&self, case: &str) -> Outcome {
        self.conformance.findings().iter().find(|finding| finding.case == case).unwrap().outcome
    }
}

use Purpose::{Brokerage, Handshake, Opening, Orders, Other};

#[test]
fn a_client_that_does_all_well_passes_every_case() {
    let mut client = Client::new();
    assert!(client.orders.len() == 2 && client.orders[0].contains("Drop"), "{:?}", client.orders);
    client.see(Purpose::Order, 504, None, true);
    client.ok(&[Orders]);
    assert_eq!(client.outcome("lost-order-reply"), Outcome::Passed);
    for _ in 0..5 {
        client.refused(Other, 401, "live_session_token_expired");
        client.ok(&[Handshake, Other]);
    }
    // The token of seconds.
    client.ok(&[Handshake, Other]);
    client.refused(Other, 401, "live_session_token_expired");
    client.ok(&[Handshake]);
    assert_eq!(client.outcome("near-expiration"), Outcome::Passed);
    client.refused(Other, 401, "live_session_token_expired");
    client.ok(&[Handshake, Other]);
    // Not opened yet, which is no case.
    client.refused(Brokerage, 400, "brokerage_session_closed");
    client.ok(&[Opening, Brokerage]);
    assert!(client.orders.last().unwrap().contains("EndBrokerageSession"), "{:?}", client.orders);
    client.refused(Brokerage, 400, "brokerage_session_closed");
    client.ok(&[Opening, Brokerage]);
    client.ok(&[Other, Opening, Other]);
    client.idle(20);
    assert!(client.orders.last().unwrap().contains("PenaltyBox"), "{:?}", client.orders);
    client.see(Other, 429, None, false);
    client.idle(10);
    client.refused(Other, 401, "timestamp_outside_window");
    client.ok(&[Other]);
    for finding in client.conformance.findings() {
        assert_eq!(finding.outcome, Outcome::Passed, "{}", finding.case);
    }
    assert!(client.conformance.is_over());
}

#[test]
fn a_client_that_does_nothing_reaches_nothing() {
    let mut client = Client::new();
    client.idle(1000);
    assert!(!client.conformance.is_over());
    assert!(client.conformance.findings().iter().all(|finding| finding.outcome == Outcome::NotReached));
    // One that signs in and never again is passed over, case by case.
    client.ok(&[Handshake]);
    client.ok(&[Other; 200]);
    client.idle(100);
    client.ok(&[Other; 200]);
    assert!(client.conformance.is_over());
    assert_eq!(client.outcome("k-top-bit-set"), Outcome::Passed);
    assert_eq!(client.outcome("k-top-bit-clear"), Outcome::NotReached);
}

#[test]
fn a_client_that_never_renews_its_token_is_judged_by_the_tokens_it_gets_when_it_is_started_anew() {
    let mut client = Client::new();
    for case in ["k-top-bit-set", "k-top-bit-clear", "k-leading-zero"] {
        client.ok(&[Handshake, Other]);
        (0..50).for_each(|_| client.refused(Other, 401, "live_session_token_expired"));
        assert_eq!(client.outcome(case), Outcome::Passed, "{case}");
    }
    // Not for ever.
    (0..50).for_each(|_| client.refused(Other, 401, "live_session_token_expired"));
    client.ok(&[Handshake, Other]);
    assert_eq!(client.outcome("odd-length-response"), Outcome::NotReached);
    assert_eq!(client.outcome("no-expiration"), Outcome::Passed);
}

#[test]
fn a_case_waits_for_what_an_earlier_one_left() {
    // Signed in anew before it met the end of its token.
    let mut client = Client::new();
    client.skip_to("unauthorized");
    client.ok(&[Handshake, Other]);
    assert!(client.orders.last().unwrap().contains("ExpireToken"), "{:?}", client.orders);
    client.refused(Other, 401, "live_session_token_expired");
    client.ok(&[Handshake, Other]);
    assert_eq!(client.outcome("unauthorized"), Outcome::Passed);
    // Still in the penalty box.
    let mut client = Client::new();
    client.skip_to("too-many-requests");
    (0..40).for_each(|_| client.see(Other, 429, Some("penalty_box"), false));
    assert_eq!(client.outcome("too-many-requests"), Outcome::Failed);
    (0..4).for_each(|_| client.refused(Other, 401, "timestamp_outside_window"));
    client.refused(Other, 401, "timestamp_outside_window");
    assert_eq!(client.outcome("skewed-clock"), Outcome::Failed);
}

#[test]
fn a_lost_sign_byte_fails_where_the_first_bit_is_set_and_there_alone() {
    let mut client = Client::new();
    client.ok(&[Handshake]);
    client.refused(Other, 401, "signature_differs");
    client.ok(&[Handshake, Other]);
    assert_eq!(
        (client.outcome("k-top-bit-set"), client.outcome("k-top-bit-clear")),
        (Outcome::Failed, Outcome::Passed)
    );
    // One that checks the proof, and so signs in again.
    let mut client = Client::new();
    client.ok(&[Handshake, Handshake]);
    assert_eq!(client.outcome("k-top-bit-set"), Outcome::Failed);
}

#[test]
fn who_repeats_what_does_not_help_fails() {
    let play = |case: &str, play: &dyn Fn(&mut Client)| {
        let mut client = Client::new();
        client.skip_to(case);
        play(&mut client);
        assert_eq!(client.outcome(case), Outcome::Failed, "{case}");
    };
    play("near-expiration", &|client| {
        client.ok(&[Handshake, Other]);
        (0..4).for_each(|_| client.refused(Other, 401, "live_session_token_expired"));
    });
    play("no-expiration", &|client| client.ok(&[Handshake; 5]));
    play("unauthorized", &|client| {
        (0..5).for_each(|_| client.refused(Other, 401, "live_session_token_expired"));
    });
    play("no-bridge", &|client| {
        client.ok(&[Brokerage]);
        (0..5).for_each(|_| client.refused(Brokerage, 400, "brokerage_session_closed"));
    });
    play("displaced", &|client| client.ok(&[Opening; 4]));
    play("too-many-requests", &|client| (0..5).for_each(|_| client.see(Other, 429, Some("penalty_box"), false)));
    play("skewed-clock", &|client| {
        (0..5).for_each(|_| client.refused(Other, 401, "timestamp_outside_window"));
    });
}

#[test]
fn an_order_whose_reply_was_lost_is_not_to_be_sent_again() {
    let mut client = Client::new();
    client.see(Purpose::Order, 504, None, true);
    client.ok(&[Purpose::Order]);
    assert_eq!(client.outcome("lost-order-reply"), Outcome::Failed);
    let mut client = Client::new();
    client.see(Purpose::Order, 504, None, true);
    client.idle(10);
    client.ok(&[Purpose::Order]);
    assert_eq!(client.outcome("lost-order-reply"), Outcome::Passed);
}

#[test]
fn each_path_has_its_purpose() {
    for (method, path, purpose) in [
        ("POST", "/oauth/live_session_token", Handshake),
        ("POST", "/iserver/auth/ssodh/init", Opening),
        ("GET", "/iserver/auth/status", Other),
        ("POST", "/iserver/account/DU1/orders", Purpose::Order),
        ("GET", "/iserver/account/DU1/orders", Brokerage),
        ("GET", "/iserver/account/orders", Orders),
        ("GET", "/iserver/accounts", Brokerage),
        ("POST", "/tickle", Other),
    ] {
        assert_eq!(Purpose::of(method, path), purpose, "{method} {path}");
    }
}
