//! What was seen of the WebSocket, in the words of the report.

use ibkr_oauth::{
    BrokerageStatus, Error,
    bytes::Bytes,
    diagnose::Cause,
    http::{Response, StatusCode},
    session::{Failure as SendFailure, FailureKind},
};

use super::listening::{Close, Seen};
use crate::failure::Failure;

/// What is known beside what was seen.
#[derive(Clone, Copy)]
pub(super) struct Circumstances<'a> {
    /// The proxy that the environment names.
    pub(super) proxy: Option<&'a str>,
    /// Whether there is a brokerage session.
    pub(super) has_brokerage_session: bool,
}

impl Circumstances<'_> {
    /// Who has to let WebSockets through.
    fn between(self) -> String {
        match self.proxy {
            Some(proxy) => format!("the proxy {proxy}"),
            None => "a proxy or firewall in between".to_owned(),
        }
    }

    fn let_through(self) -> String {
        format!(
            "have {} let WebSockets to this host through (`Upgrade: websocket`, and connections that stay open); where \
             nothing is in between, check `base_url`, and run this again in a minute",
            self.between()
        )
    }

    fn hold_nothing_back(self) -> String {
        format!(
            "run this again in a minute; if it stays so, have {} pass on what comes by a WebSocket as it comes",
            self.between()
        )
    }
}

fn error(message: impl Into<String>, remedy: impl Into<String>, cause: Option<Cause>) -> Failure {
    cause.into_iter().fold(Failure::refused(message, remedy), Failure::caused_by)
}

/// There is no response to the upgrade, or none that can be used.
pub(super) fn of_failure(failure: &SendFailure, circumstances: Circumstances<'_>) -> Failure {
    let message = match failure.kind() {
        FailureKind::TimedOut => "the upgrade is not answered".to_owned(),
        // The words of the kind are about a key store.
        FailureKind::Refused => "the upgrade is answered, and not by a WebSocket (`Sec-WebSocket-Accept`)".to_owned(),
        _ => format!("it does not open: {failure}"),
    };
    error(message, circumstances.let_through(), None)
}

/// The upgrade is answered otherwise than by a WebSocket.
pub(super) fn of_refusal(response: &Response<Bytes>, circumstances: Circumstances<'_>) -> Failure {
    let status = response.status();
    let Some(refusal) = Error::from_response(response).filter(|_| !status.is_success()) else {
        let message = format!("the upgrade is answered as an ordinary request ({status})");
        return error(message, circumstances.let_through(), None);
    };
    let words = refusal.detail().map(|words| format!(": {words}")).unwrap_or_default();
    let message = format!("the upgrade is refused ({status}){words}");
    let remedy = match status {
        StatusCode::FORBIDDEN => format!(
            "see whether {} refuses WebSockets; if not, ask IBKR whether this account and this address may use them",
            circumstances.between()
        ),
        StatusCode::NOT_FOUND => {
            "check `base_url`: the WebSocket is at `/ws` under it, which is `https://api.ibkr.com/v1/api/ws` at IBKR"
                .to_owned()
        }
        StatusCode::UNAUTHORIZED | StatusCode::GONE | StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
            refusal.remedy().to_owned()
        }
        status if status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED => refusal.remedy().to_owned(),
        // What takes no upgrade says that it does not know this, or sends elsewhere.
        _ => circumstances.let_through(),
    };
    error(message, remedy, refusal.cause())
}

/// It was open.
pub(super) fn of_connection(seen: &Seen, circumstances: Circumstances<'_>) -> Result<String, Failure> {
    const WITHOUT_BROKERAGE: &str =
        "opens; it says that the user is authenticated as soon as there is a brokerage session";
    let was_closed_by_broker = seen.close_sent.is_none();
    if seen.ready.is_some() && seen.status.is_ready() {
        return of_ready(seen, was_closed_by_broker, circumstances);
    }
    if let Some(words) = seen.error.as_ref().and_then(|message| Error::from_response(&Response::new(message.clone()))) {
        let said = words.detail().unwrap_or("an error");
        return Err(error(format!("opens, and says: {said}"), words.remedy(), words.cause()));
    }
    // What the broker says of the session goes before how it ends.
    if let Some(flags) = seen.status.error().filter(|_| seen.status != BrokerageStatus::default()) {
        if !circumstances.has_brokerage_session {
            return Ok(WITHOUT_BROKERAGE.to_owned());
        }
        let remedy = match flags.cause() {
            // There was one a moment ago.
            Some(Cause::BrokerageNotReady) => "wait a minute, then run this again",
            _ => flags.remedy(),
        };
        return Err(error(format!("opens, but the user is not served: {flags}"), remedy, flags.cause()));
    }
    if seen.is_waiting_for_session {
        return Err(error(
            format!("opens, and waits for the session; that of the tickle is not taken: {}", end(seen)),
            "run this again, since each tickle may have another session; if it stays so, log out everywhere (TWS, the \
             phone, other programs), and ask IBKR whether this user may have the WebSocket",
            Some(Cause::NotAuthenticated),
        ));
    }
    if was_closed_by_broker {
        return Err(error(
            format!("opens, and before the user is said to be authenticated, {}", end(seen)),
            "run this again in a minute; if it stays so, log out everywhere (TWS, the phone, other programs), and ask IBKR \
             whether this user may have the WebSocket",
            None,
        ));
    }
    let seconds = seen.close_sent.unwrap_or_default().as_secs();
    if seen.messages.is_empty() {
        return Err(error(
            format!("opens, and then nothing comes in {seconds} s"),
            circumstances.hold_nothing_back(),
            None,
        ));
    }
    // The status is the brokerage session's, and may not come without it.
    if !circumstances.has_brokerage_session {
        return Ok(WITHOUT_BROKERAGE.to_owned());
    }
    Err(error(
        format!("opens, and does not say in {seconds} s that the user is authenticated"),
        "run this again in a minute; if it stays so, record what comes by `--record`, and send the file to the project",
        None,
    ))
}

/// It said that the user is authenticated.
fn of_ready(seen: &Seen, was_closed_by_broker: bool, circumstances: Circumstances<'_>) -> Result<String, Failure> {
    let sign = match (seen.tic_answers > 0, seen.heartbeats > 0) {
        (true, _) => "answers `tic`",
        (false, true) => "beats",
        (false, false) if was_closed_by_broker => {
            return Err(error(
                format!("opens and says that the user is authenticated, and then {}", end(seen)),
                circumstances.hold_nothing_back(),
                None,
            ));
        }
        (false, false) => {
            return Err(error(
                "opens and says that the user is authenticated, and then is silent: no heartbeat, and no answer to `tic`",
                circumstances.hold_nothing_back(),
                None,
            ));
        }
    };
    let session =
        if seen.session_sent.is_some() { "; the cookie alone was not enough, it asked for the session" } else { "" };
    Ok(format!("opens, says that the user is authenticated, and {sign}{session}"))
}

/// How it ended.
fn end(seen: &Seen) -> String {
    match seen.ended {
        _ if seen.close_sent.is_some() => "it stays silent".to_owned(),
        Some((_, Close::Code(code))) => format!("the broker closes it with code {code}"),
        Some((_, Close::NoCode)) => "the broker closes it without a code".to_owned(),
        Some((_, Close::NoFrame)) | None => "the connection is cut".to_owned(),
    }
}
