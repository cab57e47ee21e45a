//! From a bundle to a session.

use crate::{
    bundle::CredentialBundle,
    context::{Context, OsEntropy, Timestamp},
    error::{Error, Stage},
    session::{Session, SessionConfig, Snapshot},
};

pub(super) fn session_of(
    bundle: &CredentialBundle,
    config: SessionConfig,
    snapshot: Option<Snapshot>,
    now: Timestamp,
) -> Result<Session, Error> {
    let consumer = bundle.consumer()?;
    let access_token = bundle.access_token()?.ok_or_else(|| {
        Error::config(Stage::Bundle, "the bundle has no access token").with_remedy(
            "put `access_token` and `access_token_secret` from the portal into the bundle; third parties get them by the \
             user's consent",
        )
    })?;
    let token = consumer.unlock(&mut Context::new(now, &mut OsEntropy), &access_token)?;
    match snapshot {
        Some(snapshot) => Session::resume(consumer, token, config, snapshot, now),
        None => Ok(Session::new(consumer, token, config)),
    }
}
