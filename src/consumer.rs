//! Who the program is to the broker: consumer key, keys, and where the broker is.

use std::{borrow::Cow, fmt, sync::Arc};

use http::{HeaderValue, Uri};

#[cfg(feature = "rsa")]
use crate::key::RsaPublicKey;
use crate::{
    context::Context,
    dh::DhGroup,
    error::{Error, Stage},
    key::{DecryptionKey, SigningInput, SigningKey},
    oauth1::{self, QueryPolicy},
    secret::Secret,
};

/// A consumer in the sense of OAuth: the program to which IBKR gave a consumer key.
///
/// It is cheap to clone; the clones share the keys. Only the consumer key is needed to build one; each step of the
/// protocol says what else it misses.
///
/// ```
/// # #[cfg(feature = "simulator")] {
/// use ibkr_oauth::{Consumer, Realm, dh::DhGroup, key::RsaKey};
///
/// # use ibkr_oauth::simulator::test_keys;
/// # let (signing_pem, decryption_pem) = (test_keys::SIGNING_KEY, test_keys::DECRYPTION_KEY);
/// let consumer = Consumer::builder("MYCONSKEY")
///     .signing_key(RsaKey::from_pem(signing_pem)?)
///     .decryption_key(RsaKey::from_pem(decryption_pem)?)
///     .dh_group(DhGroup::modp_2048())
///     .build()?;
/// assert_eq!(consumer.realm(), &Realm::LIMITED_POA);
/// # }
/// # Ok::<(), ibkr_oauth::Error>(())
/// ```
#[derive(Clone)]
pub struct Consumer(Arc<Settings>);

#[derive(Clone)]
struct Settings {
    consumer_key: String,
    signing_key: Option<Arc<dyn SigningKey>>,
    #[cfg(feature = "rsa")]
    signing_public_key: Option<RsaPublicKey>,
    decryption_key: Option<Arc<dyn DecryptionKey>>,
    dh_group: Option<DhGroup>,
    endpoints: Endpoints,
    realm: Realm,
    query_policy: QueryPolicy,
    parameter_placement: ParameterPlacement,
    user_agent: HeaderValue,
}

impl Consumer {
    /// Starts a consumer with the key that the portal, or IBKR itself, gave out. Its case matters.
    pub fn builder(consumer_key: impl Into<String>) -> ConsumerBuilder {
        ConsumerBuilder {
            consumer_key: consumer_key.into(),
            signing_key: None,
            #[cfg(feature = "rsa")]
            signing_public_key: None,
            decryption_key: None,
            dh_group: None,
            endpoints: Endpoints::default(),
            realm: None,
            query_policy: QueryPolicy::default(),
            parameter_placement: ParameterPlacement::Header,
            user_agent: None,
        }
    }

    /// The same consumer at another of the broker's hosts. The host is signed, so everything is signed anew.
    #[must_use]
    pub fn with_endpoints(&self, endpoints: Endpoints) -> Self {
        Self(Arc::new(Settings { endpoints, ..(*self.0).clone() }))
    }

    /// The consumer key.
    #[must_use]
    pub fn consumer_key(&self) -> &str {
        &self.0.consumer_key
    }

    /// Where the broker is.
    #[must_use]
    pub fn endpoints(&self) -> &Endpoints {
        &self.0.endpoints
    }

    /// The realm that stands in each `Authorization` header.
    #[must_use]
    pub fn realm(&self) -> &Realm {
        &self.0.realm
    }

    /// How query and form parameters of protected requests are signed.
    #[must_use]
    pub fn query_policy(&self) -> QueryPolicy {
        self.0.query_policy
    }

    /// The `User-Agent` of all exchanges.
    #[must_use]
    pub fn user_agent(&self) -> &HeaderValue {
        &self.0.user_agent
    }

    pub(crate) fn parameter_placement(&self) -> &ParameterPlacement {
        &self.0.parameter_placement
    }

