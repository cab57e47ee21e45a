//! What a subscription brings, and when.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::super::content::set_field;
use crate::context::Timestamp;

/// What is subscribed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Feed {
    MarketData {
        conid: u64,
        fields: Vec<String>,
    },
    /// Comes once, and holds its place until it is given back by this name.
    History {
        conid: u64,
        server_id: String,
    },
    Ladder,
    /// Only those with one of these states, if there are any.
    Orders {
        filters: Vec<String>,
    },
    Trades,
    ProfitAndLoss,
    Summary {
        account: String,
    },
    Ledger {
        account: String,
    },
}

/// A subscription, between one message and the next.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) feed: Feed,
    /// `None` where the next message waits for something to happen.
    next_at: Option<Timestamp>,
    /// When it falls silent.
    ends_at: Option<Timestamp>,
    period: Duration,
    /// How many messages it has brought.
    pub(super) messages: u64,
}

/// Fields of market data that change, with what is added to the price, or what is counted.
const PRICES: [(&str, u64); 3] = [("31", 0), ("84", 1), ("86", 2)];
const SIZES: [&str; 3] = ["85", "88", "7059"];

impl Subscription {
    /// One that brings its first message at `now`.
    pub(super) fn new(feed: Feed, now: Timestamp, market_data_period: Duration, ends_at: Option<Timestamp>) -> Self {
        let period = match feed {
            Feed::MarketData { .. } => market_data_period.max(Duration::from_millis(1)),
            Feed::Ladder | Feed::ProfitAndLoss => Duration::from_secs(1),
            _ => Duration::from_secs(10),
        };
        let waits = matches!(feed, Feed::Orders { .. } | Feed::Trades);
        Self { feed, next_at: (!waits).then_some(now), ends_at, period, messages: 0 }
    }

    /// When its next message is due, if it has one.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.next_at.filter(|at| self.ends_at.is_none_or(|end| *at < end))
    }

    /// It falls silent at `at`, if it has not before.
    pub(super) fn fall_silent(&mut self, at: Timestamp) {
        self.ends_at = Some(self.ends_at.map_or(at, |end| end.min(at)));
    }

    /// Whether it has fallen silent by `now`.
    pub(super) fn is_silent(&self, now: Timestamp) -> bool {
        self.ends_at.is_some_and(|end| end <= now)
    }

    pub(super) const fn needs_brokerage_session(&self) -> bool {
        !matches!(self.feed, Feed::ProfitAndLoss | Feed::Summary { .. } | Feed::Ledger { .. })
    }

    /// The message that is due; `clock` is the broker's time then.
    pub(super) fn message(&mut self, topic: &str, accounts: &[String], clock: Timestamp) -> Value {
        let number = self.messages;
        self.messages = number.saturating_add(1);
        let is_once = matches!(self.feed, Feed::History { .. });
        self.next_at = self.next_at.filter(|_| !is_once).and_then(|at| later(at, self.period));
        let mut message = match &self.feed {
            Feed::MarketData { conid, fields } => market_data(*conid, fields, number, clock),
            Feed::History { conid, server_id } => history(*conid, server_id, clock),
            Feed::Ladder => ladder(number),
            Feed::Orders { .. } | Feed::Trades => json!({ "args": [] }),
            Feed::ProfitAndLoss => profit_and_loss(accounts, number),
            Feed::Summary { account } => summary(account, number, clock),
            Feed::Ledger { account } => ledger(account, number, clock),
        };
        set_field(&mut message, "topic", topic);
        message
    }
}

/// `None` at the end of time.
pub(super) fn later(at: Timestamp, period: Duration) -> Option<Timestamp> {
    Some(at.saturating_add(period)).filter(|later| *later > at)
}

/// A price that goes up and down, in hundredths.
fn cents(conid: u64, number: u64) -> u64 {
    let wave = number.wrapping_mul(37).wrapping_add(conid) % 200;
    10_000_u64.saturating_add(conid % 10_000).saturating_add(wave.min(200 - wave))
}

