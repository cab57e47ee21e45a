//! The broker's half of the protocol: test your own bot against [`Broker`].
//!
//! A [`Broker`] answers requests as Interactive Brokers' Web API does, with no network, no account and no waiting. It is
//! a value like the rest of this crate: it is handed a request, the time and a source of random bytes, and gives back a
//! response. The same inputs give the same bytes, so a test that failed once fails again, and a day of trading takes as
//! long as its arithmetic.
//!
//! # Your bot against it
//!
//! Give your bot a place to send requests through, and in tests put the broker there: call [`Broker::handle`] with each
//! request, URL and headers complete, and hand its answer back as if it had come from the network. To test over a real
//! socket, set [`base_url`](BrokerBuilder::base_url) to the listener's address, read each request into an
//! `http::Request<Bytes>` with an absolute URI, and write the answer out.
//!
//! [`Broker::default`] knows one consumer, made of the [`test_keys`]: **fixed keys for tests, known to everybody**. A
//! broker with other keys, an access token from the portal, another query policy or another host comes from
//! [`Broker::builder`].
//!
//! Where the protocol wants a user in front of a browser, call [`Broker::consent`] with the consent page's URL, or
//! [`Broker::decline`] for the one who cancels; both return the URL that the browser is sent to.
//!
//! When something is refused, ask [`Broker::refusals`] why. The real broker says `401` and no more; here the log has a
//! [`RefusalReason`], a line that says exactly what differed, the signature base string that was expected and, where
//! one of the mistakes that clients are known to make explains the signature, which one it was.
//!
//! To see your bot in bad weather, [`inject`](Broker::inject) a [`Fault`]: errors in all shapes the real broker was seen
//! to give, lost answers, proofs and public numbers that must not be trusted, sessions that end, clocks that run apart.
//! What lasts longer than a request is the [builder](BrokerBuilder)'s: a brokerage session that ends at midnight
//! ([`daily_reset`](BrokerBuilder::daily_reset)) and takes its time to open ([`settling`](BrokerBuilder::settling)),
//! [`maintenance`](BrokerBuilder::maintenance), a [`rate_limit`](BrokerBuilder::rate_limit) with its penalty box. And
//! [`start_competing_session`](Broker::start_competing_session) is the other program of the same user that takes the brokerage session away.
//!
//! What a property of a whole run needs, the broker has counted: [`accepted`](Broker::accepted),
//! [`refused`](Broker::refused), [`live_session_tokens_issued`](Broker::live_session_tokens_issued),
//! [`brokerage_sessions_opened`](Broker::brokerage_sessions_opened).
//!
//! ```
//! # #[cfg(feature = "getrandom")] {
//! use ibkr_oauth::{
//!     Context, OsEntropy, Timestamp, bytes::Bytes, http,
//!     simulator::{Broker, Fault, RefusalReason, test_keys},
//! };
//!
//! let mut entropy = OsEntropy;
//! let mut cx = Context::new(Timestamp::from_secs(1_700_000_000), &mut entropy);
//! let mut broker = Broker::default();
//! let signer = test_keys::sign_in(&mut broker, &mut cx)?.signer();
//!
//! // A good request is answered, and a forged one is not: somebody changed the query after it was signed.
//! let url = "https://api.ibkr.com/v1/api/iserver/secdef/search?symbol=AAPL";
//! let mut request = http::Request::get(url).header("user-agent", "my-bot/1.0").body(Bytes::new())?;
//! signer.sign(&mut cx, &mut request)?;
//! *request.uri_mut() = url.replace("AAPL", "MSFT").parse()?;
//! assert_eq!(broker.handle(&mut cx, &request).status(), http::StatusCode::UNAUTHORIZED);
//! let refusal = broker.refusals().last().expect("it was refused");
//! assert_eq!(refusal.reason(), RefusalReason::SignatureDiffers);
//! assert!(refusal.expected_base_string().is_some_and(|text| text.contains("MSFT")));
//!
//! // Bad weather: the next tickle finds no back end.
//! broker.inject(Fault::status(503).at("/tickle"));
//! let exchange = signer.brokerage().tickle(&mut cx)?;
//! let response = broker.handle(&mut cx, exchange.request());
//! assert!(exchange.complete(response).is_err());
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What it checks
//!
//! * that the URL is absolute and has the broker's scheme, host and port, that a `Host` header agrees, and that the path
//!   is spelled as it must be: no empty segment, no slash at its end, no dot segments;
//! * `User-Agent`; `Content-Length`, which an empty `POST` needs too; the method;
//! * one `Authorization` header, of the strict form `OAuth name="value", …`, or, for the three requests of the sign-in,
//!   the OAuth parameters as the strings of one JSON object in the body (`Content-Type: application/json`, no realm);
//! * each parameter: there once, known, not empty, and not in the query or form; consumer key, realm, signature method,
//!   version, token, verifier, callback, Diffie-Hellman challenge;
//! * the timestamp: within 300 seconds of the broker's clock, and not smaller than one accepted before with the same
//!   token; a refused request leaves no trace in that order;
//! * the nonce: not that of one of the newest 4096 accepted requests, with the same token;
//! * the signature, over a base string of its own making: RSA-SHA256, with the access token's secret before it where the
//!   protocol has that, and HMAC-SHA256 under the [`QueryPolicy`] it was set to;
//! * that `/iserver` is used only while the brokerage session is open.
//!
//! Nothing of that is shared with the client in this crate: the percent-encoding, the canonicaliser, the header parser,
//! the Diffie-Hellman arithmetic and the HMAC are the broker's own, so that a mistake of the client's cannot hide in both.
//!
//! # How it behaves
//!
//! A request token is good for one access token. The access token stays the same for the consumer; its secret is new at
//! each request. A live session token lives for 23 hours and 55 minutes; the newest and the one before it are valid
//! until they expire or a `POST /logout` ends them. The brokerage session needs `POST /iserver/auth/ssodh/init` and ends
//! six minutes after the last tickle; `/tickle` works without it.
//!
//! Besides those there are: `GET /portfolio/accounts`, `GET /iserver/accounts`, `GET /iserver/marketdata/snapshot`,
//! `GET /iserver/marketdata/history`, `GET /marketdata/snapshot`, `GET /trsrv/stocks` and `GET /iserver/secdef/search`
//! (which give back the query's decoded pairs as `{"query":[["name","value"]]}`), `POST /iserver/account/{id}/orders` (JSON) and
//! `POST /accounts/{id}/order_impact` (which gives back the form's pairs). Any other path is a 404.
//!
//! # What it does not do
//!
//! It has no market, no money and no WebSocket. It limits no rate unless told to, and then that of all requests and of no
//! endpoint by itself. It sets no cookies. It knows one consumer and one user. It is stricter than the real broker was seen to be, for the written
//! contract might be enforced any day; and where the real broker's words for an error are not known (a repeated nonce, a
//! stale timestamp, a wrong verifier, a first party that asks for a request token), its own are made up: do not match
//! on them.
//!
//! [`QueryPolicy`]: crate::oauth1::QueryPolicy

