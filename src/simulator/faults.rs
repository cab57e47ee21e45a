//! Faults to inject: what goes wrong, when, and how often.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use num_bigint::BigUint;
use serde_json::{Value, json};

use super::answers::{Answer, Body};

const OPEN_BROKERAGE: &str = "/iserver/auth/ssodh/init";

/// One thing that goes wrong, for [`Broker::inject`](super::Broker::inject).
///
/// A fault applies to one request and is then spent: to the next request or, after [`at`](Self::at), to the next to a
/// given path. [`times`](Self::times) and [`after`](Self::after) widen and delay that. What needs no number has a
/// [name](Self::names), such as `wrong-proof` or `ws-close`, and is parsed from it.
///
/// ```
/// use ibkr_oauth::simulator::{Broker, Fault};
///
/// let mut broker = Broker::default();
/// broker.inject(Fault::status(503).with_body("text/html", "<h1>Back soon</h1>").at("/tickle").times(2));
/// broker.inject("wrong-proof".parse()?);
/// # Ok::<(), ibkr_oauth::simulator::BrokerError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Fault {
    pub(super) effect: Effect,
    path: Option<String>,
    after: u32,
    times: u32,
    needs: Option<Needs>,
}

/// What a fault waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    LiveSessionToken,
    BrokerageSession,
}

#[derive(Clone, Debug)]
pub(super) enum Effect {
    /// Answered before the broker sees the request.
    Instead(Answer),
    /// A 401 with the number that changes at every request.
    Instead401(&'static str),
    NoAccessSecret,
    Drop(Dropped),
    /// A 429, and the same to each request for this time.
    PenaltyBox(Duration),
    ExpireLiveSessionTokens,
    /// By how many seconds the broker's clock goes forward.
    ClockStep(i64),
    DelayBridge(Duration),
    /// Ends the brokerage session and sets this flag in the answer.
    EndBrokerageSession {
        flag: &'static str,
        value: bool,
    },
    /// At the top of a JSON answer; `None` leaves it out.
    Field {
        name: String,
        value: Option<Value>,
    },
    /// Of the next key agreement.
    Agree(Agreement),
    /// How long the next live session token lives.
    Life(Duration),
    /// Of the WebSocket that is opened.
    Socket(SocketFault),
}

/// What the faults that struck want of what comes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wanted {
    /// Of the next live session token.
    pub(super) agreement: Option<Agreement>,
    pub(super) life: Option<Duration>,
    /// How long the brokerage session that this request opens answers `no bridge`, at least.
    pub(super) bridge_delay: Duration,
}

/// Marks, as an extension of a response, that the client must never see it. The status beside it is 504.
///
/// ```
/// # use ibkr_oauth::{bytes::Bytes, http, simulator::Dropped};
/// fn deliver(response: http::Response<Bytes>) -> Result<http::Response<Bytes>, &'static str> {
///     match response.extensions().get::<Dropped>() {
///         Some(_) => Err("timed out"),
///         None => Ok(response),
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dropped {
    /// The request never reached the broker.
    Request,
    /// The broker did what was asked; its answer got lost.
    Response,
}

/// Something wrong with one WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SocketFault {
    /// It is closed as soon as it is open.
    CloseAtOnce,
    /// The session of the right cookie is not known until a message names it.
    StaleSession,
    /// The status comes in messages of one key each.
    StatusInPieces,
    /// The status is at the top of its message, without `args`.
    StatusAtTop,
    /// No status comes, whatever happens to the session.
    NoStatus,
    /// That many subscriptions are lost without a word, the first ones.
    LoseSubscriptions(u32),
    /// Each message is binary.
    Binary,
    /// Each text about orders and trades has a byte in it that is not UTF-8.
    NotUtf8,
    /// Each message comes in three frames.
    Fragments,
    /// No heartbeat comes.
    NoHeartbeat,
    /// The first market data line falls silent after its first message.
    SilentLine,
    /// Between others come an empty object, text that is not JSON, a list, and a topic that nobody knows.
    OddMessages,
    /// No unsubscription is confirmed.
    Unconfirmed,
}

/// A key agreement that is right, and that clients are known to get wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Agreement {
    /// The first bit of the first byte of K is set, so that a zero byte comes before it.
    TopBitSet,
    /// K is as long as p, and the first bit of its first byte is not set.
    TopBitClear,
    /// K is at least a byte shorter than p, and the first bit of its first byte is not set.
    LeadingZeroByte,
    /// The response has an odd number of hexadecimal digits.
    OddLengthResponse,
}

impl Agreement {
    /// Whether a response and a shared secret in a group with a prime of so many bits are such.
    pub(super) fn fits(self, response: &BigUint, secret: &BigUint, prime_bits: u64) -> bool {
        let (bits, length) = (secret.bits(), prime_bits.div_ceil(8));
        match self {
            Self::TopBitSet => bits > 0 && bits.is_multiple_of(8),
            Self::TopBitClear => bits.div_ceil(8) == length && !bits.is_multiple_of(8),
            Self::LeadingZeroByte => bits.div_ceil(8) < length && !bits.is_multiple_of(8),
            Self::OddLengthResponse => response.bits().div_ceil(4) % 2 == 1,
        }
    }
}

impl Fault {
    pub(super) const fn new(effect: Effect) -> Self {
        Self { effect, path: None, after: 0, times: 1, needs: None }
    }

