//! The JSON of a bundle: texts, and objects of them. No error shows a part of a text.
//!
//! Written by hand, because the errors of derived code quote the value that they do not like. So do those of a format that
//! is asked for the type that is wanted: `deserialize_any` lets the visitor here say no itself.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use zeroize::Zeroizing;

use crate::error::{Error, Stage};

/// A text that is wiped where it is not taken: it may be a secret, also one that is in the wrong place.
pub(super) type Text = Zeroizing<String>;

/// A text that is taken, and is its taker's to wipe from here on.
pub(super) fn taken(mut text: Text) -> String {
    std::mem::take(&mut *text)
}

pub(super) enum Json {
    Text(Text),
    Object(Object),
}

pub(super) struct Object(Vec<(Text, Json)>);

impl Json {
    fn into_text(self) -> Result<Text, Error> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Object(_) => Err(Error::config(Stage::Bundle, "must be a string")),
        }
    }

    pub(super) fn into_object(self) -> Result<Object, Error> {
        match self {
            Self::Object(object) => Ok(object),
            Self::Text(_) => Err(Error::config(Stage::Bundle, "must be a JSON object")),
        }
    }
}

impl Object {
    /// Refuses fields of other names.
    pub(super) fn check_names(&self, known: &[&str]) -> Result<(), Error> {
        let Some((unknown, _)) = self.0.iter().find(|(name, _)| !known.contains(&name.as_str())) else { return Ok(()) };
        let known: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
        let known = known.join(", ");
        Err(Error::config(Stage::Bundle, format!("{} is not one of the known fields: {known}", shown(unknown))))
    }

    pub(super) fn take(&mut self, name: &str) -> Option<Json> {
        let at = self.0.iter().position(|(known, _)| known.as_str() == name)?;
        Some(self.0.swap_remove(at).1)
    }

    pub(super) fn take_text(&mut self, name: &str) -> Result<Option<Text>, Error> {
        self.take(name).map(Json::into_text).transpose().map_err(|error| error.in_field(name))
    }
}

/// Names a field, if what is in its place looks like a name and not like a key that slipped there.
fn shown(name: &str) -> String {
    let is_name = name.len() <= 40 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    if is_name { format!("`{name}`") } else { "a field of unknown name".to_owned() }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

const WANTED: &str = "must be a string, or an object of strings";

/// Refuses values of the types of which serde's own errors show the value.
macro_rules! refuse {
    ($($method:ident($type:ty)),+) => {
        $(fn $method<E: serde::de::Error>(self, _: $type) -> Result<Json, E> {
            Err(E::custom(WANTED))
        })+
    };
}

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Json, E> {
        self.visit_string(text.to_owned())
    }

    fn visit_string<E: serde::de::Error>(self, text: String) -> Result<Json, E> {
        Ok(Json::Text(Zeroizing::new(text)))
    }

    /// Names the field in whatever goes wrong there, be it in the JSON's syntax.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut fields: Vec<(Text, Json)> = Vec::new();
        while let Some(name) = map.next_key::<Text>()? {
            if fields.iter().any(|(known, _)| *known == name) {
                return Err(A::Error::custom(format_args!("{}: duplicate field", shown(&name))));
            }
            let value = map.next_value();
            let value = value.map_err(|error| A::Error::custom(format_args!("{}: {error}", shown(&name))))?;
            fields.push((name, value));
        }
        Ok(Json::Object(Object(fields)))
    }

    refuse!(visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_i128(i128), visit_u128(u128), visit_f64(f64));

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, or an object of strings")
    }
}
