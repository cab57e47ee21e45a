//! The protected resources: the brokerage session, orders, and what is answered from a table.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use serde_json::{Value, json};

use super::{
    answers::Answer,
    arithmetic::{hex, random_bytes},
    broker::{Broker, BrokerError},
    brokerage_session::{BrokerageSession, IDLE_TIMEOUT},
    canned::{Found, account_of, shipped},
    canonical::decoded_pairs,
    content::{form_of, read_json, set_field},
    judge::{Deviation, Judge},
    opening::read_compete,
    reason::Reason,
    refusal::{Objection, ensure, refuse},
    websocket::journal::Order,
};
use crate::context::{Context, Timestamp};

/// The headers that say what arrived in query and form.
const ECHOED_QUERY: &str = "x-simulator-query";
const ECHOED_FORM: &str = "x-simulator-form";

/// The longest that is said there, in bytes: more than most take in one header.
const LONGEST_ECHO: usize = 4096;

const OPEN_BROKERAGE: &str = "/iserver/auth/ssodh/init";

/// The paths whose answers are not canned.
const SESSION_PATHS: [&str; 4] = ["/tickle", "/iserver/auth/status", OPEN_BROKERAGE, "/logout"];

impl Broker {
    /// From now on a request with this method and path is answered with 200 and this JSON, once it has passed every
    /// check. In a path, given from the end of the base URL on, `{}` stands for any one segment; the newest answer that
    /// was set for a path comes first, and all of them before the broker's own.
    ///
    /// # Errors
    /// When `json` is not JSON.
    pub fn respond(&mut self, method: Method, path: impl Into<String>, json: &str) -> Result<(), BrokerError> {
        let path = path.into();
        let body = serde_json::from_str(json)
            .map_err(|error| BrokerError(format!("the response for {method} {path} is not JSON: {error}")))?;
        self.responses.set(method, path, body);
        Ok(())
    }

    pub(super) fn resource(
        &mut self,
        cx: &mut Context<'_>,
        request: &Request<Bytes>,
        path: &str,
        now: Timestamp,
        judge: &mut Judge,
    ) -> Result<Answer, Objection> {
        if self.brokerage_session.is_some_and(|session| session.is_over(now)) {
            self.brokerage_session = None;
        }
        let method = request.method();
        self.check_brokerage_session(method, path, now)?;
        if let Some(body) = self.responses.get(method, path) {
            return Ok(Answer::ok(body.clone()));
        }
        let account = account_of(method, path);
        if let Some(account) = account {
            let is_known = self.profile.accounts.iter().any(|known| known == account);
            ensure(is_known, Reason::AccountUnknown, format_args!("there is no account `{account}`"))?;
        }
        let by_get = match path {
            "/logout" => Some(Deviation::LogoutByGet),
            OPEN_BROKERAGE => Some(Deviation::OpenedByGet),
            _ => None,
        };
        if let Some(deviation) = by_get.filter(|_| method == Method::GET) {
            judge.tolerate(deviation, Reason::MethodNotAllowed, format!("`{path}` does not take GET"))?;
        }
        match (method, path) {
            (&Method::GET, "/iserver/account/orders") => {
                let query = decoded_pairs(request.uri().query().unwrap_or_default().as_bytes()).unwrap_or_default();
                let has = |name: &[u8]| query.iter().any(|(other, value)| other == name && !value.is_empty());
                let is_forced = query.iter().any(|(name, value)| name == b"force" && value == b"true");
                self.hear_of_order_list(has(b"filters"), is_forced);
            }
            (&Method::GET | &Method::POST, "/tickle") => return self.tickle(cx, now),
            (&Method::GET | &Method::POST, "/iserver/auth/status") => return Ok(Answer::ok(self.status(now))),
            (&Method::GET | &Method::POST, OPEN_BROKERAGE) => {
                return self.open_brokerage(request, now, judge);
            }
            (&Method::GET | &Method::POST, "/logout") => return Ok(self.logout()),
            (&Method::POST, _) if path.ends_with("/order_impact") => {
                ensure(form_of(request).is_some(), Reason::BodyMalformed, "the body is not form-encoded")?;
            }
            (&Method::POST, _) if path.ends_with("/orders") => {
                if let Some(account) = account {
                    return self.place_orders(request, account, now);
                }
            }
            _ => {}
        }
        match shipped(method, path, request.uri().query().unwrap_or_default(), &self.profile.accounts) {
            Found::Answer(body) => Ok(Answer::ok(body)),
            Found::Nothing if !SESSION_PATHS.contains(&path) => {
                refuse(Reason::ResourceUnknown, format_args!("there is no resource `{path}`"))
            }
            Found::OtherMethods | Found::Nothing => {
                refuse(Reason::MethodNotAllowed, format_args!("`{path}` does not take {method}"))
            }
        }
    }

    /// The answer of a resource with what every one has: what arrived, and cookies.
    pub(super) fn with_own_headers(&self, request: &Request<Bytes>, mut answer: Answer, now: Timestamp) -> Answer {
        let query = request.uri().query().map(str::as_bytes);
        for (name, pairs) in [(ECHOED_QUERY, query), (ECHOED_FORM, form_of(request))] {
            let text = pairs.and_then(decoded_pairs).map(|pairs| shown(&pairs));
            if let Some(text) = text.filter(|text| text.len() <= LONGEST_ECHO) {
                answer = answer.with_header(name, &text);
            }
        }
        match self.registry.grant.as_ref().and_then(|grant| grant.session_id.as_deref()) {
            None => answer,
            Some(id) => answer
                .with_header("set-cookie", &format!("api={id}; Path=/; HttpOnly"))
                // What spreads the load sets it, of parts divided by dots.
                .with_header("set-cookie", &format!("x-sess-uuid=0.{:.8}.{}; secure", id, now.as_secs())),
        }
    }

