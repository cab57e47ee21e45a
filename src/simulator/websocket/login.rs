//! What a WebSocket hears of the user and of the brokerage session.

use http::Method;
use serde_json::{Map, Value, json};

use super::super::{
    broker::Broker,
    canned::{Found, shipped},
    faults::SocketFault,
};
use crate::context::Timestamp;

/// The brokerage session as a status reports it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Status {
    pub(super) authenticated: bool,
    pub(super) established: bool,
    pub(super) competing: bool,
}

impl Status {
    /// The status at a time that is the host's.
    pub(super) fn of(broker: &Broker, now: Timestamp) -> Self {
        let clock = broker.clock_at(now);
        let session = broker.brokerage_session.filter(|session| !session.is_over(clock));
        Self {
            authenticated: session.is_some(),
            established: session.is_some_and(|session| session.is_ready(clock)),
            competing: broker.competing,
        }
    }

    /// Whether there is anything to say of a brokerage session.
    pub(super) const fn is_known(self) -> bool {
        self.authenticated || self.competing
    }

    /// Its messages, as a socket with such a fault gets them.
    pub(super) fn messages(self, fault: Option<SocketFault>) -> Vec<Value> {
        let fields = json!({
            "authenticated": self.authenticated,
            "competing": self.competing,
            "connected": true,
            "established": self.established,
            "message": "",
            "fail": "",
            "serverName": "simulator",
            "serverVersion": env!("CARGO_PKG_VERSION"),
            "username": "simulated",
        });
        match fault {
            Some(SocketFault::StatusInPieces) => {
                let pieces = ["competing", "message", "authenticated"].into_iter();
                pieces.map(|name| json!({ "topic": "sts", "args": { name: fields.get(name) } })).collect()
            }
            Some(SocketFault::StatusAtTop) => {
                vec![json!({ "topic": "sts", "authenticated": self.authenticated, "competing": self.competing })]
            }
            _ => vec![json!({ "topic": "sts", "args": fields })],
        }
    }
}

/// What a socket hears as soon as its session is known, in order, before the status.
pub(super) fn greeting(broker: &Broker, status: Status) -> Vec<Value> {
    let is_paper = broker.profile.paper;
    let system = json!({ "topic": "system", "success": "simulated", "isFT": false, "isPaper": is_paper });
    // The account, as the status, is the brokerage session's to say.
    [Some(system), status.is_known().then(|| account(broker))].into_iter().flatten().collect()
}

/// What there is of the accounts.
pub(super) fn account(broker: &Broker) -> Value {
    let accounts = match shipped(&Method::GET, "/iserver/accounts", "", &broker.profile.accounts) {
        Found::Answer(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    json!({ "topic": "act", "args": accounts })
}
