//! What a client says on a WebSocket, and what becomes of it.

use std::{fmt, mem, time::Duration};

use http::Method;
use serde_json::{Map, Value, json};

use super::{
    super::{
        broker::Broker,
        canned::{Found, shipped},
        content::set_field,
        faults::SocketFault,
        reason::Reason,
        refusal::{Objection, Refusal},
    },
    command::{Command, shown},
    feed::{Feed, Subscription},
    login::Status,
    socket::{Due, NORMAL, Phase, Socket},
};
use crate::context::Timestamp;

/// How long a market data line lives.
const LINE: Duration = Duration::from_secs(600);

/// From one message of a market data line to the next.
const MARKET_DATA_PERIOD: Duration = Duration::from_millis(500);

/// How many market data lines a user has.
const LINES: usize = 100;

/// How many histories may be asked for at a time.
const HISTORIES: usize = 5;

/// How often a `tic` is answered: that many replies were seen.
const TIC_REPLIES: usize = 4;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The code of every error, since only this one is known.
const CODE: u8 = 1;

/// A message that is refused: the topic that the answer names, what it says, and why.
struct Refused {
    topic: Option<String>,
    text: &'static str,
    objection: Objection,
}

impl Socket {
    /// Takes a message of the client's, text or binary. Once it is closed, nothing.
    pub fn receive(&mut self, broker: &mut Broker, now: Timestamp, message: &[u8]) {
        let text = String::from_utf8_lossy(message);
        let command = Command::read(&text);
        let outcome = match (self.phase, command) {
            (Phase::Closed, _) => return,
            (Phase::Waiting(_), Command::Session(session)) => self.take_session(broker, now, session.as_deref()),
            (Phase::Waiting(_), _) => Err(self.too_early("its session is not known yet")),
            (Phase::Open(_), Command::Tic) => {
                self.answer_tic(broker, now);
                Ok(())
            }
            (Phase::Open(_), Command::Echo) => {
                self.agenda.put(now, Due::Message(bytes::Bytes::from_static(b"ech+hb")));
                Ok(())
            }
            (Phase::Open(ready), Command::Topic { .. }) if now < ready => {
                Err(self.too_early("it has not said yet that the session is authenticated"))
            }
            (Phase::Open(_), Command::Topic { verb, .. }) if verb.starts_with('s') && self.loses_subscription() => {
                Ok(())
            }
            (Phase::Open(_), Command::Topic { verb, places, object }) => {
                self.obey(broker, now, verb, &places, &object).map_err(|refused| self.tell(now, refused))
            }
            (Phase::Open(_), Command::Session(_) | Command::Unknown) => {
                Err(self.tell(now, unknown("no message of this kind is known here")))
            }
        };
        if let Err(objection) = outcome {
            let at = broker.clock_at(now);
            broker.remember(Refusal::new(at, shown(&text), objection));
        }
    }

    /// Whether a fault has the next subscription lost.
    fn loses_subscription(&mut self) -> bool {
        let Some(SocketFault::LoseSubscriptions(left)) = &mut self.fault else { return false };
        let is_lost = *left > 0;
        *left = left.saturating_sub(1);
        is_lost
    }

    fn too_early(&self, why: &str) -> Objection {
        Objection::new(Reason::SubscribedTooEarly, format_args!("lost: socket {} was asked while {why}", self.number))
    }

    /// Says why a message is refused.
    fn tell(&mut self, now: Timestamp, refused: Refused) -> Objection {
        let mut error = json!({ "error": refused.text, "code": CODE });
        if let Some(topic) = refused.topic {
            set_field(&mut error, "topic", topic);
        }
        self.agenda.say(now, &error);
        refused.objection
    }

    fn take_session(&mut self, broker: &Broker, now: Timestamp, session: Option<&str>) -> Result<(), Objection> {
        let grant = broker.registry.grant.as_ref();
        if self.is_named && session.is_some() && grant.is_some_and(|grant| grant.session_id.as_deref() == session) {
            self.greet(broker, now);
            return Ok(());
        }
        self.agenda.put(now, Due::Close(Some(NORMAL)));
        let detail = if self.is_named {
            "the session that was sent is not that of the last tickle"
        } else {
            "no session helps where the access token in the URL is not the user's, or no live session token is left"
        };
        Err(Objection::new(Reason::SessionValueDiffers, detail))
    }

