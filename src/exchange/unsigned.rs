//! A request of the sign-in whose signature comes from elsewhere.

use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Response, Uri,
    header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, USER_AGENT},
};

use super::{pending_response::ReadResponse, request::Exchange};
use crate::{
    consumer::{Consumer, ParameterPlacement},
    context::{Context, Entropy},
    encoding::{base64, nonce},
    error::{Error, Stage},
    key::SigningInput,
    oauth1,
    secret::sensitive,
};

/// A request of the sign-in that waits for its RSA signature: for keys whose answer comes later, from an HSM, a KMS or a
/// person.
///
/// ```
/// # #[cfg(all(feature = "simulator", feature = "getrandom"))] {
/// # use ibkr_oauth::{Callback, Context, OsEntropy, Timestamp, key::{RsaKey, SigningKey}, simulator::{Broker, test_keys}};
/// # let mut entropy = OsEntropy;
/// # let mut cx = Context::new(Timestamp::from_secs(1_700_000_000), &mut entropy);
/// # let consumer = test_keys::consumer()?;
/// # let key_store = RsaKey::from_pem(test_keys::SIGNATURE_KEY)?;
/// let unsigned = consumer.prepare_request_token(&mut cx, Callback::OutOfBand)?;
/// let signature = key_store.sign(unsigned.input(), cx.entropy())?; // minutes later, on another machine
/// let exchange = unsigned.attach(&signature)?;
/// assert_eq!(exchange.request().uri().path(), "/v1/api/oauth/request_token");
/// # }
/// # Ok::<(), ibkr_oauth::Error>(())
/// ```
#[must_use = "nothing happens until the signature is attached and the request sent"]
pub struct Unsigned<T> {
    stage: Stage,
    consumer: Consumer,
    uri: Uri,
    /// In the order of the header: sorted by name.
    parameters: Vec<(&'static str, String)>,
    input: SigningInput,
    read: Box<ReadResponse<T>>,
}

debug_fields!(Unsigned<T> { stage, uri, input });

impl<T> Unsigned<T> {
    /// A request that is made now and dated by `timestamp`. `parameters` are those beside the ones of every request;
    /// `prepend` is signed before the base string.
    pub(crate) fn new(
        (stage, path): (Stage, &str),
        consumer: &Consumer,
        entropy: &mut dyn Entropy,
        timestamp: u64,
        mut parameters: Vec<(&'static str, String)>,
        prepend: &str,
        read: impl FnOnce(Response<Bytes>) -> Result<T, Error> + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let uri = consumer.endpoints().url(path)?;
        parameters.extend([
            ("oauth_consumer_key", consumer.consumer_key().to_owned()),
            ("oauth_nonce", nonce(entropy).map_err(|error| Error::entropy(stage, error))?),
            ("oauth_signature_method", "RSA-SHA256".to_owned()),
            ("oauth_timestamp", timestamp.to_string()),
        ]);
        parameters.sort_unstable();
        let pairs: Vec<(&str, &str)> = parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
        // These requests have neither query nor form, so that the consumer's query policy does not come into it.
        let base_string = oauth1::base_string(&Method::POST, &uri, &pairs, None)
            .map_err(|error| crate::consumer::uri_error(stage, error))?;
        let mut message = Vec::with_capacity(prepend.len() + base_string.len());
        message.extend_from_slice(prepend.as_bytes());
        message.extend_from_slice(base_string.as_bytes());
        let input = SigningInput::new(message);
        Ok(Self { stage, consumer: consumer.clone(), uri, parameters, input, read: Box::new(read) })
    }

    /// What is to be signed with RSASSA-PKCS1-v1_5 and SHA-256, by the consumer's signature key.
    #[must_use]
    pub fn input(&self) -> &SigningInput {
        &self.input
    }

    /// Completes the request with its signature: the raw bytes, as long as the key's modulus.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the length is not that of a signature, or it is text;
    /// [`ErrorKind::Key`](crate::ErrorKind::Key) if the consumer knows the public key and the signature is not its.
    pub fn attach(self, signature: &[u8]) -> Result<Exchange<T>, Error> {
        self.consumer.check_signature(self.stage, &self.input, signature)?;
        let mut parameters = self.parameters;
        let place = parameters.partition_point(|(name, _)| *name < "oauth_signature");
        parameters.insert(place, ("oauth_signature", base64(signature)));
        let pairs: Vec<(&str, &str)> = parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();

        let mut request = Request::new(Bytes::new());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri;
        request.headers_mut().insert(USER_AGENT, self.consumer.user_agent().clone());
        match self.consumer.parameter_placement() {
            ParameterPlacement::Header => {
                let header = oauth1::write_header(Some(self.consumer.realm()), &pairs);
                request.headers_mut().insert(
                    AUTHORIZATION,
                    sensitive(header.as_bytes()).map_err(|error| Error::header(self.stage, error))?,
                );
                request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
            }
            ParameterPlacement::JsonBody { portal } => {
                let headers = request.headers_mut();
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
                if let Some(portal) = portal {
                    headers.insert(
                        "portal",
                        sensitive(portal.expose()).map_err(|error| Error::header(self.stage, error))?,
                    );
                }
                let body: serde_json::Map<_, _> =
                    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
                *request.body_mut() = Bytes::from(serde_json::Value::Object(body).to_string());
            }
        }
        Ok(Exchange::boxed(self.stage, request, self.read))
    }

    pub(crate) fn sign(self, cx: &mut Context<'_>) -> Result<Exchange<T>, Error> {
        let signature = self.consumer.sign(self.stage, cx, &self.input)?;
        self.attach(&signature)
    }
}
