//! A broker that costs next to nothing: a small group, no signature verified, and a mood.

use std::{borrow::Cow, sync::LazyLock, time::Duration};

use ibkr_oauth::{
    Secret, Timestamp,
    bytes::Bytes,
    dh::{self, DhGroup, Exponent},
    http::{Request, Response},
    session::FailureKind,
    simulator::test_keys,
};

use super::mood::{Conduct, Expiry, Overlay};
use crate::{
    fixture::SeededEntropy,
    machine::{COMPETING, LOST, READY, UNSETTLED, tickle},
};

/// 2^128 - 159, the greatest prime of 128 bits.
const PRIME: [u8; 16] = {
    let mut bytes = [0xff; 16];
    bytes[15] = 0x61;
    bytes
};
const SECRET: [u8; 32] = [7; 32];
const DAY: u64 = 86_400_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Handshake,
    Take,
    Open,
    Status,
    Tickle,
    Accounts,
    Logout,
}

impl Endpoint {
    pub(crate) const ALL: [Self; 7] =
        [Self::Handshake, Self::Take, Self::Open, Self::Status, Self::Tickle, Self::Accounts, Self::Logout];

    pub(crate) fn of(request: &Request<Bytes>) -> Self {
        let is_take = || request.body().windows(14).any(|window| window == b"\"compete\":true");
        match request.uri().path().trim_start_matches("/v1/api") {
            "/oauth/live_session_token" => Self::Handshake,
            "/iserver/auth/ssodh/init" if is_take() => Self::Take,
            "/iserver/auth/ssodh/init" => Self::Open,
            "/iserver/auth/status" => Self::Status,
            "/tickle" => Self::Tickle,
            "/iserver/accounts" => Self::Accounts,
            "/logout" => Self::Logout,
            path => panic!("nobody knows {path}"),
        }
    }
}

/// What becomes of a request.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Response {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: Cow<'static, str>,
    },
    Failed(FailureKind),
    /// None ever comes.
    Silence,
}

impl Answer {
    pub(crate) fn new(status: u16, body: impl Into<Cow<'static, str>>) -> Self {
        Self::Response { status, headers: Vec::new(), body: body.into() }
    }

    pub(crate) fn response(&self) -> Option<Response<Bytes>> {
        let Self::Response { status, headers, body } = self else { return None };
        let mut builder = Response::builder().status(*status);
        for (name, value) in headers {
            builder = builder.header(*name, value);
        }
        let body = match body {
            Cow::Borrowed(text) => Bytes::from_static(text.as_bytes()),
            Cow::Owned(text) => Bytes::from(text.clone()),
        };
        Some(builder.body(body).unwrap())
    }
}

/// The group, and the broker's half of every key agreement.
pub(crate) struct Agreement {
    pub(crate) group: DhGroup,
    exponent: Exponent,
    challenge: String,
    secret: Secret,
}

/// The same for all plays: to make it costs more than to use it.
pub(crate) static AGREEMENT: LazyLock<Agreement> = LazyLock::new(Agreement::new);

impl Agreement {
    fn new() -> Self {
        let group = DhGroup::read(format!("0x{:032x}", u128::from_be_bytes(PRIME))).unwrap();
        let exponent = Exponent::generate(&mut SeededEntropy(1)).unwrap();
        let challenge = exponent.challenge(&group);
        Self { group, exponent, challenge, secret: Secret::from(SECRET.to_vec()) }
    }

    pub(crate) fn secret(&self) -> Secret {
        self.secret.clone()
    }

    /// The response to a handshake, without an expiry.
    fn conclude(&self, request: &Request<Bytes>) -> String {
        let header = request.headers()["authorization"].to_str().unwrap();
        let (_, rest) = header.split_once("diffie_hellman_challenge=\"").unwrap();
        let (challenge, _) = rest.split_once('"').unwrap();
        let shared = self.exponent.shared_secret(challenge, &self.group).unwrap();
        let token = dh::live_session_token(&shared, &self.secret);
        let proof = dh::proof(&token, test_keys::CONSUMER_KEY).map(|byte| format!("{byte:02x}")).concat();
        let challenge = &self.challenge;
        format!(r#""diffie_hellman_response":"{challenge}","live_session_token_signature":"{proof}""#)
    }
}

pub(crate) struct Broker {
    agreement: &'static Agreement,
    is_revoked: bool,
    born: u64,
    opened: Option<u64>,
    pub(crate) has_rival: bool,
    pub(crate) conduct: Conduct,
    handled: u64,
}

impl Broker {
    pub(crate) fn new(agreement: &'static Agreement) -> Self {
        let conduct = Conduct::default();
        Self { agreement, is_revoked: false, born: 0, opened: None, has_rival: false, conduct, handled: 0 }
    }

