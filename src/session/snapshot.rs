//! A session on paper, so that another process can go on with it.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::skew;
use crate::{
    consumer::Consumer,
    context::Timestamp,
    encoding,
    error::{Error, Stage},
    flow::{LiveSessionToken, UnlockedToken},
    secret::Secret,
    signer::Signer,
    timestamp_floor::TOLERANCE,
};

const VERSION: u32 = 1;
const STAGE: Stage = Stage::LiveSessionToken;

/// What another process needs to go on without its own handshake: the live session token, how far timestamps have
/// come, and how long the broker wants to be left alone.
///
/// It can be read (`Deserialize`), but is written only through [`expose_secrets`](Self::expose_secrets): anyone who has
/// it can sign for the user for the rest of the token's day. Keep it encrypted.
#[derive(Deserialize)]
#[serde(try_from = "Stored")]
pub struct Snapshot {
    consumer_key: String,
    access_token: String,
    live_session_token: Secret,
    expires_at: Timestamp,
    timestamp_floor: u64,
    clock_correction: i64,
    penalty_until: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    version: u32,
    consumer_key: String,
    access_token: String,
    /// In Base64.
    live_session_token: Zeroizing<String>,
    /// In milliseconds since the epoch.
    expires_at: u64,
    /// In seconds since the epoch.
    timestamp_floor: u64,
    /// In seconds.
    clock_correction: i64,
    /// In milliseconds since the epoch.
    penalty_until: Option<u64>,
}

impl TryFrom<Stored> for Snapshot {
    type Error = &'static str;

    fn try_from(stored: Stored) -> Result<Self, &'static str> {
        if stored.version != VERSION {
            return Err("the snapshot is of another version");
        }
        let live_session_token = Secret::from_base64(&stored.live_session_token)
            .filter(|token| token.len() == crate::dh::TOKEN_LENGTH)
            .ok_or("`live_session_token` is not the Base64 of 20 bytes")?;
        Ok(Self {
            consumer_key: stored.consumer_key,
            access_token: stored.access_token,
            live_session_token,
            expires_at: Timestamp::from_millis(stored.expires_at),
            timestamp_floor: stored.timestamp_floor,
            clock_correction: stored.clock_correction,
            penalty_until: stored.penalty_until.map(Timestamp::from_millis),
        })
    }
}

impl Snapshot {
    pub(super) fn take(
        consumer: &Consumer,
        token: &UnlockedToken,
        live: &LiveSessionToken,
        expires_at: Timestamp,
        penalty_until: Option<Timestamp>,
    ) -> Self {
        Self {
            consumer_key: consumer.consumer_key().to_owned(),
            access_token: token.token().to_owned(),
            live_session_token: live.secret().clone(),
            expires_at,
            timestamp_floor: token.floor().floor(),
            clock_correction: token.floor().correction(),
            penalty_until,
        }
    }

    /// The same with the timestamps that `signer` has come to.
    pub(crate) fn as_of_now(&self, signer: &Signer) -> Self {
        Self {
            consumer_key: self.consumer_key.clone(),
            access_token: self.access_token.clone(),
            live_session_token: self.live_session_token.clone(),
            timestamp_floor: signer.floor().floor(),
            clock_correction: signer.floor().correction(),
            ..*self
        }
    }

    /// What signs requests with the live session token in it: for a process that sends requests beside the one that keeps
    /// the session alive. It refreshes nothing, and needs the next snapshot when this one has expired.
    ///
    /// Timestamps begin where those of the snapshot ended, and follow this machine's clock from there.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the snapshot is of another consumer, or has expired at `now`.
    pub fn signer(&self, consumer: &Consumer, now: Timestamp) -> Result<Signer, Error> {
        self.check(consumer, now)?;
        let signer = Signer::from_stored(consumer, &self.access_token, &self.live_session_token)?;
        signer.floor().raise(self.timestamp_floor.min(now.as_secs().saturating_add(TOLERANCE)));
        signer.floor().correct(skew::correction(self.clock_correction));
        Ok(signer)
    }

    fn check(&self, consumer: &Consumer, now: Timestamp) -> Result<(), Error> {
        if self.consumer_key != consumer.consumer_key() {
            return refuse(
                "the snapshot belongs to another consumer",
                "resume with the consumer that it was taken from",
            );
        }
        if self.expires_at <= now {
            return refuse("the snapshot's live session token has expired", "start a new session: `Session::new`");
        }
        Ok(())
    }

    /// The live session token of this snapshot, with the floor of `token` raised to the snapshot's.
    pub(super) fn restore(
        self,
        consumer: &Consumer,
        token: &UnlockedToken,
        correct_clock: bool,
        now: Timestamp,
    ) -> Result<(LiveSessionToken, Timestamp), Error> {
        self.check(consumer, now)?;
        if self.access_token != token.token() {
            return refuse(
                "the snapshot belongs to another access token",
                "resume with the token that it was taken from",
            );
        }
        token.floor().raise(self.timestamp_floor);
        token.floor().correct(if correct_clock { skew::correction(self.clock_correction) } else { 0 });
        let live = LiveSessionToken::restore(consumer, token, self.live_session_token, Some(self.expires_at));
        Ok((live, self.expires_at))
    }

    /// Until when nothing must be sent, because the broker counted too many requests.
    pub(super) fn penalty_until(&self) -> Option<Timestamp> {
        self.penalty_until
    }

    /// When the live session token in it expires.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// The form that can be written, secrets included. Each use is a place to audit.
    #[must_use]
    pub fn expose_secrets(&self) -> impl Serialize {
        Stored {
            version: VERSION,
            consumer_key: self.consumer_key.clone(),
            access_token: self.access_token.clone(),
            live_session_token: Zeroizing::new(encoding::base64(self.live_session_token.expose())),
            expires_at: self.expires_at.as_millis(),
            timestamp_floor: self.timestamp_floor,
            clock_correction: self.clock_correction,
            penalty_until: self.penalty_until.map(Timestamp::as_millis),
        }
    }
}

fn refuse<T>(message: &'static str, remedy: &'static str) -> Result<T, Error> {
    Err(Error::config(STAGE, message).with_remedy(remedy))
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}
