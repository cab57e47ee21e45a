//! Who the program is to the broker: consumer key, keys, and where the broker is.

use std::sync::Arc;

use http::{HeaderValue, Uri};

use crate::{
    context::Context,
    dh::DhGroup,
    error::{Error, Stage},
    key::{DecryptionKey, RsaPublicKey, SigningInput, SigningKey},
    secret::Secret,
};

mod endpoints;
mod hosts;
mod query_policy;

pub use self::{endpoints::Endpoints, query_policy::QueryPolicy};
pub(crate) use self::{endpoints::uri_error, hosts::Hosts};

/// A consumer in the sense of OAuth: the program to which IBKR gave a consumer key.
///
/// It is cheap to clone; the clones share the keys. Only the consumer key is needed to build one; each step of the
/// protocol says what else it misses.
///
/// ```
/// # #[cfg(feature = "simulator")] {
/// use ibkr_oauth::{Consumer, dh::DhGroup, key::RsaKey};
///
/// # use ibkr_oauth::simulator::test_keys;
/// # let (signing_pem, decryption_pem) = (test_keys::SIGNATURE_KEY, test_keys::ENCRYPTION_KEY);
/// let consumer = Consumer::builder("MYCONSKEY")
///     .signature_key(RsaKey::from_pem(signing_pem)?)
///     .encryption_key(RsaKey::from_pem(decryption_pem)?)
///     .dh_params(DhGroup::modp_2048())
///     .build()?;
/// assert_eq!(consumer.realm(), "limited_poa");
/// # }
/// # Ok::<(), ibkr_oauth::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Consumer(Arc<Settings>);

#[derive(Clone)]
struct Settings {
    consumer_key: String,
    signing_key: Option<Arc<dyn SigningKey>>,
    verifying_key: Option<RsaPublicKey>,
    decryption_key: Option<Arc<dyn DecryptionKey>>,
    dh_group: Option<DhGroup>,
    endpoints: Endpoints,
    allowed_hosts: Vec<Uri>,
    realm: String,
    query_policy: QueryPolicy,
    parameter_placement: ParameterPlacement,
    user_agent: HeaderValue,
}

debug_fields!(Settings { consumer_key, endpoints, realm, query_policy });

impl Consumer {
    /// Starts a consumer with the key that the portal, or IBKR itself, gave out. Its case matters.
    pub fn builder(consumer_key: impl Into<String>) -> ConsumerBuilder {
        let consumer_key = consumer_key.into();
        ConsumerBuilder(check_printable("consumer key", &consumer_key).map(|()| Settings {
            realm: if consumer_key == TEST_CONSUMER { TEST_REALM } else { LIMITED_POA }.to_owned(),
            consumer_key,
            signing_key: None,
            verifying_key: None,
            decryption_key: None,
            dh_group: None,
            endpoints: Endpoints::default(),
            allowed_hosts: Vec::new(),
            query_policy: QueryPolicy::default(),
            parameter_placement: ParameterPlacement::Header,
            user_agent: HeaderValue::from_static(concat!("ibkr-oauth/", env!("CARGO_PKG_VERSION"))),
        }))
    }

    /// The same consumer at another of the broker's hosts. The host is signed, so everything is signed again.
    ///
    /// Its signers sign for that host, and no more for the one before, unless that is
    /// [allowed](ConsumerBuilder::allow_host).
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

    /// The realm in each `Authorization` header. It is sent, and never signed.
    #[must_use]
    pub fn realm(&self) -> &str {
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

    /// The hosts for which this consumer's requests are signed.
    pub(crate) fn hosts(&self) -> Hosts {
        Hosts::new(&self.0.endpoints, &self.0.allowed_hosts)
    }

    pub(crate) fn parameter_placement(&self) -> &ParameterPlacement {
        &self.0.parameter_placement
    }

    pub(crate) fn dh_params(&self) -> Result<&DhGroup, Error> {
        self.0.dh_group.as_ref().ok_or_else(|| {
            Error::config(Stage::LiveSessionToken, "the consumer has no Diffie-Hellman group")
                .with_remedy("give the builder the group that is registered with the broker: `dh_params`")
        })
    }

    /// The key that signs the requests of the sign-in; `None` where signatures are made elsewhere.
    #[must_use]
    pub fn signature_key(&self) -> Option<&dyn SigningKey> {
        self.0.signing_key.as_deref()
    }

    pub(crate) fn sign(&self, stage: Stage, cx: &mut Context<'_>, input: &SigningInput) -> Result<Vec<u8>, Error> {
        let key = self.0.signing_key.as_ref().ok_or_else(|| {
            Error::config(stage, "the consumer has no signature key").with_remedy(
                "give the builder a `signature_key`, or sign elsewhere: `prepare_…`, then `Unsigned::attach`",
            )
        })?;
        key.sign(input, cx.entropy()).map_err(|error| error.of_key(stage))
    }

    /// Checks a signature made elsewhere as far as what is known of the key allows.
    pub(crate) fn check_signature(&self, stage: Stage, input: &SigningInput, signature: &[u8]) -> Result<(), Error> {
        if let Some(key) = &self.0.verifying_key {
            return key.verify(&input.digest(), signature).map_err(|error| error.at(stage));
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
            Error::config(Stage::Unlock, "the consumer has no encryption key").with_remedy(
                "give the builder a `encryption_key`, or open the secret elsewhere: `UnlockedToken::from_plaintext`",
            )
        })?;
        key.decrypt(ciphertext, cx.entropy()).map_err(|error| error.of_key(Stage::Unlock))
    }
}

