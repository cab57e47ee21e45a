//! What the gateway answers in the broker's place, in the shapes that clients of the Java gateway read.

use ibkr_oauth::{Timestamp, session::State};
use serde_json::{Map, Value, json};

use super::standing::Standing;

/// `/sso/validate`: the keys of the official sample, in their order.
pub(crate) fn validate(standing: &Standing) -> Value {
    let auth_time = standing.signed_in_at.map_or(0, Timestamp::as_millis);
    // 1 is a live account, 2 a paper account; some read the one name, some the other.
    let login_type = standing.user.is_paper.map(|is_paper| if is_paper { 2 } else { 1 });
    json!({
        "USER_ID": standing.user.id.unwrap_or_default(),
        "USER_NAME": "",
        "RESULT": standing.is_live,
        "AUTH_TIME": auth_time,
        "SF_ENABLED": false,
        "IS_FREE_TRIAL": false,
        "CREDENTIAL": "",
        "IP": "127.0.0.1",
        "EXPIRES": left(standing),
        "QUALIFIED_FOR_MOBILE_AUTH": null,
        "LANDING_APP": "UNIVERSAL",
        "IS_MASTER": false,
        "lastAccessed": standing.now.as_millis(),
        "LOGIN_TYPE": login_type,
        "loginType": login_type,
        "PAPER_USER_NAME": "",
        "features": {
            "env": "PROD", "wlms": true, "realtime": true, "bond": true, "optionChains": true, "calendar": true, "newMf": true,
        },
        "region": "NJ",
    })
}

/// `/iserver/auth/status`, with each key that a client asks for: the broker's answer completed, or one for a session that is
/// not there.
pub(crate) fn status(standing: &Standing, broker: Option<Map<String, Value>>) -> Value {
    let mut status = broker.unwrap_or_else(|| {
        let message = standing.last_error.as_ref().map_or("", |(error, _)| error);
        let fields = json!({
            "authenticated": standing.is_live,
            "competing": standing.state == State::Displaced,
            "connected": standing.is_signed_in,
            "message": message,
            "fail": message,
        });
        match fields {
            Value::Object(fields) => fields,
            _ => Map::new(),
        }
    });
    let authenticated = status.get("authenticated").cloned().unwrap_or(false.into());
    for (name, value) in [
        ("authenticated", authenticated.clone()),
        ("established", authenticated),
        ("competing", false.into()),
        ("connected", standing.is_signed_in.into()),
        ("message", "".into()),
        ("MAC", "".into()),
        ("serverInfo", json!({ "serverName": "", "serverVersion": "" })),
        ("fail", "".into()),
    ] {
        status.entry(name).or_insert(value);
    }
    Value::Object(status)
}

/// `/tickle`: the broker's answer, with what the Java gateway has beside it, and a session of this gateway's: the broker's own
/// opens sockets from everywhere. What is no object passes as it is.
pub(crate) fn tickle(standing: &Standing, local_session: &str, body: &[u8]) -> Vec<u8> {
    let Ok(Value::Object(mut tickle)) = serde_json::from_slice(body) else { return body.to_vec() };
    tickle.insert("session".to_owned(), local_session.into());
    tickle.entry("ssoExpires").or_insert_with(|| left(standing).into());
    tickle.entry("collission").or_insert(false.into());
    tickle.entry("userId").or_insert_with(|| standing.user.id.unwrap_or_default().into());
    let status = match tickle.remove("iserver") {
        Some(Value::Object(mut iserver)) => match iserver.remove("authStatus") {
            Some(Value::Object(status)) => Some(status),
            _ => None,
        },
        _ => None,
    };
    tickle.insert("iserver".to_owned(), json!({ "authStatus": self::status(standing, status) }));
    Value::Object(tickle).to_string().into_bytes()
}

/// `/iserver/reauthenticate`.
pub(crate) fn reauthenticate(standing: &Standing) -> Value {
    match standing.word() {
        "ended" => json!({ "error": "not logged in" }),
        _ => json!({ "message": "triggered" }),
    }
}

/// `/logout`, which ends nobody else's session.
pub(crate) fn logout() -> Value {
    json!({ "status": true })
}

/// How long the live session token lasts, in milliseconds.
fn left(standing: &Standing) -> u64 {
    let left = standing.expires_at.map(|at| at.saturating_duration_since(standing.now));
    left.filter(|_| standing.is_signed_in).map_or(0, |left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX))
}
