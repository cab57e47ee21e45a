//! What the recording of a simulator answers: here in one process, and in `tests/program` over sockets.

const STATUS: &str = "MAC authenticated=false competing=false connected=false message";
const TICKLE: &str = "collission=false hmds.error iserver.authStatus.MAC iserver.authStatus.authenticated=false \
                      iserver.authStatus.competing=false iserver.authStatus.connected=false \
                      iserver.authStatus.message session userId";

const TICKLE_OPEN: &str = "collission=false hmds.error iserver.authStatus.MAC iserver.authStatus.authenticated=true \
                           iserver.authStatus.competing=false iserver.authStatus.connected=true \
                           iserver.authStatus.established=true iserver.authStatus.message \
                           iserver.authStatus.serverInfo.serverName iserver.authStatus.serverInfo.serverVersion session \
                           userId";

/// Each question, and the answer of a lenient simulator.
pub(crate) const LENIENT: &[(&str, &str)] = &[
    ("sign_in", "accepted"),
    ("expiry", "the moment of the expiry, in 86100 s"),
    ("accounts", "200"),
    ("clock", "a date in each, clocks agree"),
    ("cookies", "api, x-sess-uuid"),
    ("status_fields", STATUS),
    ("status_by_get", "accepted"),
    ("tickle_fields", TICKLE),
    ("tickle_by_get", "accepted"),
    ("no_brokerage_session", "400 no_brokerage_session"),
    ("unknown_path", "404 not_found"),
    ("query_policies", "rfc5849, decoded-once, raw-pairs, omit, in-url"),
    ("wrong_signature", "refused: 401 signature_refused"),
    ("other_method", "refused: 401 signature_refused"),
    ("token_alone", "refused: 401 parameter_missing"),
    ("without_nonce", "refused: 401 parameter_missing"),
    ("other_realm", "refused: 401 realm_refused"),
    ("without_realm", "accepted"),
    ("nonce_repeated", "refused: 401 nonce_refused"),
    ("timestamp_behind_4", "accepted"),
    ("timestamp_behind_60", "refused: 401 timestamp_refused"),
    ("timestamp_behind_600", "refused: 401 timestamp_refused"),
    ("header_unquoted", "accepted"),
    ("header_raw", "accepted"),
    ("header_lower_case", "accepted"),
    ("header_twice", "refused: 401 signature_refused"),
    ("header_trailing_comma", "accepted"),
    ("compete_false", "opened"),
    ("settling", "ready after 0 s"),
    ("accounts_first", "500 accounts_not_queried"),
    ("iserver_accounts", "200"),
    ("accounts_after", "200"),
    ("opening_by_query", "opened"),
    ("tickle_open", TICKLE_OPEN),
    ("websocket_upgrade", "101"),
    ("websocket_messages", "system, act, sts"),
    ("websocket_opcode", "text"),
    ("websocket_ready", "ready after 0 s"),
    ("websocket_heartbeats", "one each, in 10 s"),
    ("websocket_tic", "answered 4 times"),
    ("websocket_close", "with code 1000"),
    ("second_sign_in", "accepted"),
    ("earlier_token", "accepted"),
    ("challenge_upper_case", "accepted"),
    ("challenge_leading_zeros", "accepted"),
    ("logout", "200"),
    ("token_after_logout", "accepted"),
    ("opening_after_logout", "opened"),
];

/// What a strict one answers otherwise.
pub(crate) const STRICT: &[(&str, &str)] = &[
    ("query_policies", "rfc5849"),
    ("without_realm", "refused: 401 parameter_missing"),
    ("header_unquoted", "refused: 401 not_authenticated"),
    ("header_raw", "refused: 401 not_authenticated"),
    ("header_lower_case", "refused: 401 not_authenticated"),
    ("header_trailing_comma", "refused: 401 not_authenticated"),
    ("timestamp_behind_4", "refused: 401 timestamp_refused"),
    ("opening_by_query", "refused: 400 unknown"),
    ("challenge_upper_case", "refused: 401 live_session_token_refused"),
    ("challenge_leading_zeros", "refused: 401 live_session_token_refused"),
    ("token_after_logout", "refused: 401 not_authenticated"),
    ("opening_after_logout", "refused: 401 not_authenticated"),
];

/// The session ends once it is open.
const LOST: [(&str, &str); 3] = [
    ("accounts_first", "400 no_brokerage_session"),
    ("iserver_accounts", "400 no_brokerage_session"),
    ("accounts_after", "400 no_brokerage_session"),
];

/// What is answered otherwise than by the lenient one, where this fault strikes the first request that it can.
pub(crate) fn otherwise(fault: &str) -> Vec<(&'static str, &'static str)> {
    match fault {
        "short-life" => vec![("expiry", "the moment of the expiry, in 30 s")],
        "no-expiration" => vec![("expiry", "there is none")],
        "no-bridge" => vec![("settling", "ready after 32 s")],
        "not-authenticated" => [&[("settling", "lost after 0 s")][..], &LOST].concat(),
        "competing" => [&[("settling", "lost after 1 s")][..], &LOST].concat(),
        "ws-close" => vec![
            ("websocket_messages", "none"),
            ("websocket_opcode", "none came"),
            ("websocket_ready", "not ready, and closed after 0 s"),
            ("websocket_heartbeats", "none, in 0 s"),
            ("websocket_tic", "it was not sent"),
            ("websocket_close", "it had closed itself, with code 1000"),
        ],
        "ws-stale-session" => vec![("websocket_messages", "\"waiting for session\", system, act, sts")],
        "ws-status-in-pieces" => vec![("websocket_messages", "system, act, sts, sts, sts")],
        "ws-no-status" => vec![
            ("websocket_messages", "system, act"),
            ("websocket_ready", "not ready after 10 s"),
            ("websocket_heartbeats", "one after 10 s"),
            ("websocket_tic", "it was not sent"),
            ("websocket_close", "with code 1000"),
        ],
        "ws-binary" => vec![("websocket_opcode", "binary")],
        "ws-no-heartbeat" => vec![("websocket_heartbeats", "none, in 32 s")],
        // A newer token, or the same request again, gets the answer.
        _ => Vec::new(),
    }
}

/// What the sign-in is answered with, where it stays the only request.
pub(crate) fn only_sign_in(fault: &str) -> Option<&'static str> {
    Some(match fault {
        "invalid-consumer" => "refused: 401 consumer_not_active_or_unknown",
        "no-access-secret" => "refused: 401 access_token_secret_missing",
        "lst-failed" => "refused: 401 live_session_token_refused",
        "wrong-proof" => "refused: 200 live_session_token_not_proved",
        "wrong-response" => "refused: 200 unknown",
        "rate-limited" | "penalty-box" => "unclear: 429 rate_limited",
        "clock-ahead" | "clock-behind" => "refused: 401 timestamp_refused",
        _ => return None,
    })
}

pub(crate) fn with(changes: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    let other = |question: &str| changes.iter().find(|(changed, _)| *changed == question).map(|(_, answer)| *answer);
    LENIENT.iter().map(|(question, answer)| (*question, other(question).unwrap_or(answer))).collect()
}
