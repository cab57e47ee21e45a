//! Signing protected requests with a live session token (HMAC-SHA256).

use std::sync::Arc;

use http::{HeaderValue, Request, header::AUTHORIZATION, request::Parts};
use sha2::{Digest, Sha256};

use self::{
    head::Head,
    scratch::{Scratch, with_scratch},
    template::{Stamp, Template},
};
use crate::{
    consumer::Consumer,
    context::{Context, Timestamp},
    dh,
    encoding::{base64, nonce_digits},
    error::{Error, Stage},
    oauth1,
    secret::{Secret, sensitive},
    timestamp_floor::TimestampFloor,
};

mod check;
mod head;
mod mac;
mod pairs;
mod scratch;
mod template;

const STAGE: Stage = Stage::Sign;

/// Which live session token made a signature.
///
/// Two ids are equal if their tokens are, in whichever process; they have no order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TokenId([u8; 8]);

impl TokenId {
    fn of(live_session_token: &Secret) -> Self {
        let digest =
            Sha256::new().chain_update(b"ibkr-oauth token id").chain_update(live_session_token.expose()).finalize();
        let mut first = [0; 8];
        first.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        Self(first)
    }
}

/// Signs protected requests. Cheap to clone, and made to be shared between threads.
///
/// A signature is good for one attempt. To try again, sign again: the nonce is new, and the timestamp never smaller than
/// one that any signer of the same access token gave out before.
///
/// Requests that are on their way at once may arrive in another order than they were signed in. IBKR's documentation asks
/// for timestamps that do not decrease (OpenAPI 1.0.0); whether it insists is not known. Where it does, a request that
/// was overtaken by one of a later second is refused with 401, and is to be signed again.
///
/// ```
/// # #[cfg(all(feature = "simulator", feature = "getrandom"))] {
/// # use ibkr_oauth::{Context, OsEntropy, Timestamp, http, simulator::{Broker, test_keys}};
/// # let mut entropy = OsEntropy;
/// # let mut cx = Context::new(Timestamp::from_secs(1_700_000_000), &mut entropy);
/// # let mut broker = Broker::default();
/// # let signer = test_keys::sign_in(&mut broker, &mut cx)?.signer();
/// let mut request = http::Request::get("https://api.ibkr.com/v1/api/portfolio/accounts").body(())?;
/// signer.sign(&mut cx, &mut request)?;
/// assert!(request.headers()[http::header::AUTHORIZATION].is_sensitive());
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Signer {
    consumer: Consumer,
    token: Arc<str>,
    template: Arc<Template>,
    token_id: TokenId,
    floor: Arc<TimestampFloor>,
}

debug_fields!(Signer { consumer, token_id });

impl Signer {
    pub(crate) fn new(
        consumer: Consumer,
        token: Arc<str>,
        live_session_token: &Secret,
        floor: Arc<TimestampFloor>,
    ) -> Self {
        let template = Arc::new(Template::new(&consumer, &token, live_session_token));
        Self { consumer, token, template, token_id: TokenId::of(live_session_token), floor }
    }

    /// A signer for a live session token that was proved earlier, perhaps by another process, and kept since: the
    /// token's 20 bytes, decoded from their Base64.
    ///
    /// It starts with its own timestamp floor.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the token has not 20 bytes.
    pub fn from_stored(consumer: &Consumer, access_token: &str, live_session_token: &Secret) -> Result<Self, Error> {
        if live_session_token.len() != dh::TOKEN_LENGTH {
            let length = live_session_token.len();
            return Err(Error::config(STAGE, format!("the live session token has {length} bytes instead of 20"))
                .with_remedy("decode its Base64 first: 28 characters, the last of them `=`"));
        }
        Ok(Self::new(consumer.clone(), Arc::from(access_token), live_session_token, Arc::default()))
    }

    /// Which live session token this signer uses.
    #[must_use]
    pub fn token_id(&self) -> TokenId {
        self.token_id
    }

    /// Whether any signer of the same access token made a signature of a later second than `at`.
    pub(crate) fn has_signed_after(&self, at: Timestamp) -> bool {
        self.floor.is_past(at)
    }

    pub(crate) fn floor(&self) -> &TimestampFloor {
        &self.floor
    }

    /// The consumer for whom requests are signed.
    #[must_use]
    pub fn consumer(&self) -> &Consumer {
        &self.consumer
    }

    /// The access token that is part of each signature.
    #[must_use]
    pub fn access_token(&self) -> &str {
        &self.token
    }

