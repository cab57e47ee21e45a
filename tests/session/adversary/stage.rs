//! A session on a virtual clock, among whatever its broker, its key store and its application are up to.

use std::collections::BTreeMap;

use ibkr_oauth::{
    Consumer, Context, Timestamp, TokenId, UnlockedToken,
    session::{
        Advice, ExchangeId, Failure, FailureKind, Input, Output, Session, SessionConfig, SessionEvent, State, Ticket,
    },
    simulator::test_keys,
};

use super::{
    bounds::{Figures, Rate},
    broker::{AGREEMENT, Answer, Broker, Endpoint},
    callers::Caller,
    mood::{Application, KeyStore, below},
};
use crate::fixture::SeededEntropy;

const START: u64 = 1_700_000_000_000;
/// How long a session may be idle while it is live, in milliseconds: a tickle each minute.
const IDLE: u64 = 60_000;
/// The longest time that a caller waits until it is advised something else than to wait for the session.
const TICKET: u64 = 600_000;
/// The longest wait during which a session may be called live.
const LIVE_WAIT: u64 = 300_000;
/// The most deadlines in an hour, requests that were not sent included, and without the ends of the penalty boxes that
/// reports began: a box of a second for each report is what the broker asked for.
const WAKES: usize = 500;
/// The most that comes out of a session after one input.
const OUTPUTS: usize = 30;

pub(crate) struct Stage {
    pub(crate) session: Session,
    config: SessionConfig,
    pub(crate) broker: Broker,
    pub(crate) application: Application,
    pub(crate) key_store: KeyStore,
    pub(crate) latency: (u64, u64),
    pub(crate) rng: SeededEntropy,
    entropy: SeededEntropy,
    pub(crate) now: u64,
    /// How far the machine's clock is off, in milliseconds.
    pub(crate) ahead: i64,
    asleep_until: u64,
    /// The session's own clock: the machine's and all that this was set back by.
    moment: u64,
    set_back: u64,
    deadline: Option<u64>,
    /// What was awaited when the session was last drained.
    awaited: Option<ExchangeId>,
    arrivals: BTreeMap<(u64, u64), Input>,
    pub(super) callers: BTreeMap<(u64, u64), Caller>,
    pub(super) waiting: Vec<(u64, Ticket, Caller)>,
    next_report: u64,
    pub(super) count: u64,
    pub(super) tokens: Vec<TokenId>,
    outputs: usize,
    idle_since: u64,
    outstanding: Option<ExchangeId>,
    was_live: bool,
    is_shutting_down: bool,
    rates: [Rate; 4],
    /// How often the application reported something since the last deadline.
    pub(super) reports: usize,
    /// How many requests beyond the usual a person's wishes may have caused in the last hour.
    wishes: Rate,
    pub(crate) figures: Figures,
    log: bool,
}

fn credentials() -> (Consumer, UnlockedToken) {
    let token = UnlockedToken::from_plaintext("218c1d970d85a8442825", AGREEMENT.secret());
    let consumer = Consumer::builder(test_keys::CONSUMER_KEY).dh_params(AGREEMENT.group.clone());
    (consumer.build().unwrap(), token)
}

impl Stage {
    pub(crate) fn new(config: SessionConfig, seed: u64) -> Self {
        let (consumer, token) = credentials();
        let mut stage = Self {
            session: Session::new(consumer, token, config.clone()),
            config,
            broker: Broker::new(&AGREEMENT),
            application: Application::default(),
            key_store: KeyStore::default(),
            latency: (300, 300),
            rng: SeededEntropy(seed),
            entropy: SeededEntropy(seed ^ 0x5eed),
            now: 0,
            ahead: 0,
            asleep_until: 0,
            moment: 0,
            set_back: 0,
            deadline: None,
            awaited: None,
            arrivals: BTreeMap::new(),
            callers: BTreeMap::new(),
            waiting: Vec::new(),
            next_report: 0,
            count: 0,
            tokens: Vec::new(),
            outputs: 0,
            idle_since: 0,
            outstanding: None,
            was_live: false,
            is_shutting_down: false,
            rates: Default::default(),
            reports: 0,
            wishes: Rate::default(),
            figures: Figures { plays: 1, ..Figures::default() },
            log: std::env::var_os("ADVERSARY_LOG").is_some(),
        };
        stage.moment = START;
        stage
    }

