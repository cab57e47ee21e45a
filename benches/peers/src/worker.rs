//! What the worker of `benches/compare` does.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::Mac;
use ibkr_oauth::QueryPolicy;

use crate::{
    contender::Contender,
    handshake, requests,
    requests::{CONSUMER_KEY, Sample, TOKEN},
    signing,
};

/// Signs and shakes hands as the contender called `ibkr-oauth` does.
#[derive(Debug)]
pub struct Worker {
    signing: Contender,
    handshake: Contender,
}

impl Default for Worker {
    fn default() -> Self {
        let [get, ..] = Sample::all();
        Self { signing: signing::ours(get), handshake: handshake::ours() }
    }
}

impl Worker {
    /// How long so many signatures take.
    pub fn sign(&mut self, times: u64) -> Duration {
        self.signing.time(times)
    }

    /// How long so many handshakes take.
    pub fn shake_hands(&mut self, times: u64) -> Duration {
        self.handshake.time(times)
    }

    /// The signature of the GET by the plain way to the base string, perhaps with one more parameter of the protocol's.
    #[must_use]
    pub fn check(nonce: &str, timestamp: &str, policy: QueryPolicy, extra: Option<(&str, &str)>) -> String {
        let [get, ..] = Sample::all();
        let mut signed = vec![
            ("oauth_consumer_key", CONSUMER_KEY),
            ("oauth_nonce", nonce),
            ("oauth_signature_method", "HMAC-SHA256"),
            ("oauth_timestamp", timestamp),
            ("oauth_token", TOKEN),
        ];
        signed.extend(extra);
        let base_string = policy.base_string(&get.parts.method, &get.parts.uri, &signed, None);
        let mac = requests::keyed_hmac().chain_update(base_string.expect("it can be signed"));
        STANDARD.encode(mac.finalize().into_bytes())
    }
}