    fn answer_tic(&mut self, broker: &Broker, now: Timestamp) {
        let session = broker.registry.grant.as_ref().and_then(|grant| grant.session_id.as_deref());
        let accessed = broker.clock_at(now).as_millis();
        let reply = json!({ "topic": "tic", "alive": true, "id": session, "lastAccessed": accessed });
        for _ in 0..TIC_REPLIES {
            self.agenda.say(now, &reply);
        }
    }

    fn obey(
        &mut self,
        broker: &Broker,
        now: Timestamp,
        verb: &str,
        places: &[&str],
        object: &Map<String, Value>,
    ) -> Result<(), Refused> {
        let topic = [&[verb], places].concat().join("+");
        let feed = match (verb, places) {
            ("smd", [contract]) => Feed::MarketData { conid: conid(contract)?, fields: texts(object, "fields") },
            ("smh", [contract]) => {
                let server_id = format!("h{}.{}", self.number, self.serial);
                Feed::History { conid: conid(contract)?, server_id }
            }
            ("sbd", [account, contract] | [account, contract, _]) => {
                conid(contract)?;
                known_account(broker, &topic, account)?;
                Feed::Ladder
            }
            ("sor", []) => Feed::Orders { filters: texts(object, "filters") },
            ("str", []) => Feed::Trades,
            ("spl", []) => Feed::ProfitAndLoss,
            ("ssd", [account]) => Feed::Summary { account: known_account(broker, &topic, account)? },
            ("sld", [account]) => Feed::Ledger { account: known_account(broker, &topic, account)? },
            _ => return self.unsubscribe(now, verb, places),
        };
        self.subscribe(broker, now, &topic, feed)?;
        if verb == "str" {
            self.tell_trades(broker, now, object);
        }
        Ok(())
    }

    fn unsubscribe(&mut self, now: Timestamp, verb: &str, places: &[&str]) -> Result<(), Refused> {
        let confirmation = match (verb, places) {
            ("umd", [contract]) => {
                self.subscriptions.remove(&format!("smd+{contract}"));
                None
            }
            ("umh", [id]) => {
                let is_it = |feed: &Feed| matches!(feed, Feed::History { server_id, .. } if server_id == id);
                self.subscriptions.retain(|_, subscription| !is_it(&subscription.feed));
                Some(json!({ "message": format!("Unsubscribed {id}") }))
            }
            ("ubd", [account]) => {
                let start = format!("sbd+{account}+");
                self.subscriptions.retain(|topic, _| !topic.starts_with(&start));
                None
            }
            ("uor" | "utr" | "upl", []) => {
                self.subscriptions.remove(&verb.replacen('u', "s", 1));
                None
            }
            ("usd" | "uld", [account]) => {
                let (start, what) = if verb == "usd" { ("ssd", "summary") } else { ("sld", "ledger") };
                self.subscriptions.remove(&format!("{start}+{account}"));
                Some(json!({ "result": format!("unsubscribed from {what}") }))
            }
            _ => return Err(unknown("no message of this kind is known here")),
        };
        if let Some(confirmation) = confirmation.filter(|_| self.fault != Some(SocketFault::Unconfirmed)) {
            self.agenda.say(now, &confirmation);
        }
        Ok(())
    }

