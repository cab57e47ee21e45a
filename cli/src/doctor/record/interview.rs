//! Asks the probes, one after the other, within bounds: what is sent when, and when no more is.

use std::time::Duration;

use ibkr_oauth::{
    BrokerageStatus, Consumer, Context, LiveSessionToken, Tickle, Timestamp, UnlockedToken,
    bytes::Bytes,
    diagnose::clock_skew,
    http::{Request, Response, StatusCode},
};
use serde_json::Value;

use super::{
    heard::{Heard, Outcome, Reply},
    probes::{
        ACCOUNTS, Ask, Challenge, Condition, GROUPS, Group, OPENING, PLAIN, Probe, SETTLING, STATUS, Signed, Step,
        TICKLE,
    },
    recording::Login,
    signing::{self, Keys, Stamp},
};
use crate::{credentials, doctor::websocket::listening::Listening, failure::Failure};

/// The most requests. Two more go before them, on the way up to the token.
pub(super) const MOST: u32 = 62;

/// How long is waited before a request that decided nothing is sent again.
const SECOND_TRY: Duration = Duration::from_secs(5);

/// What carries the requests, and passes the time.
pub(super) trait Line {
    /// Says what is sent next.
    fn announce(&mut self, probe: &Probe) -> Result<(), Failure>;
    /// The response, or why there is none.
    fn send(&mut self, request: Request<Bytes>) -> Result<Response<Bytes>, &'static str>;
    /// The response to the upgrade, or why there is none; where it is agreed on, after all was listened to.
    fn listen(&mut self, upgrade: Request<()>, listening: &mut Listening) -> Result<Response<Bytes>, &'static str>;
    fn pause(&mut self, time: Duration);
    fn with_context<T>(&mut self, work: impl FnOnce(&mut Context<'_>) -> T) -> T;
}

/// What the user allows.
#[derive(Clone, Copy)]
pub(super) struct Wishes {
    /// Accounts with real money.
    pub(super) live: bool,
    /// The end of the session.
    pub(super) logout: bool,
    /// The time between two requests.
    pub(super) pace: Duration,
}

pub(super) struct Interview<'a, L> {
    line: &'a mut L,
    consumer: &'a Consumer,
    access_token: &'a UnlockedToken,
    wishes: Wishes,
    left: u32,
    token: Option<LiveSessionToken>,
    earlier: Option<LiveSessionToken>,
    before: Option<Stamp>,
    login: Login,
    /// Whether there is a brokerage session, where that is known.
    is_open: Option<bool>,
    /// Whether it was opened here.
    opened: bool,
    /// The newest with a brokerage session.
    tickle: Option<Tickle>,
    /// Why nothing more is sent.
    stopped: Option<String>,
    heard: Vec<Heard>,
}

/// What was heard, and whose accounts they are.
pub(super) fn conduct<L: Line>(
    line: &mut L,
    consumer: &Consumer,
    access_token: &UnlockedToken,
    wishes: Wishes,
) -> Result<(Vec<Heard>, Login), Failure> {
    let mut interview = Interview {
        line,
        consumer,
        access_token,
        wishes,
        left: MOST,
        token: None,
        earlier: None,
        before: None,
        login: Login::Unknown,
        is_open: None,
        opened: false,
        tickle: None,
        stopped: None,
        heard: Vec::new(),
    };
    for group in GROUPS.iter().filter(|group| wishes.logout || !group.ends_session) {
        interview.ask_group(group)?;
    }
    Ok((interview.heard, interview.login))
}

impl<L: Line> Interview<'_, L> {
    fn ask_group(&mut self, group: &Group) -> Result<(), Failure> {
        let first = self.heard.len();
        for probe in group.probes {
            let heard = self.ask(probe, group.is_unusual)?;
            self.learn(&heard);
            self.heard.push(heard);
        }
        let is_doubtful = self.heard.iter().skip(first).any(|heard| heard.outcome.is_refused());
        // Behind a logout, that the token is refused is the answer.
        if group.is_unusual && !group.ends_session && is_doubtful && !self.is_usual_accepted() && self.renew() {
            self.heard.truncate(first);
            for probe in group.probes {
                let mut heard = self.ask(probe, true)?;
                heard.before.get_or_insert_with(|| "the token had ended".to_owned());
                self.heard.push(heard);
            }
        }
        Ok(())
    }

    /// Whether the token is still good.
    fn is_usual_accepted(&mut self) -> bool {
        self.stopped.is_some() || !self.send(&PLAIN).is_refused()
    }

