//! The files of the simulated account, and how they are known again: by each byte, for they can be made anew at any time,
//! and what is in their place if they are not may be somebody's only key.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ibkr_oauth::{AccessToken, QueryPolicy, simulator::test_keys};
use serde::Deserialize;
use serde_json::json;

/// The bundle of an account at this base URL, as it is written.
pub(crate) fn bundle(base_url: &str, query_policy: QueryPolicy, token: &AccessToken) -> String {
    Own {
        base_url: base_url.to_owned(),
        query_policy: query_policy.name().to_owned(),
        access_token: token.token().to_owned(),
        access_token_secret: STANDARD.encode(token.encrypted_secret()),
    }
    .write()
}

/// Whether this is what [`bundle`] made.
pub(crate) fn is_bundle(content: &[u8]) -> bool {
    serde_json::from_slice(content).is_ok_and(|own: Own| own.write().as_bytes() == content)
}

/// Whether this is one of the private keys that everybody has.
pub(crate) fn is_private_key(content: &[u8]) -> bool {
    [test_keys::SIGNATURE_KEY, test_keys::ENCRYPTION_KEY].iter().any(|key| key.as_bytes() == content)
}

/// What one bundle has of its own.
#[derive(Deserialize)]
struct Own {
    base_url: String,
    query_policy: String,
    access_token: String,
    access_token_secret: String,
}

impl Own {
    fn write(&self) -> String {
        let bundle = json!({
            "consumer_key": test_keys::CONSUMER_KEY,
            "realm": "limited_poa",
            "base_url": self.base_url,
            "query_policy": self.query_policy,
            "access_token": self.access_token,
            "access_token_secret": self.access_token_secret,
            // In it, so that it can be moved; and beside it, for clients that want files.
            "signature_key": test_keys::SIGNATURE_KEY,
            "encryption_key": test_keys::ENCRYPTION_KEY,
            "dh_params": test_keys::DH_PARAMETERS,
        });
        format!("{bundle:#}\n")
    }
}