    pub(crate) fn dh_group(&self) -> Result<&DhGroup, Error> {
        self.0.dh_group.as_ref().ok_or_else(|| {
            Error::config(Stage::LiveSessionToken, "the consumer has no Diffie-Hellman group")
                .with_remedy("give the builder the group that is registered with the broker: `dh_group`")
        })
    }

    pub(crate) fn has_signing_key(&self) -> bool {
        self.0.signing_key.is_some()
    }

    pub(crate) fn sign(&self, stage: Stage, cx: &mut Context<'_>, input: &SigningInput) -> Result<Vec<u8>, Error> {
        let key = self.0.signing_key.as_ref().ok_or_else(|| {
            Error::config(stage, "the consumer has no signing key").with_remedy(
                "give the builder a `signing_key`, or sign elsewhere: `prepare_…`, then `Unsigned::attach`",
            )
        })?;
        key.sign(input, cx.entropy()).map_err(|error| Error::key(stage, error))
    }

    /// Checks a signature made elsewhere as far as what is known of the key allows.
    #[cfg_attr(
        not(feature = "rsa"),
        allow(clippy::unused_self, unused_variables, reason = "without `rsa` there is no public key to verify with")
    )]
    pub(crate) fn check_signature(&self, stage: Stage, input: &SigningInput, signature: &[u8]) -> Result<(), Error> {
        #[cfg(feature = "rsa")]
        if let Some(key) = &self.0.signing_public_key {
            return key.verify(&input.digest(), signature).map_err(|error| Error::key(stage, error));
        }
        // IBKR's keys have 2048 bits or more; nobody uses more than 16384. Of raw signatures one in 2^256 is all ASCII.
        let message = match signature.len() {
            256..=2048 if !signature.is_ascii() => return Ok(()),
            256..=2048 => "the signature is text instead of raw bytes".to_owned(),
            length => format!("the signature has {length} bytes, and that of an RSA key has 256 or more"),
        };
        Err(Error::config(stage, message).with_remedy("hand over the raw signature, neither Base64 nor hexadecimal"))
    }

    pub(crate) fn decrypt(&self, cx: &mut Context<'_>, ciphertext: &[u8]) -> Result<Secret, Error> {
        let key = self.0.decryption_key.as_ref().ok_or_else(|| {
            Error::config(Stage::Unlock, "the consumer has no decryption key").with_remedy(
                "give the builder a `decryption_key`, or open the secret elsewhere: `UnlockedToken::from_plaintext`",
            )
        })?;
        key.decrypt(ciphertext, cx.entropy()).map_err(|error| Error::key(Stage::Unlock, error))
    }
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer")
            .field("consumer_key", &self.0.consumer_key)
            .field("endpoints", &self.0.endpoints)
            .field("realm", &self.0.realm)
            .field("query_policy", &self.0.query_policy)
            .finish_non_exhaustive()
    }
}

/// Puts a [`Consumer`] together.
#[must_use = "nothing comes of it until `build`"]
#[derive(Clone)]
pub struct ConsumerBuilder {
    consumer_key: String,
    signing_key: Option<Arc<dyn SigningKey>>,
    #[cfg(feature = "rsa")]
    signing_public_key: Option<RsaPublicKey>,
    decryption_key: Option<Arc<dyn DecryptionKey>>,
    dh_group: Option<DhGroup>,
    endpoints: Endpoints,
    realm: Option<Realm>,
    query_policy: QueryPolicy,
    parameter_placement: ParameterPlacement,
    user_agent: Option<String>,
}

impl ConsumerBuilder {
    /// The key that signs the three requests of the sign-in. Leave it out if signatures are made elsewhere.
    pub fn signing_key(mut self, key: impl SigningKey + 'static) -> Self {
        self.signing_key = Some(Arc::new(key));
        self
    }

    /// The public half of the signing key, with which [`Unsigned::attach`](crate::Unsigned::attach) verifies signatures
    /// that were made elsewhere, and each step those of the [`SigningKey`], before they are sent.
    #[cfg(feature = "rsa")]
    pub fn signing_public_key(mut self, key: RsaPublicKey) -> Self {
        self.signing_public_key = Some(key);
        self
    }

