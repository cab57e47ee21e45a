//! A broker that does what none was seen to do, and so the simulator does not either: it sends flags that mean nothing, forgets
//! what was subscribed while it says that all is well, refuses a topic for a while and then not, does not speak of one
//! topic or of any, whatever it is asked. Its market numbers what it says. Only the property is played against it: what the
//! broker is known to do is the simulator's to show.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use ibkr_oauth::{Context, Timestamp, http::Request, simulator::Broker};

use crate::simulation::{Act, Connecting, Upstream};

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
    /// The upgrade is answered with this status.
    pub(crate) refuses: Option<u16>,
    /// The connection is closed with this code as soon as it is open.
    pub(crate) closes: Option<u16>,
    /// Each subscription of one of these is answered with an error.
    pub(crate) refused: BTreeSet<String>,
    /// These say nothing, and do not answer.
    pub(crate) silent: BTreeSet<String>,
    /// For how many reasons nothing at all is said, while the connection stays open.
    pub(crate) frozen: usize,
    /// How long a line lives.
    pub(crate) line_life: Duration,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            sts_in_pieces: false,
            no_sts: false,
            settling: 0,
            heartbeats: true,
            wants_session: false,
            refuses: None,
            closes: None,
            refused: BTreeSet::new(),
            silent: BTreeSet::new(),
            frozen: 0,
            line_life: Duration::from_secs(600),
        }
    }
}

#[derive(Debug)]
struct Connection {
    is_served: bool,
    served_at: Option<Timestamp>,
    heartbeat: Timestamp,
    /// When each line was asked for last.
    lines: BTreeMap<String, Timestamp>,
    others: BTreeSet<String>,
}

/// The broker, of which one user has one connection.
#[derive(Debug, Default)]
pub(crate) struct Server {
    pub(crate) behaviour: Behaviour,
    connection: Option<Connection>,
    acts: VecDeque<Act>,
    /// The last number of each topic.
    numbers: BTreeMap<String, u64>,
    trades: Vec<String>,
    /// Subscriptions that came too early.
    pub(crate) early: u64,
    pub(crate) most_lines: usize,
}

impl Upstream for Server {
    fn connect(&mut self, _: &mut Broker, cx: &mut Context<'_>, _: &Request<()>) -> Connecting {
        if let Some(status) = self.behaviour.refuses {
            return Connecting::Refused(status);
        }
        let now = cx.now();
        self.acts.clear();
        let settling = Duration::from_secs(self.behaviour.settling);
        self.connection = Some(Connection {
            is_served: false,
            served_at: Some(now.saturating_add(settling)),
            heartbeat: now,
            lines: BTreeMap::new(),
            others: BTreeSet::new(),
        });
        if self.behaviour.wants_session {
            self.say(r#"{"message":"waiting for session"}"#);
            self.connection.as_mut().unwrap().served_at = None;
        }
        if let Some(code) = self.behaviour.closes {
            self.cut(Some(code));
        }
        Connecting::Open
    }

    fn disconnect(&mut self) {
        self.connection = None;
        self.acts.clear();
    }

    fn receive(&mut self, _: &mut Broker, now: Timestamp, text: &str) {
        self.hear(now, text);
    }

    fn act(&mut self, _: &Broker, now: Timestamp) -> Option<Act> {
        self.advance(now);
        self.acts.pop_front()
    }

    fn deadline(&self, _: &Broker) -> Option<Timestamp> {
        let connection = self.connection.as_ref()?;
        Some(connection.served_at.map_or(connection.heartbeat, |at| at.min(connection.heartbeat)))
    }
}

impl Server {
    /// The server ends the connection.
    pub(crate) fn cut(&mut self, code: Option<u16>) {
        if self.connection.take().is_some() {
            self.acts.push_back(Act::Close(code));
        }
    }

    pub(crate) fn say(&mut self, text: impl Into<Vec<u8>>) {
        if self.connection.is_some() && self.behaviour.frozen == 0 {
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

    fn advance(&mut self, now: Timestamp) {
        let life = self.behaviour.line_life;
        let Some(connection) = &mut self.connection else { return };
        connection.lines.retain(|_, asked| asked.saturating_add(life) > now);
        if connection.served_at.is_some_and(|at| at <= now) {
            (connection.is_served, connection.served_at) = (true, None);
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

    fn hear(&mut self, now: Timestamp, text: &str) {
        let Some(connection) = &mut self.connection else { return };
        if text.starts_with(r#"{"session":"#) {
            if !connection.is_served {
                connection.served_at = Some(now);
            }
            return;
        }
        if text == "tic" {
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
        if self.behaviour.refused.contains(&name) {
            return self.say(format!(r#"{{"topic":"{name}","error":"Missing iserver bridge","code":5}}"#));
        }
        match kind {
            "smd" => {
                connection.lines.insert(name.clone(), now);
                self.most_lines = self.most_lines.max(connection.lines.len());
            }
            "umd" => drop(connection.lines.remove(&format!("smd{rest}"))),
            _ if kind.starts_with('u') => drop(connection.others.remove(&format!("s{}", &name[1..]))),
            _ => drop(connection.others.insert(name.clone())),
        }
        if self.behaviour.silent.contains(&name) {
            return;
        }
        match kind {
            "smd" => {
                let number = self.numbers.get(&name).copied().unwrap_or_default();
                self.say(quote(&name, number));
            }
            "str" => {
                let trades = self.trades.join(",");
                self.say(format!(r#"{{"topic":"str","args":[{trades}]}}"#));
            }
            "spl" => self.say(r#"{"topic":"spl","args":{"DU1.Core":{"dpl":1}}}"#),
            _ => {}
        }
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
        if !is_heard || self.behaviour.silent.contains(name) {
            return number;
        }
        if name.starts_with("smd") {
            self.say(quote(name, number));
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
}

fn quote(name: &str, number: u64) -> String {
    format!(r#"{{"server_id":"q0","n":{number},"31":"1.5","topic":"{name}"}}"#)
}
