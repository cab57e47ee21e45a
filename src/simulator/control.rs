//! What happens to the broker while it runs: by its methods, and by JSON for programs in other languages.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    answers::Answer,
    broker::{Broker, BrokerError},
    faults::Fault,
};
use crate::context::Timestamp;

/// Where the broker takes orders, beside the base URL.
const FAULTS: &str = "/__simulator/faults";

/// How long a penalty box lasts by default: as long as the real broker's.
const PENALTY_BOX: Duration = Duration::from_secs(600);

/// The code of a WebSocket whose server goes away.
const GOING_AWAY: u16 = 1001;

/// The contract of an order that is placed and filled by name.
const CONID: u64 = 265_598;

/// Takes the time and what goes with the order.
type Action = fn(&mut Broker, Timestamp, &Orders);

/// What there is to be done, by name.
const ACTIONS: [(&str, Action); 15] = [
    ("expire-token", |broker, _, _| broker.expire_live_session_token()),
    ("start-competing-session", |broker, _, _| broker.start_competing_session()),
    ("end-competing-session", |broker, _, _| broker.end_competing_session()),
    ("end-brokerage-session", |broker, _, _| broker.end_brokerage_session()),
    ("start-maintenance", |broker, _, _| broker.under_maintenance = true),
    ("end-maintenance", |broker, _, _| broker.under_maintenance = false),
    ("penalty-box", |broker, now, orders| {
        broker.start_penalty_box(now, orders.seconds.map_or(PENALTY_BOX, Duration::from_secs));
    }),
    ("clear-faults", |broker, _, _| broker.script.clear()),
    ("close-sockets", |broker, _, orders| broker.close_sockets(Some(orders.code.unwrap_or(GOING_AWAY)))),
    ("cut-sockets", |broker, _, _| broker.close_sockets(None)),
    ("silence", |broker, _, orders| broker.silence(orders.topic.as_deref().unwrap_or("smd"))),
    ("silence-sockets", |broker, _, _| broker.silence_sockets()),
    ("flicker-status", |broker, _, _| broker.flicker_status()),
    ("fill-order", |broker, now, _| {
        broker.fill_order(now, CONID, 1);
    }),
    ("renew-session-value", |broker, _, _| broker.renew_session_value()),
];

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Orders {
    fault: Option<String>,
    faults: Vec<String>,
    action: Option<String>,
    actions: Vec<String>,
    /// How long a penalty box is.
    seconds: Option<u64>,
    /// What WebSockets are closed with.
    code: Option<u16>,
    /// What falls silent: all market data lines unless given.
    topic: Option<String>,
    /// Messages for WebSockets, each with its `topic`.
    publish: Vec<Value>,
}

impl Broker {
    /// Every live session token ends now.
    pub fn expire_live_session_token(&mut self) {
        if let Some(grant) = &mut self.registry.grant {
            grant.end_live_session_tokens();
        }
    }

    /// The brokerage session ends now, with nobody competing for it.
    pub const fn end_brokerage_session(&mut self) {
        self.brokerage_session = None;
        self.starts_open = false;
    }

    /// Every request from `now` on is answered with 429, for `duration`.
    pub(super) fn start_penalty_box(&mut self, now: Timestamp, duration: Duration) {
        let duration = self.profile.availability.scaled(duration);
        self.pacing.confine(now, duration);
    }

    /// Answers orders by HTTP; `None` where the request is none.
    ///
    /// A `POST` takes what [`control`](Self::control) does, and answers 400 where that is refused. A `GET` says what names there
    /// are.
    pub(super) fn take_orders(&mut self, request: &Request<Bytes>, now: Timestamp) -> Option<Answer> {
        if !self.profile.base.is_at_origin(request.uri(), FAULTS) {
            return None;
        }
        Some(match *request.method() {
            Method::GET => Answer::ok(json!({
                "faults": Fault::names().collect::<std::collections::BTreeMap<_, _>>(),
                "actions": ACTIONS.map(|(name, _)| name),
                "waiting": self.script.len(),
            })),
            Method::POST => match self.control(now, request.body()) {
                Ok(()) => Answer::ok(json!({ "waiting": self.script.len() })),
                Err(error) => Answer::error(StatusCode::BAD_REQUEST, &error.0),
            },
            _ => Answer::error(StatusCode::METHOD_NOT_ALLOWED, "GET or POST"),
        })
    }

    /// Does what a JSON object says, as programs in other languages say it by `POST /__simulator/faults`.
    ///
    /// It has any of `fault` and `faults`, as [`Fault`] reads them from text; `action` and `actions`, by name, with `seconds`
    /// for `penalty-box`, `code` for `close-sockets` and `topic` for `silence`; and a list `publish` of messages for
    /// WebSockets. A `GET` there has the names. Either all is done, or nothing.
    ///
    /// ```
    /// use ibkr_oauth::{Timestamp, simulator::Broker};
    ///
    /// let now = Timestamp::from_secs(1_700_000_000);
    /// Broker::default().control(now, r#"{"action": "start-maintenance", "fault": "wrong-proof"}"#)?;
    /// # Ok::<(), ibkr_oauth::simulator::BrokerError>(())
    /// ```
    ///
    /// # Errors
    /// Where it is no such object, or a name in it is not known.
    pub fn control(&mut self, now: Timestamp, orders: impl AsRef<[u8]>) -> Result<(), BrokerError> {
        // A list would pass for an object without names.
        let orders: Orders = serde_json::from_slice(orders.as_ref())
            .and_then(|fields: Map<String, Value>| serde_json::from_value(Value::Object(fields)))
            .map_err(|error| BrokerError(format!("the body is not one JSON object of faults and actions: {error}")))?;
        let faults: Vec<Fault> =
            orders.faults.iter().chain(&orders.fault).map(|text| text.parse()).collect::<Result<_, _>>()?;
        let mut actions = Vec::new();
        for name in orders.actions.iter().chain(&orders.action) {
            let Some((_, act)) = ACTIONS.iter().find(|(known, _)| known == name) else {
                let names = ACTIONS.map(|(name, _)| name).join(", ");
                return Err(BrokerError(format!("there is no action `{name}`; there are {names}")));
            };
            actions.push(act);
        }
        let mut messages = Vec::new();
        for message in &orders.publish {
            let Some(topic) = message.get("topic").and_then(Value::as_str) else {
                return Err(BrokerError("a message to publish is an object with its `topic`".to_owned()));
            };
            messages.push((topic, message.to_string()));
        }
        for act in actions {
            act(self, now, &orders);
        }
        for (topic, message) in messages {
            self.publish(topic, message);
        }
        for fault in faults {
            self.inject(fault);
        }
        Ok(())
    }
}