    pub(crate) fn is_live(&self) -> bool {
        self.session.view().state() == State::Live
    }

    pub(crate) fn is_over(&self) -> bool {
        self.session.view().state() == State::Closed
    }

    /// What was seen in all.
    pub(crate) fn figures(mut self) -> Figures {
        let [handshakes, openings, requests, wakes] = self.rates.map(|rate| rate.worst);
        self.figures = Figures { handshakes, openings, requests, wakes, ..self.figures };
        self.figures
    }

    pub(super) fn wall(&self) -> Timestamp {
        Timestamp::from_millis((START + self.now).saturating_add_signed(self.ahead))
    }

    /// The time of a call, on the session's own clock too.
    fn tick(&mut self) -> Timestamp {
        let wall = self.wall();
        let seen = wall.as_millis() + self.set_back;
        self.set_back += self.moment.saturating_sub(seen);
        self.moment = self.moment.max(seen);
        wall
    }

    pub(super) fn wrong(&mut self, what: &str) {
        if self.figures.wrong.len() < 5 {
            self.figures.wrong.push(format!("at {} s: {what}", self.now / 1000));
        }
    }

    pub(crate) fn state(&self) -> String {
        let view = self.session.view();
        let error = view.last_error().map(ToString::to_string).unwrap_or_default();
        format!("{}, wait {:?}, next {:?}, {error}", view.state(), view.wait_until(), view.next_attempt())
    }

    pub(super) fn say(&self, what: impl FnOnce() -> String) {
        if self.log {
            println!("{:>10.3} {}", std::time::Duration::from_millis(self.now).as_secs_f64(), what());
        }
    }

    pub(crate) fn input(&mut self, input: Input) {
        self.say(|| format!("<- {input:?}"));
        self.is_shutting_down |= matches!(input, Input::Shutdown);
        if matches!(input, Input::RetryNow) {
            self.wishes.note(self.now);
        }
        if let Input::Response { id, .. } | Input::Failed { id, .. } | Input::Signed { id, .. } = &input {
            if self.outstanding.take_if(|outstanding| outstanding == id).is_some() {
                self.idle_since = self.now;
            }
        }
        self.outputs = 0;
        let wall = self.tick();
        self.session.handle_input(&mut Context::new(wall, &mut self.entropy), input);
    }

    /// A person wants the next attempt now, the session is to end, or the machine's clock is set.
    pub(crate) fn interrupt(&mut self, input: Input) {
        self.input(input);
        self.drain();
    }

    pub(crate) fn set_clock(&mut self, ahead: i64) {
        self.say(|| format!("the clock is {ahead} ms ahead"));
        self.ahead = ahead;
        self.drain();
        // The time since the session last looked at the clock is lost to it where that is set back.
        self.be_lenient();
    }

    /// Nothing runs on this machine for so long.
    pub(crate) fn sleep(&mut self, time: u64) {
        self.asleep_until = self.now + time;
    }

    pub(crate) fn wake(&mut self) {
        self.asleep_until = self.now;
        self.be_lenient();
    }

    /// What lasts until now begins now.
    fn be_lenient(&mut self) {
        self.idle_since = self.now;
        for (since, ..) in &mut self.waiting {
            *since = self.now;
        }
    }

    /// The process dies, and another one goes on from its last snapshot, or begins where there is none that is good. What is
    /// on its way then arrives nowhere, and the pace is that of a new process.
    pub(crate) fn restart(&mut self) {
        let Some(snapshot) = self.session.snapshot() else { return };
        self.wake();
        self.say(|| "another process goes on".to_owned());
        let (consumer, token) = credentials();
        let resumed = Session::resume(consumer, token, self.config.clone(), snapshot, self.wall());
        self.was_live = resumed.is_ok();
        let (consumer, token) = credentials();
        self.session = resumed.unwrap_or_else(|_| Session::new(consumer, token, self.config.clone()));
        self.tokens = self.session.view().token_id().into_iter().collect();
        self.arrivals.clear();
        self.callers.clear();
        self.waiting.clear();
        self.deadline = None;
        self.outstanding = None;
        (self.moment, self.set_back) = (self.wall().as_millis(), 0);
        for rate in self.rates.iter_mut().chain([&mut self.wishes]) {
            rate.begin_anew();
        }
        self.be_lenient();
        self.drain();
    }

