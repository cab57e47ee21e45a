//! Signing protected requests with a live session token (HMAC-SHA256).

use std::{fmt, sync::Arc};

use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderValue, Request, header::AUTHORIZATION, request::Parts};
use sha2::{Digest, Sha256};

use crate::{
    consumer::{Consumer, uri_error},
    context::Context,
    dh,
    encoding::{base64, nonce},
    error::{Error, Stage},
    exchange::sensitive,
    oauth1::{self, Parameter},
    secret::Secret,
    timestamp_floor::TimestampFloor,
};

const STAGE: Stage = Stage::Sign;

/// Which live session token made a signature.
///
/// Two epochs are equal if their tokens are, in whichever process; they have no order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Epoch([u8; 8]);

impl Epoch {
    fn of(live_session_token: &Secret) -> Self {
        let digest =
            Sha256::new().chain_update(b"ibkr-oauth epoch").chain_update(live_session_token.expose()).finalize();
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
    key: Arc<Hmac<Sha256>>,
    epoch: Epoch,
    floor: Arc<TimestampFloor>,
}

impl Signer {
    #[allow(clippy::expect_used, reason = "HMAC takes keys of every length")]
    pub(crate) fn new(
        consumer: Consumer,
        token: Arc<str>,
        live_session_token: &Secret,
        floor: Arc<TimestampFloor>,
    ) -> Self {
        let key = Hmac::new_from_slice(live_session_token.expose()).expect("a key of any length");
        Self { consumer, token, key: Arc::new(key), epoch: Epoch::of(live_session_token), floor }
    }

    /// A signer for a live session token that was proved earlier, perhaps by another process, and kept since: the
    /// token's 20 bytes, decoded from their Base64.
    ///
    /// It starts with a timestamp floor of its own.
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
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The consumer for whom requests are signed.
    #[must_use]
    pub fn consumer(&self) -> &Consumer {
        &self.consumer
    }

    /// The access token that stands in each signature.
    #[must_use]
    pub fn access_token(&self) -> &str {
        &self.token
    }

    /// Signs a request whose body is not signed: one without a body, or with JSON. Adds `Authorization` and nothing else.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config), and the request is as it was, if
    /// - its media type is that of a form (use [`sign_form`](Self::sign_form)),
    /// - it has an `Authorization` header already,
    /// - its URI cannot be signed ([`UriError`](oauth1::UriError)),
    /// - one of its parameters is called `oauth_…`,
    /// - or the clock was set back by more than 300 seconds;
    ///
    /// [`ErrorKind::Entropy`](crate::ErrorKind::Entropy) if there are no random bytes.
    pub fn sign<B>(&self, cx: &mut Context<'_>, request: &mut Request<B>) -> Result<Epoch, Error> {
        self.sign_with(cx, request, |_| None)
    }

    /// Signs a request whose body is an `application/x-www-form-urlencoded` form. Adds `Authorization` and nothing else.
    ///
    /// # Errors
    /// As [`sign`](Self::sign), with the media type the other way round.
    pub fn sign_form<B: AsRef<[u8]>>(&self, cx: &mut Context<'_>, request: &mut Request<B>) -> Result<Epoch, Error> {
        self.sign_with(cx, request, |body| Some(body.as_ref()))
    }

    fn sign_with<B>(
        &self,
        cx: &mut Context<'_>,
        request: &mut Request<B>,
        form: impl FnOnce(&B) -> Option<&[u8]>,
    ) -> Result<Epoch, Error> {
        // `Request` lends its parts only one by one; an empty request of the same head costs less than its ownership.
        let mut head = Request::new(());
        *head.method_mut() = request.method().clone();
        *head.uri_mut() = request.uri().clone();
        std::mem::swap(head.headers_mut(), request.headers_mut());
        let (mut parts, ()) = head.into_parts();
        let result = self.sign_parts(cx, &mut parts, form(request.body()));
        *request.headers_mut() = parts.headers;
        result
    }

