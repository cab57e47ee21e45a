//! The broker's half of a WebSocket, as `docs` and captures describe it, and a market behind it that numbers what it says.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use ibkr_oauth::Timestamp;

/// How the broker behaves.
#[derive(Clone, Debug)]
pub(crate) struct Behaviour {
    /// The flags of the login burst come one by one, last of all `authenticated`.
    pub(crate) sts_in_pieces: bool,
    /// The login burst is followed by no flags.
    pub(crate) no_sts: bool,
    /// Seconds from the opening to the flags.
    pub(crate) settling: u64,
    pub(crate) heartbeats: bool,
    /// The session in the cookie is stale.
    pub(crate) wants_session: bool,
    /// Answers the session frame with an error, having let the client in already.
    pub(crate) unknown_session_topic: bool,
    /// The upgrade is answered with this status.
    pub(crate) refuses: Option<u16>,
    /// The connection is closed with this code as soon as it is open.
    pub(crate) closes: Option<u16>,
    /// `sor` says nothing until the orders were asked for with `force`.
    pub(crate) mute: bool,
    /// Each subscription of one of these is answered with an error.
    pub(crate) refused: BTreeSet<String>,
    /// These say nothing, and do not answer.
    pub(crate) silent: BTreeSet<String>,
    /// Nothing at all is said, and the connection stays open.
    pub(crate) frozen: bool,
    /// How long a line lives.
    pub(crate) line_life: Duration,
    /// The topic of a line is echoed without its exchange.
    pub(crate) drops_exchange: bool,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            sts_in_pieces: false,
            no_sts: false,
            settling: 0,
            heartbeats: true,
            wants_session: false,
            unknown_session_topic: false,
            refuses: None,
            closes: None,
            mute: false,
            refused: BTreeSet::new(),
            silent: BTreeSet::new(),
            frozen: false,
            line_life: Duration::from_secs(600),
            drops_exchange: false,
        }
    }
}

/// What the server does to the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Frame(Vec<u8>),
    Close(Option<u16>),
}

#[derive(Debug)]
struct Connection {
    is_served: bool,
    served_at: Option<Timestamp>,
    heartbeat: Timestamp,
    /// When each line was asked for last.
    lines: BTreeMap<String, Timestamp>,
    others: BTreeSet<String>,
    /// Histories that were not given back, by number.
    histories: BTreeSet<String>,
    last_tic: Timestamp,
}

/// The broker, of which one user has one connection.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) behaviour: Behaviour,
    connection: Option<Connection>,
    acts: VecDeque<Act>,
    /// The last number of each topic.
    numbers: BTreeMap<String, u64>,
    trades: Vec<String>,
    histories: u64,
    /// What clients sent, with when.
    pub(crate) received: Vec<(Timestamp, String)>,
    /// Subscriptions that came too early.
    pub(crate) early: u64,
    /// Lines that ended because nobody asked for them again.
    pub(crate) lapsed: Vec<String>,
    pub(crate) most_lines: usize,
    pub(crate) most_histories: usize,
    /// The longest time without `tic` on a connection that is served.
    pub(crate) longest_beat: Duration,
}

impl Server {
    pub(crate) fn new() -> Self {
        Self {
            behaviour: Behaviour::default(),
            connection: None,
            acts: VecDeque::new(),
            numbers: BTreeMap::new(),
            trades: Vec::new(),
            histories: 0,
            received: Vec::new(),
            early: 0,
            lapsed: Vec::new(),
            most_lines: 0,
            most_histories: 0,
            longest_beat: Duration::ZERO,
        }
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.connection.is_some()
    }

