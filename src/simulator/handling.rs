//! One request, from its arrival to its answer.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};

use super::{
    accepted_requests::AcceptedRequest,
    answers::Answer,
    broker::Broker,
    endpoint::Endpoint,
    faults::{Dropped, Effect, Fault, Needs},
    judge::Judge,
    newest::{REMEMBERED, push_newest},
    reason::{LIVE_SESSION_TOKEN_FAILED, Reason, Words},
    refusal::Objection,
    verify::{Verified, verify},
};
use crate::context::{Context, Timestamp};

/// The header that names the query policies under which a request was accepted.
const QUERY_POLICY: &str = "x-simulator-query-policy";

impl Broker {
    /// Answers one request.
    ///
    /// The URI must be absolute, and the headers complete as sent. There is always an answer; one that carries [`Dropped`]
    /// among its extensions means that none arrived.
    ///
    /// Beside the base URL it answers `GET /authorize`, the consent page, and `/__simulator/faults`: a `POST` of
    /// `{"fault":"gone@/tickle+1*2"}` injects a [`Fault`], and `{"action":"expire-token"}` and its like do what the methods
    /// of that name do; a `GET` tells the names.
    ///
    /// The header `x-simulator-deviation` names what the broker let pass, and `x-simulator-query-policy` the policies
    /// that explain how query or form were signed, each separated by commas.
    pub fn handle(&mut self, cx: &mut Context<'_>, request: &Request<Bytes>) -> Response<Bytes> {
        if let Some(answer) = self.take_orders(request, cx.now()) {
            return answer.into_response(self.clock(cx));
        }
        let path = self.profile.base.relative(request.uri()).unwrap_or_default().to_owned();
        let mut arrival = self.receive(cx, request, &path);
        let answer = arrival.instead.take().unwrap_or_else(|| self.answer(cx, request, arrival.now));
        if arrival.ends_brokerage_session() {
            self.brokerage_session = None;
        }
        arrival.response(answer)
    }

    /// Has a request's fault strike, and answers what gets no further than that, or than the broker's front door.
    pub(super) fn receive<T>(&mut self, cx: &Context<'_>, request: &Request<T>, path: &str) -> Arrival {
        self.requests = self.requests.saturating_add(1);
        let running = self.running(self.clock(cx));
        let fault = self.script.take(path, &running);
        self.wanted.bridge_delay = Duration::ZERO;
        if let Some(fault) = &fault {
            self.strike(&fault.effect);
        }
        let now = self.clock(cx);
        self.open_if_it_starts_open(now);
        let mut arrival = Arrival { now, fault, instead: None };
        arrival.instead = match arrival.lost() {
            // It never arrived, so that there is nobody to be turned away.
            Some(Dropped::Request) => Some(no_answer()),
            _ => self
                .turn_away(request, cx.now(), now)
                .or_else(|| self.instead(cx.now(), &arrival.fault.as_ref()?.effect)),
        };
        arrival
    }

    /// What a fault answers in the broker's place.
    fn instead(&mut self, arrived: Timestamp, effect: &Effect) -> Option<Answer> {
        Some(match effect {
            Effect::Instead(answer) => answer.clone(),
            Effect::Instead401(text) => self.traced_error(text),
            Effect::NoAccessSecret => self.no_access_secret(),
            Effect::PenaltyBox(duration) => {
                self.start_penalty_box(arrived, *duration);
                Answer::too_many_requests()
            }
            _ => return None,
        })
    }

    /// The first request opens the brokerage session of a broker that was built so.
    fn open_if_it_starts_open(&mut self, now: Timestamp) {
        if std::mem::take(&mut self.starts_open) {
            self.open_brokerage_session(now, Duration::ZERO);
            if let Some(session) = &mut self.brokerage_session {
                session.accounts_queried = true;
            }
        }
    }

    /// What there is for a fault to end.
    fn running(&self, now: Timestamp) -> Vec<Needs> {
        let tokens = self.registry.grant.iter().flat_map(|grant| &grant.live_session_tokens);
        let has_token = tokens.into_iter().any(|token| token.is_valid_at(now));
        let is_open = self.starts_open || self.brokerage_session.is_some_and(|session| !session.is_over(now));
        [has_token.then_some(Needs::LiveSessionToken), is_open.then_some(Needs::BrokerageSession)]
            .into_iter()
            .flatten()
            .collect()
    }

    fn strike(&mut self, effect: &Effect) {
        match effect {
            Effect::ExpireLiveSessionTokens => self.expire_live_session_token(),
            Effect::Agree(agreement) => self.wanted.agreement = Some(*agreement),
            Effect::DelayBridge(delay) => self.wanted.bridge_delay = *delay,
            Effect::Life(life) => self.wanted.life = Some(*life),
            Effect::ClockStep(seconds) => self.clock_skew = self.clock_skew.saturating_add(*seconds),
            _ => {}
        }
    }

