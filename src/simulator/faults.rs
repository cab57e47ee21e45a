//! Faults to inject: what goes wrong, when, and how often.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use num_bigint::BigUint;
use serde_json::{Value, json};

use super::{
    answers::{Answer, Body},
    reason::LIVE_SESSION_TOKEN_FAILED,
    websocket::socket_fault::SocketFault,
};

const LIVE_SESSION_TOKEN: &str = "/oauth/live_session_token";
const OPEN_BROKERAGE: &str = "/iserver/auth/ssodh/init";
const WEBSOCKET: &str = "/ws";

/// One thing that goes wrong, for [`Broker::inject`](super::Broker::inject).
///
/// A fault applies to one request and is then spent: to the next request or, after [`at`](Self::at), to the next to a
/// given path. [`times`](Self::times) and [`after`](Self::after) widen and delay that. Faults that concern one endpoint
/// wait for a request to it by themselves.
///
/// ```
/// use ibkr_oauth::simulator::{Broker, Fault};
///
/// let mut broker = Broker::default();
/// broker.inject(Fault::status(503).with_empty_body().at("/tickle").times(2));
/// broker.inject(Fault::wrong_proof());
/// ```
#[derive(Clone, Debug)]
pub struct Fault {
    effect: Effect,
    pub(super) path: Option<String>,
    pub(super) after: u32,
    pub(super) times: u32,
    string_status_code: bool,
    pub(super) needs: Option<Needs>,
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
    /// Ends the brokerage session and sets these flags in the answer.
    EndBrokerageSession {
        flag: &'static str,
        value: bool,
    },
    SetField {
        name: String,
        value: Value,
    },
    DropField(String),
    UpperCase(&'static str),
    WrongProof,
    WrongResponse(WrongResponse),
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

/// A `diffie_hellman_response` that no client may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WrongResponse {
    /// 0.
    Zero,
    /// 1.
    One,
    /// p − 1.
    PrimeMinusOne,
    /// p.
    Prime,
    /// No digits.
    Empty,
    /// Text that is not hexadecimal.
    NotHexadecimal,
}

/// A key agreement that is right, and that clients are known to get wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Agreement {
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

impl WrongResponse {
    fn text(self, prime: &BigUint) -> String {
        match self {
            Self::Zero => "0".to_owned(),
            Self::One => "1".to_owned(),
            Self::PrimeMinusOne => format!("{:x}", prime - 1_u8),
            Self::Prime => format!("{prime:x}"),
            Self::Empty => String::new(),
            Self::NotHexadecimal => "not hexadecimal".to_owned(),
        }
    }
}

impl Fault {
    const fn new(effect: Effect) -> Self {
        Self { effect, path: None, after: 0, times: 1, string_status_code: false, needs: None }
    }

    /// An error status in place of the broker's answer, with `{"error":"…","statusCode":…}`. The broker does not see
    /// the request. A number outside `100..=999` becomes 500.
    #[must_use]
    pub fn status(status: u16) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self::new(Effect::Instead(Answer::error(status, status.canonical_reason().unwrap_or("error"))))
    }

    /// 429, and the penalty box is open for `duration`: each request until its end is answered with 429 and is among the
    /// [`refusals`](super::Broker::refusals) as `penalty_box`.
    #[must_use]
    pub const fn penalty_box(duration: Duration) -> Self {
        Self::new(Effect::PenaltyBox(duration))
    }