    pub(crate) fn into_session(self) -> Session {
        self.session
    }

    /// Starts the application's reports anew.
    pub(crate) fn set_application(&mut self, application: Application) {
        self.application = application;
        self.next_report = self.now + below(&mut self.rng, self.application.every.max(1));
    }

    pub(crate) fn run_until(&mut self, end: u64) {
        self.run_while(end, |_| true);
    }

    pub(crate) fn run_while(&mut self, end: u64, goes_on: impl Fn(&Self) -> bool) {
        if self.count == 0 {
            self.drain();
        }
        loop {
            if !goes_on(self) {
                return;
            }
            let awake = |at: u64| at.max(self.asleep_until);
            let arrival = self.arrivals.keys().next().map(|(at, _)| awake(*at));
            let deadline = self.deadline.map(awake);
            let caller = self.callers.keys().next().map(|(at, _)| awake(*at));
            let report = (self.application.every > 0).then_some(awake(self.next_report));
            let next = [arrival, deadline, caller, report].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            self.pass(next);
            if arrival == Some(next) {
                let (_, input) = self.arrivals.pop_first().unwrap();
                self.input(input);
            } else if deadline == Some(next) {
                let ends_box = self.awaited.is_none() && self.session.view().wait_until().is_some();
                let is_due_to_report = std::mem::take(&mut self.reports) > 0 && ends_box;
                if !is_due_to_report && self.rates[3].note(self.now) > WAKES {
                    self.wrong(&format!("more than {WAKES} deadlines in an hour: {}", self.state()));
                }
                self.input(Input::Timeout);
            } else if caller == Some(next) {
                let (_, caller) = self.callers.pop_first().unwrap();
                self.report(caller);
            } else {
                self.next_report = self.now + self.application.every;
                let caller = self.new_caller();
                self.report(caller);
            }
            self.drain();
        }
        self.pass(end);
    }

    /// Lets time pass in which nothing happens.
    fn pass(&mut self, to: u64) {
        if to <= self.now {
            return;
        }
        let view = self.session.view();
        let is_boxed = view.wait_until().is_some();
        if self.asleep_until >= to {
            self.now = to;
            return self.be_lenient();
        }
        if self.awaited.is_some() || is_boxed {
            self.idle_since = to;
        } else if view.is_live() || self.was_live && matches!(view.state(), State::Displaced | State::BackingOff) {
            let idle = to - self.idle_since;
            self.figures.silence = self.figures.silence.max(idle);
            if idle > IDLE {
                self.wrong(&format!("idle for {idle} ms in {}", self.state()));
            }
        }
        self.now = to;
        self.outputs = 0;
    }

    fn drain(&mut self) {
        if self.asleep_until > self.now {
            return;
        }
        loop {
            self.outputs += 1;
            self.count += 1;
            if self.outputs > OUTPUTS {
                self.wrong(&format!("no end of outputs: {}", self.state()));
                self.outputs = 0;
                self.pass(self.now + 1);
                break;
            }
            let wall = self.tick();
            match self.session.poll_output(&mut Context::new(wall, &mut self.entropy)) {
                Output::Transmit { id, request, .. } => {
                    self.idle_since = self.now;
                    self.outstanding = Some(id);
                    let answer =
                        self.broker.handle(self.now, Timestamp::from_millis(START + self.now), &mut self.rng, &request);
                    self.say(|| format!("-> {:?} {answer:?}", Endpoint::of(&request)));
                    self.note_sent(Endpoint::of(&request), &answer);
                    let input = |answer: &Answer| match answer {
                        Answer::Response { .. } => Some(Input::Response { id, response: answer.response()? }),
                        Answer::Failed(kind) => Some(Input::Failed { id, failure: Failure::new(*kind, "") }),
                        Answer::Silence => None,
                    };
                    self.arrive(input(&answer));
                    if below(&mut self.rng, 200) == 0 {
                        self.arrive(input(&answer));
                    }
                }
                Output::Sign { id, .. } => self.sign(id),
                Output::Event(event) => self.note_event(&event),
                Output::Timeout { at } => {
                    if at <= wall {
                        self.wrong(&format!("the deadline is not ahead: {}", self.state()));
                        self.pass(self.now + 1);
                    }
                    let at = self.now + at.as_millis().saturating_sub(wall.as_millis());
                    self.deadline = Some(at);
                    let before = std::mem::replace(&mut self.awaited, self.session.awaited());
                    if before.is_some() && self.awaited.is_none() {
                        self.idle_since = self.now;
                    }
                    break;
                }
                Output::Finished => {
                    (self.deadline, self.awaited) = (None, None);
                    break;
                }
                output => panic!("{output:?}"),
            }
        }
        self.look();
    }