    /// Signs a request whose body is not signed: one without a body, or with JSON. Adds `Authorization` and nothing else.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config), and the request is as it was, if
    /// - its media type is that of a form (use [`sign_form`](Self::sign_form)),
    /// - it has an `Authorization` header already, or a `Host` header that names another host than its URI,
    /// - its method is `CONNECT`,
    /// - its URI cannot be signed ([`UriError`](oauth1::UriError)), or leads to another host than the consumer's base URL
    ///   that is not [allowed](crate::ConsumerBuilder::allow_host): scheme, host and port are compared,
    /// - one of its parameters is called `oauth_…`,
    /// - or the clock was set back by more than 300 seconds;
    ///
    /// [`ErrorKind::Entropy`](crate::ErrorKind::Entropy) if there are no random bytes.
    pub fn sign<B>(&self, cx: &mut Context<'_>, request: &mut Request<B>) -> Result<TokenId, Error> {
        let authorization = self.authorization(cx, Head::from(&*request), None)?;
        request.headers_mut().insert(AUTHORIZATION, authorization);
        Ok(self.token_id)
    }

    /// Signs a request whose body is an `application/x-www-form-urlencoded` form. Adds `Authorization` and nothing else.
    ///
    /// # Errors
    /// As [`sign`](Self::sign), with the media type the other way round.
    pub fn sign_form<B: AsRef<[u8]>>(&self, cx: &mut Context<'_>, request: &mut Request<B>) -> Result<TokenId, Error> {
        let authorization = self.authorization(cx, Head::from(&*request), Some(request.body().as_ref()))?;
        request.headers_mut().insert(AUTHORIZATION, authorization);
        Ok(self.token_id)
    }

    /// Signs the head of a request; `form` is its body if that is a form, and `None` otherwise.
    ///
    /// # Errors
    /// As [`sign`](Self::sign) and [`sign_form`](Self::sign_form).
    pub fn sign_parts(&self, cx: &mut Context<'_>, parts: &mut Parts, form: Option<&[u8]>) -> Result<TokenId, Error> {
        let authorization = self.authorization(cx, Head::from(&*parts), form)?;
        parts.headers.insert(AUTHORIZATION, authorization);
        Ok(self.token_id)
    }

    fn authorization(&self, cx: &mut Context<'_>, head: Head<'_>, form: Option<&[u8]>) -> Result<HeaderValue, Error> {
        with_scratch(|scratch| {
            self.template.begin(scratch, head, form)?;
            let nonce = nonce_digits(cx.entropy()).map_err(|error| Error::entropy(STAGE, error))?;
            let timestamp = self.floor.stamp(cx.now()).map_err(|behind| behind.error(STAGE))?;
            let mut digits = itoa::Buffer::new();
            let stamp = Stamp { signed_nonce: &nonce, header_nonce: &nonce, timestamp: digits.format(timestamp) };
            self.template.finish(scratch, &stamp);
            sensitive(&scratch.header).map_err(|error| Error::header(STAGE, error))
        })
    }

    /// Makes the signature for a nonce and a timestamp (in seconds since the epoch) that are already known: to compare
    /// with another client, or with a server's log. Never send what it returns; a nonce is good for one request.
    ///
    /// # Errors
    /// As [`sign_parts`](Self::sign_parts); and [`ErrorKind::Config`](crate::ErrorKind::Config) if the nonce is empty or has
    /// other characters than printable ASCII.
    pub fn sign_with(
        &self,
        parts: &Parts,
        form: Option<&[u8]>,
        nonce: &str,
        timestamp: u64,
    ) -> Result<oauth1::RequestSignature, Error> {
        let mut scratch = Scratch::default();
        self.template.begin(&mut scratch, Head::from(parts), form)?;
        if nonce.is_empty() || !nonce.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            return Err(Error::config(STAGE, "the nonce is empty or has characters other than printable ASCII"));
        }
        let (signed_nonce, header_nonce) =
            (self.template.signed_nonce(nonce), oauth1::percent_encode(nonce.as_bytes()));
        let timestamp = timestamp.to_string();
        let stamp = Stamp { signed_nonce: &signed_nonce, header_nonce: header_nonce.as_bytes(), timestamp: &timestamp };
        let mac = self.template.finish(&mut scratch, &stamp);
        Ok(oauth1::RequestSignature {
            base_string: String::from_utf8_lossy(&scratch.base_string).into_owned(),
            signature: base64(&mac),
            authorization: sensitive(&scratch.header).map_err(|error| Error::header(STAGE, error))?,
        })
    }
}