    /// A client connects; the status by which it is refused otherwise.
    pub(crate) fn connect(&mut self, now: Timestamp) -> Result<(), u16> {
        if let Some(status) = self.behaviour.refuses {
            return Err(status);
        }
        self.acts.clear();
        let settling = Duration::from_secs(self.behaviour.settling);
        self.connection = Some(Connection {
            is_served: false,
            served_at: Some(now.saturating_add(settling)),
            heartbeat: now,
            lines: BTreeMap::new(),
            others: BTreeSet::new(),
            histories: BTreeSet::new(),
            last_tic: now,
        });
        if self.behaviour.wants_session {
            self.say(r#"{"message":"waiting for session"}"#);
            self.connection.as_mut().unwrap().served_at = None;
        }
        if let Some(code) = self.behaviour.closes {
            self.cut(Some(code));
        }
        Ok(())
    }

    /// The client is gone.
    pub(crate) fn disconnect(&mut self) {
        self.connection = None;
        self.acts.clear();
    }

    /// The server ends the connection.
    pub(crate) fn cut(&mut self, code: Option<u16>) {
        if self.connection.take().is_some() {
            self.acts.push_back(Act::Close(code));
        }
    }

    pub(crate) fn say(&mut self, text: impl Into<Vec<u8>>) {
        if self.connection.is_some() && !self.behaviour.frozen {
            self.acts.push_back(Act::Frame(text.into()));
        }
    }

    /// The flags of the session change, for a client that is served.
    pub(crate) fn sts(&mut self, flags: &str) {
        if self.connection.as_ref().is_some_and(|connection| connection.is_served) {
            self.flags(flags);
        }
    }

    fn flags(&mut self, flags: &str) {
        self.say(format!(r#"{{"topic":"sts","args":{flags}}}"#));
    }

    /// The broker forgets what was subscribed, as when the brokerage session is lost.
    pub(crate) fn forget(&mut self) {
        if let Some(connection) = &mut self.connection {
            connection.lines.clear();
            connection.others.clear();
        }
    }

    pub(crate) fn next_act(&mut self) -> Option<Act> {
        self.acts.pop_front()
    }

    /// When something is to be done.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        let connection = self.connection.as_ref()?;
        Some(connection.served_at.map_or(connection.heartbeat, |at| at.min(connection.heartbeat)))
    }

    pub(crate) fn advance(&mut self, now: Timestamp) {
        let life = self.behaviour.line_life;
        let Some(connection) = &mut self.connection else { return };
        let lapsed = |asked: &Timestamp| asked.saturating_add(life) <= now;
        let gone = connection.lines.iter().filter(|(_, asked)| lapsed(asked)).map(|(line, _)| line.clone());
        self.lapsed.extend(gone);
        connection.lines.retain(|_, asked| !lapsed(asked));
        if connection.served_at.is_some_and(|at| at <= now) {
            (connection.is_served, connection.served_at, connection.last_tic) = (true, None, now);
            self.log_in();
        }
        let heartbeats = self.behaviour.heartbeats;
        let Some(connection) = &mut self.connection else { return };
        if connection.heartbeat <= now {
            connection.heartbeat = now.saturating_add(Duration::from_secs(10));
            if connection.is_served && heartbeats {
                self.say(format!(r#"{{"topic":"system","hb":{}}}"#, now.as_millis()));
            }
        }
    }

    fn log_in(&mut self) {
        self.say(r#"{"topic":"system","success":"user","isFT":false,"isPaper":true}"#);
        self.say(r#"{"topic":"act","args":{"accounts":["DU1"],"sessionId":"s"}}"#);
        if self.behaviour.no_sts {
            return;
        }
        if self.behaviour.sts_in_pieces {
            for flags in
                [r#"{"connected":true}"#, r#"{"competing":false}"#, r#"{"message":""}"#, r#"{"authenticated":true}"#]
            {
                self.sts(flags);
            }
            return;
        }
        self.sts(
            r#"{"connected":true,"authenticated":true,"established":true,"competing":false,"message":"","fail":""}"#,
        );
    }

    /// The client says something.
    pub(crate) fn receive(&mut self, now: Timestamp, text: &str) {
        self.received.push((now, text.to_owned()));
        let behaviour = self.behaviour.clone();
        let Some(connection) = &mut self.connection else { return };
        if text.starts_with(r#"{"session":"#) {
            if behaviour.unknown_session_topic {
                connection.served_at = Some(now);
                self.say(r#"{"error":"Topic unknown {session}","code":1}"#);
            } else if !connection.is_served {
                connection.served_at = Some(now);
            }
            return self.advance(now);
        }
        if text == "tic" {
            self.longest_beat = self.longest_beat.max(now.saturating_duration_since(connection.last_tic));
            connection.last_tic = now;
            for _ in 0..4 {
                let now = now.as_millis();
                self.say(format!(r#"{{"topic":"tic","alive":true,"id":"5e55","lastAccessed":{now}}}"#));
            }
            return;
        }
        let name = text.split('{').next().unwrap().trim_end_matches('+').to_owned();
        let (kind, rest) = name.split_at(3);
        if !connection.is_served {
            self.early += 1;
            return;
        }
        if behaviour.refused.contains(&name) {
            return self.say(format!(r#"{{"topic":"{name}","error":"Missing iserver bridge","code":5}}"#));
        }
        match kind {
            "smd" => {
                connection.lines.insert(name.clone(), now);
                self.most_lines = self.most_lines.max(connection.lines.len());
                if !behaviour.silent.contains(&name) {
                    let number = self.numbers.get(&name).copied().unwrap_or_default();
                    let frame = self.quote(&name, number);
                    self.say(frame);
                }
            }
            "umd" => drop(connection.lines.remove(&format!("smd{rest}"))),
            "smh" => {
                self.histories += 1;
                connection.histories.insert(self.histories.to_string());
                self.most_histories = self.most_histories.max(connection.histories.len());
                if !behaviour.silent.contains(&name) {
                    let number = self.histories;
                    self.say(format!(r#"{{"serverId":"{number}","data":[{{"o":1}}],"topic":"{name}"}}"#));
                }
            }
            "umh" => {
                connection.histories.remove(rest.trim_start_matches('+'));
                self.say(format!(r#"{{"message":"Unsubscribed {}"}}"#, rest.trim_start_matches('+')));
            }
            "usd" | "uld" => {
                let what = if kind == "usd" { "summary" } else { "ledger" };
                connection.others.remove(&format!("s{}", &name[1..]));
                self.say(format!(r#"{{"result":"unsubscribed from {what}"}}"#));
            }
            "ubd" => connection.others.retain(|other| !other.starts_with(&format!("sbd{rest}+"))),
            _ if kind.starts_with('u') => drop(connection.others.remove(&format!("s{}", &name[1..]))),
            _ => {
                connection.others.insert(name.clone());
                if behaviour.silent.contains(&name) {
                    return;
                }
                match kind {
                    "str" => {
                        let trades = self.trades.join(",");
                        self.say(format!(r#"{{"topic":"str","args":[{trades}]}}"#));
                    }
                    "spl" => self.say(r#"{"topic":"spl","args":{"DU1.Core":{"dpl":1}}}"#),
                    "ssd" => self.say(r#"{"result":[{"key":"AccountCode","severity":0,"timestamp":1}]}"#),
                    "sld" => self.say(format!(r#"{{"result":[{{"key":"LedgerListUSD"}}],"topic":"{name}"}}"#)),
                    _ => {}
                }
            }
        }
    }

    fn quote(&self, name: &str, number: u64) -> String {
        let conid = name.trim_start_matches("smd+").split('@').next().unwrap();
        let name = if self.behaviour.drops_exchange { format!("smd+{conid}") } else { name.to_owned() };
        format!(r#"{{"server_id":"q0","conid":{conid},"n":{number},"31":"1.5","topic":"{name}"}}"#)
    }

    /// Something happens in the market, whoever hears of it. Returns its number.
    pub(crate) fn happen(&mut self, name: &str) -> u64 {
        let number = self.numbers.entry(name.to_owned()).or_default();
        *number += 1;
        let number = *number;
        if name == "str" {
            self.trades.push(format!(r#"{{"execution_id":"e{number}","n":{number}}}"#));
        }
        let is_heard = self
            .connection
            .as_ref()
            .is_some_and(|connection| connection.lines.contains_key(name) || connection.others.contains(name));
        if !is_heard || self.behaviour.silent.contains(name) || name == "sor" && self.behaviour.mute {
            return number;
        }
        if name.starts_with("smd") {
            let frame = self.quote(name, number);
            self.say(frame);
        } else {
            self.say(format!(r#"{{"topic":"{name}","args":[{{"n":{number}}}]}}"#));
        }
        number
    }

    /// What the broker knows to be wanted.
    pub(crate) fn knows(&self, name: &str) -> bool {
        self.connection.as_ref().is_some_and(|connection| {
            connection.is_served && (connection.lines.contains_key(name) || connection.others.contains(name))
        })
    }

    pub(crate) fn texts(&self) -> Vec<&str> {
        self.received.iter().map(|(_, text)| text.as_str()).collect()
    }
}