fn price(cents: u64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

/// All fields in the first message, and those that changed in each that follows.
fn market_data(conid: u64, fields: &[String], number: u64, clock: Timestamp) -> Value {
    let server = format!("q{}", conid % 33);
    let mut message = json!({
        "server_id": server,
        "6119": server,
        "conidEx": conid.to_string(),
        "conid": conid,
        "_updated": clock.as_millis(),
    });
    let is_first = number == 0;
    if is_first {
        set_field(&mut message, "6509", "RpB");
    }
    for field in fields {
        if let Some((_, spread)) = PRICES.iter().find(|(name, _)| name == field) {
            set_field(&mut message, field, price(cents(conid, number).saturating_add(*spread)));
        } else if SIZES.contains(&field.as_str()) {
            // Numbers and texts of numbers come side by side.
            let size = number % 9 * 100 + 100;
            let size = if number.is_multiple_of(2) { Value::from(size.to_string()) } else { Value::from(size) };
            set_field(&mut message, field, size);
        } else if field == "87" && number.is_multiple_of(4) {
            set_field(&mut message, "87", "2.02E8");
            set_field(&mut message, "87_raw", 2.02E8);
        } else if is_first {
            set_field(&mut message, field, if field == "55" { "AAPL" } else { "C1.00" });
        }
    }
    message
}

fn history(conid: u64, server_id: &str, clock: Timestamp) -> Value {
    const BARS: u64 = 60;
    let minute = clock.as_millis() / 60_000;
    let bars: Vec<Value> = (0..BARS)
        .map(|bar| {
            let price = |number| json!(cents(conid, number)).as_f64().unwrap_or_default() / 100.0;
            let (open, close) = (price(bar), price(bar.saturating_add(1)));
            json!({
                "o": open, "c": close, "h": open.max(close), "l": open.min(close), "v": 100 + bar,
                "t": minute.saturating_add(bar).saturating_sub(BARS).saturating_mul(60_000),
            })
        })
        .collect();
    json!({ "serverId": server_id, "symbol": "AAPL", "text": "APPLE INC", "points": BARS - 1, "mktDataDelay": 0, "data": bars })
}

/// Ten rows, and then the one that changed.
fn ladder(number: u64) -> Value {
    let row = |row: u64| {
        let mut fields = json!({ "row": row, "focus": u8::from(row == 5), "price": price(18_500 + row) });
        set_field(&mut fields, if row < 5 { "bid" } else { "ask" }, (number % 7 * 100 + 100).to_string());
        fields
    };
    let rows: Vec<Value> = if number == 0 { (0..10).map(row).collect() } else { vec![row(number % 10)] };
    json!({ "data": rows })
}

fn profit_and_loss(accounts: &[String], number: u64) -> Value {
    let of_each = accounts.iter().map(|account| {
        let fields = json!({ "rowType": 1, "dpl": number % 50, "nl": 100_000, "upl": 12.5, "uel": 99_000, "mv": 185 });
        (format!("{account}.Core"), fields)
    });
    json!({ "args": of_each.collect::<Map<String, Value>>() })
}

/// All rows, and then the one that changed.
fn summary(account: &str, number: u64, clock: Timestamp) -> Value {
    let timestamp = clock.as_secs();
    let worth = 100_000_u64.saturating_add(number);
    let changed = json!({
        "key": "NetLiquidation", "currency": "USD", "monetaryValue": worth, "severity": 0, "timestamp": timestamp,
    });
    let rows = if number == 0 {
        let code = json!({ "key": "AccountCode", "value": account, "severity": 0, "timestamp": timestamp });
        let ready = json!({ "key": "AccountReady", "value": "true", "severity": 0, "timestamp": timestamp });
        vec![code, ready, changed]
    } else {
        vec![changed]
    };
    json!({ "result": rows })
}

/// A currency that has not changed is only named.
fn ledger(account: &str, number: u64, clock: Timestamp) -> Value {
    let timestamp = clock.as_secs();
    let full = |key: &str, balance: u64| {
        json!({
            "key": key, "timestamp": timestamp, "acctCode": account, "cashbalance": balance, "settledCash": balance,
            "exchangeRate": 1, "netLiquidationValue": balance,
        })
    };
    let base = full("LedgerListBASE", 100_000_u64.saturating_add(number));
    let dollars = if number == 0 {
        full("LedgerListUSD", 100_000)
    } else {
        json!({ "key": "LedgerListUSD", "timestamp": timestamp })
    };
    json!({ "result": [base, dollars] })
}