    /// Signs the head of a request; `form` is its body if that is a form, and `None` otherwise.
    ///
    /// # Errors
    /// As [`sign`](Self::sign) and [`sign_form`](Self::sign_form).
    pub fn sign_parts(&self, cx: &mut Context<'_>, parts: &mut Parts, form: Option<&[u8]>) -> Result<Epoch, Error> {
        check(parts, form)?;
        let nonce = nonce(cx.entropy()).map_err(|error| Error::entropy(STAGE, error))?;
        let timestamp = self.floor.stamp(cx.now()).map_err(|behind| behind.error(STAGE))?;
        let signature = self.reproduce(parts, form, &nonce, timestamp)?;
        parts.headers.insert(AUTHORIZATION, signature.authorization);
        Ok(self.epoch)
    }

    /// Makes the signature for a nonce and a timestamp (in seconds since the epoch) that are already known: to compare
    /// with another client, or with a server's log. Never send what it returns; a nonce is good for one request.
    ///
    /// # Errors
    /// As [`sign_parts`](Self::sign_parts); and [`ErrorKind::Config`](crate::ErrorKind::Config) if the nonce is empty or has
    /// other characters than printable ASCII.
    pub fn reproduce(
        &self,
        parts: &Parts,
        form: Option<&[u8]>,
        nonce: &str,
        timestamp: u64,
    ) -> Result<RequestSignature, Error> {
        check(parts, form)?;
        if nonce.is_empty() || !nonce.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            return Err(Error::config(STAGE, "the nonce is empty or has characters other than printable ASCII"));
        }
        let timestamp = timestamp.to_string();
        let consumer_key = ("oauth_consumer_key", self.consumer.consumer_key());
        let nonce = ("oauth_nonce", nonce);
        let method = ("oauth_signature_method", "HMAC-SHA256");
        let timestamp = ("oauth_timestamp", timestamp.as_str());
        let token = ("oauth_token", &*self.token);
        let policy = self.consumer.query_policy();
        let signed = [consumer_key, nonce, method, timestamp, token];
        let base_string = oauth1::base_string(&parts.method, &parts.uri, &signed, form, policy)
            .map_err(|error| uri_error(STAGE, error))?;
        let signature = base64(&self.mac(base_string.as_bytes()));
        let header = oauth1::write_header(
            Some(self.consumer.realm().as_str()),
            &[consumer_key, nonce, ("oauth_signature", &signature), method, timestamp, token],
        );
        Ok(RequestSignature { base_string, signature, authorization: sensitive(STAGE, header.as_bytes())? })
    }

    fn mac(&self, message: &[u8]) -> [u8; 32] {
        Hmac::clone(&self.key).chain_update(message).finalize().into_bytes().into()
    }
}

/// What can be said against a request before it is signed.
fn check(parts: &Parts, form: Option<&[u8]>) -> Result<(), Error> {
    if parts.headers.contains_key(AUTHORIZATION) {
        return Err(Error::config(STAGE, "the request has an `Authorization` header already")
            .with_remedy("sign a fresh request: to try again, build it anew or remove the header"));
    }
    match (oauth1::is_form(&parts.headers), form) {
        (true, None) => {
            return Err(Error::config(STAGE, "the body is a form, which must be signed too")
                .with_remedy("use `sign_form`, which reads the body"));
        }
        (false, Some(_)) => {
            return Err(Error::config(STAGE, "the media type is not that of a form")
                .with_remedy("set `Content-Type: application/x-www-form-urlencoded`, or use `sign`"));
        }
        _ => {}
    }
    let query = oauth1::query_parameters(parts.uri.query().unwrap_or_default());
    if query.chain(oauth1::form_parameters(form.unwrap_or_default())).any(|parameter| is_protocol(&parameter)) {
        return Err(Error::config(STAGE, "a parameter of the request is called `oauth_…`")
            .with_remedy("leave the protocol's parameters to the signer, which puts them into the header"));
    }
    Ok(())
}

fn is_protocol(parameter: &Parameter<'_>) -> bool {
    parameter.name.starts_with(b"oauth_")
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("consumer", &self.consumer).field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

/// A signature with the steps that led to it, from [`Signer::reproduce`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RequestSignature {
    /// The signature base string (RFC 5849 section 3.4.1). It holds no secret.
    pub base_string: String,
    /// The signature in Base64, not yet percent-encoded.
    pub signature: String,
    /// The value of the `Authorization` header.
    pub authorization: HeaderValue,
}