use std::{fmt, time::Duration};

use bytes::Bytes;
use http::{Request, Response, StatusCode};

use self::{
    accepted_requests::Log,
    address::without_query,
    answers::{Answer, Body},
    availability::Pacing,
    builder::Profile,
    faults::{Effect, Script},
    refusal::Objection,
    registry::Registry,
    resources::BrokerageSession,
    verify::{Endpoint, Verified},
};
use crate::context::{Context, Timestamp};

mod accepted_requests;
mod address;
mod answers;
mod arithmetic;
mod availability;
mod builder;
mod canonical;
mod consent;
mod diagnosis;
mod faults;
mod parameters;
mod percent;
mod refusal;
mod registry;
mod resources;
mod sign_in;
mod simulation;
pub mod test_keys;
mod verify;

pub use self::{
    accepted_requests::AcceptedRequest,
    builder::{BrokerBuilder, BrokerError},
    faults::{Dropped, Fault, WrongResponse},
    refusal::{Refusal, RefusalReason},
    simulation::{NetworkConditions, SeededEntropy, SentRequest, Simulation},
};

/// How many refusals, accepted requests, nonces and request tokens are remembered.
const REMEMBERED: usize = 4096;

/// The broker. See the [module](self) for what it checks and how to test against it.
pub struct Broker {
    profile: Profile,
    registry: Registry,
    brokerage_session: Option<BrokerageSession>,
    /// The brokerage session counts as opened at the first request.
    starts_open: bool,
    /// Another program of the user's has the brokerage session.
    competing: bool,
    pacing: Pacing,
    script: Script,
    /// The newest, the oldest of them first.
    refusals: Vec<Refusal>,
    refused: u64,
    accepted: Log,
    requests: u64,
    orders: u64,
    live_session_tokens: u64,
    brokerage_sessions: u64,
    clock_ahead: Duration,
    clock_behind: Duration,
}

