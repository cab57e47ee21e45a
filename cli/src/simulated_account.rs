//! The files of the simulated account, and how they are known again: by each byte, for they can be made anew at any time,
//! and what is in their place if they are not may be somebody's only key.

use ibkr_oauth::{dh::DhGroup, simulator::test_keys};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The bundle of a simulated account.
#[derive(Deserialize, Serialize)]
pub(crate) struct Bundle {
    pub(crate) consumer_key: String,
    pub(crate) realm: String,
    pub(crate) base_url: String,
    pub(crate) authorize_url: String,
    pub(crate) query_policy: String,
    pub(crate) access_token: String,
    pub(crate) access_token_secret: String,
    #[serde(flatten)]
    pub(crate) keys: KeyFields,
}

/// The keys of a bundle, each in it or the name of a file.
#[derive(Clone, PartialEq, Deserialize, Serialize)]
pub(crate) struct KeyFields {
    pub(crate) signature_key: Value,
    pub(crate) encryption_key: Value,
    pub(crate) dh_params: Value,
    /// For clients in other languages: `openssl dhparam -text` hides the digits of a well-known group.
    pub(crate) dh_prime: Value,
}

impl KeyFields {
    /// The keys for tests: in the bundle, so that it can be moved.
    pub(crate) fn for_tests() -> Self {
        Self {
            signature_key: test_keys::SIGNATURE_KEY.into(),
            encryption_key: test_keys::ENCRYPTION_KEY.into(),
            dh_params: test_keys::DH_PARAMETERS.into(),
            dh_prime: DhGroup::modp_2048().prime_hex().into(),
        }
    }
}

impl Bundle {
    /// The bundle as it is written.
    pub(crate) fn write(&self) -> String {
        let bundle = json!(self);
        format!("{bundle:#}\n")
    }

    /// Whether this is what a simulation of the same account wrote, to be renewed by this one. A user's own bundle may have
    /// the same keys, but no consent is ever given on a page without TLS but the simulator's.
    pub(crate) fn renews(&self, content: &[u8]) -> bool {
        let found = serde_json::from_slice(content);
        found.is_ok_and(|found: Self| {
            let is_same = |field: fn(&Self) -> &String| field(&found) == field(self);
            found.authorize_url.starts_with("http://")
                && is_same(|bundle| &bundle.consumer_key)
                && is_same(|bundle| &bundle.realm)
                && found.keys == self.keys
                && found.write().as_bytes() == content
        })
    }
}

/// Whether this is the bundle of an account whose keys everybody has.
pub(crate) fn is_bundle(content: &[u8]) -> bool {
    let found = serde_json::from_slice(content);
    found.is_ok_and(|found: Bundle| found.keys == KeyFields::for_tests() && found.renews(content))
}

/// Whether this is one of the private keys that everybody has.
pub(crate) fn is_private_key(content: &[u8]) -> bool {
    [test_keys::SIGNATURE_KEY, test_keys::ENCRYPTION_KEY].iter().any(|key| key.as_bytes() == content)
}
