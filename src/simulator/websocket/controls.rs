//! What is done to all open WebSockets while they run.

use bytes::Bytes;

use super::{
    super::broker::Broker,
    journal::{Happening, Order},
};
use crate::context::Timestamp;

impl Broker {
    /// Closes every open WebSocket with this code; `None` cuts them off without a close frame, as a lost connection does.
    pub fn close_sockets(&mut self, code: Option<u16>) {
        self.journal.push(Happening::Close(code));
    }

    /// On every open WebSocket, what was subscribed under this topic falls silent until it is subscribed again. `smd`
    /// means all market data lines, `smd+265598` one of them. With `sts`, open WebSockets say nothing of the session's status
    /// any more, as when it is lost without a word.
    pub fn silence(&mut self, topic: impl Into<String>) {
        self.journal.push(Happening::Silence(topic.into()));
    }

    /// Nothing comes any more on the WebSockets that are open, heartbeats and answers included; they stay open.
    pub(in crate::simulator) fn silence_sockets(&mut self) {
        self.journal.push(Happening::SilenceSockets);
    }

    /// Open WebSockets say that the session is not authenticated, and within a second that it is, with nothing lost.
    pub(in crate::simulator) fn flicker_status(&mut self) {
        self.journal.push(Happening::Flicker);
    }

    /// Another program of the user's, such as TWS, places an order for this many of a contract, which is filled at once. It is
    /// heard of and answered for as those placed by `POST /iserver/account/{id}/orders` are. Returns its number, the
    /// `orderId` of `sor` and the `order_id` of `str`.
    pub fn fill_order(&mut self, now: Timestamp, conid: u64, quantity: u32) -> u64 {
        self.orders = self.orders.saturating_add(1);
        let account = self.profile.accounts.first().cloned().unwrap_or_default();
        let (id, side, quantity) = (self.orders, "BUY".to_owned(), f64::from(quantity));
        self.announce_order(Order { id, account, conid, side, quantity, fills: true }, self.clock_at(now));
        id
    }

    /// The next tickle has another `session`. Open WebSockets stay; one that is opened with the value before is not known.
    pub(in crate::simulator) fn renew_session_value(&mut self) {
        if let Some(grant) = &mut self.registry.grant {
            grant.session_id = None;
        }
    }

    /// Sends this message, byte for byte, on every open WebSocket that has subscribed to the topic, such as `smd+265598`;
    /// one of `act`, `blt`, `ntf`, `sts` and `system`, on every one that knows its session. A message usually names its topic itself.
    pub fn publish(&mut self, topic: impl Into<String>, message: impl Into<Bytes>) {
        self.journal.push(Happening::Publish { topic: topic.into(), message: message.into() });
    }

    /// An order was placed.
    pub(in super::super) fn announce_order(&mut self, order: Order, clock: Timestamp) {
        if order.fills {
            self.journal.executed(clock, order.execution(clock, true));
        }
        self.journal.push(Happening::Order(order));
    }

    /// A list of orders was asked for, with a filter or by force.
    pub(in super::super) const fn hear_of_order_list(&mut self, is_filtered: bool, is_forced: bool) {
        if is_forced {
            self.journal.orders_are_muted = false;
        } else if is_filtered {
            self.journal.orders_are_muted = true;
        }
    }
}
