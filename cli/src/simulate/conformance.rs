//! How a client takes what real brokers do now and then: the cases, and what each is judged by. Knows no socket and no clock.

use std::time::Duration;

use ibkr_oauth::simulator::{Broker, Fault};

/// After so many requests that did not lead to it, a case is passed over.
const PATIENCE: u32 = 12;

/// So many do not, of those that fail by what an earlier case has done, such as under a token that it has ended: a client
/// that never renews it has to be started anew.
const PATIENCE_WITH_LEFT_OVERS: u32 = 100;

/// How long a client that is told to wait is watched.
const PENALTY_BOX: Duration = Duration::from_secs(10);

/// How long another session keeps coming back.
const DISPLACED: Duration = Duration::from_secs(20);

/// How long an order whose reply was lost is watched.
const LOST: Duration = Duration::from_secs(10);

/// How often the brokerage session may be asked for while another session has it.
const MOST_OPENINGS: u32 = 3;

/// How often a client may try the same before it has to have learnt.
const MOST_ATTEMPTS: u32 = 4;

/// Where the simulated user's orders are placed.
const PLACE_OF_ORDERS: &str = "/iserver/account/DU0000001/orders";

/// What a request was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Handshake,
    Opening,
    Order,
    /// A look at what became of orders.
    Orders,
    /// What else needs the brokerage session.
    Brokerage,
    Other,
}

impl Purpose {
    /// Of a path from the end of the base URL on.
    pub(super) fn of(method: &str, path: &str) -> Self {
        let of_orders = path.starts_with("/iserver/account/") && path.ends_with("/orders");
        match path {
            "/oauth/live_session_token" => Self::Handshake,
            "/oauth/request_token" | "/oauth/access_token" | "/iserver/auth/status" => Self::Other,
            "/iserver/auth/ssodh/init" => Self::Opening,
            _ if of_orders && method == "POST" => Self::Order,
            "/iserver/account/orders" | "/iserver/account/trades" => Self::Orders,
            _ if path.starts_with("/iserver/") => Self::Brokerage,
            _ => Self::Other,
        }
    }
}

/// One request, and what the broker made of it.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// Since any moment before all of them.
    pub(super) at: Duration,
    pub(super) purpose: Purpose,
    pub(super) status: u16,
    /// The check that it failed, by name.
    pub(super) refused: Option<&'static str>,
    /// The client saw no answer.
    pub(super) dropped: bool,
}

impl Seen {
    fn needs_bridge(&self) -> bool {
        matches!(self.purpose, Purpose::Brokerage | Purpose::Order | Purpose::Orders)
    }

    fn is_accepted(&self) -> bool {
        self.refused.is_none() && self.status < 300 && !self.dropped
    }
}

/// What is done to the broker.
#[derive(Clone, Debug)]
pub(super) enum Order {
    Inject(Fault),
    ExpireToken,
    EndBrokerageSession,
    StartCompeting,
    EndCompeting,
}

impl Order {
    pub(super) fn obey(self, broker: &mut Broker) {
        match self {
            Self::Inject(fault) => broker.inject(fault),
            Self::ExpireToken => broker.expire_live_session_token(),
            Self::EndBrokerageSession => broker.end_brokerage_session(),
            Self::StartCompeting => broker.start_competing_session(),
            Self::EndCompeting => broker.end_competing_session(),
        }
    }
}

/// How a case ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Passed,
    Failed,
    /// The client did nothing from which it could be told.
    NotReached,
}

impl Outcome {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::NotReached => "not reached",
        }
    }
}

/// A case in the report.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    pub(super) case: &'static str,
    pub(super) outcome: Outcome,
    /// What helps.
    pub(super) help: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A handshake comes about as the fault of this name has it, and its token is used.
    Handshake(&'static str, Use),
    /// The token ends.
    Expired,
    NoBridge,
    Displaced,
    TooMany,
    Skewed,
    LostReply,
}

/// What comes of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    /// A client that gets it wrong has failed.
    Decides,
    Lasts,
    /// It has to be replaced soon.
    ForSeconds,
}

/// Name, what it is, and the sentence that helps.
type Case = (&'static str, Kind, &'static str);