    fn ask(&mut self, probe: &'static Probe, is_unusual: bool) -> Result<Heard, Failure> {
        if let Some(why) = self.not_now(probe) {
            return Ok(Heard { probe, before: None, outcome: Outcome::NotSent(why) });
        }
        self.line.announce(probe)?;
        let mut outcome = self.attempt(probe);
        let mut before = None;
        let may_be_renewed = !is_unusual && self.token.is_some() && matches!(probe.step, Step::Ask(_) | Step::Settle);
        if self.stopped.is_none() && outcome.is_unclear() {
            before = Some(outcome.in_short());
            self.line.pause(if self.wishes.pace.is_zero() { Duration::ZERO } else { SECOND_TRY });
            outcome = self.attempt(probe);
        }
        let has_ended = matches!(&outcome, Outcome::Response(reply) if reply.ends_token());
        if self.stopped.is_none() && may_be_renewed && has_ended && self.renew() {
            before = Some(outcome.in_short());
            outcome = self.attempt(probe);
        }
        if matches!(probe.step, Step::SignIn(Challenge::Usual)) && self.token.is_none() && self.stopped.is_none() {
            self.stopped = Some("there is no live session token".to_owned());
        }
        Ok(Heard { probe, before, outcome })
    }

    fn not_now(&self, probe: &Probe) -> Option<String> {
        if let Some(why) = &self.stopped {
            return Some(why.clone());
        }
        if self.left == 0 {
            return Some(format!("{MOST} requests were sent"));
        }
        let condition = match probe.step {
            Step::Ask(ask) => ask.only_if,
            Step::Settle | Step::Listen => Condition::Opened,
            Step::SignIn(_) => Condition::Always,
        };
        match condition {
            Condition::Closed if self.is_open != Some(false) => {
                Some("there is a brokerage session, or it is not known".to_owned())
            }
            Condition::Opened if !self.opened => Some("no brokerage session was opened".to_owned()),
            _ => None,
        }
    }

    fn attempt(&mut self, probe: &Probe) -> Outcome {
        match probe.step {
            Step::SignIn(challenge) => self.sign_in(challenge),
            Step::Ask(ask) => self.send(&ask),
            Step::Settle => self.settle(),
            Step::Listen => self.listen(),
        }
    }

    fn settle(&mut self) -> Outcome {
        let mut outcome = Outcome::NotSent(String::new());
        let mut waited = 0;
        for seconds in SETTLING {
            if seconds > 0 {
                self.line.pause(Duration::from_secs(seconds));
            }
            waited += seconds;
            outcome = self.send(&Ask { target: "/iserver/auth/status", ..PLAIN });
            let Outcome::Response(reply) = &mut outcome else { break };
            reply.seconds.insert("waited".to_owned(), i64::try_from(waited).unwrap_or(i64::MAX));
            let status = status_of(reply);
            if status.as_ref().is_none_or(|status| status.is_ready() || status.authenticated != Some(true)) {
                break;
            }
        }
        outcome
    }

    fn sign_in(&mut self, challenge: Challenge) -> Outcome {
        let (consumer, access_token) = (self.consumer, self.access_token);
        let made = self.line.with_context(|cx| signing::sign_in(consumer, access_token, challenge, cx));
        let Ok((request, pending)) = made else { return Outcome::NotSent("it cannot be signed".to_owned()) };
        let mut reply = match self.transmit(request) {
            Outcome::Response(reply) => reply,
            silence => return silence,
        };
        match pending.map(|pending| pending.complete(reply.response.clone())) {
            Some(Ok(token)) => {
                credentials::hide(&token);
                self.earlier = self.token.replace(token);
            }
            Some(Err(error)) => reply.refusal = Some(error),
            None => {}
        }
        if let Some(life) = self.line.with_context(|cx| life_of(&reply, cx.now())) {
            reply.seconds.insert("expires_in".to_owned(), life);
        }
        Outcome::Response(reply)
    }

    /// Gets another token, where one was there.
    fn renew(&mut self) -> bool {
        let earlier = self.earlier.take();
        let renewed = self.left > 0
            && matches!(self.sign_in(Challenge::Usual), Outcome::Response(reply) if reply.refusal.is_none());
        // The token before is the one of the last sign-in that was a probe.
        self.earlier = earlier.or_else(|| self.earlier.take());
        renewed
    }

    fn send(&mut self, ask: &Ask) -> Outcome {
        let Some(token) = &self.token else { return Outcome::NotSent("there is no live session token".to_owned()) };
        let keys =
            Keys { consumer: self.consumer, token, earlier: self.earlier.as_ref(), before: self.before.as_ref() };
        let Some((request, stamp)) = self.line.with_context(|cx| signing::request(ask, &keys, cx)) else {
            return Outcome::NotSent("it cannot be signed".to_owned());
        };
        if matches!(ask.signed, Signed::Usual) {
            self.before = Some(stamp);
        }
        self.transmit(request)
    }

