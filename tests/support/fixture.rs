//! What several tests share: a moment, rng whose throws are known, and a broker that has signed the client in already.
#![allow(dead_code, reason = "not every test uses all of it")]

use std::sync::LazyLock;

use bytes::Bytes;
use http::Response;
use ibkr_oauth::{
    Consent, Consumer, ConsumerBuilder, Context, Entropy, EntropyError, Error, Exchange, Secret, Signer, Timestamp,
    UnlockedToken, Verifier,
    dh::DhGroup,
    key::RsaKey,
    simulator::{Broker, BrokerBuilder, test_keys},
};

#[path = "seeded_entropy.rs"]
mod seeded_entropy;

pub(crate) use self::seeded_entropy::SeededEntropy;

pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

/// The access token, and what its secret opens to.
pub(crate) const TOKEN: &str = "218c1d970d85a8442825";
pub(crate) const SECRET: [u8; 32] = *b"the opened secret of this token!";

/// A live session token that client and broker have agreed on before.
pub(crate) const LIVE: [u8; 20] = *b"live session token!!";

/// A source that fails after `0` deliveries.
#[derive(Debug)]
pub(crate) struct Failing(pub(crate) usize, pub(crate) SeededEntropy);

impl Entropy for Failing {
    fn fill(&mut self, destination: &mut [u8]) -> Result<(), EntropyError> {
        self.0 = self.0.checked_sub(1).ok_or_else(|| EntropyError::with_source("the rng are lost"))?;
        self.1.fill(destination)
    }
}

static SIGNATURE_KEY: LazyLock<RsaKey> = LazyLock::new(|| RsaKey::from_pem(test_keys::SIGNATURE_KEY).unwrap());
static ENCRYPTION_KEY: LazyLock<RsaKey> = LazyLock::new(|| RsaKey::from_pem(test_keys::ENCRYPTION_KEY).unwrap());

/// The consumer of the test keys, not yet built.
pub(crate) fn consumer_builder() -> ConsumerBuilder {
    Consumer::builder(test_keys::CONSUMER_KEY)
        .signature_key(SIGNATURE_KEY.clone())
        .encryption_key(ENCRYPTION_KEY.clone())
        .dh_params(DhGroup::read(test_keys::DH_PARAMETERS).unwrap())
}

/// A broker that knows [`TOKEN`] and [`LIVE`], with its brokerage session open.
pub(crate) fn broker_builder() -> BrokerBuilder {
    Broker::builder()
        .strict()
        .access_token(TOKEN, SECRET)
        .live_session_token(LIVE, Timestamp::from_secs(NOW.as_secs() + 86_000))
        .brokerage_session(true)
}

pub(crate) fn unlocked() -> UnlockedToken {
    UnlockedToken::from_plaintext(TOKEN, Secret::from(SECRET.as_slice()))
}

/// The verifier `v` of the request token `t`.
pub(crate) fn verifier() -> Verifier {
    let stored = r#"{"request_token":"t","url":"https://h/?oauth_token=t"}"#;
    serde_json::from_str::<Consent>(stored).unwrap().verifier_from_code("v").unwrap()
}

pub(crate) fn signer(consumer: &Consumer) -> Signer {
    Signer::from_stored(consumer, TOKEN, &Secret::from(LIVE.as_slice())).unwrap()
}

/// Hands the exchange's request to the broker and the broker's reply to the exchange.
pub(crate) fn complete<T>(broker: &mut Broker, rng: &mut SeededEntropy, exchange: Exchange<T>) -> Result<T, Error> {
    let mut cx = Context::new(NOW, rng);
    let response = broker.handle(&mut cx, exchange.request());
    exchange.complete(response)
}

pub(crate) fn reply(status: u16, body: impl Into<Bytes>) -> Response<Bytes> {
    Response::builder().status(status).body(body.into()).unwrap()
}

/// Lower-case hexadecimal, two digits a byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}