    /// An error as `application/problem+json`, in place of the broker's answer.
    #[must_use]
    pub fn problem(status: u16, detail: &str) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = json!({
            "type": "/simple",
            "title": status.canonical_reason().unwrap_or("error"),
            "status": status.as_u16(),
            "detail": detail,
        });
        Self::new(Effect::Instead(Answer::new(status, Body::Problem(body))))
    }

    /// `{"error": text}` inside a 200, in place of the broker's answer.
    #[must_use]
    pub fn error_inside_ok(text: &str) -> Self {
        Self::new(Effect::Instead(Answer::ok(json!({ "error": text }))))
    }

    /// `{"wait": milliseconds}` in place of opening the brokerage session.
    #[must_use]
    pub fn wait(duration: Duration) -> Self {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self::new(Effect::Instead(Answer::ok(json!({ "wait": millis })))).at(OPEN_BROKERAGE)
    }

    /// 401 `invalid consumer`, as for a consumer key that is not active.
    #[must_use]
    pub const fn invalid_consumer() -> Self {
        Self::new(Effect::Instead401("invalid consumer"))
    }

    /// 401 `LST failed, error: No access secret key found for …`, at the live session token.
    #[must_use]
    pub fn no_access_secret() -> Self {
        Self::new(Effect::NoAccessSecret).at(LIVE_SESSION_TOKEN)
    }

    /// 401 `LST failed, error: ` with nothing behind it, at the live session token.
    #[must_use]
    pub fn live_session_token_failed() -> Self {
        Self::new(Effect::Instead401(LIVE_SESSION_TOKEN_FAILED)).at(LIVE_SESSION_TOKEN)
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

    /// A live session token whose proof is not that of the token.
    #[must_use]
    pub fn wrong_proof() -> Self {
        Self::new(Effect::WrongProof).at(LIVE_SESSION_TOKEN)
    }

    /// The proof of the live session token in upper-case hexadecimal.
    #[must_use]
    pub fn upper_case_proof() -> Self {
        Self::new(Effect::UpperCase("live_session_token_signature")).at(LIVE_SESSION_TOKEN)
    }

    /// The Diffie-Hellman response in upper-case hexadecimal.
    #[must_use]
    pub fn upper_case_response() -> Self {
        Self::new(Effect::UpperCase("diffie_hellman_response")).at(LIVE_SESSION_TOKEN)
    }

    /// A key agreement of this shape, which is right. Where the group has none, an ordinary one.
    #[must_use]
    pub fn agreement(agreement: Agreement) -> Self {
        Self::new(Effect::Agree(agreement)).at(LIVE_SESSION_TOKEN)
    }

    /// A live session token that expires so soon, and says so.
    #[must_use]
    pub fn short_life(life: Duration) -> Self {
        Self::new(Effect::Life(life)).at(LIVE_SESSION_TOKEN)
    }

    /// A Diffie-Hellman response that must be refused.
    #[must_use]
    pub fn wrong_response(response: WrongResponse) -> Self {
        Self::new(Effect::WrongResponse(response)).at(LIVE_SESSION_TOKEN)
    }

    /// A live session token without its expiration.
    #[must_use]
    pub fn no_expiration() -> Self {
        Self::drop_field("live_session_token_expiration").at(LIVE_SESSION_TOKEN)
    }

    /// A live session token with another expiration, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn expiration(millis: u64) -> Self {
        Self::set_field("live_session_token_expiration", &millis.to_string()).at(LIVE_SESSION_TOKEN)
    }

    /// Something is wrong with the next WebSocket, from its opening on.
    #[must_use]
    pub fn socket(fault: SocketFault) -> Self {
        Self::new(Effect::Socket(fault)).at(WEBSOCKET)
    }

    /// A field at the top of a JSON answer gets another value: `json` where that is JSON text, else `json` as a string.
    #[must_use]
    pub fn set_field(name: impl Into<String>, json: &str) -> Self {
        let value = serde_json::from_str(json).unwrap_or_else(|_| Value::from(json));
        Self::new(Effect::SetField { name: name.into(), value })
    }

    /// A field at the top of a JSON answer is left out.
    #[must_use]
    pub fn drop_field(name: impl Into<String>) -> Self {
        Self::new(Effect::DropField(name.into()))
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

    /// Without a body. Only for faults that answer in the broker's place.
    #[must_use]
    pub fn with_empty_body(self) -> Self {
        self.with_answer_body(Body::Empty)
    }

    /// With an HTML page. Only for faults that answer in the broker's place.
    #[must_use]
    pub fn with_html_body(self) -> Self {
        self.with_answer_body(Body::Html(
            "<html><body><h1>Service temporarily unavailable</h1></body></html>".to_owned(),
        ))
    }

    /// With this body. Only for faults that answer in the broker's place. A media type that no header can hold becomes
    /// `application/octet-stream`.
    #[must_use]
    pub fn with_body(self, media_type: &str, content: impl Into<Bytes>) -> Self {
        let content_type =
            HeaderValue::try_from(media_type).unwrap_or_else(|_| HeaderValue::from_static("application/octet-stream"));
        self.with_answer_body(Body::Other { content_type, content: content.into() })
    }

    /// `statusCode`, where the answer has it, as a string.
    #[must_use]
    pub const fn with_status_code_as_string(mut self) -> Self {
        self.string_status_code = true;
        self
    }

    /// Only for requests that sign with what there must be.
    pub(super) const fn only_while(mut self, needs: Needs) -> Self {
        self.needs = Some(needs);
        self
    }

    fn with_answer_body(mut self, body: Body) -> Self {
        if let Effect::Instead(answer) = &mut self.effect {
            answer.body = body;
        }
        self
    }

    pub(super) const fn effect(&self) -> &Effect {
        &self.effect
    }

    /// Changes the broker's answer.
    pub(super) fn alter(&self, answer: &mut Answer, prime: &BigUint) {
        let Body::Json(body) = &mut answer.body else { return };
        match &self.effect {
            Effect::EndBrokerageSession { flag, value } => set_everywhere(body, flag, *value),
            Effect::SetField { name, value } => {
                if let Some(fields) = body.as_object_mut() {
                    fields.insert(name.clone(), value.clone());
                }
            }
            Effect::DropField(name) => {
                if let Some(fields) = body.as_object_mut() {
                    fields.remove(name);
                }
            }
            Effect::UpperCase(name) => rewrite(body, name, str::to_ascii_uppercase),
            Effect::WrongProof => rewrite(body, "live_session_token_signature", |proof| {
                let first = if proof.starts_with('0') { "1" } else { "0" };
                format!("{first}{}", proof.get(1..).unwrap_or_default())
            }),
            Effect::WrongResponse(response) => {
                rewrite(body, "diffie_hellman_response", |_| response.text(prime));
            }
            _ => {}
        }
        if let Some(code) = body.get_mut("statusCode").filter(|_| self.string_status_code) {
            *code = Value::from(code.to_string());
        }
    }
}

fn rewrite(body: &mut Value, name: &str, change: impl Fn(&str) -> String) {
    if let Some(field) = body.get_mut(name) {
        *field = Value::from(change(field.as_str().unwrap_or_default()));
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
