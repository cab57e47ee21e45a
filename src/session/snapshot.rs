//! A session on paper, so that another process can go on with it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::clock_skew;
use crate::{
    consumer::Consumer,
    context::Timestamp,
    encoding,
    error::{Error, Stage},
    flow::{LiveSessionToken, UnlockedToken},
    secret::Secret,
};

const VERSION: u32 = 1;
const STAGE: Stage = Stage::LiveSessionToken;

/// What another process needs to go on without a handshake of its own: the live session token, how far timestamps have
/// come, and how long the broker wants to be left alone.
///
/// It can be read (`Deserialize`), but is written only through [`expose_secrets`](Self::expose_secrets): whoever has it
/// can sign for the user for the rest of the token's day. Keep it encrypted.
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
    live_session_token: String,
    /// In milliseconds since the epoch.
    expires_at: u64,
    /// In seconds since the epoch.
    timestamp_floor: u64,
    /// In seconds.
    clock_correction: i64,
    /// In milliseconds since the epoch.
    penalty_until: Option<u64>,
}

impl Drop for Stored {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.live_session_token);
    }
}

impl TryFrom<Stored> for Snapshot {
    type Error = &'static str;

    fn try_from(mut stored: Stored) -> Result<Self, &'static str> {
        if stored.version != VERSION {
            return Err("the snapshot is of another version");
        }
        let live_session_token = encoding::read_base64(stored.live_session_token.as_bytes())
            .filter(|token| token.len() == crate::dh::TOKEN_LENGTH)
            .ok_or("`live_session_token` is not the Base64 of 20 bytes")?;
        Ok(Self {
            consumer_key: std::mem::take(&mut stored.consumer_key),
            access_token: std::mem::take(&mut stored.access_token),
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

    /// The live session token of this snapshot, with the floor of `token` raised to the snapshot's.
    pub(super) fn restore(
        self,
        consumer: &Consumer,
        token: &UnlockedToken,
        correct_clock: bool,
        now: Timestamp,
    ) -> Result<(LiveSessionToken, Timestamp), Error> {
        let refuse = |message, remedy| Err(Error::config(STAGE, message).with_remedy(remedy));
        if self.consumer_key != consumer.consumer_key() {
            return refuse(
                "the snapshot belongs to another consumer",
                "resume with the consumer that it was taken from",
            );
        }
        if self.access_token != token.token() {
            return refuse(
                "the snapshot belongs to another access token",
                "resume with the token that it was taken from",
            );
        }
        if self.expires_at <= now {
            return refuse("the snapshot's live session token has expired", "start a new session: `Session::new`");
        }
        token.floor().raise(self.timestamp_floor);
        token.floor().correct(if correct_clock { clock_skew::correction(self.clock_correction) } else { 0 });
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
            live_session_token: encoding::base64(self.live_session_token.expose()),
            expires_at: self.expires_at.as_millis(),
            timestamp_floor: self.timestamp_floor,
            clock_correction: self.clock_correction,
            penalty_until: self.penalty_until.map(Timestamp::as_millis),
        }
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}