    /// A status in place of the broker's answer, with `{"error":"…","statusCode":…}` unless it is given
    /// [another body](Self::with_body). The broker does not see the request. A number outside `100..=999` becomes 500.
    #[must_use]
    pub fn status(status: u16) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self::new(Effect::Instead(Answer::error(status, status.canonical_reason().unwrap_or("error"))))
    }

    /// An error as `application/problem+json`, in place of the broker's answer.
    #[must_use]
    pub fn problem(status: u16, detail: &str) -> Self {
        let title = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("error");
        let body = json!({ "type": "/simple", "title": title, "status": status, "detail": detail });
        Self::status(status).with_body("application/problem+json", body.to_string())
    }

    /// 429, and the penalty box is open for `duration`: each request until its end is answered with 429 and is among the
    /// [`refusals`](super::Broker::refusals) as `penalty_box`.
    #[must_use]
    pub const fn penalty_box(duration: Duration) -> Self {
        Self::new(Effect::PenaltyBox(duration))
    }

    /// The request gets lost: the broker does not see it, and the response is marked [`Dropped::Request`].
    #[must_use]
    pub const fn drop_request() -> Self {
        Self::new(Effect::Drop(Dropped::Request))
    }

    /// The answer gets lost: the broker does what is asked, and the response is marked [`Dropped::Response`].
    #[must_use]
    pub const fn drop_response() -> Self {
        Self::new(Effect::Drop(Dropped::Response))
    }

    /// Every live session token ends just before the request is looked at.
    #[must_use]
    pub const fn expire_live_session_token() -> Self {
        Self::new(Effect::ExpireLiveSessionTokens)
    }

    /// From this request on, the broker's clock is this many seconds further ahead, or behind where negative.
    #[must_use]
    pub const fn clock_step(seconds: i64) -> Self {
        Self::new(Effect::ClockStep(seconds))
    }

    /// The brokerage session opens, but `/iserver` goes on answering `no bridge` for this time.
    #[must_use]
    pub fn no_bridge_for(duration: Duration) -> Self {
        Self::new(Effect::DelayBridge(duration)).at(OPEN_BROKERAGE)
    }

    /// The brokerage session ends, and `authenticated` is `false` wherever the answer, a 200, has it.
    #[must_use]
    pub const fn not_authenticated() -> Self {
        Self::new(Effect::EndBrokerageSession { flag: "authenticated", value: false })
    }

    /// Another session takes over: the brokerage session ends, and `competing` is `true` wherever the answer has it.
    #[must_use]
    pub const fn competing() -> Self {
        Self::new(Effect::EndBrokerageSession { flag: "competing", value: true })
    }

    /// A field at the top of a JSON answer gets another value: `json` where that is JSON text, else `json` as a string.
    #[must_use]
    pub fn set_field(name: impl Into<String>, json: &str) -> Self {
        let value = serde_json::from_str(json).unwrap_or_else(|_| Value::from(json));
        Self::new(Effect::Field { name: name.into(), value: Some(value) })
    }

    /// A field at the top of a JSON answer is left out.
    #[must_use]
    pub fn drop_field(name: impl Into<String>) -> Self {
        Self::new(Effect::Field { name: name.into(), value: None })
    }

    /// Only for requests to this path, which is given from the end of the base URL on, with its leading slash.
    #[must_use]
    pub fn at(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// For that many requests in place of one.
    #[must_use]
    pub const fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    /// Only after that many requests that it would have applied to.
    #[must_use]
    pub const fn after(mut self, requests: u32) -> Self {
        self.after = requests;
        self
    }

    /// With this body. Only for faults that answer in the broker's place. Without a media type there is no
    /// `Content-Type`; one that no header can hold becomes `application/octet-stream`.
    #[must_use]
    pub fn with_body(mut self, media_type: &str, content: impl Into<Bytes>) -> Self {
        if let Effect::Instead(answer) = &mut self.effect {
            let content_type = HeaderValue::try_from(media_type)
                .unwrap_or_else(|_| HeaderValue::from_static("application/octet-stream"));
            answer.body = Body::Other { content_type, content: content.into() };
        }
        self
    }

    /// Only for requests that sign with what there must be.
    pub(super) const fn only_while(mut self, needs: Needs) -> Self {
        self.needs = Some(needs);
        self
    }

    /// Changes the broker's answer.
    pub(super) fn alter(&self, answer: &mut Answer) {
        let Body::Json(body) = &mut answer.body else { return };
        match &self.effect {
            Effect::EndBrokerageSession { flag, value } => set_everywhere(body, flag, *value),
            Effect::Field { name, value } => {
                if let Some(fields) = body.as_object_mut() {
                    match value {
                        Some(value) => drop(fields.insert(name.clone(), value.clone())),
                        None => drop(fields.remove(name)),
                    }
                }
            }
            _ => {}
        }
    }
}

/// The flags stand at the top of an answer, or deeper, as in that to a tickle.
fn set_everywhere(body: &mut Value, flag: &str, value: bool) {
    let Some(fields) = body.as_object_mut() else { return };
    for (name, field) in fields {
        if name == flag {
            *field = Value::from(value);
        } else {
            set_everywhere(field, flag, value);
        }
    }
}

/// The faults that wait for their request, in the order injected.
#[derive(Debug, Default)]
pub(super) struct Script(VecDeque<Fault>);

impl Script {
    pub(super) fn push(&mut self, fault: Fault) {
        self.0.push_back(fault);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.0.iter().filter(|fault| fault.times > 0).count()
    }

    /// The first fault for a request to `path`, if one is due, where there is `running`.
    pub(super) fn take(&mut self, path: &str, running: &[Needs]) -> Option<Fault> {
        self.0.retain(|fault| fault.times > 0);
        for fault in &mut self.0 {
            if fault.path.as_ref().is_some_and(|wanted| wanted != path) {
                continue;
            }
            if fault.needs.is_some_and(|needs| path.starts_with("/oauth/") || !running.contains(&needs)) {
                continue;
            }
            if fault.after > 0 {
                fault.after -= 1;
                continue;
            }
            fault.times -= 1;
            return Some(fault.clone());
        }
        None
    }
}
