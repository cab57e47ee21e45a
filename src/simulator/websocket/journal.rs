//! What happens at the broker that its open WebSockets are to hear of.

use std::collections::VecDeque;

use bytes::Bytes;
use serde_json::{Value, json};

use super::super::{
    content::set_field,
    newest::{REMEMBERED, push_newest},
};
use crate::context::Timestamp;

/// How many executions are replayed at most.
const EXECUTIONS: usize = 512;

/// Something to hear of.
#[derive(Clone, Debug)]
pub(in super::super) enum Happening {
    /// All sockets end with this code; `None` without a word.
    Close(Option<u16>),
    /// What was subscribed under this topic, or what begins with it, falls silent until it is subscribed again.
    Silence(String),
    /// Nothing is sent any more.
    SilenceSockets,
    /// The status is `authenticated: false` for a moment.
    Flicker,
    /// A message to all who have subscribed to the topic.
    Publish {
        topic: String,
        message: Bytes,
    },
    Order(Order),
}

/// An order that was placed.
#[derive(Clone, Debug)]
pub(in super::super) struct Order {
    pub(in super::super) id: u64,
    pub(in super::super) account: String,
    pub(in super::super) conid: u64,
    pub(in super::super) side: String,
    pub(in super::super) quantity: f64,
    /// Whether it is filled at once, as there is no market to wait for.
    pub(in super::super) fills: bool,
}

impl Order {
    /// The execution that fills it at this time, before or after its commission is known.
    pub(in super::super) fn execution(&self, at: Timestamp, has_commission: bool) -> Value {
        let mut execution = json!({
            "execution_id": format!("0000e0d5.{:08x}.01.01", self.id.saturating_add(1)),
            "symbol": "AAPL",
            "side": self.side.get(..1).unwrap_or("B"),
            "order_id": self.id,
            "order_ref": "simulator",
            "trade_time_r": at.as_millis(),
            "size": self.quantity,
            "price": "185.00",
            "net_amount": self.quantity * 185.0,
            "exchange": "NASDAQ",
            "account": self.account,
            "accountCode": self.account,
            "company_name": "APPLE INC",
            "sec_type": "STK",
            "conid": self.conid,
            "conidEx": self.conid.to_string(),
        });
        if has_commission {
            set_field(&mut execution, "commission", "1.0");
        }
        execution
    }
}

/// The newest happenings, each with its number. A socket that has not been polled for longer than they go back is cut.
#[derive(Debug, Default)]
pub(in super::super) struct Journal {
    happenings: VecDeque<Happening>,
    /// How many there were before the oldest that is remembered.
    forgotten: u64,
    executions: VecDeque<(Timestamp, Value)>,
    /// A filtered list of orders was asked for, after which the broker sends no orders until one is forced.
    pub(in super::super) orders_are_muted: bool,
}

impl Journal {
    pub(in super::super) fn push(&mut self, happening: Happening) {
        let forgotten = push_newest(&mut self.happenings, happening, REMEMBERED);
        self.forgotten = self.forgotten.saturating_add(u64::from(forgotten.is_some()));
    }

    /// The number of what happens next.
    pub(in super::super) fn end(&self) -> u64 {
        self.forgotten.saturating_add(u64::try_from(self.happenings.len()).unwrap_or(u64::MAX))
    }

    /// What happened under this number, which is smaller than the [`end`](Self::end); an end of all sockets, where that is
    /// forgotten.
    pub(in super::super) fn get(&self, number: u64) -> Happening {
        let place = number.checked_sub(self.forgotten).and_then(|place| usize::try_from(place).ok());
        place.and_then(|place| self.happenings.get(place)).cloned().unwrap_or(Happening::Close(None))
    }

    pub(in super::super) fn executed(&mut self, at: Timestamp, execution: Value) {
        push_newest(&mut self.executions, (at, execution), EXECUTIONS);
    }

    /// The executions from this time on.
    pub(in super::super) fn executions(&self, from: Timestamp) -> Vec<Value> {
        let since = self.executions.iter().filter(|(at, _)| *at >= from);
        since.map(|(_, execution)| execution.clone()).collect()
    }
}
