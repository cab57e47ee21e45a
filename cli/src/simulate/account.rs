//! The simulated account: the consumer that the broker knows, and its access token.

use std::fmt;

use ibkr_oauth::{
    AccessToken, Callback, Consumer, Endpoints,
    simulator::{Broker, BrokerBuilder},
};

use super::keys::Keys;
use crate::{credentials::with_context, failure::Failure};

/// The simulated account, before it is opened.
pub(crate) struct Account {
    pub(crate) consumer_key: String,
    /// The one that belongs to the consumer key, unless given.
    pub(crate) realm: Option<String>,
    pub(crate) keys: Keys,
    pub(crate) base_url: String,
    /// The page for the user's consent.
    pub(crate) authorize_url: String,
}

/// An account that is open.
pub(crate) struct Opened {
    /// The one that knows it.
    pub(crate) broker: Broker,
    pub(crate) realm: String,
    pub(crate) token: AccessToken,
}

impl Account {
    /// Makes a broker that knows this account, and gets an access token from it, user's consent included.
    pub(crate) fn open(&self, builder: BrokerBuilder) -> Result<Opened, Failure> {
        let keys = &self.keys;
        let mut builder = builder
            .consumer_key(&self.consumer_key)
            .signature_public_key(keys.signature.public_key().to_pem())
            .encryption_public_key(keys.encryption.public_key().to_pem())
            .dh_params(&keys.group)
            .base_url(&self.base_url)
            .consent_page(&self.authorize_url);
        let mut consumer = Consumer::builder(&self.consumer_key)
            .signature_key(keys.signature.clone())
            .encryption_key(keys.encryption.clone())
            .dh_params(keys.group.clone())
            .endpoints(Endpoints::new(&self.base_url)?.with_authorize_url(&self.authorize_url)?);
        if let Some(realm) = &self.realm {
            builder = builder.realm(realm);
            consumer = consumer.realm(realm);
        }
        let consumer = consumer.build()?;
        let mut broker = builder.build().map_err(|error| unusable(&error))?;
        let token = with_context(|cx| {
            let exchange = consumer.request_token(cx, Callback::OutOfBand)?;
            let reply = broker.handle(cx, exchange.request());
            let consent = exchange.complete(reply)?;
            let callback = broker.consent(cx, consent.url()).map_err(|refusal| unusable(&refusal))?;
            let exchange = consent.verifier(&callback)?.access_token(&consumer, cx)?;
            let reply = broker.handle(cx, exchange.request());
            Ok::<_, Failure>(exchange.complete(reply)?)
        })?;
        Ok(Opened { broker, realm: consumer.realm().to_owned(), token })
    }
}

fn unusable(error: &dyn fmt::Display) -> Failure {
    let options = "look after `--base-url`, `--consumer-key`, `--realm`, `--callback`, `--keys` and `--dh`";
    Failure::usage(format!("the broker cannot be simulated: {error}"), options)
}
