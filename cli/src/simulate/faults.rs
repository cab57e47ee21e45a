//! The faults that have a name on the command line.

use std::time::Duration;

use ibkr_oauth::simulator::{Fault, WrongResponse};

const TEN_MINUTES: Duration = Duration::from_secs(600);

/// `NAME` or `NAME:TIMES`.
pub(super) fn parse(text: &str) -> Result<Fault, String> {
    let (name, times) = match text.split_once(':') {
        None => (text, 1),
        Some((name, times)) => (name, times.parse().map_err(|_| "behind the `:` stands how many times".to_owned())?),
    };
    let fault = named(name).ok_or("there is no such fault; `ibkr-oauth simulate --help` names them")?;
    Ok(fault.times(times))
}

fn named(name: &str) -> Option<Fault> {
    Some(match name {
        "invalid-consumer" => Fault::invalid_consumer(),
        "no-access-secret" => Fault::no_access_secret(),
        "lst-failed" => Fault::live_session_token_failed(),
        "wrong-proof" => Fault::wrong_proof(),
        "wrong-response" => Fault::wrong_response(WrongResponse::One),
        "no-expiration" => Fault::no_expiration(),
        "expired-lst" => Fault::expire_live_session_token(),
        "no-bridge" => Fault::no_bridge_for(Duration::from_secs(30)),
        "not-authenticated" => Fault::not_authenticated(),
        "competing" => Fault::competing(),
        "rate-limited" => Fault::rate_limited(),
        "penalty-box" => Fault::penalty_box(Duration::from_secs(60)),
        "gone" => Fault::gone(),
        "unavailable" => Fault::status(503).with_empty_body(),
        "drop-request" => Fault::drop_request(),
        "drop-response" => Fault::drop_response(),
        "clock-ahead" => Fault::clock_ahead(TEN_MINUTES),
        "clock-behind" => Fault::clock_behind(TEN_MINUTES),
        _ => return None,
    })
}
