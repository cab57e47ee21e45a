//! `POST /oauth/access_token`: turns the user's consent into an access token, whose secret is then opened.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{authorize::Verifier, is_token};
use crate::{
    consumer::Consumer,
    context::Context,
    encoding,
    error::{Error, Stage},
    exchange::{Exchange, Unsigned},
    response,
    secret::Secret,
    timestamp_floor::TimestampFloor,
};

const STAGE: Stage = Stage::AccessToken;

/// An access token with its secret as the broker gives it out: encrypted to the consumer's encryption key.
///
/// It does not expire. The token stays the same for a user and a consumer; each time it is generated the secret is new,
/// and the old one is dead. An application keeps it: it is `Serialize` and `Deserialize`, and of no use to anybody
/// without the consumer's keys.
///
/// ```
/// use ibkr_oauth::AccessToken;
///
/// # let secret_from_portal = "QUJD\n";
/// let token = AccessToken::from_parts("218c1d970d85a8442825", secret_from_portal)?;
/// let kept = serde_json::to_string(&token)?;
/// assert_eq!(serde_json::from_str::<AccessToken>(&kept)?, token);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "StoredAccessToken", into = "StoredAccessToken")]
pub struct AccessToken {
    token: String,
    encrypted_secret: Vec<u8>,
    is_paper: Option<bool>,
}

debug_fields!(AccessToken { is_paper });

/// The response, and the form in which a token is stored.
#[derive(Serialize, Deserialize)]
struct StoredAccessToken {
    oauth_token: String,
    oauth_token_secret: String,
    /// The schema of the OpenAPI page calls it `is_true`, its example and the server `is_paper`.
    #[serde(default, alias = "is_true", skip_serializing_if = "Option::is_none")]
    is_paper: Option<bool>,
}

impl TryFrom<StoredAccessToken> for AccessToken {
    type Error = Error;

    fn try_from(stored: StoredAccessToken) -> Result<Self, Error> {
        let token = Self::from_parts(stored.oauth_token, &stored.oauth_token_secret)?;
        Ok(Self { is_paper: stored.is_paper, ..token })
    }
}

impl From<AccessToken> for StoredAccessToken {
    fn from(token: AccessToken) -> Self {
        Self {
            oauth_token: token.token,
            oauth_token_secret: encoding::base64(&token.encrypted_secret),
            is_paper: token.is_paper,
        }
    }
}

impl AccessToken {
    /// A token from the portal: the token, and its secret in Base64 (344 characters with a key of 2048 bits). White space
    /// in the secret is ignored.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the token is empty or has white space, or the secret is not
    /// Base64; the error says how long the secret was, never what it was.
    pub fn from_parts(token: impl Into<String>, encrypted_secret_base64: &str) -> Result<Self, Error> {
        let token = token.into();
        Self::check_token(&token)?;
        let encrypted = Secret::from_base64(encrypted_secret_base64).filter(|secret| !secret.is_empty());
        let encrypted = encrypted.ok_or_else(|| {
            let length = encrypted_secret_base64.trim().len();
            Error::config(STAGE, format!("the access token secret is not Base64 (it has {length} characters)"))
                .with_remedy("copy the secret again, whole: 344 characters for a key of 2048 bits")
        })?;
        Ok(Self { token, encrypted_secret: encrypted.expose().to_vec(), is_paper: None })
    }

    pub(crate) fn check_token(token: &str) -> Result<(), Error> {
        if is_token(token) {
            return Ok(());
        }
        Err(Error::config(STAGE, "the access token is empty or has characters that no token has")
            .with_remedy("copy the access token again, whole, and without the blanks and line breaks around it"))
    }

    /// The token, as it is in each `Authorization` header.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The encrypted secret, for an encryption key that lives elsewhere.
    #[must_use]
    pub fn encrypted_secret(&self) -> &[u8] {
        &self.encrypted_secret
    }

    /// Whether the user logged in to a paper account; `None` where the broker did not say.
    #[must_use]
    pub fn is_paper(&self) -> Option<bool> {
        self.is_paper
    }
}

