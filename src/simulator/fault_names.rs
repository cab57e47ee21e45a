//! Faults as text, for command lines and for programs in other languages.

use std::{str::FromStr, time::Duration};

use self::{
    Agreement::{LeadingZeroByte, OddLengthResponse, TopBitClear, TopBitSet},
    Effect::{Agree, Instead401, Life, NoAccessSecret, Socket},
};
use super::{
    broker::BrokerError,
    faults::{Agreement, Effect, Fault, Needs, SocketFault},
    reason::LIVE_SESSION_TOKEN_FAILED,
};

/// A name, what it does, and how it is made.
type Named = (&'static str, &'static str, fn() -> Fault);

const NAMED: [Named; 36] = [
    ("invalid-consumer", "401 `invalid consumer`", || Fault::new(Instead401("invalid consumer"))),
    ("no-access-secret", "401 `No access secret key found`, at the live session token", || at_token(NoAccessSecret)),
    ("lst-failed", "401 `LST failed`, at the live session token", || at_token(Instead401(LIVE_SESSION_TOKEN_FAILED))),
    ("wrong-proof", "a live session token whose proof is wrong", || {
        Fault::set_field("live_session_token_signature", WRONG_PROOF).at(TOKEN)
    }),
    ("wrong-response", "a Diffie-Hellman response that must not be trusted", || {
        Fault::set_field("diffie_hellman_response", "\"1\"").at(TOKEN)
    }),
    ("k-top-bit-set", "a right token, of a K whose first bit is set", || at_token(Agree(TopBitSet))),
    ("k-top-bit-clear", "a right token, of a K whose first bit is not set", || at_token(Agree(TopBitClear))),
    ("k-leading-zero", "a right token, of a K that is a byte shorter than p", || at_token(Agree(LeadingZeroByte))),
    ("odd-length-response", "a right token, of a response with an odd number of digits", || {
        at_token(Agree(OddLengthResponse))
    }),
    ("short-life", "a live session token that lives for half a minute", || at_token(Life(Duration::from_secs(30)))),
    ("no-expiration", "a live session token without its expiration", || {
        Fault::drop_field("live_session_token_expiration").at(TOKEN)
    }),
    ("expired-lst", "every live session token ends, once there is one", || {
        Fault::expire_live_session_token().only_while(Needs::LiveSessionToken)
    }),
    ("no-bridge", "the brokerage session takes 30 seconds to be ready", || {
        Fault::no_bridge_for(Duration::from_secs(30))
    }),
    ("not-authenticated", "the brokerage session ends, once it is open", || {
        Fault::not_authenticated().only_while(Needs::BrokerageSession)
    }),
    ("competing", "another session takes the brokerage session, once it is open", || {
        Fault::competing().only_while(Needs::BrokerageSession)
    }),
    ("rate-limited", "429", || Fault::status(429)),
    ("penalty-box", "429, and so for a minute", || Fault::penalty_box(Duration::from_secs(60))),
    ("gone", "410", || Fault::status(410)),
    ("unavailable", "503 without a body", || Fault::status(503).with_body("", "")),
    ("drop-request", "the request never arrives", Fault::drop_request),
    ("drop-response", "the request is obeyed, and the response lost", Fault::drop_response),
    ("clock-ahead", "the broker's clock is ten minutes ahead from then on", || Fault::clock_step(600)),
    ("clock-behind", "the broker's clock is ten minutes behind from then on", || Fault::clock_step(-600)),
    ("ws-close", "the WebSocket is closed with 1000 as soon as it is open", || at_socket(SocketFault::CloseAtOnce)),
    ("ws-stale-session", "the WebSocket waits for its session", || at_socket(SocketFault::StaleSession)),
    ("ws-status-in-pieces", "its status comes a key at a time", || at_socket(SocketFault::StatusInPieces)),
    ("ws-status-at-top", "its status comes without `args`", || at_socket(SocketFault::StatusAtTop)),
    ("ws-no-status", "it says nothing of the session's status", || at_socket(SocketFault::NoStatus)),
    ("ws-lost-subscriptions", "it loses the first two subscriptions", || at_socket(SocketFault::LoseSubscriptions(2))),
    ("ws-binary", "its messages are binary", || at_socket(SocketFault::Binary)),
    ("ws-not-utf8", "its texts about orders and trades are not UTF-8", || at_socket(SocketFault::NotUtf8)),
    ("ws-fragments", "its messages come in three frames each", || at_socket(SocketFault::Fragments)),
    ("ws-no-heartbeat", "it has no heartbeat", || at_socket(SocketFault::NoHeartbeat)),
    ("ws-silent-line", "its first market data line falls silent", || at_socket(SocketFault::SilentLine)),
    ("ws-odd-messages", "it has messages that are no JSON objects, or of no known topic", || {
        at_socket(SocketFault::OddMessages)
    }),
    ("ws-unconfirmed", "it confirms no unsubscription", || at_socket(SocketFault::Unconfirmed)),
];

const TOKEN: &str = "/oauth/live_session_token";

/// Of no token: there is one chance in 2^160.
const WRONG_PROOF: &str = "\"0000000000000000000000000000000000000000\"";

fn at_token(effect: Effect) -> Fault {
    Fault::new(effect).at(TOKEN)
}

fn at_socket(fault: SocketFault) -> Fault {
    Fault::new(Socket(fault)).at("/ws")
}
impl Fault {
    /// The faults that have a name, each with what it does.
    pub fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
        NAMED.iter().map(|(name, what, _)| (*name, *what))
    }
}

/// `NAME[@PATH][+AFTER][*TIMES]`: a fault of [this name](Fault::names), only [`at`](Fault::at) the path,
/// [`after`](Fault::after) as many requests that it would have applied to, as many [`times`](Fault::times).
///
/// A fault of a running session, such as `expired-lst`, waits until there is one.
///
/// ```
/// use ibkr_oauth::simulator::{Broker, Fault};
///
/// let fault: Fault = "unavailable@/tickle+2*3".parse()?;
/// Broker::default().inject(fault);
/// # Ok::<(), ibkr_oauth::simulator::BrokerError>(())
/// ```
impl FromStr for Fault {
    type Err = BrokerError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (rest, times) = split(text, '*');
        let (rest, after) = split(rest, '+');
        let (name, path) = split(rest, '@');
        let count = |sign: char, digits: &str, least: u32| -> Result<u32, BrokerError> {
            let count = digits.parse().ok().filter(|count| *count >= least && digits.starts_with(|c: char| c != '+'));
            count.ok_or_else(|| BrokerError(format!("`{digits}` after `{sign}` is not a number from {least} on")))
        };
        let Some((_, _, make)) = NAMED.iter().find(|(known, ..)| *known == name) else {
            let names: Vec<&str> = Self::names().map(|(name, _)| name).collect();
            return Err(BrokerError(format!("there is no fault `{name}`; there are {}", names.join(", "))));
        };
        let mut fault = make();
        if let Some(path) = path {
            if !path.starts_with('/') {
                return Err(BrokerError(format!("`{path}` after `@` is not a path from `/` on")));
            }
            fault = fault.at(path);
        }
        if let Some(digits) = after {
            fault = fault.after(count('+', digits, 0)?);
        }
        if let Some(digits) = times {
            fault = fault.times(count('*', digits, 1)?);
        }
        Ok(fault)
    }
}

fn split(text: &str, sign: char) -> (&str, Option<&str>) {
    text.split_once(sign).map_or((text, None), |(front, back)| (front, Some(back)))
}