/// In the order in which they are played, but for the lost reply, which waits for an order all along.
const CASES: [Case; 12] = [
    (
        "k-top-bit-set",
        Kind::Handshake("k-top-bit-set", Use::Decides),
        "where the first bit of K is set, a zero byte belongs before it: K's bytes are those of a signed number, as Java's \
         `BigInteger.toByteArray` has them; without it one token in two is wrong",
    ),
    (
        "k-top-bit-clear",
        Kind::Handshake("k-top-bit-clear", Use::Decides),
        "where the first bit of K is not set, no zero byte belongs before it",
    ),
    (
        "k-leading-zero",
        Kind::Handshake("k-leading-zero", Use::Decides),
        "K is written as short as it is: not padded to the prime's length, and of hexadecimal an odd number of digits gets \
         one zero before it",
    ),
    (
        "odd-length-response",
        Kind::Handshake("odd-length-response", Use::Decides),
        "`diffie_hellman_response` is a number: put a zero before an odd number of digits, and do not read it as pairs from \
         the left",
    ),
    (
        "no-expiration",
        Kind::Handshake("no-expiration", Use::Lasts),
        "`live_session_token_expiration` may be absent: take the token for a day, and sign in again when it is refused",
    ),
    (
        "near-expiration",
        Kind::Handshake("short-life", Use::ForSeconds),
        "a token may live for seconds: use it, and sign in again when it is refused",
    ),
    ("unauthorized", Kind::Expired, "after a 401 ask for a new live session token, once, and sign the request anew"),
    (
        "no-bridge",
        Kind::NoBridge,
        "after `no bridge` open the brokerage session (`POST /iserver/auth/ssodh/init`), and then ask again",
    ),
    (
        "displaced",
        Kind::Displaced,
        "while another session has the brokerage session, do not take it back at once each time: wait, for minutes and \
         longer each time, or leave it",
    ),
    (
        "too-many-requests",
        Kind::TooMany,
        "after a 429 send nothing for as long as it lasts (the real box is ten minutes, and blocks clients that go on)",
    ),
    (
        "skewed-clock",
        Kind::Skewed,
        "where timestamps are refused, learn the broker's time from the `Date` of its answers, and sign by that",
    ),
    (
        "lost-order-reply",
        Kind::LostReply,
        "an order whose reply was lost may have been placed: ask `/iserver/account/orders` before it is sent again",
    ),
];

/// A case that has been struck: what came of it so far.
#[derive(Clone, Copy, Debug, Default)]
struct Struck {
    at: Duration,
    /// What the client did again and again.
    attempts: u32,
    /// It did what the case wants before the last step.
    is_halfway: bool,
}

/// The cases, one after the other.
#[derive(Debug)]
pub(super) struct Conformance {
    findings: Vec<Finding>,
    /// How many have begun; all but the last of them have ended.
    begun: usize,
    struck: Option<Struck>,
    /// Requests since the case began that did not strike it, but for these:
    missed: u32,
    /// Those that failed by what an earlier case has done.
    left_over: u32,
    /// The brokerage session was used, and has been ended.
    is_unbridged: bool,
    lost: Option<Struck>,
}

impl Conformance {
    /// With what is to be done before the first request.
    pub(super) fn new() -> (Self, Vec<Order>) {
        let findings = CASES.map(|(case, _, help)| Finding { case, outcome: Outcome::NotReached, help }).to_vec();
        let (mut this, mut orders) = (
            Self { findings, begun: 0, struck: None, missed: 0, left_over: 0, is_unbridged: false, lost: None },
            Vec::new(),
        );
        orders.push(Order::Inject(Fault::drop_response().at(PLACE_OF_ORDERS)));
        this.begin_next(&mut orders);
        (this, orders)
    }

    /// Whether all cases but that of an order have been played.
    pub(super) fn is_over(&self) -> bool {
        self.kind().is_none() && self.lost.is_none()
    }

    /// Each case as it stands.
    pub(super) fn findings(&self) -> &[Finding] {
        &self.findings
    }

    fn kind(&self) -> Option<Kind> {
        CASES.get(self.begun.checked_sub(1)?).map(|(_, kind, _)| *kind).filter(|kind| *kind != Kind::LostReply)
    }