impl Broker {
    /// A builder that starts from what [`Broker::default`] knows.
    pub fn builder() -> BrokerBuilder {
        BrokerBuilder::new()
    }

    fn new(
        profile: Profile,
        registry: Registry,
        starts_open: bool,
        (clock_ahead, clock_behind): (Duration, Duration),
    ) -> Self {
        Self {
            profile,
            registry,
            brokerage_session: None,
            starts_open,
            competing: false,
            pacing: Pacing::default(),
            script: Script::default(),
            refusals: Vec::new(),
            refused: 0,
            accepted: Log::default(),
            requests: 0,
            orders: 0,
            live_session_tokens: 0,
            brokerage_sessions: 0,
            clock_ahead,
            clock_behind,
        }
    }

    /// Answers one request.
    ///
    /// The URI must be absolute, and the headers complete as sent. There is always an answer; one that carries [`Dropped`]
    /// among its extensions stands for none.
    pub fn handle(&mut self, cx: &mut Context<'_>, request: &Request<Bytes>) -> Response<Bytes> {
        self.requests = self.requests.saturating_add(1);
        let path = self.profile.base.relative(request.uri()).unwrap_or_default();
        let fault = self.script.take(path);
        if let Some(fault) = &fault {
            self.strike(fault.effect());
        }
        let now = self.clock(cx);
        if std::mem::take(&mut self.starts_open) {
            self.open_brokerage_session(now, Duration::ZERO);
        }
        let lost = match fault.as_ref().map(Fault::effect) {
            Some(Effect::Drop(lost)) => Some(*lost),
            _ => None,
        };
        let turned_away = match lost {
            // It never arrived, so that there is nobody to be turned away.
            Some(Dropped::Request) => Some(no_answer()),
            _ => self.turn_away(request, cx.now(), now),
        };
        let mut answer = match (turned_away, fault.as_ref().map(Fault::effect)) {
            (Some(answer), _) => answer,
            (None, Some(Effect::Instead(answer))) => answer.clone(),
            (None, Some(Effect::Instead401(text))) => Answer::traced_error(self.trace(), text),
            (None, Some(Effect::NoAccessSecret)) => {
                let token = self.registry.grant.as_ref().map(|grant| grant.token.clone()).unwrap_or_default();
                Answer::no_access_secret(self.trace(), &token)
            }
            (None, Some(Effect::PenaltyBox(duration))) => {
                self.pacing.confine(cx.now(), *duration);
                Answer::too_many_requests()
            }
            (None, Some(Effect::DelayBridge(delay))) => self.answer(cx, request, now, *delay),
            (None, _) => self.answer(cx, request, now, Duration::ZERO),
        };
        if lost.is_some() {
            answer = no_answer();
        }
        if let Some(fault) = &fault {
            if matches!(fault.effect(), Effect::EndBrokerageSession { .. }) {
                self.brokerage_session = None;
            }
            fault.alter(&mut answer, self.profile.group.prime());
        }
        let mut response = answer.into_response(now);
        if let Some(lost) = lost {
            response.extensions_mut().insert(lost);
        }
        response
    }

    /// Adds a fault to those that wait for their request. At most one, the first that fits, applies to each.
    pub fn inject(&mut self, fault: Fault) {
        self.script.push(fault);
    }

    /// The newest 4096 requests and visits that it refused, in order. What an injected [`Fault`] answered in the broker's
    /// place is not among them.
    #[must_use]
    pub fn refusals(&self) -> &[Refusal] {
        &self.refusals
    }

    /// How many requests and visits it has refused so far, those that are no longer among the
    /// [`refusals`](Self::refusals) included.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    /// The newest 4096 requests that passed every check of their address, parameters and signature, in order.
    #[must_use]
    pub fn accepted(&self) -> impl DoubleEndedIterator<Item = &AcceptedRequest> + ExactSizeIterator {
        self.accepted.iter()
    }

