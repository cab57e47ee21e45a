//! Opening the brokerage session.

use std::time::Duration;

use ibkr_oauth::{BrokerageStatus, Compete, Error, Signer, diagnose::Cause};

use crate::{credentials, failure::Failure, http_client::HttpClient};

/// How often the brokerage session is asked for before the program gives up.
pub(crate) const ATTEMPTS: u32 = 5;
/// The time between two attempts, where the broker names none.
pub(crate) const PAUSE: Duration = Duration::from_secs(1);
/// The longest time between two attempts, whatever the broker says.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Opens the brokerage session, and waits until it is ready. A session elsewhere is left alone.
pub(crate) fn open(client: &HttpClient, signer: &Signer) -> Result<(), Failure> {
    let open = || -> Result<BrokerageStatus, Error> {
        credentials::with_context(|cx| signer.brokerage().open(cx, Compete::Yield))?.send(client)
    };
    let ask = || -> Result<BrokerageStatus, Error> {
        credentials::with_context(|cx| signer.brokerage().status(cx))?.send(client)
    };
    let mut status = open()?;
    for _ in 1..ATTEMPTS {
        let failed = status.fail.as_deref().is_some_and(|words| !words.is_empty());
        if status.is_ready() || status.competing == Some(true) || failed {
            break;
        }
        let wait = status.wait();
        credentials::pause(wait.unwrap_or(PAUSE).min(LONGEST_PAUSE));
        // A response that asks to wait has opened nothing.
        status = if wait.is_some() { open()? } else { ask()? };
    }
    if status.competing == Some(true) {
        return Err(Failure::refused(
            "brokerage session: another session of this user is in the way",
            "log out there (TWS, the phone, another program), then run this again",
        )
        .caused_by(Cause::CompetingSession));
    }
    if status.is_ready() {
        return Ok(());
    }
    let cause = status.error().and_then(|error| error.cause()).unwrap_or(Cause::BrokerageNotReady);
    let words = [status.fail, status.message].into_iter().flatten().find(|words| !words.is_empty());
    let words = words.map(|words| format!(": {words}")).unwrap_or_default();
    Err(Failure::refused(format!("brokerage session: it is not ready{words}"), "wait a minute, then run this again")
        .caused_by(cause))
}