    fn begin_next(&mut self, orders: &mut Vec<Order>) {
        (self.struck, self.missed, self.left_over, self.is_unbridged) = (None, 0, 0, false);
        self.begun = self.begun.saturating_add(1).min(CASES.len());
        let is_first = self.begun == 1;
        match self.kind() {
            Some(Kind::Handshake(fault, _)) => {
                orders.extend(fault.parse().map(Order::Inject));
                if !is_first {
                    orders.push(Order::ExpireToken);
                }
            }
            Some(Kind::Expired) => orders.push(Order::ExpireToken),
            Some(Kind::Displaced) => orders.push(Order::StartCompeting),
            Some(Kind::TooMany) => orders.push(Order::Inject(Fault::penalty_box(PENALTY_BOX))),
            Some(Kind::Skewed) => orders.push(Order::Inject(Fault::clock_step(600))),
            // Only what a client relies on can be taken from it.
            Some(Kind::NoBridge | Kind::LostReply) | None => {}
        }
    }

    fn end(&mut self, outcome: Outcome, orders: &mut Vec<Order>) {
        if self.kind() == Some(Kind::Displaced) {
            orders.push(Order::EndCompeting);
        }
        if let Some(finding) = self.begun.checked_sub(1).and_then(|index| self.findings.get_mut(index)) {
            finding.outcome = outcome;
        }
        self.begin_next(orders);
    }

    /// What is to be done now that time has passed without a request.
    pub(super) fn wait(&mut self, now: Duration) -> Vec<Order> {
        let mut orders = Vec::new();
        let has_passed = |struck: Option<Struck>, duration: Duration| {
            struck.is_some_and(|struck| now.saturating_sub(struck.at) >= duration)
        };
        match self.kind() {
            Some(Kind::TooMany) if has_passed(self.struck, PENALTY_BOX) => self.end(Outcome::Passed, &mut orders),
            Some(Kind::Displaced) if has_passed(self.struck, DISPLACED) => self.end(Outcome::Passed, &mut orders),
            _ => {}
        }
        if has_passed(self.lost, LOST) {
            self.end_lost(Outcome::Passed);
        }
        orders
    }

    /// What is to be done after a request.
    pub(super) fn see(&mut self, seen: &Seen) -> Vec<Order> {
        let mut orders = self.wait(seen.at);
        self.watch_orders(seen);
        let Some(kind) = self.kind() else { return orders };
        let Some(mut struck) = self.struck else {
            if strikes(kind, seen, self.is_unbridged) {
                self.struck = Some(Struck { at: seen.at, ..Struck::default() });
                if kind == Kind::Displaced {
                    self.go_on_displacing(seen, &mut orders);
                }
            } else if kind == Kind::NoBridge && !self.is_unbridged && seen.needs_bridge() && seen.is_accepted() {
                self.is_unbridged = true;
                orders.push(Order::EndBrokerageSession);
            } else if kind == Kind::NoBridge && self.is_unbridged && seen.purpose == Purpose::Opening {
                // It opens before it asks, which is as good.
                self.struck = Some(Struck { at: seen.at, is_halfway: true, attempts: 0 });
            } else {
                if kind == Kind::Expired && seen.is_accepted() && seen.purpose != Purpose::Handshake {
                    // Under a token that is newer than the case.
                    orders.push(Order::ExpireToken);
                }
                let is_left_over = seen.refused == Some("live_session_token_expired") || seen.status == 429;
                let count = if is_left_over { &mut self.left_over } else { &mut self.missed };
                *count = count.saturating_add(1);
                if self.missed >= PATIENCE || self.left_over >= PATIENCE_WITH_LEFT_OVERS {
                    self.end(Outcome::NotReached, &mut orders);
                }
            }
            return orders;
        };
        let outcome = judge(kind, &mut struck, seen);
        self.struck = Some(struck);
        if let Some(outcome) = outcome {
            self.end(outcome, &mut orders);
        } else if kind == Kind::Displaced {
            self.go_on_displacing(seen, &mut orders);
        }
        orders
    }

    /// The other session comes back whenever it was thrown out.
    fn go_on_displacing(&mut self, seen: &Seen, orders: &mut Vec<Order>) {
        if seen.purpose == Purpose::Opening {
            if let Some(struck) = &mut self.struck {
                struck.attempts = struck.attempts.saturating_add(1);
            }
            orders.push(Order::StartCompeting);
        }
    }

