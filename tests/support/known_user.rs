//! A user whom the broker knows already, and who agrees on keys with it in a small group: for what comes after the sign-in,
//! where thousands of handshakes are about time, not about numbers.
#![allow(dead_code, clippy::unwrap_used, reason = "a test fails by panicking, and not each uses all of it")]

use std::sync::LazyLock;

use ibkr_oauth::{
    Consumer, Secret, UnlockedToken,
    dh::DhGroup,
    key::RsaKey,
    simulator::{BrokerBuilder, test_keys},
};

pub(crate) const TOKEN: &str = "218c1d970d85a8442825";
pub(crate) const SECRET: [u8; 32] = [7; 32];

/// As few bits as the broker takes.
const PRIME: &str = "A4EDD569495A24BA0A193749FCC15ACA860317775BF5D4E24536FC3C9D6CABD7\
                     06B4EA1327879CB8A5C0D1BBA57C49DBC9BDBE382B5F6C02F0ADB00EEF84FB67";

static GROUP: LazyLock<DhGroup> = LazyLock::new(|| DhGroup::read(PRIME).unwrap());
static SIGNATURE_KEY: LazyLock<RsaKey> = LazyLock::new(|| RsaKey::from_pem(test_keys::SIGNATURE_KEY).unwrap());

pub(crate) fn consumer() -> Consumer {
    let builder = Consumer::builder(test_keys::CONSUMER_KEY).dh_params(GROUP.clone());
    builder.signature_key(SIGNATURE_KEY.clone()).build().unwrap()
}

/// The same, with its signature key elsewhere.
pub(crate) fn consumer_with_remote_key() -> Consumer {
    Consumer::builder(test_keys::CONSUMER_KEY).dh_params(GROUP.clone()).build().unwrap()
}

pub(crate) fn token() -> UnlockedToken {
    UnlockedToken::from_plaintext(TOKEN, Secret::from(SECRET.as_slice()))
}

/// A broker that knows the user and the group.
pub(crate) fn known_to(broker: BrokerBuilder) -> BrokerBuilder {
    broker.access_token(TOKEN, SECRET).dh_params(&GROUP)
}
