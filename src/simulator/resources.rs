//! The protected resources: the brokerage session, and a few to try a client on.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use serde_json::{Value, json};

use super::{
    answers::Answer,
    arithmetic::{hex, random_bytes},
    broker::Broker,
    brokerage_session::BrokerageSession,
    canonical::decoded_pairs,
    content::{form_of, read_json},
    deviation::Deviation,
    judge::Judge,
    opening::Opening,
    reason::Reason,
    refusal::Objection,
};
use crate::context::{Context, Timestamp};

impl Broker {
    pub(super) fn resource(
        &mut self,
        cx: &mut Context<'_>,
        request: &Request<Bytes>,
        path: &str,
        now: Timestamp,
        bridge_delay: Duration,
        judge: &mut Judge,
    ) -> Result<Answer, Objection> {
        if self.brokerage_session.is_some_and(|session| session.is_over(now)) {
            self.brokerage_session = None;
        }
        let about_session = matches!(path, "/iserver/auth/ssodh/init" | "/iserver/auth/status");
        if path.starts_with("/iserver/") && !about_session && !self.is_bridged(now) {
            return Err(Objection::new(
                Reason::BrokerageSessionClosed,
                "the brokerage session is not open: POST /iserver/auth/ssodh/init comes first",
            ));
        }
        let allowed: &[Method] = match path {
            "/tickle" | "/iserver/auth/status" => &[Method::GET, Method::POST],
            "/iserver/auth/ssodh/init" | "/logout" if request.method() == Method::GET => {
                let deviation = if path == "/logout" { Deviation::LogoutByGet } else { Deviation::OpenedByGet };
                judge.tolerate(deviation, Reason::MethodNotAllowed, format!("`{path}` does not take GET"))?;
                &[Method::GET]
            }
            "/iserver/auth/ssodh/init" | "/logout" => &[Method::POST],
            _ if account_of_orders(path).is_some() || account_of_order_impact(path).is_some() => &[Method::POST],
            "/portfolio/accounts" | "/iserver/accounts" => &[Method::GET],
            _ if echoes_query(path) => &[Method::GET],
            _ => return Err(Objection::new(Reason::ResourceUnknown, format!("there is no resource `{path}`"))),
        };
        if !allowed.contains(request.method()) {
            return Err(Objection::new(
                Reason::MethodNotAllowed,
                format!("`{path}` does not take {}", request.method()),
            ));
        }
        match path {
            "/tickle" => self.tickle(cx, now),
            "/iserver/auth/status" => Ok(Answer::ok(self.status(now))),
            "/iserver/auth/ssodh/init" => self.open_brokerage(request, now, bridge_delay, judge),
            "/logout" => Ok(self.logout()),
            "/portfolio/accounts" => Ok(self.portfolio_accounts()),
            "/iserver/accounts" => Ok(self.brokerage_accounts()),
            _ => {
                if let Some(account) = account_of_orders(path) {
                    self.place_orders(account, request)
                } else if let Some(account) = account_of_order_impact(path) {
                    self.order_impact(account, request)
                } else {
                    echo("query", request.uri().query().unwrap_or_default().as_bytes())
                }
            }
        }
    }

    pub(super) fn open_brokerage_session(&mut self, now: Timestamp, settling: Duration) {
        self.brokerage_sessions = self.brokerage_sessions.saturating_add(1);
        let reset_at = self.profile.availability.next_reset(now);
        self.brokerage_session = Some(BrokerageSession::open(now, settling, reset_at));
    }

    fn is_bridged(&self, now: Timestamp) -> bool {
        self.brokerage_session.is_some_and(|session| session.is_ready(now))
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
        if let Some(fields) = status.as_object_mut().filter(|_| open) {
            fields.insert("established".to_owned(), Value::from(self.is_bridged(now)));
            fields.insert(
                "serverInfo".to_owned(),
                json!({ "serverName": "simulator", "serverVersion": env!("CARGO_PKG_VERSION") }),
            );
        }
        status
    }

