//! The three endpoints of the sign-in.

use std::{iter, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use num_bigint::BigUint;
use serde_json::json;

use super::{
    address::is_absolute_url,
    answers::Answer,
    arithmetic::{hex, live_session_token, proof, random_bytes, signed_bytes},
    broker::Broker,
    parameters::Parameters,
    reason::Reason,
    refusal::{Objection, ensure, refuse},
    registry::{AccessGrant, Consent, RequestToken},
    verify::read_challenge,
};
use crate::{
    context::{Context, Timestamp},
    secret::Secret,
};

/// How long a live session token lives: what the real broker was seen to give.
const LIVE_SESSION_TOKEN_LIFE: Duration = Duration::from_secs(23 * 3600 + 55 * 60);

/// How often an exponent is drawn anew when the public number it gives is no good. With a source that deserves the name
/// the first always is.
const DRAWS: usize = 4;

/// The most exponents that are gone through for a key agreement of a shape: one in 512 has the rarest.
const STEPS: usize = 1 << 14;

impl Broker {
    pub(super) fn request_token(&mut self, cx: &mut Context<'_>, parameters: &Parameters) -> Result<Answer, Objection> {
        let token = hex(&random_bytes::<10>(cx)?);
        let callback = match parameters.require("oauth_callback")? {
            url if is_absolute_url(url) => url.to_owned(),
            _ => self.profile.callback.clone(),
        };
        self.registry.add_request_token(token.clone(), RequestToken { callback, consent: Consent::Pending });
        Ok(Answer::ok(json!({ "oauth_token": token })))
    }

    pub(super) fn access_token(&mut self, cx: &mut Context<'_>, parameters: &Parameters) -> Result<Answer, Objection> {
        let given = parameters.require("oauth_verifier")?;
        let Some(request_token) = self.registry.request_tokens.get_mut(parameters.require("oauth_token")?) else {
            return refuse(Reason::RequestTokenUnknown, "oauth_token is not a request token");
        };
        match &request_token.consent {
            Consent::Pending | Consent::Declined => {
                return refuse(Reason::ConsentMissing, "the user has not consented");
            }
            Consent::Used => return refuse(Reason::RequestTokenUsed, "the request token was used before"),
            Consent::Given { verifier } if verifier != given => {
                return refuse(Reason::VerifierDiffers, "oauth_verifier is not the one that the callback got");
            }
            Consent::Given { .. } => {}
        }
        let token = match &self.registry.grant {
            Some(grant) => grant.token.clone(),
            None => hex(&random_bytes::<10>(cx)?),
        };
        let secret = Secret::from(random_bytes::<32>(cx)?.to_vec());
        let encrypted = self.profile.encryption_key.encrypt(cx, secret.expose())?;
        request_token.consent = Consent::Used;
        match &mut self.registry.grant {
            Some(grant) => grant.secret = secret,
            grant => *grant = Some(AccessGrant::new(token.clone(), secret)),
        }
        Ok(Answer::ok(json!({
            "is_paper": self.profile.paper,
            "oauth_token": token,
            "oauth_token_secret": STANDARD.encode(encrypted),
        })))
    }

    pub(super) fn live_session_token(
        &mut self,
        cx: &mut Context<'_>,
        parameters: &Parameters,
        now: Timestamp,
    ) -> Result<Answer, Objection> {
        let challenge = read_challenge(parameters.require("diffie_hellman_challenge")?).unwrap_or_default();
        let group = &self.profile.group;
        let (mut exponent, mut response) = ([0; 32], BigUint::default());
        for _ in 0..DRAWS {
            exponent = random_bytes(cx)?;
            response = group.response(&exponent);
            if group.contains(&response) {
                break;
            }
        }
        let is_usable = group.contains(&response);
        ensure(is_usable, Reason::EntropyFailed, "the exponents drawn give no usable response")?;
        let Some(grant) = &mut self.registry.grant else {
            return refuse(Reason::TokenUnknown, "oauth_token is not the access token");
        };
        let wanted = std::mem::take(&mut self.wanted);
        let ordinary = (response, group.shared_secret(&challenge, &exponent));
        let shaped = wanted.agreement.and_then(|agreement| {
            let next = |(response, secret): &(BigUint, BigUint)| Some(group.step(response, secret, &challenge));
            iter::successors(Some(ordinary.clone()), next).take(STEPS).find(|(response, secret)| {
                agreement.fits(response, secret, group.prime.bits()) && group.contains(response)
            })
        });
        let (response, secret) = shaped.unwrap_or(ordinary);
        let k = signed_bytes(secret);
        let token = live_session_token(&k, grant.secret.expose());
        let mistake = k.strip_prefix(&[0]).map(|bare| live_session_token(bare, grant.secret.expose()));
        let life = wanted.life.unwrap_or_else(|| self.profile.availability.scaled(LIVE_SESSION_TOKEN_LIFE));
        let expiration = now.saturating_add(life);
        let answer = json!({
            "diffie_hellman_response": format!("{response:x}"),
            "live_session_token_signature": proof(&token, &self.profile.consumer_key),
            "live_session_token_expiration": expiration.as_millis(),
        });
        grant.add_live_session_token(token, mistake, expiration);
        self.live_session_tokens = self.live_session_tokens.saturating_add(1);
        Ok(Answer::ok(answer))
    }
}
