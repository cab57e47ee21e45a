//! What a WebSocket hears of an order, message by message.

use std::time::Duration;

use serde_json::{Value, json};

use super::journal::Order;
use crate::context::Timestamp;

/// How long after an execution it is reported again, with its commission.
const COMMISSION: Duration = Duration::from_secs(1);

const SUBMITTED: &str = "Submitted";

/// One message, and how long after the order it comes.
#[derive(Debug)]
pub(super) struct OrderMessage {
    pub(super) after: Duration,
    pub(super) topic: &'static str,
    /// The order's state that it reports, if it reports one.
    pub(super) status: Option<&'static str>,
    pub(super) args: Value,
}

/// What is heard of an order that was placed at this time by the broker's clock: its number alone, all of it, what
/// changed, and twice its execution where it is filled.
pub(super) fn of(order: &Order, at: Timestamp) -> Vec<OrderMessage> {
    let mut messages = Vec::new();
    let mut say = |millis: u64, topic, status, args| {
        messages.push(OrderMessage { after: Duration::from_millis(millis), topic, status, args });
    };
    let delta = |status: &str| json!({ "orderId": order.id, "status": status, "order_ccp_status": status });
    say(0, "sor", None, json!({ "orderId": order.id }));
    say(10, "sor", Some("PreSubmitted"), full(order));
    say(20, "sor", Some(SUBMITTED), delta(SUBMITTED));
    if order.fills {
        say(30, "sor", Some("Filled"), delta("Filled"));
        say(35, "str", None, order.execution(at, false));
        let again = OrderMessage { after: COMMISSION, topic: "str", status: None, args: order.execution(at, true) };
        messages.push(again);
    }
    messages
}

fn full(order: &Order) -> Value {
    json!({
        "acct": order.account,
        "account": order.account,
        "conid": order.conid,
        "conidex": order.conid.to_string(),
        "orderId": order.id,
        "cashCcy": "USD",
        "ticker": "AAPL",
        "secType": "STK",
        "companyName": "APPLE INC",
        "totalSize": order.quantity,
        "remainingQuantity": order.quantity,
        "filledQuantity": 0.0,
        "side": order.side,
        // A day's order is reported so.
        "timeInForce": "CLOSE",
        "status": "PreSubmitted",
        "order_ccp_status": "PreSubmitted",
        "bgColor": "#000000",
        "fgColor": "#00F000",
    })
}
