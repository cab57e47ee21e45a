//! The broker's state, and what it counts.

use std::{
    collections::{BTreeMap, VecDeque},
    error, fmt,
    time::Duration,
};

use http::Request;

use super::{
    accepted_requests::AcceptedRequest,
    address::without_query,
    answers::Answer,
    brokerage_session::BrokerageSession,
    canned::Responses,
    faults::{Fault, Script, Wanted},
    judge::Judge,
    newest::REMEMBERED,
    pacing::Pacing,
    profile::Profile,
    refusal::{Objection, Refusal},
    registry::Registry,
    websocket::journal::Journal,
};
use crate::context::{Context, Timestamp};

/// The header that names the deviations of a request.
const DEVIATION: &str = "x-simulator-deviation";

/// The broker. See the [module](super) for what it checks and how to test against it.
pub struct Broker {
    pub(super) profile: Profile,
    pub(super) registry: Registry,
    pub(super) brokerage_session: Option<BrokerageSession>,
    /// The brokerage session counts as opened at the first request.
    pub(super) starts_open: bool,
    /// Another program of the user's has the brokerage session.
    pub(super) competing: bool,
    pub(super) under_maintenance: bool,
    pub(super) pacing: Pacing,
    pub(super) script: Script,
    /// What faults want of the next live session token.
    pub(super) wanted: Wanted,
    /// The newest, the oldest of them first.
    pub(super) refusals: Vec<Refusal>,
    pub(super) refused: u64,
    pub(super) responses: Responses,
    /// The newest, the oldest of them first.
    pub(super) accepted: VecDeque<AcceptedRequest>,
    /// How often each was let pass.
    pub(super) deviations: BTreeMap<&'static str, u64>,
    pub(super) requests: u64,
    pub(super) orders: u64,
    pub(super) live_session_tokens: u64,
    pub(super) brokerage_sessions: u64,
    pub(super) sockets: u64,
    /// What open WebSockets are to hear of.
    pub(super) journal: Journal,
    /// How many seconds the broker's clock is ahead.
    pub(super) clock_skew: i64,
}

debug_fields!(self: Broker {
    consumer_key: self.profile.consumer_key,
    query_policies: self.profile.query_policies,
    requests: self.requests,
    refused: self.refused,
    refusals: self.refusals,
});

impl Broker {
    pub(super) fn new(profile: Profile, registry: Registry, starts_open: bool, clock_skew: i64) -> Self {
        Self {
            profile,
            registry,
            brokerage_session: None,
            starts_open,
            competing: false,
            under_maintenance: false,
            pacing: Pacing::default(),
            script: Script::default(),
            wanted: Wanted::default(),
            refusals: Vec::new(),
            refused: 0,
            responses: Responses::default(),
            accepted: VecDeque::new(),
            deviations: BTreeMap::new(),
            requests: 0,
            orders: 0,
            live_session_tokens: 0,
            brokerage_sessions: 0,
            sockets: 0,
            journal: Journal::default(),
            clock_skew,
        }
    }

    /// Adds a fault to those that wait for their request. At most one, the first that fits, applies to each.
    pub fn inject(&mut self, fault: Fault) {
        self.script.push(fault);
    }

    /// The newest 4096 requests and visits that it refused, in order. What an injected [`Fault`] answered in the broker's
    /// place is not among them.
    #[must_use]
    pub fn refusals(&self) -> &[Refusal] {
        &self.refusals
    }

    /// How many requests and visits it has refused so far, those that are no longer among the
    /// [`refusals`](Self::refusals) included.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    /// The newest 4096 requests that passed every check of their address, parameters and signature, in order.
    #[must_use]
    pub fn accepted(&self) -> impl DoubleEndedIterator<Item = &AcceptedRequest> + ExactSizeIterator {
        self.accepted.iter()
    }

    /// How many requests and visits had each deviation from the written contract, by its
    /// [name](AcceptedRequest::deviations).
    pub fn deviations(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.deviations.iter().map(|(&name, &count)| (name, count))
    }

    /// How many requests were handed to it so far, whatever became of them.
    #[must_use]
    pub const fn requests(&self) -> u64 {
        self.requests
    }

    /// How many live session tokens it has negotiated so far: how often clients have shaken hands with it.
    #[must_use]
    pub const fn live_session_tokens_issued(&self) -> u64 {
        self.live_session_tokens
    }

    /// How often a brokerage session was opened so far, one that was open already included.
    #[must_use]
    pub const fn brokerage_sessions_opened(&self) -> u64 {
        self.brokerage_sessions
    }

    /// How many WebSockets it has opened so far.
    #[must_use]
    pub const fn sockets_opened(&self) -> u64 {
        self.sockets
    }

    /// Another program of the same user, such as TWS, takes the brokerage session.
    ///
    /// From then on the brokerage session is closed and each status says `"authenticated": false, "competing": true`.
    /// Opening it with `"compete": false` changes nothing, and answers so with a 200; with `"compete": true` it throws
    /// the other program out.
    pub fn start_competing_session(&mut self) {
        self.brokerage_session = None;
        self.starts_open = false;
        self.competing = true;
    }

    /// The other program leaves: nothing competes any more, and the brokerage session has to be opened anew.
    pub const fn end_competing_session(&mut self) {
        self.competing = false;
    }

    /// The time by the broker's clock.
    pub(super) fn clock(&self, cx: &Context<'_>) -> Timestamp {
        self.clock_at(cx.now())
    }

    /// The time by the broker's clock when it is `now`.
    pub(super) fn clock_at(&self, now: Timestamp) -> Timestamp {
        shifted(now, self.clock_skew)
    }

    /// When it is that time by the broker's clock.
    pub(super) fn time_of(&self, clock: Timestamp) -> Timestamp {
        shifted(clock, self.clock_skew.saturating_neg())
    }

    pub(super) fn count_deviations(&mut self, judge: &Judge) {
        for name in judge.names() {
            let count = self.deviations.entry(name).or_default();
            *count = count.saturating_add(1);
        }
    }

    /// Counts what was let pass, and names it in a header.
    pub(super) fn naming_deviations(&mut self, answer: Answer, judge: &Judge) -> Answer {
        self.count_deviations(judge);
        let names = judge.names();
        if names.is_empty() { answer } else { answer.with_header(DEVIATION, &names.join(", ")) }
    }

    pub(super) fn record<T>(&mut self, request: &Request<T>, at: Timestamp, objection: Objection) {
        let subject = format!("{} {}", request.method(), without_query(request.uri()));
        self.remember(Refusal::new(at, subject, objection));
    }

    pub(super) fn remember(&mut self, refusal: Refusal) {
        self.refused = self.refused.saturating_add(1);
        if self.refusals.len() == REMEMBERED {
            self.refusals.remove(0);
        }
        self.refusals.push(refusal);
    }
}

fn shifted(time: Timestamp, seconds: i64) -> Timestamp {
    let by = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 { time.saturating_sub(by) } else { time.saturating_add(by) }
}

/// A [`Broker`] rejects a setting or an instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerError(pub(super) String);

impl fmt::Display for BrokerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl error::Error for BrokerError {}
