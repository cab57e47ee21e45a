//! The broker of a story: as it should be, but for what the story says.

use std::{collections::HashMap, time::Duration};

use crate::simulation::authorization_header::AuthorizationHeader;
use ibkr_oauth::{
    Context, Timestamp,
    bytes::Bytes,
    http::{Request, Response, StatusCode},
    simulator::{Broker, Fault, SeededEntropy},
};

use super::line::{Answer, Change};
use crate::machine::{COMPETING, LOST, READY, tickle};

/// How far a timestamp may be from the broker's clock.
const TOLERANCE: u64 = 300;

pub(super) struct Desk {
    simulator: Broker,
    answers: HashMap<String, Answer>,
    is_revoked: bool,
    opened: Option<Timestamp>,
    hold: Option<Duration>,
    has_rival: bool,
    clock: (i64, u64),
    token_life: Option<Duration>,
    handled: u64,
    pub(super) takes: usize,
}

impl Desk {
    pub(super) fn new(simulator: Broker) -> Self {
        Self {
            simulator,
            answers: HashMap::new(),
            is_revoked: false,
            opened: None,
            hold: None,
            has_rival: false,
            clock: (0, 0),
            token_life: None,
            handled: 0,
            takes: 0,
        }
    }

    /// Whether that makes the broker well again.
    pub(super) fn change(&mut self, change: &Change) -> bool {
        match change {
            Change::Endpoint(endpoint, Some(answer)) => drop(self.answers.insert(endpoint.clone(), answer.clone())),
            Change::Endpoint(endpoint, None) => {
                self.answers.remove(endpoint);
                return self.answers.is_empty();
            }
            Change::Revoke => {
                (self.is_revoked, self.opened) = (true, None);
                return true;
            }
            Change::Lose => {
                self.opened = None;
                return true;
            }
            Change::Rival(comes) => {
                self.has_rival = *comes;
                self.opened = None;
                return !comes;
            }
            Change::Hold(hold) => self.hold = *hold,
            Change::Clock(ahead, nth) => self.clock = (*ahead, *nth),
            Change::TokenLife(life) => self.token_life = Some(*life),
        }
        false
    }

    /// The broker's own time, and whether this response shows it wrong.
    fn date(&self, now: Timestamp) -> Timestamp {
        let (ahead, nth) = self.clock;
        let ahead = if nth > 0 && self.handled.is_multiple_of(nth) { ahead } else { 0 };
        Timestamp::from_secs(now.as_secs().saturating_add_signed(ahead))
    }

    pub(super) fn handle(&mut self, now: Timestamp, entropy: &mut SeededEntropy, request: &Request<Bytes>) -> Answer {
        self.handled += 1;
        let path = request.uri().path().trim_start_matches("/v1/api").to_owned();
        let is_take = request.body().windows(14).any(|window| window == b"\"compete\":true");
        let endpoint = match path.as_str() {
            "/oauth/live_session_token" => "handshake",
            "/iserver/auth/ssodh/init" if is_take => "take",
            "/iserver/auth/ssodh/init" => "open",
            "/iserver/auth/status" => "status",
            "/iserver/accounts" => "accounts",
            "/logout" => "logout",
            _ => "tickle",
        };
        self.takes += usize::from(is_take);
        let key = [endpoint, "all"].into_iter().find(|key| self.answers.contains_key(*key));
        let told = key.and_then(|key| Some((key, self.answers.get(key)?.clone())));
        let mut answer = match told {
            Some((key, answer)) => {
                if let Answer::Response { body, is_once, .. } = &answer {
                    if matches!(endpoint, "open" | "take") && body.contains("\"authenticated\":true") {
                        self.opened = Some(now);
                    }
                    if *is_once {
                        self.answers.remove(key);
                    }
                }
                answer
            }
            None => self.as_it_should(now, entropy, request, endpoint),
        };
        if let Answer::Response { headers, .. } = &mut answer {
            if self.clock.1 > 0 && !headers.iter().any(|(name, _)| name == "date") {
                let date = std::time::UNIX_EPOCH + Duration::from_secs(self.date(now).as_secs());
                headers.push(("date".to_owned(), httpdate::fmt_http_date(date)));
            }
        }
        answer
    }

    fn as_it_should(
        &mut self,
        now: Timestamp,
        entropy: &mut SeededEntropy,
        request: &Request<Bytes>,
        endpoint: &str,
    ) -> Answer {
        let clock = if self.clock.1 == 1 { self.date(now) } else { now };
        if endpoint == "handshake" {
            if let Some(life) = self.token_life {
                self.simulator.inject(
                    Fault::set_field(
                        "live_session_token_expiration",
                        &now.saturating_add(life).as_millis().to_string(),
                    )
                    .at("/oauth/live_session_token"),
                );
            }
            let response = self.simulator.handle(&mut Context::new(clock, entropy), request);
            self.is_revoked &= response.status() != StatusCode::OK;
            return of(&response);
        }
        let header: AuthorizationHeader = request.headers()["authorization"].to_str().unwrap().parse().unwrap();
        let timestamp: u64 = header.get("oauth_timestamp").unwrap().parse().unwrap();
        if self.is_revoked || timestamp.abs_diff(clock.as_secs()) > TOLERANCE {
            return response(401, r#"{"error":"not authenticated","statusCode":401}"#);
        }
        let is_held = |opened: Timestamp| self.hold.is_none_or(|hold| now < opened.saturating_add(hold));
        let status = match self.opened {
            _ if self.has_rival => COMPETING,
            Some(opened) if is_held(opened) => READY,
            _ => LOST,
        };
        match endpoint {
            "take" | "open" if endpoint == "take" || !self.has_rival => {
                (self.has_rival, self.opened) = (false, Some(now));
                response(200, READY)
            }
            "open" | "status" => response(200, status),
            "accounts" => response(200, r#"{"accounts":["DU1"]}"#),
            "logout" => {
                (self.is_revoked, self.opened) = (true, None);
                response(200, r#"{"status":true}"#)
            }
            _ => response(200, &tickle(status)),
        }
    }
}

fn response(status: u16, body: &str) -> Answer {
    Answer::Response { status, headers: Vec::new(), body: body.to_owned(), is_once: false }
}

fn of(response: &Response<Bytes>) -> Answer {
    let body = String::from_utf8_lossy(response.body()).into_owned();
    Answer::Response { status: response.status().as_u16(), headers: Vec::new(), body, is_once: false }
}