    /// Refuses what needs a brokerage session, or one whose accounts were asked for, where there is none.
    fn check_brokerage_session(&mut self, method: &Method, path: &str, now: Timestamp) -> Result<(), Objection> {
        let about_session = matches!(path, "/iserver/auth/ssodh/init" | "/iserver/auth/status");
        if !path.starts_with("/iserver/") || about_session {
            return Ok(());
        }
        let Some(session) = self.brokerage_session.as_mut().filter(|session| session.is_ready(now)) else {
            return refuse(
                Reason::BrokerageSessionClosed,
                "the brokerage session is not open: POST /iserver/auth/ssodh/init comes first",
            );
        };
        if path == "/iserver/accounts" && method == Method::GET {
            session.accounts_queried = true;
        }
        let needs_accounts = path == "/iserver/marketdata/snapshot"
            || (path.starts_with("/iserver/account/") && (path.ends_with("/orders") || path.ends_with("/whatif")));
        ensure(
            !needs_accounts || path == "/iserver/account/orders" || session.accounts_queried,
            Reason::AccountsNotQueried,
            "no GET /iserver/accounts came before it in this brokerage session",
        )
    }

    pub(super) fn open_brokerage_session(&mut self, now: Timestamp, settling: Duration) {
        self.brokerage_sessions = self.brokerage_sessions.saturating_add(1);
        let availability = &self.profile.availability;
        let (settling, idle_timeout) = (availability.scaled(settling), availability.scaled(IDLE_TIMEOUT));
        let reset_at = availability.next_reset(now);
        self.brokerage_session = Some(BrokerageSession::open(now, settling, idle_timeout, reset_at));
    }

    fn tickle(&mut self, cx: &mut Context<'_>, now: Timestamp) -> Result<Answer, Objection> {
        if let Some(session) = &mut self.brokerage_session {
            session.keep_alive(now);
        }
        let known = self.registry.grant.as_ref().and_then(|grant| grant.session_id.clone());
        let session_id = match known {
            Some(session_id) => session_id,
            None => hex(&random_bytes::<16>(cx)?),
        };
        if let Some(grant) = &mut self.registry.grant {
            grant.session_id = Some(session_id.clone());
        }
        Ok(Answer::ok(json!({
            "session": session_id,
            "collission": false,
            "userId": 100_000_001,
            "hmds": { "error": "no bridge" },
            "iserver": { "authStatus": self.status(now) },
        })))
    }

    fn status(&self, now: Timestamp) -> Value {
        let open = self.brokerage_session.is_some();
        let mut status = json!({
            "authenticated": open,
            "competing": self.competing,
            "connected": open,
            "message": "",
            "MAC": "98:F2:B3:23:BF:A0",
        });
        if let Some(session) = self.brokerage_session {
            let server = json!({ "serverName": "simulator", "serverVersion": env!("CARGO_PKG_VERSION") });
            set_field(&mut status, "established", session.is_ready(now));
            set_field(&mut status, "serverInfo", server);
        }
        status
    }

    fn open_brokerage(
        &mut self,
        request: &Request<Bytes>,
        now: Timestamp,
        judge: &mut Judge,
    ) -> Result<Answer, Objection> {
        let competes = read_compete(request, judge)?;
        if competes || !self.competing {
            self.competing = false;
            self.open_brokerage_session(now, self.wanted.bridge_delay.max(self.profile.availability.settling));
        }
        Ok(Answer::ok(self.status(now)))
    }

    fn logout(&mut self) -> Answer {
        self.brokerage_session = None;
        if let Some(grant) = &mut self.registry.grant {
            grant.session_id = None;
            grant.log_out();
            if self.profile.is_strict {
                grant.end_live_session_tokens();
            }
        }
        Answer::ok(json!({ "status": true }))
    }

    fn place_orders(&mut self, request: &Request<Bytes>, account: &str, now: Timestamp) -> Result<Answer, Objection> {
        let body = read_json(request)?;
        let Some(orders) = body.get("orders").and_then(Value::as_array) else {
            return refuse(Reason::BodyMalformed, "there is no list `orders` in the JSON body");
        };
        let mut answers = Vec::new();
        for order in orders {
            self.orders = self.orders.saturating_add(1);
            let text = |name: &str| order.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            let placed = Order {
                id: self.orders,
                account: account.to_owned(),
                conid: order.get("conid").and_then(Value::as_u64).unwrap_or_default(),
                side: text("side"),
                quantity: order.get("quantity").and_then(Value::as_f64).unwrap_or_default(),
                fills: text("orderType") == "MKT",
            };
            self.announce_order(placed, now);
            answers.push(json!({
                "order_id": self.orders.to_string(),
                "order_status": "Submitted",
                "encrypt_message": "1",
            }));
        }
        Ok(Answer::ok(Value::from(answers)))
    }
}

/// Pairs as they arrived, decoded, as JSON in ASCII: `[["conids","265598,8314"]]`.
fn shown(pairs: &[(Vec<u8>, Vec<u8>)]) -> String {
    let pairs: Vec<[String; 2]> = pairs
        .iter()
        .map(|(name, value)| [name, value].map(|half| String::from_utf8_lossy(half).into_owned()))
        .collect();
    let mut text = String::new();
    for char in json!(pairs).to_string().chars() {
        if matches!(char, ' '..='~') {
            text.push(char);
        } else {
            text.extend(char.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    text
}
