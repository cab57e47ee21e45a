//! A session on paper, so that another process can go on with it.

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
pub struct Snapshot(Stored);

debug_fields!(self: Snapshot { expires_at: self.expires_at() });

#[derive(Clone, Serialize, Deserialize)]
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
        stored.live_session_token().ok_or("`live_session_token` is not the Base64 of 20 bytes")?;
        Ok(Self(stored))
    }
}

impl Stored {
    fn live_session_token(&self) -> Option<Secret> {
        Secret::from_base64(&self.live_session_token).filter(|token| token.len() == crate::dh::TOKEN_LENGTH)
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
        Self(Stored {
            version: VERSION,
            consumer_key: consumer.consumer_key().to_owned(),
            access_token: token.token().to_owned(),
            live_session_token: Zeroizing::new(encoding::base64(live.secret().expose())),
            expires_at: expires_at.as_millis(),
            timestamp_floor: token.floor().floor(),
            clock_correction: token.floor().correction(),
            penalty_until: penalty_until.map(Timestamp::as_millis),
        })
    }

    /// The same with the timestamps that `signer` has come to.
    pub(crate) fn as_of_now(&self, signer: &Signer) -> Self {
        let (timestamp_floor, clock_correction) = (signer.floor().floor(), signer.floor().correction());
        Self(Stored { timestamp_floor, clock_correction, ..self.0.clone() })
    }

    /// What signs requests with the live session token in it: for a process that sends requests beside the one that keeps
    /// the session alive. It refreshes nothing, and needs the next snapshot when this one has expired.
    ///
    /// Timestamps begin where those of the snapshot ended, and follow this machine's clock from there.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the snapshot is of another consumer, or has expired at `now`.
    pub fn signer(&self, consumer: &Consumer, now: Timestamp) -> Result<Signer, Error> {
        let live_session_token = self.check(consumer, now)?;
        let signer = Signer::from_stored(consumer, &self.0.access_token, &live_session_token)?;
        signer.floor().raise(self.0.timestamp_floor.min(now.as_secs().saturating_add(TOLERANCE)));
        signer.floor().correct(skew::correction(self.0.clock_correction));
        Ok(signer)
    }

    /// The live session token, if it is good for this consumer now.
    fn check(&self, consumer: &Consumer, now: Timestamp) -> Result<Secret, Error> {
        if self.0.consumer_key != consumer.consumer_key() {
            return refuse(
                "the snapshot belongs to another consumer",
                "resume with the consumer that it was taken from",
            );
        }
        match self.0.live_session_token().filter(|_| self.expires_at() > now) {
            Some(live_session_token) => Ok(live_session_token),
            None => refuse("the snapshot's live session token has expired", "start a new session: `Session::new`"),
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
        let live_session_token = self.check(consumer, now)?;
        if self.0.access_token != token.token() {
            return refuse(
                "the snapshot belongs to another access token",
                "resume with the token that it was taken from",
            );
        }
        token.floor().raise(self.0.timestamp_floor);
        token.floor().correct(if correct_clock { skew::correction(self.0.clock_correction) } else { 0 });
        let expires_at = self.expires_at();
        let live = LiveSessionToken::restore(consumer, token, live_session_token, Some(expires_at));
        Ok((live, expires_at))
    }

    /// Until when nothing must be sent, because the broker counted too many requests.
    pub(super) fn penalty_until(&self) -> Option<Timestamp> {
        self.0.penalty_until.map(Timestamp::from_millis)
    }

    /// When the live session token in it expires.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        Timestamp::from_millis(self.0.expires_at)
    }

    /// The form that can be written, secrets included. Each use is a place to audit.
    #[must_use]
    pub fn expose_secrets(&self) -> impl Serialize {
        self.0.clone()
    }
}

fn refuse<T>(message: &'static str, remedy: &'static str) -> Result<T, Error> {
    Err(Error::config(STAGE, message).with_remedy(remedy))
}
