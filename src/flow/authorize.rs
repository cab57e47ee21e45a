//! The user's consent in the browser, and the callback that comes from it.

use http::Uri;
use serde::{Deserialize, Serialize};

use super::is_token;
use crate::{
    error::{Error, ErrorKind, Stage},
    oauth1::{parameters, parse_uri, percent_encode},
};

const STAGE: Stage = Stage::Authorize;

/// A request token that waits for the user's consent.
///
/// A web application keeps it (it is `Serialize` and `Deserialize`) between the request that sends the user away and the
/// one that the callback makes.
///
/// ```
/// # #[cfg(all(feature = "simulator", feature = "getrandom"))] {
/// # use ibkr_oauth::{Callback, Consent, Context, ErrorKind, OsEntropy, Timestamp, simulator::{Broker, test_keys}};
/// # let mut entropy = OsEntropy;
/// # let mut cx = Context::new(Timestamp::from_secs(1_700_000_000), &mut entropy);
/// # let (mut broker, consumer) = (Broker::default(), test_keys::consumer()?);
/// let exchange = consumer.request_token(&mut cx, Callback::OutOfBand)?;
/// let response = broker.handle(&mut cx, exchange.request()); // in production: your HTTP client
/// let consent = exchange.complete(response)?;
///
/// let callback = broker.consent(&mut cx, consent.url())?; // in production: the user and the browser
/// let verifier = consent.verifier(&callback)?;
///
/// let cancelled = consent.verifier("https://www.example.com/callback").unwrap_err();
/// assert_eq!(cancelled.kind(), ErrorKind::Rejected);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "StoredConsent", into = "StoredConsent")]
pub struct Consent {
    request_token: String,
    url: Uri,
}

debug_fields!(Consent { request_token });

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredConsent {
    request_token: String,
    url: String,
}

impl TryFrom<StoredConsent> for Consent {
    type Error = Error;

    fn try_from(stored: StoredConsent) -> Result<Self, Error> {
        let foreign = || Error::malformed(STAGE, "the stored URL is not the page for the stored request token");
        let (page, _) = stored.url.split_once('?').ok_or_else(foreign)?;
        parse_uri(page).map_err(|error| foreign().with_source(error))?;
        let consent = Self::new(stored.request_token, page)?;
        if consent.url == *stored.url { Ok(consent) } else { Err(foreign()) }
    }
}

impl From<Consent> for StoredConsent {
    fn from(consent: Consent) -> Self {
        Self { request_token: consent.request_token, url: consent.url.to_string() }
    }
}

impl Consent {
    pub(super) fn new(request_token: String, authorize_url: &str) -> Result<Self, Error> {
        if !is_token(&request_token) {
            let message = "the request token is empty or has characters that no token has";
            return Err(Error::malformed(Stage::RequestToken, message));
        }
        let url = format!("{authorize_url}?oauth_token={}", percent_encode(request_token.as_bytes()));
        let url = url.parse().map_err(|error| {
            Error::malformed(Stage::RequestToken, "the request token is not valid in a URL").with_source(error)
        })?;
        Ok(Self { request_token, url })
    }

    /// The page on which the user logs in and consents: send the browser there.
    #[must_use]
    pub fn url(&self) -> &Uri {
        &self.url
    }

    /// The same page, with another place for the browser to go to afterwards: a path, which takes the place of the
    /// registered callback's path, or, as newer samples of the broker do, a whole URL.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if the result is too long for a URL.
    pub fn url_with_redirect(&self, redirect_uri: &str) -> Result<Uri, Error> {
        let url = format!("{}&redirect_uri={}", self.url, percent_encode(redirect_uri.as_bytes()));
        url.parse().map_err(|error| Error::config(STAGE, "the redirect URI is not valid in a URL").with_source(error))
    }

    /// The request token, which the callback must name.
    #[must_use]
    pub fn request_token(&self) -> &str {
        &self.request_token
    }

