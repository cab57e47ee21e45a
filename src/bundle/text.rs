//! Texts and fields of which no error shows a part.
//!
//! Written by hand, because the errors of derived code quote the value that they do not like. So do those of a format that
//! is asked for the type that is wanted: `deserialize_any` lets the visitors here say no themselves.

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor},
};
use zeroize::Zeroizing;

/// Refuses values of the types that have no method in a visitor, without a word about the value.
macro_rules! refuse_other_types {
    ($wanted:literal: $($method:ident($type:ty)),+) => {
        $(fn $method<E: serde::de::Error>(self, _: $type) -> Result<Self::Value, E> {
            Err(E::custom(concat!("must be ", $wanted)))
        })+

        fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> {
            Err(E::custom(concat!("must be ", $wanted)))
        }

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str($wanted)
        }
    };
    ($wanted:literal) => {
        refuse_other_types!(
            $wanted: visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_i128(i128), visit_u128(u128), visit_f64(f64)
        );
    };
}
pub(super) use refuse_other_types;

/// Reads the value of a field, and names the field in whatever goes wrong there, be it in the JSON's syntax.
pub(super) fn read_field<'de, A: MapAccess<'de>, T: Deserialize<'de>>(
    map: &mut A,
    name: &str,
    field: &mut Option<T>,
) -> Result<(), A::Error> {
    if field.is_some() {
        return Err(de::Error::custom(format_args!("`{name}`: duplicate field")));
    }
    *field = Some(map.next_value().map_err(|error| de::Error::custom(format_args!("`{name}`: {error}")))?);
    Ok(())
}

/// Names the field, if what is in its place looks like a name and not like a key that slipped there.
pub(super) fn unknown_field<E: de::Error>(name: &str, known: &str) -> E {
    let is_name = name.len() <= 40 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    if is_name {
        E::custom(format_args!("`{name}`: is not a known field; those are {known}"))
    } else {
        E::custom(format_args!("there is a field of unknown name; the known ones are {known}"))
    }
}

/// A text of which no error shows a part, and which is wiped where it is not taken: it may be a secret, also one that stands
/// in the wrong place.
pub(super) struct Text(Zeroizing<String>);

impl Text {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn into_string(mut self) -> String {
        std::mem::take(&mut *self.0)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl Visitor<'_> for TextVisitor {
    type Value = Text;

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Text, E> {
        Ok(Text(Zeroizing::new(text.to_owned())))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Text, E> {
        Ok(Text(Zeroizing::new(text)))
    }

    refuse_other_types!("a string");
}