    pub(crate) fn revoke(&mut self) {
        (self.is_revoked, self.opened) = (true, None);
    }

    pub(crate) fn close(&mut self) {
        self.opened = None;
    }

    pub(crate) fn handle(
        &mut self,
        now: u64,
        wall: Timestamp,
        rng: &mut SeededEntropy,
        request: &Request<Bytes>,
    ) -> Answer {
        self.handled += 1;
        let endpoint = Endpoint::of(request);
        let place = Endpoint::ALL.iter().position(|other| *other == endpoint).unwrap();
        let overlaid = match &mut self.conduct.overlays[place] {
            Overlay::Well => None,
            Overlay::Always(answer) => Some(answer.clone()),
            Overlay::Cycle(answers, index) => {
                *index += 1;
                answers[*index % answers.len()].clone()
            }
            Overlay::Chance(per_mille, answers) => {
                let strikes = rng.next() % 1000 < *per_mille;
                strikes.then(|| answers[usize::try_from(rng.next()).unwrap() % answers.len()].clone())
            }
        };
        let mut answer = overlaid.unwrap_or_else(|| self.as_it_should(now, wall, request, endpoint));
        if let (Some((ahead, nth)), Answer::Response { headers, .. }) = (self.conduct.date, &mut answer) {
            let ahead = if self.handled.is_multiple_of(nth) { ahead } else { 0 };
            let date = wall.as_secs().saturating_add_signed(ahead);
            let date = httpdate::fmt_http_date(std::time::UNIX_EPOCH + Duration::from_secs(date));
            headers.push(("date", date));
        }
        answer
    }

    fn as_it_should(&mut self, now: u64, wall: Timestamp, request: &Request<Bytes>, endpoint: Endpoint) -> Answer {
        let Conduct { hold, token_life, expiry, settles, rival_returns, .. } = self.conduct;
        if endpoint == Endpoint::Handshake {
            (self.is_revoked, self.born) = (false, now);
            let fields = self.agreement.conclude(request);
            let expiry = match expiry {
                Expiry::Usual => Some(wall.as_millis() + DAY),
                Expiry::Absent => None,
                Expiry::In(millis) => Some(wall.as_millis().saturating_add_signed(millis)),
            };
            let expiry = expiry.map_or_else(String::new, |at| format!(r#","live_session_token_expiration":{at}"#));
            return Answer::new(200, format!("{{{fields}{expiry}}}"));
        }
        if self.is_revoked || token_life.is_some_and(|life| now - self.born >= life) || now - self.born >= DAY {
            return Answer::new(401, r#"{"error":"not authenticated","statusCode":401}"#);
        }
        if let (Some(after), Some(opened)) = (rival_returns, self.opened) {
            if now - opened >= after {
                (self.has_rival, self.opened) = (true, None);
            }
        }
        let is_held = |opened: u64| hold.is_none_or(|hold| now - opened < hold);
        let status = match self.opened {
            _ if self.has_rival => COMPETING,
            Some(opened) if now - opened < settles => UNSETTLED,
            Some(opened) if is_held(opened) => READY,
            _ => LOST,
        };
        match endpoint {
            Endpoint::Take | Endpoint::Open if endpoint == Endpoint::Take || !self.has_rival => {
                (self.has_rival, self.opened) = (false, Some(now));
                Answer::new(200, if settles > 0 { UNSETTLED } else { READY })
            }
            Endpoint::Take | Endpoint::Open | Endpoint::Status => Answer::new(200, status),
            Endpoint::Accounts => Answer::new(200, r#"{"accounts":["DU1"]}"#),
            Endpoint::Logout => {
                self.revoke();
                Answer::new(200, r#"{"status":true}"#)
            }
            Endpoint::Tickle | Endpoint::Handshake => Answer::new(200, tickle(status)),
        }
    }
}
