//! The fields of a bundle as they are in its JSON.

use super::{
    key_source::KeySource,
    text::{Text, read_field, refuse_other_types, unknown_field},
};
use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor},
};

#[derive(Default)]
pub(super) struct Fields {
    pub(super) consumer_key: Option<Text>,
    pub(super) realm: Option<Text>,
    pub(super) base_url: Option<Text>,
    pub(super) authorize_url: Option<Text>,
    pub(super) query_policy: Option<Text>,
    pub(super) access_token: Option<Text>,
    pub(super) access_token_secret: Option<Text>,
    pub(super) signature_key: Option<KeySource>,
    pub(super) encryption_key: Option<KeySource>,
    pub(super) dh_params: Option<KeySource>,
    pub(super) dh_prime: Option<KeySource>,
}

const NAMES: &str = "`consumer_key`, `realm`, `base_url`, `authorize_url`, `query_policy`, `access_token`, \
                     `access_token_secret`, `signature_key`, `encryption_key`, `dh_params` and `dh_prime`";

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = Fields::default();
        while let Some(name) = map.next_key::<Text>()? {
            match name.as_str() {
                "consumer_key" => read_field(&mut map, "consumer_key", &mut fields.consumer_key)?,
                "realm" => read_field(&mut map, "realm", &mut fields.realm)?,
                "base_url" => read_field(&mut map, "base_url", &mut fields.base_url)?,
                "authorize_url" => read_field(&mut map, "authorize_url", &mut fields.authorize_url)?,
                "query_policy" => read_field(&mut map, "query_policy", &mut fields.query_policy)?,
                "access_token" => read_field(&mut map, "access_token", &mut fields.access_token)?,
                "access_token_secret" => read_field(&mut map, "access_token_secret", &mut fields.access_token_secret)?,
                "signature_key" => read_field(&mut map, "signature_key", &mut fields.signature_key)?,
                "encryption_key" => read_field(&mut map, "encryption_key", &mut fields.encryption_key)?,
                "dh_params" => read_field(&mut map, "dh_params", &mut fields.dh_params)?,
                "dh_prime" => read_field(&mut map, "dh_prime", &mut fields.dh_prime)?,
                unknown => return Err(unknown_field(unknown, NAMES)),
            }
        }
        Ok(fields)
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<Fields, E> {
        Err(E::custom("must be a JSON object"))
    }

    refuse_other_types!("a JSON object");
}
