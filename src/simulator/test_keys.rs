//! The fixed keys of the default [`Broker`]'s one consumer, both halves. **For tests only:** everybody
//! has them.

use super::broker::Broker;
use crate::{
    AccessToken, Callback, Consumer, Context, CredentialBundle, Endpoints, Error, LiveSessionToken, Stage,
    UnlockedToken, dh::DhGroup, encoding::base64, key::RsaKey,
};

/// The consumer key.
pub const CONSUMER_KEY: &str = "SIMULATOR";

/// The key that the consumer signs with: PKCS#8 PEM, 2048 bits.
pub const SIGNATURE_KEY: &str = include_str!("test_keys/signing_private.pem");

/// The public half of [`SIGNATURE_KEY`], which the broker verifies with: `PUBLIC KEY` PEM.
pub(super) const SIGNATURE_PUBLIC_KEY: &str = include_str!("test_keys/signing_public.pem");

/// The key that the consumer opens access token secrets with: PKCS#8 PEM, 2048 bits.
pub const ENCRYPTION_KEY: &str = include_str!("test_keys/encryption_private.pem");

/// The public half of [`ENCRYPTION_KEY`], which the broker encrypts to: `PUBLIC KEY` PEM.
pub(super) const ENCRYPTION_PUBLIC_KEY: &str = include_str!("test_keys/encryption_public.pem");

/// RFC 3526 group 14 with generator 2: `DH PARAMETERS` PEM.
pub const DH_PARAMETERS: &str = include_str!("test_keys/dh_parameters.pem");

/// The client's half of these keys: the consumer that [`Broker::default`] knows.
///
/// # Errors
/// None: the keys are fixed. It is a [`Result`] so that nothing here can panic.
pub fn consumer() -> Result<Consumer, Error> {
    Consumer::builder(CONSUMER_KEY)
        .signature_key(RsaKey::from_pem(SIGNATURE_KEY)?)
        .encryption_key(RsaKey::from_pem(ENCRYPTION_KEY)?)
        .dh_params(DhGroup::read(DH_PARAMETERS)?)
        .build()
}

/// The bundle of these keys, with an access token that a [`Broker`] gives out for them.
///
/// # Errors
/// As [`access_token`].
pub fn bundle(broker: &mut Broker, cx: &mut Context<'_>) -> Result<CredentialBundle, Error> {
    let token = access_token(broker, cx)?;
    let bundle = serde_json::json!({
        "consumer_key": CONSUMER_KEY,
        "base_url": broker.profile.base.url(),
        "access_token": token.token(),
        "access_token_secret": base64(token.encrypted_secret()),
        "signature_key": SIGNATURE_KEY,
        "encryption_key": ENCRYPTION_KEY,
        "dh_params": DH_PARAMETERS,
    });
    CredentialBundle::from_json(&bundle.to_string())
}

/// Gets an access token from a [`Broker`] that knows these keys, user's consent included.
///
/// # Errors
/// As the steps of the sign-in: where a fault was injected, or the broker knows other keys.
pub fn access_token(broker: &mut Broker, cx: &mut Context<'_>) -> Result<AccessToken, Error> {
    access_token_of(&consumer()?, broker, cx)
}

fn access_token_of(consumer: &Consumer, broker: &mut Broker, cx: &mut Context<'_>) -> Result<AccessToken, Error> {
    let consumer = consumer.clone().with_endpoints(Endpoints::new(&broker.profile.base.url())?);
    let exchange = consumer.request_token(cx, Callback::OutOfBand)?;
    let answer = broker.handle(cx, exchange.request());
    let consent = exchange.complete(answer)?;
    let callback = broker.consent(cx, consent.url()).map_err(|refusal| {
        Error::config(Stage::Authorize, "the simulated user could not consent").with_source(refusal)
    })?;
    let exchange = consent.verifier(&callback)?.access_token(&consumer, cx)?;
    let answer = broker.handle(cx, exchange.request());
    exchange.complete(answer)
}

/// As [`access_token`], with its secret opened.
///
/// # Errors
/// As there.
pub fn unlocked_token(broker: &mut Broker, cx: &mut Context<'_>) -> Result<UnlockedToken, Error> {
    unlocked_token_of(&consumer()?, broker, cx)
}

fn unlocked_token_of(consumer: &Consumer, broker: &mut Broker, cx: &mut Context<'_>) -> Result<UnlockedToken, Error> {
    let token = access_token_of(consumer, broker, cx)?;
    consumer.unlock(cx, &token)
}

/// Signs in to a [`Broker`] that knows these keys, from the request token to the proved live session token: the short
/// way to a [`Signer`](crate::Signer) in a test.
///
/// # Errors
/// As [`access_token`].
pub fn sign_in(broker: &mut Broker, cx: &mut Context<'_>) -> Result<LiveSessionToken, Error> {
    let consumer = consumer()?;
    let exchange = unlocked_token_of(&consumer, broker, cx)?.live_session_token(&consumer, cx)?;
    let answer = broker.handle(cx, exchange.request());
    exchange.complete(answer)
}
