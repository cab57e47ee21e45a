//! Everything that a user of the portal has, in one JSON text.

use std::error;

use serde::{Deserialize, Deserializer, de};

#[cfg(feature = "aws-lc-rs")]
use crate::key::AWS_LC;
use crate::{
    consumer::{Consumer, ConsumerBuilder, Endpoints, QueryPolicy, check_realm},
    error::{Error, Stage},
    flow::AccessToken,
    key::KeyLocation,
    secret::Secret,
};
#[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
use crate::{
    dh::DhGroup,
    key::{Backend, DEFAULT_BACKEND},
};

mod json;
#[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
mod key_files;
mod key_source;

use self::json::{Json, Object, taken};
#[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
pub(crate) use self::key_files::read_dh_prime;
pub(crate) use self::key_source::KeySource;

const STAGE: Stage = Stage::Bundle;

const FIELDS: [&str; 11] = [
    "consumer_key",
    "realm",
    "base_url",
    "authorize_url",
    "query_policy",
    "access_token",
    "access_token_secret",
    "signature_key",
    "encryption_key",
    "dh_params",
    "dh_prime",
];

/// Everything that a user of the broker's portal has, as one JSON object.
///
/// | field | value |
/// |---|---|
/// | `consumer_key` | from the portal; its case matters |
/// | `realm` | optional, `limited_poa` unless the consumer is `TESTCONS` |
/// | `base_url` | optional, see [`Endpoints`] |
/// | `authorize_url` | optional: the page for the user's consent, see [`Endpoints`] |
/// | `query_policy` | optional, `rfc5849`, `raw-pairs`, `decoded-once`, `omit` or `in-url`, see [`QueryPolicy`] |
/// | `access_token`, `access_token_secret` | from the portal, the secret in Base64; both absent before the user's consent |
/// | `signature_key`, `encryption_key` | the private keys, in every form that [`RsaKey::read`](crate::key::RsaKey::read) takes |
/// | `dh_params` | the Diffie-Hellman parameters, in every form that [`DhGroup::read`](crate::dh::DhGroup::read) takes |
/// | `dh_prime` | instead, or beside it: the prime in hexadecimal digits; the generator is then 2 |
///
/// Each of the last four is the text itself, `{"file": "…"}` or `{"env": "…"}`; a file may hold DER, or text in UTF-8 or
/// UTF-16. A key that is encrypted has its
/// passphrase beside it: `{"file": "…", "passphrase": {"env": "…"}}`. [`from_file`](Self::from_file) reads them with
/// the bundle; [`resolve`](Self::resolve) asks the caller to.
///
/// Fields that are not listed here are refused. No error and no [`Debug`](std::fmt::Debug) output shows a key, a token
/// or a secret.
///
/// ```
/// # #[cfg(any(feature = "rsa", feature = "aws-lc-rs"))] {
/// use ibkr_oauth::{CredentialBundle, ErrorKind, Secret, key::KeyLocation};
///
/// let bundle = CredentialBundle::from_json(
///     r#"{
///         "consumer_key": "MYCONSKEY",
///         "access_token": "218c1d970d85a8442825",
///         "access_token_secret": "c2VjcmV0",
///         "signature_key": {"file": "private_signature.pem"},
///         "encryption_key": {"env": "IBKR_ENCRYPTION_KEY"},
///         "dh_params": {"file": "dhparam.pem"}
///     }"#,
/// )?;
/// let error = bundle.consumer().unwrap_err();
/// assert!(error.to_string().contains("`signature_key`"));
///
/// let bundle = bundle.resolve(|location| match location {
///     KeyLocation::File(path) => std::fs::read(path).map(Secret::from),
///     location => Err(std::io::Error::other(format!("no {location} here"))),
/// });
/// assert_eq!(bundle.unwrap_err().kind(), ErrorKind::Config);
/// # }
/// # Ok::<(), ibkr_oauth::Error>(())
/// ```
#[derive(Clone)]
pub struct CredentialBundle {
    pub(crate) consumer_key: String,
    pub(crate) realm: Option<String>,
    endpoints: Option<Endpoints>,
    /// As it was given, with a slash at its end if there was one.
    #[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
    pub(crate) base_url: Option<String>,
    query_policy: Option<QueryPolicy>,
    pub(crate) access_token: Option<(String, Secret)>,
    /// What computes with the two keys.
    #[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
    pub(crate) backend: Backend,
    pub(crate) signature_key: KeySource,
    pub(crate) encryption_key: KeySource,
    /// There is this, or the prime, or both.
    pub(crate) dh_params: Option<KeySource>,
    pub(crate) dh_prime: Option<KeySource>,
}