impl Verifier {
    /// Asks for the access token that the user consented to.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) without a signature key,
    /// [`ErrorKind::Key`](crate::ErrorKind::Key) if the key refuses, [`ErrorKind::Entropy`](crate::ErrorKind::Entropy)
    /// if there are no random bytes.
    pub fn access_token(&self, consumer: &Consumer, cx: &mut Context<'_>) -> Result<Exchange<AccessToken>, Error> {
        self.prepare_access_token(consumer, cx)?.sign(cx)
    }

    /// As [`access_token`](Self::access_token), with the signature made elsewhere.
    ///
    /// # Errors
    /// [`ErrorKind::Entropy`](crate::ErrorKind::Entropy) if there are no random bytes.
    pub fn prepare_access_token(
        &self,
        consumer: &Consumer,
        cx: &mut Context<'_>,
    ) -> Result<Unsigned<AccessToken>, Error> {
        let parameters = vec![("oauth_token", self.request_token.clone()), ("oauth_verifier", self.verifier.clone())];
        let (step, now) = ((STAGE, "/oauth/access_token"), cx.now().as_secs());
        Unsigned::new(step, consumer, cx.entropy(), now, parameters, "", |response| {
            let stored: StoredAccessToken = response::read(STAGE, &response)?;
            AccessToken::try_from(stored)
                .map_err(|error| Error::malformed(STAGE, "the response has no usable token").with_source(error))
        })
    }
}

/// An access token whose secret is open: all that is needed to negotiate live session tokens.
///
/// Its clones share the rule that timestamps never decrease, as do all signers that come from it: keep one for as long as
/// the program runs, and negotiate each live session token with it.
///
/// ```
/// # #[cfg(all(feature = "simulator", feature = "getrandom"))] {
/// # use ibkr_oauth::{Context, OsEntropy, Timestamp, simulator::{Broker, test_keys}};
/// # let mut entropy = OsEntropy;
/// # let mut cx = Context::new(Timestamp::from_secs(1_700_000_000), &mut entropy);
/// # let (mut broker, consumer) = (Broker::default(), test_keys::consumer()?);
/// # let access_token = test_keys::access_token(&mut broker, &mut cx)?;
/// let unlocked = consumer.unlock(&mut cx, &access_token)?;
///
/// let exchange = unlocked.live_session_token(&consumer, &mut cx)?;
/// let response = broker.handle(&mut cx, exchange.request()); // in production: your HTTP client
/// let live_session_token = exchange.complete(response)?;
/// let signer = live_session_token.signer();
/// # assert_eq!(signer.access_token(), access_token.token());
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct UnlockedToken {
    token: Arc<str>,
    secret: Arc<Secret>,
    floor: Arc<TimestampFloor>,
}

debug_fields!(UnlockedToken { secret });

impl Consumer {
    /// Opens the secret of an access token with the consumer's encryption key.
    ///
    /// PKCS#1 v1.5 cannot tell a wrong key: it may yield bytes without meaning. The symptom is then a live session token
    /// that is refused or not proved.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) without an encryption key,
    /// [`ErrorKind::Key`](crate::ErrorKind::Key) if the secret does not fit the key or the key refuses.
    pub fn unlock(&self, cx: &mut Context<'_>, token: &AccessToken) -> Result<UnlockedToken, Error> {
        let secret = self.decrypt(cx, &token.encrypted_secret)?;
        Ok(UnlockedToken::from_plaintext(&token.token, secret))
    }
}

impl UnlockedToken {
    /// A token whose secret was opened elsewhere, once, by an HSM, a KMS or a person: the bytes themselves, of which IBKR's
    /// secrets have 32, neither hexadecimal nor Base64.
    #[must_use]
    pub fn from_plaintext(token: &str, secret: Secret) -> Self {
        Self { token: Arc::from(token), secret: Arc::new(secret), floor: Arc::default() }
    }

    /// The access token.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    pub(super) fn shared_token(&self) -> &Arc<str> {
        &self.token
    }

    pub(super) fn secret(&self) -> &Arc<Secret> {
        &self.secret
    }

    pub(crate) fn floor(&self) -> &Arc<TimestampFloor> {
        &self.floor
    }
}