    fn arrive(&mut self, input: Option<Input>) {
        let Some(input) = input else { return };
        let (least, most) = self.latency;
        let at = self.now + least + below(&mut self.rng, most - least + 1);
        self.count += 1;
        self.arrivals.insert((at, self.count), input);
    }

    fn sign(&mut self, id: ExchangeId) {
        self.idle_since = self.now;
        self.outstanding = Some(id);
        let signature = |byte: u8, length: usize| vec![byte; length];
        let (wait, input) = match self.key_store {
            KeyStore::Well => return self.input(Input::Signed { id, signature: signature(0xa5, 256) }),
            KeyStore::Failing(kind) => (10, Input::Failed { id, failure: Failure::new(kind, "") }),
            KeyStore::Slow(wait) => (wait, Input::Signed { id, signature: signature(0xa5, 256) }),
            KeyStore::Silent => return,
            KeyStore::Wrong => (10, Input::Signed { id, signature: signature(0xa5, 20) }),
        };
        self.count += 1;
        self.arrivals.insert((self.now + wait, self.count), input);
    }

    fn note_sent(&mut self, endpoint: Endpoint, answer: &Answer) {
        if matches!(answer, Answer::Failed(FailureKind::NotSent)) {
            return;
        }
        let moment = self.moment;
        let wished = self.wishes.recent(self.now);
        let (kind, most) = match endpoint {
            Endpoint::Handshake => (Some(0), 20),
            Endpoint::Open | Endpoint::Take => (Some(1), 20),
            _ => (None, 0),
        };
        if let Some(kind) = kind {
            let count = self.rates[kind].note(moment);
            if count > most {
                self.wrong(&format!("{count} times {endpoint:?} in an hour"));
            }
        }
        let count = self.rates[2].note(moment);
        // Each wish may cause an opening with its polls, or a tickle.
        if count > 150 + 10 * wished {
            self.wrong(&format!("{count} requests in an hour"));
        }
    }

    fn note_event(&mut self, event: &SessionEvent) {
        self.say(|| format!("   {event}"));
        match event {
            SessionEvent::StateChanged { from, to } => {
                if !from.successors().contains(to) {
                    self.wrong(&format!("from {from} to {to}"));
                }
                self.was_live |= *to == State::Live;
            }
            SessionEvent::GaveUp { error } => {
                self.figures.ended += 1;
                if self.was_live {
                    self.wrong(&format!("a session that was live ended: {error}"));
                }
            }
            _ => {}
        }
    }

    /// Looks what has become of advice that waits, and whether the view is true.
    fn look(&mut self) {
        let (now, wall) = (self.now, self.wall());
        let view = self.session.view();
        if let Some(token) = view.token_id() {
            if self.tokens.last() != Some(&token) {
                self.tokens.push(token);
            }
        }
        let lacks_signer = view.signer().is_none() && !self.tokens.is_empty() && !self.is_shutting_down;
        let boxed = view.wait_until().map_or(0, |until| until.saturating_duration_since(wall).as_millis());
        let is_late = view.is_live() && self.awaited.is_none() && boxed > u128::from(LIVE_WAIT);
        let mut resolved = Vec::new();
        self.waiting.retain(|(since, ticket, caller)| match view.resolve(ticket) {
            Advice::AwaitSession(_) => true,
            advice => {
                resolved.push((*since, advice, caller.clone()));
                false
            }
        });
        if lacks_signer && !self.is_over() {
            self.wrong("there is no signer any more");
        }
        if is_late {
            self.wrong(&format!("live for {boxed} ms without a request: {}", self.state()));
        }
        for (since, advice, caller) in resolved {
            self.figures.ticket = self.figures.ticket.max(now - since);
            self.advised(advice, caller);
        }
        let waits: Vec<_> = self.waiting.extract_if(.., |(since, ..)| now - *since > TICKET).collect();
        for (_, ticket, _) in waits {
            self.wrong(&format!("a caller waits for ever: {ticket:?} in {}", self.state()));
        }
    }
}