debug_fields!(CredentialBundle {
    consumer_key,
    realm,
    endpoints,
    query_policy,
    signature_key,
    encryption_key,
    dh_params,
    dh_prime
});

impl CredentialBundle {
    /// Reads a bundle. Keys and the access token's secret are not looked at yet.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config), which names the field, if the text is not JSON, if a field is
    /// missing, unknown, there twice or of another type, if one of `access_token` and `access_token_secret` is there
    /// without the other, or if a value cannot be used.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let json: Json = serde_json::from_str(text).map_err(|error| {
            let message = error.to_string();
            let remedy = if message.contains("control character") {
                "write a line break in a text as `\\n`, or put the text into a file and write `{\"file\": \"…\"}`"
            } else {
                "correct the bundle there"
            };
            Error::config(STAGE, message).with_remedy(remedy)
        })?;
        Self::from_fields(json.into_object()?)
    }

    fn from_fields(mut fields: Object) -> Result<Self, Error> {
        fields.check_names(&FIELDS)?;
        let missing = |field: &str| Error::config(STAGE, format!("the field `{field}` is missing"));
        let consumer_key = fields.take_text("consumer_key")?.map(taken).ok_or_else(|| missing("consumer_key"))?;
        Consumer::builder(&consumer_key).build().map_err(|error| error.in_field("consumer_key"))?;
        let access_token = match (fields.take_text("access_token")?, fields.take_text("access_token_secret")?) {
            (Some(token), Some(secret)) => Some((taken(token), Secret::from(taken(secret)))),
            (None, None) => None,
            (Some(_), None) => return Err(missing("access_token_secret").with_remedy(BOTH_OR_NEITHER)),
            (None, Some(_)) => return Err(missing("access_token").with_remedy(BOTH_OR_NEITHER)),
        };
        let realm = fields.take_text("realm")?.map(taken);
        realm.as_deref().map_or(Ok(()), check_realm).map_err(|error| error.in_field("realm"))?;
        let base_url = fields.take_text("base_url")?.map(taken);
        let endpoints = base_url.as_deref().map(Endpoints::new).transpose();
        let mut endpoints = endpoints.map_err(|error| error.in_field("base_url"))?;
        if let Some(url) = fields.take_text("authorize_url")? {
            let changed = endpoints.unwrap_or_default().with_authorize_url(&url);
            endpoints = Some(changed.map_err(|error| error.in_field("authorize_url"))?);
        }
        let query_policy = fields.take_text("query_policy")?.map(|name| name.parse()).transpose();
        let mut key =
            |name| fields.take(name).map(KeySource::new).transpose().map_err(|error: Error| error.in_field(name));
        let signature_key = key("signature_key")?.ok_or_else(|| missing("signature_key"))?;
        let encryption_key = key("encryption_key")?.ok_or_else(|| missing("encryption_key"))?;
        let (dh_params, dh_prime) = (key("dh_params")?, key("dh_prime")?);
        if dh_params.is_none() && dh_prime.is_none() {
            return Err(missing("dh_params").with_remedy(PARAMS_OR_PRIME));
        }
        Ok(Self {
            consumer_key,
            realm,
            endpoints,
            #[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
            base_url,
            query_policy: query_policy.map_err(|error: Error| error.in_field("query_policy"))?,
            access_token,
            #[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
            backend: DEFAULT_BACKEND,
            signature_key,
            encryption_key,
            dh_params: dh_params.map(|source| source.without_passphrase("dh_params")).transpose()?,
            dh_prime: dh_prime.map(|source| source.without_passphrase("dh_prime")).transpose()?,
        })
    }

    /// Fetches what the bundle only names: `read` is called for each file and environment variable, in the order of
    /// `signature_key`, `encryption_key`, `dh_params` and `dh_prime`, each followed by its passphrase.
    ///
    /// A bundle that has everything in it is returned as it is.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config), which names the field and has the error of `read` as its source, and
    /// its remedy where that is an [`Error`].
    pub fn resolve<E>(mut self, mut read: impl FnMut(&KeyLocation) -> Result<Secret, E>) -> Result<Self, Error>
    where
        E: Into<Box<dyn error::Error + Send + Sync>>,
    {
        let fields = [
            ("signature_key", Some(&mut self.signature_key)),
            ("encryption_key", Some(&mut self.encryption_key)),
            ("dh_params", self.dh_params.as_mut()),
            ("dh_prime", self.dh_prime.as_mut()),
        ];
        for (field, source) in fields.into_iter().filter_map(|(field, source)| Some((field, source?))) {
            source.resolve(&mut read).map_err(|error| error.in_field(field))?;
        }
        Ok(self)
    }

    /// The same bundle, with its keys left to AWS-LC to compute with, even where the feature `rsa` is on: see
    /// [`RsaKey::read_with_aws_lc`](crate::key::RsaKey::read_with_aws_lc). All that takes the bundle then goes by it: its
    /// consumer, a client, a check. Needs the feature `aws-lc-rs`.
    #[cfg(feature = "aws-lc-rs")]
    #[must_use]
    pub fn with_aws_lc(self) -> Self {
        Self { backend: AWS_LC, ..self }
    }

    /// The consumer key.
    #[must_use]
    pub fn consumer_key(&self) -> &str {
        &self.consumer_key
    }

    /// The access token; `None` in a bundle from before the user's consent.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config), which names the field, as [`AccessToken::from_parts`].
    pub fn access_token(&self) -> Result<Option<AccessToken>, Error> {
        let Some((token, secret)) = &self.access_token else {
            return Ok(None);
        };
        AccessToken::check_token(token).map_err(|error| error.in_field("access_token"))?;
        let secret = std::str::from_utf8(secret.expose()).unwrap_or_default();
        AccessToken::from_parts(token, secret).map(Some).map_err(|error| error.in_field("access_token_secret"))
    }

    /// Starts a consumer without its keys: enough to sign with a live session token that was stored, or to go on with
    /// keys from elsewhere.
    pub fn keyless_consumer_builder(&self) -> ConsumerBuilder {
        let mut builder = Consumer::builder(&self.consumer_key);
        if let Some(realm) = &self.realm {
            builder = builder.realm(realm);
        }
        if let Some(endpoints) = &self.endpoints {
            builder = builder.endpoints(endpoints.clone());
        }
        builder.query_policy(self.query_policy.unwrap_or_default())
    }

    /// Starts the consumer with its keys, to be changed before it is built. Needs the feature `rsa` or `aws-lc-rs`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for what [`resolve`](Self::resolve) has not fetched, and
    /// [`ErrorKind::Key`](crate::ErrorKind::Key) for a key or parameters that cannot be read; both name the field.
    #[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
    pub fn consumer_builder(&self) -> Result<ConsumerBuilder, Error> {
        let signing_key = self.signature_key.key(self.backend).map_err(|error| error.in_field("signature_key"))?;
        let decryption_key = self.encryption_key.key(self.backend).map_err(|error| error.in_field("encryption_key"))?;
        let dh_group = self.dh_group()?;
        let builder = self.keyless_consumer_builder();
        Ok(builder.signature_key(signing_key).encryption_key(decryption_key).dh_params(dh_group))
    }

    /// The consumer with its keys. Needs the feature `rsa` or `aws-lc-rs`.
    ///
    /// # Errors
    /// As [`consumer_builder`](Self::consumer_builder).
    #[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
    pub fn consumer(&self) -> Result<Consumer, Error> {
        self.consumer_builder()?.build()
    }

    #[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
    fn dh_group(&self) -> Result<DhGroup, Error> {
        type Read = fn(&[u8]) -> Result<DhGroup, Error>;
        let read = |field: &str, source: Option<&KeySource>, read: Read| {
            let group = source.map(|source| {
                source.content().and_then(|content| read(content.expose()).map_err(|error| error.at(STAGE)))
            });
            group.transpose().map_err(|error| error.in_field(field))
        };
        let params = read("dh_params", self.dh_params.as_ref(), |content| DhGroup::read(content))?;
        let prime = read("dh_prime", self.dh_prime.as_ref(), read_dh_prime)?;
        match (params, prime) {
            (Some(params), Some(prime)) if params.prime_hex() != prime.prime_hex() => {
                let error = Error::config(STAGE, "is not the prime of `dh_params`");
                Err(error.in_field("dh_prime").with_remedy(WHICH_PRIME))
            }
            (Some(group), _) | (None, Some(group)) => Ok(group),
            (None, None) => Err(Error::config(STAGE, "the field `dh_params` is missing").with_remedy(PARAMS_OR_PRIME)),
        }
    }
}

#[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
pub(crate) const WHICH_PRIME: &str = "leave out the one of the two that was not uploaded in the portal";

const PARAMS_OR_PRIME: &str = "give the Diffie-Hellman parameters as `dh_params`, or the prime's digits as `dh_prime`";

const BOTH_OR_NEITHER: &str = "the portal hands out `access_token` and `access_token_secret` together: give both, or \
                               neither before the user's consent";

impl<'de> Deserialize<'de> for CredentialBundle {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = Json::deserialize(deserializer)?.into_object();
        fields.and_then(Self::from_fields).map_err(de::Error::custom)
    }
}