    fn open_brokerage(
        &mut self,
        request: &Request<Bytes>,
        now: Timestamp,
        bridge_delay: Duration,
        judge: &mut Judge,
    ) -> Result<Answer, Objection> {
        let opening = Opening::read(request, judge)?;
        if opening.competes || !self.competing {
            self.competing = false;
            self.open_brokerage_session(now, bridge_delay.max(self.profile.availability.settling));
        }
        Ok(Answer::ok(self.status(now)))
    }

    fn logout(&mut self) -> Answer {
        self.brokerage_session = None;
        if let Some(grant) = &mut self.registry.grant {
            grant.session_id = None;
            grant.log_out();
            if self.profile.logout_ends_token {
                grant.end_live_session_tokens();
            }
        }
        Answer::ok(json!({ "status": true }))
    }

    fn portfolio_accounts(&self) -> Answer {
        let accounts: Vec<Value> = self
            .profile
            .accounts
            .iter()
            .map(|account| json!({ "id": account, "accountId": account, "currency": "USD", "type": "DEMO" }))
            .collect();
        Answer::ok(Value::from(accounts))
    }

    fn brokerage_accounts(&self) -> Answer {
        Answer::ok(json!({
            "accounts": self.profile.accounts,
            "selectedAccount": self.profile.accounts.first(),
        }))
    }

    fn place_orders(&mut self, account: &str, request: &Request<Bytes>) -> Result<Answer, Objection> {
        self.check_account(account)?;
        let body = read_json(request)?;
        let Some(orders) = body.get("orders").and_then(Value::as_array) else {
            return Err(malformed("there is no list `orders` in the JSON body"));
        };
        let mut answers = Vec::new();
        for _ in orders {
            self.orders = self.orders.saturating_add(1);
            answers.push(json!({
                "order_id": self.orders.to_string(),
                "order_status": "Submitted",
                "encrypt_message": "1",
            }));
        }
        Ok(Answer::ok(Value::from(answers)))
    }

    fn order_impact(&self, account: &str, request: &Request<Bytes>) -> Result<Answer, Objection> {
        self.check_account(account)?;
        let form = form_of(request).ok_or_else(|| malformed("the body is not form-encoded"))?;
        echo("form", form)
    }

    fn check_account(&self, account: &str) -> Result<(), Objection> {
        if self.profile.accounts.iter().any(|known| known == account) {
            return Ok(());
        }
        Err(Objection::new(Reason::AccountUnknown, format!("there is no account `{account}`")))
    }
}

fn account_of_orders(path: &str) -> Option<&str> {
    one_segment(path.strip_prefix("/iserver/account/")?.strip_suffix("/orders")?)
}

fn account_of_order_impact(path: &str) -> Option<&str> {
    one_segment(path.strip_prefix("/accounts/")?.strip_suffix("/order_impact")?)
}

fn one_segment(text: &str) -> Option<&str> {
    (!text.is_empty() && !text.contains('/')).then_some(text)
}

fn echoes_query(path: &str) -> bool {
    matches!(
        path,
        "/iserver/marketdata/snapshot"
            | "/iserver/marketdata/history"
            | "/iserver/secdef/search"
            | "/marketdata/snapshot"
            | "/trsrv/stocks"
    )
}

/// The pairs as they arrived, decoded: `{"query":[["conids","265598,8314"]]}`.
fn echo(name: &str, pairs: &[u8]) -> Result<Answer, Objection> {
    let pairs = decoded_pairs(pairs).ok_or_else(|| malformed("a `%` has no two hexadecimal digits behind it"))?;
    let pairs: Vec<[String; 2]> = pairs
        .iter()
        .map(|(name, value)| [name, value].map(|half| String::from_utf8_lossy(half).into_owned()))
        .collect();
    Ok(Answer::ok(json!({ name: pairs })))
}

fn malformed(detail: impl Into<String>) -> Objection {
    Objection::new(Reason::BodyMalformed, detail)
}