    /// The first order that gets through loses its reply.
    fn watch_orders(&mut self, seen: &Seen) {
        match (seen.purpose, self.lost) {
            (Purpose::Order, None) if seen.dropped => self.lost = Some(Struck { at: seen.at, ..Struck::default() }),
            (Purpose::Order, Some(_)) if !seen.dropped => self.end_lost(Outcome::Failed),
            (Purpose::Orders, Some(_)) => self.end_lost(Outcome::Passed),
            _ => {}
        }
    }

    fn end_lost(&mut self, outcome: Outcome) {
        self.lost = None;
        if let Some(finding) = self.findings.last_mut() {
            finding.outcome = outcome;
        }
    }
}

/// Whether the client has met what the case has in store.
fn strikes(kind: Kind, seen: &Seen, is_unbridged: bool) -> bool {
    match kind {
        Kind::Handshake(..) => seen.purpose == Purpose::Handshake && seen.is_accepted(),
        Kind::Expired => seen.status == 401 && seen.purpose != Purpose::Handshake,
        // Until it was used, it may not have been opened yet.
        Kind::NoBridge => seen.refused == Some("brokerage_session_closed") && is_unbridged,
        Kind::Displaced => seen.purpose != Purpose::Handshake && !NOT_VERIFIED.contains(&seen.status),
        Kind::TooMany => seen.status == 429,
        Kind::Skewed => seen.refused.is_some_and(is_about_time),
        Kind::LostReply => false,
    }
}

/// Statuses that say nothing of the signature, or that it is wrong.
const NOT_VERIFIED: [u16; 6] = [401, 403, 411, 421, 429, 503];

fn is_about_time(reason: &str) -> bool {
    reason.starts_with("timestamp_")
}

/// What a request says of a case that has been struck; `None` where it decides nothing.
fn judge(kind: Kind, struck: &mut Struck, seen: &Seen) -> Option<Outcome> {
    let is_use = !matches!(seen.purpose, Purpose::Handshake);
    let openings = struck.attempts;
    let mut again = || {
        struck.attempts = struck.attempts.saturating_add(1);
        (struck.attempts >= MOST_ATTEMPTS).then_some(Outcome::Failed)
    };
    match kind {
        Kind::Handshake(_, Use::Decides) if seen.refused == Some("signature_differs") => Some(Outcome::Failed),
        // Whoever gets some tokens wrong has failed for that already.
        Kind::Handshake(..) if seen.refused == Some("signature_differs") => again(),
        // It does not believe the proof.
        Kind::Handshake(_, Use::Decides) if !is_use => Some(Outcome::Failed),
        Kind::Handshake(_, Use::ForSeconds) if !is_use && struck.is_halfway => Some(Outcome::Passed),
        Kind::Handshake(..) if !is_use || seen.refused == Some("live_session_token_expired") => again(),
        Kind::Handshake(..) if NOT_VERIFIED.contains(&seen.status) => None,
        Kind::Handshake(_, Use::ForSeconds) => {
            struck.is_halfway = true;
            None
        }
        Kind::Handshake(..) => Some(Outcome::Passed),
        Kind::Expired if seen.purpose == Purpose::Handshake => {
            struck.is_halfway = true;
            None
        }
        Kind::Expired if seen.status == 401 => again(),
        Kind::Expired => struck.is_halfway.then_some(Outcome::Passed),
        Kind::NoBridge if seen.purpose == Purpose::Opening => {
            struck.is_halfway = true;
            None
        }
        Kind::NoBridge if seen.refused == Some("brokerage_session_closed") => again(),
        Kind::NoBridge if seen.needs_bridge() && seen.is_accepted() => struck.is_halfway.then_some(Outcome::Passed),
        Kind::Displaced if seen.purpose == Purpose::Opening && openings >= MOST_OPENINGS => Some(Outcome::Failed),
        Kind::TooMany if seen.status == 429 => again(),
        Kind::Skewed if seen.is_accepted() => Some(Outcome::Passed),
        Kind::Skewed if seen.refused.is_some_and(is_about_time) => again(),
        Kind::NoBridge | Kind::Displaced | Kind::TooMany | Kind::Skewed | Kind::LostReply => None,
    }
}

#[cfg(test)]
mod tests;