    fn subscribe(&mut self, broker: &Broker, now: Timestamp, topic: &str, mut feed: Feed) -> Result<(), Refused> {
        let limit = match feed {
            Feed::MarketData { .. } => {
                Some((LINES, "market data lines exceeded", Reason::MarketDataLinesExceeded, "lines"))
            }
            Feed::History { .. } => Some((HISTORIES, "too many histories", Reason::HistoriesExceeded, "histories")),
            _ => None,
        };
        if let Some((most, text, reason, what)) = limit {
            let is_other =
                |other: &str, held: &Feed| other != topic && mem::discriminant(held) == mem::discriminant(&feed);
            let others = self.subscriptions.iter().filter(|(other, held)| is_other(other, &held.feed)).count();
            if others >= most {
                return Err(Refused::new(topic, text, reason, format_args!("a user has {most} {what} at a time")));
            }
        }
        // Asked again, a line has the new fields beside the old ones.
        if let Feed::MarketData { fields, .. } = &mut feed {
            let before = match self.subscriptions.get(topic).map(|held| &held.feed) {
                Some(Feed::MarketData { fields, .. }) => fields.clone(),
                _ => Vec::new(),
            };
            for field in mem::replace(fields, before) {
                if !fields.contains(&field) {
                    fields.push(field);
                }
            }
        }
        let availability = &broker.profile.availability;
        let period = availability.market_data_period.unwrap_or(MARKET_DATA_PERIOD);
        let is_line = matches!(feed, Feed::MarketData { .. });
        let ends_at = is_line.then(|| now.saturating_add(availability.scaled(LINE)));
        let subscription = Subscription::new(feed, now, period, ends_at);
        if subscription.needs_brokerage_session() && !Status::of(broker, now).established {
            let detail = "the brokerage session is not open";
            return Err(Refused::new(topic, "Missing iserver bridge", Reason::BrokerageSessionClosed, detail));
        }
        self.serial = self.serial.saturating_add(1);
        if let Some(mut earlier) = self.subscriptions.insert(topic.to_owned(), subscription) {
            // What was due before, and is not sent yet because the host was busy.
            while let Some(at) = earlier.due().filter(|at| *at <= now) {
                let told = earlier.message(topic, &broker.profile.accounts, broker.clock_at(at));
                self.agenda.say(at, &told);
            }
        }
        Ok(())
    }

    /// The first message of the trades is empty, and then comes the history, unless only what is new is wanted.
    fn tell_trades(&mut self, broker: &Broker, now: Timestamp, object: &Map<String, Value>) {
        self.agenda.say(now, &json!({ "topic": "str", "args": [] }));
        if object.get("realtimeUpdatesOnly") == Some(&Value::Bool(true)) {
            return;
        }
        let days = object.get("days").and_then(Value::as_u64).and_then(|days| u32::try_from(days).ok()).unwrap_or(1);
        let from = broker.clock_at(now).saturating_sub(DAY.saturating_mul(days));
        let mut trades = match shipped(&Method::GET, "/iserver/account/trades", "", &broker.profile.accounts) {
            Found::Answer(Value::Array(trades)) => trades,
            _ => Vec::new(),
        };
        trades.extend(broker.journal.executions(from));
        for trade in trades {
            self.agenda.say(now, &json!({ "topic": "str", "args": [trade] }));
        }
    }
}

impl Refused {
    fn new(topic: &str, text: &'static str, reason: Reason, detail: impl fmt::Display) -> Self {
        Self { topic: Some(topic.to_owned()), text, objection: Objection::new(reason, detail) }
    }
}

/// `265598`, or `265598@SMART`.
fn conid(contract: &str) -> Result<u64, Refused> {
    let number = contract.split('@').next().and_then(|number| number.parse().ok());
    number.ok_or_else(|| unknown("this is of a contract, which has a number"))
}

fn texts(object: &Map<String, Value>, name: &str) -> Vec<String> {
    let list = object.get(name).and_then(Value::as_array).into_iter().flatten();
    list.filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

fn known_account(broker: &Broker, topic: &str, account: &str) -> Result<String, Refused> {
    if broker.profile.accounts.iter().any(|known| known == account) {
        return Ok(account.to_owned());
    }
    let detail = format_args!("there is no account `{account}`");
    Err(Refused::new(topic, "unknown account", Reason::AccountUnknown, detail))
}

fn unknown(detail: &str) -> Refused {
    Refused { topic: None, text: "Topic unknown", objection: Objection::new(Reason::TopicUnknown, detail) }
}