/// Puts a [`Consumer`] together.
#[must_use = "nothing comes of it until `build`"]
#[derive(Clone, Debug)]
pub struct ConsumerBuilder(Result<Settings, Error>);

impl ConsumerBuilder {
    fn with(self, set: impl FnOnce(&mut Settings)) -> Self {
        self.try_with(|settings| {
            set(settings);
            Ok(())
        })
    }

    fn try_with(self, set: impl FnOnce(&mut Settings) -> Result<(), Error>) -> Self {
        Self(self.0.and_then(|mut settings| set(&mut settings).map(|()| settings)))
    }

    /// The key that signs the three requests of the sign-in. Leave it out if signatures are made elsewhere.
    pub fn signature_key(self, key: impl SigningKey + 'static) -> Self {
        self.with(|settings| settings.signing_key = Some(Arc::new(key)))
    }

    /// The public half of the signature key: [`Unsigned::attach`](crate::exchange::Unsigned::attach) verifies
    /// signatures with it that were made elsewhere, and each step those of the [`SigningKey`], before they are sent.
    pub fn signature_public_key(self, key: RsaPublicKey) -> Self {
        self.with(|settings| settings.verifying_key = Some(key))
    }

    /// The key that opens the access token's secret. Leave it out if the secret is opened elsewhere.
    pub fn encryption_key(self, key: impl DecryptionKey + 'static) -> Self {
        self.with(|settings| settings.decryption_key = Some(Arc::new(key)))
    }

    /// The Diffie-Hellman group whose parameters are registered with the broker.
    pub fn dh_params(self, group: DhGroup) -> Self {
        self.with(|settings| settings.dh_group = Some(group))
    }

    /// Where the broker is, if not at its production host.
    pub fn endpoints(self, endpoints: Endpoints) -> Self {
        self.with(|settings| settings.endpoints = endpoints)
    }

    /// One more host for which [signers](crate::Signer) sign, beside that of the base URL: they refuse all others, so that
    /// no signature goes to strangers. Call it once for each.
    ///
    /// `host` is a name or an address with its port if that is not 443, such as `1.api.ibkr.com` or `[::1]:8443`, all by
    /// `https`; or the same with its scheme, `http://127.0.0.1:5000`. It has neither a path nor a wildcard.
    ///
    /// ```
    /// use ibkr_oauth::{Consumer, Secret, Signer, http::Request};
    ///
    /// let consumer = Consumer::builder("MYCONSKEY").allow_host("1.api.ibkr.com").build()?;
    /// let signer = Signer::from_stored(&consumer, "218c1d970d85a8442825", &Secret::from(vec![7; 20]))?;
    /// let at = |host: &str| Request::get(format!("https://{host}/v1/api/portfolio/accounts")).body(());
    /// assert!(signer.sign_with(&at("1.api.ibkr.com")?.into_parts().0, None, "nonce", 1).is_ok());
    /// assert!(signer.sign_with(&at("2.api.ibkr.com")?.into_parts().0, None, "nonce", 1).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn allow_host(self, host: impl AsRef<str>) -> Self {
        self.try_with(|settings| hosts::read(host.as_ref()).map(|host| settings.allowed_hosts.push(host)))
    }

    /// The realm, if not `limited_poa` (`test_realm` for the consumer `TESTCONS`): printable ASCII but `"` and `\`.
    pub fn realm(self, realm: impl Into<String>) -> Self {
        let realm = realm.into();
        self.try_with(|settings| check_realm(&realm).map(|()| settings.realm = realm))
    }

    /// How query and form parameters of protected requests are signed, if not as RFC 5849 says.
    pub fn query_policy(self, policy: QueryPolicy) -> Self {
        self.with(|settings| settings.query_policy = policy)
    }

    /// Where the OAuth parameters of the sign-in go, if not into the `Authorization` header.
    pub fn parameter_placement(self, placement: ParameterPlacement) -> Self {
        self.with(|settings| settings.parameter_placement = placement)
    }

    /// The `User-Agent` of all exchanges, if not `ibkr-oauth/VERSION`. The broker refuses requests without one.
    pub fn user_agent(self, user_agent: impl AsRef<str>) -> Self {
        let text = user_agent.as_ref();
        self.try_with(|settings| {
            check_printable("user agent", text)?;
            settings.user_agent = HeaderValue::from_str(text)
                .map_err(|error| Error::config(Stage::Consumer, "the user agent is unusable").with_source(error))?;
            Ok(())
        })
    }

    /// The consumer.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for the first of the settings that cannot be used: a consumer key, a
    /// realm or a user agent that is empty or has characters other than printable ASCII, or an
    /// [allowed host](Self::allow_host) that is none.
    pub fn build(self) -> Result<Consumer, Error> {
        self.0.map(|settings| Consumer(Arc::new(settings)))
    }
}

/// The public consumer to try things with, which has its own realm.
pub(crate) const TEST_CONSUMER: &str = "TESTCONS";
/// The realm of all consumers but that one.
pub(crate) const LIMITED_POA: &str = "limited_poa";
pub(crate) const TEST_REALM: &str = "test_realm";

/// Checks what is given as a realm: it is quoted in a header.
pub(crate) fn check_realm(realm: &str) -> Result<(), Error> {
    check_printable("realm", realm)?;
    if realm.contains(['"', '\\']) {
        return Err(Error::config(Stage::Consumer, "the realm has a quote or a backslash"));
    }
    Ok(())
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