    /// The key that opens the access token's secret. Leave it out if the secret is opened elsewhere.
    pub fn decryption_key(mut self, key: impl DecryptionKey + 'static) -> Self {
        self.decryption_key = Some(Arc::new(key));
        self
    }

    /// The Diffie-Hellman group whose parameters are registered with the broker.
    pub fn dh_group(mut self, group: DhGroup) -> Self {
        self.dh_group = Some(group);
        self
    }

    /// Where the broker is, if not at its production host.
    pub fn endpoints(mut self, endpoints: Endpoints) -> Self {
        self.endpoints = endpoints;
        self
    }

    /// The realm, if not [`Realm::LIMITED_POA`] ([`Realm::TEST`] for the consumer `TESTCONS`).
    pub fn realm(mut self, realm: Realm) -> Self {
        self.realm = Some(realm);
        self
    }

    /// How query and form parameters of protected requests are signed, if not as RFC 5849 says.
    pub fn query_policy(mut self, policy: QueryPolicy) -> Self {
        self.query_policy = policy;
        self
    }

    /// Where the OAuth parameters of the sign-in go, if not into the `Authorization` header.
    pub fn parameter_placement(mut self, placement: ParameterPlacement) -> Self {
        self.parameter_placement = placement;
        self
    }

    /// The `User-Agent` of all exchanges, if not `ibkr-oauth/VERSION`. The broker refuses requests without one.
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.user_agent = Some(user_agent.into());
        self
    }

    /// The consumer.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the consumer key or the user agent is empty or has characters
    /// other than printable ASCII.
    pub fn build(self) -> Result<Consumer, Error> {
        check_printable("consumer key", &self.consumer_key)?;
        let user_agent = match self.user_agent {
            None => HeaderValue::from_static(concat!("ibkr-oauth/", env!("CARGO_PKG_VERSION"))),
            Some(text) => {
                check_printable("user agent", &text)?;
                HeaderValue::from_str(&text)
                    .map_err(|error| Error::config(Stage::Consumer, "the user agent is unusable").with_source(error))?
            }
        };
        let default_realm = if self.consumer_key == "TESTCONS" { Realm::TEST } else { Realm::LIMITED_POA };
        Ok(Consumer(Arc::new(Settings {
            consumer_key: self.consumer_key,
            signing_key: self.signing_key,
            #[cfg(feature = "rsa")]
            signing_public_key: self.signing_public_key,
            decryption_key: self.decryption_key,
            dh_group: self.dh_group,
            endpoints: self.endpoints,
            realm: self.realm.unwrap_or(default_realm),
            query_policy: self.query_policy,
            parameter_placement: self.parameter_placement,
            user_agent,
        })))
    }
}

fn check_printable(what: &str, text: &str) -> Result<(), Error> {
    let refuse = |how: &str| Err(Error::config(Stage::Consumer, format!("the {what} {how}")));
    if text.trim().is_empty() {
        return refuse("is empty");
    }
    if text.trim() != text {
        return refuse("has blanks or line breaks around it");
    }
    if !text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return refuse("has characters other than printable ASCII");
    }
    Ok(())
}

impl fmt::Debug for ConsumerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConsumerBuilder").field("consumer_key", &self.consumer_key).finish_non_exhaustive()
    }
}

/// Where the broker is: the base URL of its Web API, and the page on which users give their consent.
///
/// ```
/// use ibkr_oauth::Endpoints;
///
/// let production = Endpoints::default();
/// assert_eq!(production.base_url(), "https://api.ibkr.com/v1/api");
///
/// let zug = Endpoints::new("https://7.api.ibkr.com/v1/api/")?;
/// assert_eq!(zug.url("/portfolio/accounts")?, "https://7.api.ibkr.com/v1/api/portfolio/accounts");
/// # Ok::<(), ibkr_oauth::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoints {
    base_url: String,
    authorize_url: String,
}