    fn listen(&mut self) -> Outcome {
        let (Some(token), Some(tickle)) = (&self.token, &self.tickle) else {
            return Outcome::NotSent("there is no tickle with a session".to_owned());
        };
        let signer = token.signer();
        let upgrade = self.line.with_context(|cx| signer.brokerage().web_socket(cx, tickle));
        let (Ok(upgrade), Some(session)) = (upgrade, tickle.session().cloned()) else {
            return Outcome::NotSent("the tickle named no session, or none for a cookie".to_owned());
        };
        let mut listening = Listening::for_two_heartbeats(session);
        match self.exchange(|line| line.listen(upgrade, &mut listening)) {
            Outcome::Response(mut reply) if reply.response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                // That took longer than a response does.
                reply.seconds.clear();
                reply.listened = Some(Box::new(listening));
                Outcome::Response(reply)
            }
            outcome => outcome,
        }
    }

    fn transmit(&mut self, request: Request<Bytes>) -> Outcome {
        self.exchange(|line| line.send(request))
    }

    fn exchange(&mut self, transmit: impl FnOnce(&mut L) -> Result<Response<Bytes>, &'static str>) -> Outcome {
        let Some(left) = self.left.checked_sub(1) else {
            return Outcome::NotSent(format!("{MOST} requests were sent"));
        };
        self.left = left;
        self.line.pause(self.wishes.pace);
        let sent = self.line.with_context(|cx| cx.now());
        match transmit(self.line) {
            Err(why) => Outcome::Silence(why),
            Ok(response) => {
                let mut reply = Reply::new(response);
                let now = self.line.with_context(|cx| cx.now());
                if let Some(ahead) = clock_skew(reply.response.headers(), sent, now) {
                    reply.seconds.insert("date_ahead".to_owned(), ahead);
                }
                if reply.response.status() == StatusCode::TOO_MANY_REQUESTS {
                    self.stopped = Some("the broker answered 429".to_owned());
                }
                Outcome::Response(reply)
            }
        }
    }

    /// What later probes go by.
    fn learn(&mut self, heard: &Heard) {
        let Outcome::Response(reply) = &heard.outcome else {
            if heard.probe.id == ACCOUNTS {
                self.learn_login(Login::Unknown);
            }
            return;
        };
        match heard.probe.id {
            ACCOUNTS => self.learn_login(login_of(reply.response.body())),
            TICKLE => self.tickle = serde_json::from_slice(reply.response.body()).ok(),
            STATUS => self.is_open = status_of(reply).map(|status| status.authenticated == Some(true)),
            OPENING => {
                let status = status_of(reply);
                self.opened = status.as_ref().is_some_and(|status| {
                    status.authenticated == Some(true) && status.competing != Some(true) && reply.refusal.is_none()
                });
            }
            _ => {}
        }
    }

    fn learn_login(&mut self, login: Login) {
        self.login = login;
        if login != Login::Paper && !self.wishes.live && self.stopped.is_none() {
            self.stopped = Some(match login {
                Login::Live => "the accounts are live ones, and --live was not given".to_owned(),
                _ => "it is not known whether the accounts are those of a paper login, and --live was not given"
                    .to_owned(),
            });
        }
    }
}

fn status_of(reply: &Reply) -> Option<BrokerageStatus> {
    serde_json::from_slice(reply.response.body()).ok()
}

/// The time from the broker's clock to what it calls the expiration, in seconds.
fn life_of(reply: &Reply, now: Timestamp) -> Option<i64> {
    let fields: Value = serde_json::from_slice(reply.response.body()).ok()?;
    let stated = fields.get("live_session_token_expiration")?;
    let millis = stated.as_i64().or_else(|| stated.as_str()?.parse().ok())?;
    let ahead = reply.seconds.get("date_ahead").copied().unwrap_or(0);
    (millis / 1000).checked_sub(i64::try_from(now.as_secs()).ok()?)?.checked_sub(ahead)
}

/// Whose accounts a response lists: those of a paper login begin with D.
fn login_of(body: &[u8]) -> Login {
    let mut accounts = Vec::new();
    if let Ok(Value::Array(items)) = serde_json::from_slice::<Value>(body) {
        for name in ["id", "accountId", "accountVan"] {
            accounts.extend(items.iter().filter_map(|item| item.get(name)?.as_str().map(str::to_owned)));
        }
    }
    match accounts.iter().map(|account| account.starts_with('D')).reduce(|all, is_paper| all && is_paper) {
        None => Login::Unknown,
        Some(true) => Login::Paper,
        Some(false) => Login::Live,
    }
}