    /// Reads the callback: the URL at which the browser arrived, whole, or from its path or query on.
    ///
    /// # Errors
    /// [`ErrorKind::Rejected`] if the user cancelled: the callback has neither token nor verifier.
    /// [`ErrorKind::Unverified`] if it belongs to another request token: do not use it, somebody may have forged it.
    /// [`ErrorKind::Malformed`] if it has only one of the two, an empty one, or one twice, or is no URL at all.
    pub fn verifier(&self, callback: &str) -> Result<Verifier, Error> {
        let without_fragment = callback.split('#').next().unwrap_or_default().trim();
        let query = query_of(without_fragment).ok_or_else(|| broken("it is neither an address nor a query"))?;
        let token = single(query, "oauth_token")?;
        let verifier = single(query, "oauth_verifier")?;
        match (token, verifier) {
            (None, None) => Err(Error::new(ErrorKind::Rejected, STAGE, "the user did not consent")
                .with_remedy("ask the user again with a new request token, or respect the answer")),
            (Some(token), _) if token != self.request_token => {
                Err(Error::new(ErrorKind::Unverified, STAGE, "the callback belongs to another request token")
                    .with_remedy("drop it, and check that each user's consent is kept with that user's own session"))
            }
            (Some(_), Some(verifier)) => Ok(Verifier { request_token: self.request_token.clone(), verifier }),
            (Some(_), None) => Err(broken("it has no `oauth_verifier`")),
            (None, Some(_)) => Err(broken("it has no `oauth_token`")),
        }
    }

    /// Takes the verifier alone, as a user copies it from the address bar where nothing listens at the callback.
    ///
    /// Nothing then shows that it belongs to this request token. Where the callback comes from the browser itself, read
    /// it with [`verifier`](Self::verifier).
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`] if it is empty, has control characters, or is a whole callback.
    pub fn verifier_from_code(&self, code: &str) -> Result<Verifier, Error> {
        let code = code.trim();
        if !is_verifier(code) || code.contains("oauth_verifier") {
            return Err(Error::malformed(STAGE, "the verifier is empty or not text, or has more with it")
                .with_remedy("hand over the value of `oauth_verifier` alone, or the whole address to `verifier`"));
        }
        Ok(Verifier { request_token: self.request_token.clone(), verifier: code.to_owned() })
    }
}

/// The query of a URL, of a path, or the query alone, as some frameworks hand it over: that one starts with a name, and
/// may have the marks of a URL in its values. `None` for a text that has no such marks.
fn query_of(callback: &str) -> Option<&str> {
    match callback.find(['/', '?', ':', '=', '&']).map(|index| callback.split_at(index)) {
        Some((_, rest)) if rest.starts_with(['=', '&']) => Some(callback),
        Some(_) => Some(callback.split_once('?').map_or("", |(_, query)| query)),
        None => callback.is_empty().then_some(callback),
    }
}

fn is_verifier(text: &str) -> bool {
    !text.is_empty() && !text.contains(char::is_control)
}

fn broken(what: &str) -> Error {
    Error::malformed(STAGE, format!("the callback is broken: {what}"))
        .with_remedy("hand over the whole address at which the browser arrived")
}

/// The one value of `name`; an error if it is a duplicate, is empty, or is not text.
fn single(query: &str, name: &str) -> Result<Option<String>, Error> {
    let mut values = parameters(query.as_bytes())
        .filter(|(other, _)| **other == *name.as_bytes())
        .map(|(_, value)| value.into_owned());
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(broken(&format!("it has `{name}` twice")));
    }
    match String::from_utf8(value) {
        Ok(text) if is_verifier(&text) => Ok(Some(text)),
        _ => Err(broken(&format!("its `{name}` is empty or not text"))),
    }
}

/// The proof that the user consented, bound to its request token. It is good for one access token.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    pub(super) request_token: String,
    pub(super) verifier: String,
}

debug_fields!(Verifier { request_token });
