//! The bundle's file, to be written back with other values for some of its fields.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, Visitor},
    ser::SerializeMap,
};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::{failure::Failure, files};

/// The fields of a bundle, in the order of the file.
pub(super) struct BundleFile {
    path: PathBuf,
    fields: Fields,
}

impl BundleFile {
    /// Reads the file, whose content is known to be a bundle, and sees to it that it can be replaced: an access token that
    /// can be kept nowhere would cost the user another consent.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let unreadable = |error: &dyn fmt::Display| {
            Failure::usage(format!("the bundle {} cannot be read: {error}", path.display()), "check the path")
        };
        // A link stays one: it is the file behind it that is replaced.
        let path = path.canonicalize().map_err(|error| unreadable(&error))?;
        let text = fs::read_to_string(&path).map(Zeroizing::new).map_err(|error| unreadable(&error))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        // The error's own text might show a value.
        let fields = serde_json::from_str(text).map_err(|_| unreadable(&"it is not a JSON object"))?;
        files::check_replaceable(&path).map_err(|error| cannot_write(&path, &error))?;
        Ok(Self { path, fields })
    }

    /// Replaces the file by one with these values.
    pub(super) fn write(mut self, values: &[(&str, String)]) -> Result<(), Failure> {
        for (name, value) in values {
            self.fields.set(name, value);
        }
        let text = serde_json::to_string_pretty(&self.fields).map(|text| Zeroizing::new(text + "\n"));
        let written =
            text.map_err(io::Error::from).and_then(|text| files::replace(&self.path, text.as_bytes(), || true));
        let written = written.map(drop);
        written.map_err(|error| cannot_write(&self.path, &error))
    }
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::usage(
        format!("the access token cannot be written into {}: {error}", path.display()),
        "see to it that this program may write into that folder, and authorize again",
    )
}

/// A JSON object that keeps its order.
struct Fields(Vec<(String, Value)>);

impl Fields {
    fn set(&mut self, name: &str, value: &str) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = Value::from(value),
            None => self.0.push((name.to_owned(), Value::from(value))),
        }
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldsVisitor;

        impl<'de> Visitor<'de> for FieldsVisitor {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(FieldsVisitor)
    }
}