impl Endpoints {
    /// The Web API at another base URL than production's, such as `https://1.api.ibkr.com/v1/api`. Slashes at its end are
    /// dropped, since paths are appended with theirs.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if it is not a URL that can be signed (see
    /// [`UriError`](oauth1::UriError)), or has a query.
    pub fn new(base_url: &str) -> Result<Self, Error> {
        let base_url = checked_url("base URL", base_url)?.trim_end_matches('/');
        Ok(Self { base_url: base_url.to_owned(), ..Self::default() })
    }

    /// Another page for the user's consent than `https://www.interactivebrokers.com/authorize`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config), as for the base URL.
    pub fn with_authorize_url(self, authorize_url: &str) -> Result<Self, Error> {
        Ok(Self { authorize_url: checked_url("authorization URL", authorize_url)?.to_owned(), ..self })
    }

    /// The base URL of the Web API, without a slash at its end.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The page for the user's consent.
    #[must_use]
    pub fn authorize_url(&self) -> &str {
        &self.authorize_url
    }

    /// The URL of a resource: `path_and_query`, which starts with a slash, appended to the base URL.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the result cannot be signed.
    pub fn url(&self, path_and_query: &str) -> Result<Uri, Error> {
        if !path_and_query.starts_with('/') {
            return Err(Error::config(Stage::Sign, "the path of the resource does not start with a slash")
                .with_remedy("write what follows the base URL, as in `/portfolio/accounts`"));
        }
        oauth1::parse_uri(&format!("{}{path_and_query}", self.base_url)).map_err(|error| uri_error(Stage::Sign, error))
    }
}

impl Default for Endpoints {
    /// Production: `https://api.ibkr.com/v1/api`.
    fn default() -> Self {
        Self {
            base_url: "https://api.ibkr.com/v1/api".to_owned(),
            authorize_url: "https://www.interactivebrokers.com/authorize".to_owned(),
        }
    }
}

fn checked_url<'a>(what: &str, text: &'a str) -> Result<&'a str, Error> {
    let uri = oauth1::parse_uri(text).map_err(|error| {
        Error::config(Stage::Consumer, format!("the {what} cannot be used: {error}")).with_source(error)
    })?;
    if uri.query().is_some() {
        return Err(Error::config(Stage::Consumer, format!("the {what} has a query")));
    }
    Ok(text)
}

pub(crate) fn uri_error(stage: Stage, error: oauth1::UriError) -> Error {
    Error::config(stage, error.to_string()).with_source(error)
}

/// The realm of the `Authorization` header. It is sent, and never signed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Realm(Cow<'static, str>);

impl Realm {
    /// The realm of all consumers but the test consumer.
    pub const LIMITED_POA: Self = Self(Cow::Borrowed("limited_poa"));
    /// The realm of the test consumer `TESTCONS`.
    pub const TEST: Self = Self(Cow::Borrowed("test_realm"));

    /// Another realm.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if it is empty or cannot stand between quotes in a header: it may
    /// have printable ASCII but `"` and `\`.
    pub fn new(realm: impl Into<String>) -> Result<Self, Error> {
        let realm = realm.into();
        check_printable("realm", &realm)?;
        if realm.contains(['"', '\\']) {
            return Err(Error::config(Stage::Consumer, "the realm has a quote or a backslash"));
        }
        Ok(Self(Cow::Owned(realm)))
    }

    /// The realm as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Realm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where the OAuth parameters of the three requests of the sign-in go.
///
/// Protected requests always carry them in the `Authorization` header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParameterPlacement {
    /// In the `Authorization` header: what the broker serves today.
    #[default]
    Header,
    /// In a JSON body, as the OpenAPI page of 2018 has it: one object of strings, no realm, no `Authorization`.
    JsonBody {
        /// The API key that this page calls `portal`, sent in a header of that name.
        portal: Option<Secret>,
    },
}