    /// How many requests were handed to it so far, whatever became of them.
    #[must_use]
    pub const fn requests(&self) -> u64 {
        self.requests
    }

    /// How many live session tokens it has negotiated so far: how often clients have shaken hands with it.
    #[must_use]
    pub const fn live_session_tokens_issued(&self) -> u64 {
        self.live_session_tokens
    }

    /// How often a brokerage session was opened so far, one that was open already included.
    #[must_use]
    pub const fn brokerage_sessions_opened(&self) -> u64 {
        self.brokerage_sessions
    }

    fn strike(&mut self, effect: &Effect) {
        match effect {
            Effect::ExpireLiveSessionTokens => {
                if let Some(grant) = &mut self.registry.grant {
                    grant.end_live_session_tokens();
                }
            }
            Effect::ClockAhead(duration) => self.clock_ahead = self.clock_ahead.saturating_add(*duration),
            Effect::ClockBehind(duration) => self.clock_behind = self.clock_behind.saturating_add(*duration),
            _ => {}
        }
    }

    /// The time by the broker's clock.
    fn clock(&self, cx: &Context<'_>) -> Timestamp {
        cx.now().saturating_add(self.clock_ahead).saturating_sub(self.clock_behind)
    }

    /// The number in the text of an error, which changes at every request.
    const fn trace(&self) -> u64 {
        self.requests.saturating_add(10_000)
    }

    fn answer(
        &mut self,
        cx: &mut Context<'_>,
        request: &Request<Bytes>,
        now: Timestamp,
        bridge_delay: Duration,
    ) -> Answer {
        let endpoint = Endpoint::of(self.profile.base.relative(request.uri()).unwrap_or_default());
        let verified = verify::locate(&self.profile, request)
            .and_then(|address| verify::verify(&self.profile, &self.registry, request, &address, now));
        let (accepted, served) = match verified {
            Ok(verified) => {
                self.registry.accept(&verified);
                let accepted = AcceptedRequest::new(request.method(), &verified, now);
                (Some(accepted), self.serve(cx, request, &verified, now, bridge_delay))
            }
            Err(objection) => (None, Err(objection)),
        };
        let answer = served.unwrap_or_else(|objection| {
            let token = self.registry.grant.as_ref().map(|grant| grant.token.as_str()).unwrap_or_default();
            let answer = Answer::refusing(&objection, endpoint, token, self.trace());
            self.record(request, now, objection);
            answer
        });
        if let Some(accepted) = accepted {
            self.accepted.push(accepted.answered(answer.status));
        }
        answer
    }

    fn serve(
        &mut self,
        cx: &mut Context<'_>,
        request: &Request<Bytes>,
        verified: &Verified,
        now: Timestamp,
        bridge_delay: Duration,
    ) -> Result<Answer, Objection> {
        let parameters = &verified.parameters;
        match verified.endpoint {
            Endpoint::RequestToken => self.request_token(cx, parameters),
            Endpoint::AccessToken => self.access_token(cx, parameters),
            Endpoint::LiveSessionToken => self.live_session_token(cx, parameters, now),
            Endpoint::Protected => self.resource(cx, request, &verified.path, now, bridge_delay),
        }
    }

    fn record(&mut self, request: &Request<Bytes>, at: Timestamp, objection: Objection) {
        let subject = format!("{} {}", request.method(), without_query(request.uri()));
        self.remember(Refusal { at, subject, objection });
    }

    fn remember(&mut self, refusal: Refusal) {
        self.refused = self.refused.saturating_add(1);
        if self.refusals.len() == REMEMBERED {
            self.refusals.remove(0);
        }
        self.refusals.push(refusal);
    }
}

fn no_answer() -> Answer {
    Answer::new(StatusCode::GATEWAY_TIMEOUT, Body::Empty)
}

impl Default for Broker {
    /// A broker at `https://api.ibkr.com/v1/api` that knows the one consumer of the [`test_keys`].
    fn default() -> Self {
        #[expect(clippy::expect_used, reason = "the builder's defaults are constants, and a test builds them")]
        Self::builder().build().expect("the builder's defaults make a broker")
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker")
            .field("consumer_key", &self.profile.consumer_key)
            .field("query_policy", &self.profile.query_policy)
            .field("requests", &self.requests)
            .field("refused", &self.refused)
            .field("refusals", &self.refusals)
            .finish_non_exhaustive()
    }
}
