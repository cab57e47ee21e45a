//! `POST /oauth/live_session_token`: negotiates the key that signs a day's requests, and proves it.

use std::{sync::Arc, time::Duration};

use serde::Deserialize;
use serde_json::Value;

use super::access_token::UnlockedToken;
use crate::{
    consumer::Consumer,
    context::{Context, Timestamp},
    dh::{self, DhGroup, Exponent},
    encoding::{hexadecimal, read_hexadecimal},
    error::{Cause, Error, ErrorKind, Stage},
    exchange::{Exchange, Unsigned},
    response,
    secret::Secret,
    signer::Signer,
    timestamp_floor::TimestampFloor,
};

const STAGE: Stage = Stage::LiveSessionToken;

#[derive(Deserialize)]
struct Reply {
    diffie_hellman_response: String,
    live_session_token_signature: String,
    /// Absent in the text of 2018.
    #[serde(default)]
    live_session_token_expiration: Option<Value>,
}

/// The key that signs protected requests for about a day, proved to be the broker's too.
///
/// A value of this type exists only after the broker's proof matched. Its clones share everything.
#[derive(Clone)]
pub struct LiveSessionToken {
    signer: Signer,
    secret: Arc<Secret>,
    expires_at: Option<Timestamp>,
}

debug_fields!(LiveSessionToken { expires_at });

impl LiveSessionToken {
    /// A token that was proved earlier and kept since, to sign on with the timestamp floor of `token`.
    pub(crate) fn restore(
        consumer: &Consumer,
        token: &UnlockedToken,
        secret: Secret,
        expires_at: Option<Timestamp>,
    ) -> Self {
        let (name, floor) = (Arc::clone(token.shared_token()), Arc::clone(token.floor()));
        let signer = Signer::new(consumer.clone(), name, &secret, floor);
        Self { signer, secret: Arc::new(secret), expires_at }
    }

    /// When the broker says that the token expires, usually 24 hours after it was made.
    ///
    /// `None` where the broker did not say, or named a moment that cannot be meant: one that is less than a minute, or
    /// more than 48 hours, after the request. Assume 24 hours then.
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }

    /// Signs requests with this token.
    #[must_use]
    pub fn signer(&self) -> Signer {
        self.signer.clone()
    }

    /// The 20 bytes of the token; its usual text form is their Base64. Whoever has them can act for the user for a day.
    #[must_use]
    pub fn secret(&self) -> &Secret {
        &self.secret
    }
}

impl UnlockedToken {
    /// Negotiates a live session token: a fresh Diffie-Hellman exchange, keyed with the access token's secret.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] without a signature key or a Diffie-Hellman group, or if the clock was set back by more
    /// than 300 seconds; [`ErrorKind::Key`] if the key refuses; [`ErrorKind::Entropy`] if there are no random bytes.
    pub fn live_session_token(
        &self,
        consumer: &Consumer,
        cx: &mut Context<'_>,
    ) -> Result<Exchange<LiveSessionToken>, Error> {
        self.prepare_live_session_token(consumer, cx)?.sign(cx)
    }

    /// As [`live_session_token`](Self::live_session_token), with the signature made elsewhere.
    ///
    /// The request is dated by now, not by when the signature comes. The broker refuses old timestamps, and perhaps those
    /// that are smaller than one it has seen: where the signature took minutes, or something else was signed meanwhile,
    /// prepare anew. ([`Session`](crate::session::Session) does.)
    ///
    /// # Errors
    /// As there, but for those of the signature key.
    pub fn prepare_live_session_token(
        &self,
        consumer: &Consumer,
        cx: &mut Context<'_>,
    ) -> Result<Unsigned<LiveSessionToken>, Error> {
        self.prepare_dated_ahead(consumer, cx, Duration::ZERO).map(|(unsigned, _)| unsigned)
    }

