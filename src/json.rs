//! Reading JSON that somebody else wrote.

use std::str;

use serde::{Deserialize as _, Deserializer, de::DeserializeOwned};
use serde_json::Value;

/// Reads a text of JSON. What is not UTF-8 becomes U+FFFD, since the broker's free texts may hold such bytes, and no flag
/// beside them must be lost for it.
pub(crate) fn parse(body: &[u8]) -> Option<Value> {
    match str::from_utf8(body) {
        Ok(text) => serde_json::from_str(text).ok(),
        Err(_) => serde_json::from_str(&String::from_utf8_lossy(body)).ok(),
    }
}

/// A field on which nothing depends: of another type than ours, it counts as absent, so that no session ends for it.
pub(crate) fn unimportant<'de, T: DeserializeOwned, D: Deserializer<'de>>(field: D) -> Result<Option<T>, D::Error> {
    Ok(T::deserialize(Value::deserialize(field)?).ok())
}