    /// Answers what gets no further than the broker's front door.
    fn turn_away<T>(&mut self, request: &Request<T>, arrived: Timestamp, now: Timestamp) -> Option<Answer> {
        if let Err(objection) = self.pacing.admit(self.profile.availability.rate_limit, arrived) {
            self.record(request, now, objection);
            return Some(Answer::too_many_requests());
        }
        if !self.under_maintenance && !self.profile.availability.is_maintenance(now) {
            return None;
        }
        // Both shapes were seen.
        Some(if self.requests.is_multiple_of(2) {
            Answer::empty(StatusCode::SERVICE_UNAVAILABLE)
        } else {
            Answer::error(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable")
        })
    }

    fn answer(&mut self, cx: &mut Context<'_>, request: &Request<Bytes>, now: Timestamp) -> Answer {
        if let Some(page) = self.consent_page(cx, request) {
            return page;
        }
        let endpoint = Endpoint::of(self.profile.base.relative(request.uri()).unwrap_or_default());
        let mut judge = Judge::new(self.profile.is_strict);
        let (verified, served) = match verify(&self.profile, &self.registry, request, now, &mut judge) {
            Ok(verified) => {
                let parameter = |name| verified.parameters.get(name).unwrap_or_default();
                self.registry.accept(parameter("oauth_token"), parameter("oauth_nonce"), verified.timestamp);
                let served = self.serve(cx, request, &verified, now, &mut judge);
                (Some(verified), served)
            }
            Err(objection) => (None, Err(objection)),
        };
        let answer = served.unwrap_or_else(|objection| {
            let answer = self.refusing(&objection, endpoint);
            self.record(request, now, objection);
            answer
        });
        let answer = self.naming_deviations(answer, &judge);
        let Some(verified) = verified else { return answer };
        let policies: Vec<&str> = verified.query_policies.iter().map(|policy| policy.name()).collect();
        let accepted = AcceptedRequest::new(request.method(), verified, now, answer.status, judge.names());
        push_newest(&mut self.accepted, accepted, REMEMBERED);
        if policies.is_empty() { answer } else { answer.with_header(QUERY_POLICY, &policies.join(", ")) }
    }

    /// The answer to what fails a check.
    pub(super) fn refusing(&self, objection: &Objection, endpoint: Endpoint) -> Answer {
        let is_about_token = endpoint == Endpoint::LiveSessionToken;
        match (objection.reason, objection.reason.words()) {
            (Reason::TokenUnknown, _) if is_about_token => self.no_access_secret(),
            (Reason::SignatureMalformed | Reason::SignatureDiffers, _) if is_about_token => {
                self.traced_error(LIVE_SESSION_TOKEN_FAILED)
            }
            (_, Words::Page(status, heading)) => {
                Answer::page(status, format!("<html><body><h1>{heading}</h1></body></html>"))
            }
            (_, Words::Error(status, text)) => Answer::error(status, text),
            (_, Words::Traced(text)) => self.traced_error(text),
            (_, Words::TracedDetail) => self.traced_error(&objection.detail),
        }
    }

    /// An error of the three OAuth endpoints, with the number that changes at every request.
    fn traced_error(&self, text: &str) -> Answer {
        let number = self.requests.saturating_add(10_000);
        Answer::error(StatusCode::UNAUTHORIZED, &format!("id: {number}, error: {text}"))
    }

    fn no_access_secret(&self) -> Answer {
        let token = self.registry.grant.as_ref().map(|grant| grant.token.as_str()).unwrap_or_default();
        self.traced_error(&format!("{LIVE_SESSION_TOKEN_FAILED}No access secret key found for {token}"))
    }

    fn serve(
        &mut self,
        cx: &mut Context<'_>,
        request: &Request<Bytes>,
        verified: &Verified,
        now: Timestamp,
        judge: &mut Judge,
    ) -> Result<Answer, Objection> {
        let parameters = &verified.parameters;
        match verified.endpoint {
            Endpoint::RequestToken => self.request_token(cx, parameters),
            Endpoint::AccessToken => self.access_token(cx, parameters),
            Endpoint::LiveSessionToken => self.live_session_token(cx, parameters, now),
            Endpoint::Protected => {
                let answer = self.resource(cx, request, &verified.path, now, judge)?;
                Ok(self.with_own_headers(request, answer, now))
            }
        }
    }
}

/// A request that has come, and what strikes it.
pub(super) struct Arrival {
    now: Timestamp,
    pub(super) fault: Option<Fault>,
    /// The answer, where that is not the broker's.
    pub(super) instead: Option<Answer>,
}

impl Arrival {
    pub(super) fn lost(&self) -> Option<Dropped> {
        match self.fault.as_ref()?.effect {
            Effect::Drop(lost) => Some(lost),
            _ => None,
        }
    }

    pub(super) fn ends_brokerage_session(&self) -> bool {
        self.fault.as_ref().is_some_and(|fault| matches!(fault.effect, Effect::EndBrokerageSession { .. }))
    }

    /// The answer as the client gets it.
    pub(super) fn response(&self, mut answer: Answer) -> Response<Bytes> {
        if let Some(fault) = &self.fault {
            fault.alter(&mut answer);
        }
        let Some(lost) = self.lost() else { return answer.into_response(self.now) };
        let mut response = no_answer().into_response(self.now);
        response.extensions_mut().insert(lost);
        response
    }
}

fn no_answer() -> Answer {
    Answer::empty(StatusCode::GATEWAY_TIMEOUT)
}