    /// As above, with a timestamp (which is returned too) so much ahead of the clock: whoever signs meanwhile signs with
    /// no later one.
    pub(crate) fn prepare_dated_ahead(
        &self,
        consumer: &Consumer,
        cx: &mut Context<'_>,
        ahead: Duration,
    ) -> Result<(Unsigned<LiveSessionToken>, u64), Error> {
        let group = consumer.dh_params()?.clone();
        let exponent = Exponent::generate(cx.entropy()).map_err(|error| Error::entropy(STAGE, error))?;
        let date = cx.now().saturating_add(ahead);
        let timestamp = self.floor().stamp(date).map_err(|behind| behind.error(STAGE))?;
        let parameters =
            vec![("diffie_hellman_challenge", exponent.challenge(&group)), ("oauth_token", self.token().to_owned())];
        let negotiation = Negotiation {
            consumer: consumer.clone(),
            group,
            exponent,
            token: Arc::clone(self.shared_token()),
            secret: Arc::clone(self.secret()),
            floor: Arc::clone(self.floor()),
            requested_at: cx.now(),
        };
        let prepend = hexadecimal(self.secret().expose());
        let step = (STAGE, "/oauth/live_session_token");
        let unsigned = Unsigned::new(step, consumer, cx.entropy(), timestamp, parameters, &prepend, move |response| {
            negotiation.conclude(&response::read(STAGE, &response)?)
        })?;
        Ok((unsigned, timestamp))
    }
}

/// What the client must keep until the broker's half of the exchange arrives.
struct Negotiation {
    consumer: Consumer,
    group: DhGroup,
    exponent: Exponent,
    token: Arc<str>,
    secret: Arc<Secret>,
    floor: Arc<TimestampFloor>,
    requested_at: Timestamp,
}

impl Negotiation {
    fn conclude(&self, reply: &Reply) -> Result<LiveSessionToken, Error> {
        let proof: [u8; dh::TOKEN_LENGTH] = read_hexadecimal(&reply.live_session_token_signature).ok_or_else(|| {
            Error::malformed(STAGE, "the response's `live_session_token_signature` is not 40 hexadecimal digits")
        })?;
        let shared = self.exponent.shared_secret(&reply.diffie_hellman_response, &self.group)?;
        let secret = Arc::new(dh::live_session_token(&shared, &self.secret));
        if !dh::verify_proof(&secret, self.consumer.consumer_key(), &proof) {
            return Err(self.not_proved());
        }

        let signer = Signer::new(self.consumer.clone(), Arc::clone(&self.token), &secret, Arc::clone(&self.floor));
        let expires_at = reply.live_session_token_expiration.as_ref().and_then(|value| self.expiration(value));
        Ok(LiveSessionToken { signer, secret, expires_at })
    }

    /// The stated moment, in milliseconds since the epoch, if it can be meant. The broker's schema calls it the time of
    /// the computation, its servers send the time of the expiry; and a number of seconds would lie in 1970.
    fn expiration(&self, stated: &Value) -> Option<Timestamp> {
        let millis = stated.as_u64().or_else(|| stated.as_str()?.parse().ok())?;
        let life = Timestamp::from_millis(millis).saturating_duration_since(self.requested_at);
        let credible = Duration::from_secs(60)..=Duration::from_secs(48 * 3600);
        credible.contains(&life).then_some(Timestamp::from_millis(millis))
    }

    fn not_proved(&self) -> Error {
        let message = "the broker's proof does not match: both sides computed different tokens";
        let error = Error::new(ErrorKind::Unverified, STAGE, message).with_cause(Cause::LiveSessionTokenNotProved);
        // A wrong encryption key yields bytes of any length, a right one the 32 of IBKR's secrets.
        match self.secret.len() {
            32 => error.with_remedy(
                "check the encryption key (is it swapped with the signature key?), the Diffie-Hellman group, and the \
                 consumer key's case",
            ),
            length @ (44 | 64) if self.secret.expose().is_ascii() => error.with_remedy(format!(
                "the access token's secret is a text of {length} characters instead of 32 bytes: hand over the bytes \
                 themselves, neither hexadecimal nor Base64"
            )),
            length => error.with_remedy(format!(
                "the access token's secret opened to {length} bytes instead of 32: the encryption key is most likely \
                 not the one the secret was encrypted to"
            )),
        }
    }
}
