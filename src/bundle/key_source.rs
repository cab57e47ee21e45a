//! A key in a bundle: its text, or where to find it.

#[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
use std::sync::Arc;
use std::{error, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor},
};

#[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
use super::key_files::ReadKey;
use super::text::{Text, read_field, refuse_other_types, unknown_field};
#[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
use crate::key::PrivateKey;
use crate::{
    error::{Error, Stage},
    key::KeyLocation,
    secret::Secret,
};

/// The content of a key file, and the passphrase that opens it.
#[derive(Clone)]
pub(super) struct KeySource {
    content: Material,
    passphrase: Option<Material>,
}

#[derive(Clone)]
enum Material {
    Here(Secret),
    At(KeyLocation),
}

impl Material {
    fn resolve<E>(&mut self, read: &mut impl FnMut(&KeyLocation) -> Result<Secret, E>) -> Result<(), Error>
    where
        E: Into<Box<dyn error::Error + Send + Sync>>,
    {
        if let Self::At(location) = self {
            let found = read(location).map_err(|error| {
                let error = error.into();
                let (why, remedy) = match error.downcast_ref::<Error>() {
                    Some(error) => (error.message().to_owned(), error.remedy().to_owned()),
                    None => (error.to_string(), "check its name, and that this program may read it".to_owned()),
                };
                Error::config(Stage::Bundle, format!("the {location} cannot be read: {why}"))
                    .with_remedy(remedy)
                    .with_source(error)
            })?;
            *self = Self::Here(found);
        }
        Ok(())
    }

    #[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
    fn get(&self) -> Result<&Secret, Error> {
        match self {
            Self::Here(secret) => Ok(secret),
            Self::At(location) => Err(Error::config(Stage::Bundle, format!("the {location} has not been read"))
                .with_remedy("call `CredentialBundle::resolve` first, which fetches what the bundle only names")),
        }
    }
}

impl KeySource {
    pub(super) fn resolve<E>(&mut self, read: &mut impl FnMut(&KeyLocation) -> Result<Secret, E>) -> Result<(), Error>
    where
        E: Into<Box<dyn error::Error + Send + Sync>>,
    {
        self.content.resolve(read)?;
        match &mut self.passphrase {
            Some(passphrase) => passphrase.resolve(read).map_err(|error| error.in_field("passphrase")),
            None => Ok(()),
        }
    }

    pub(super) fn without_passphrase(self, field: &str) -> Result<Self, Error> {
        if self.passphrase.is_none() {
            return Ok(self);
        }
        Err(Error::config(Stage::Bundle, "takes no passphrase, since there is nothing secret in it").in_field(field))
    }

    #[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
    pub(super) fn content(&self) -> Result<&Secret, Error> {
        self.content.get()
    }

    #[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
    pub(super) fn passphrase(&self) -> Result<Option<&Secret>, Error> {
        let passphrase = self.passphrase.as_ref().map(Material::get).transpose();
        passphrase.map_err(|error| error.in_field("passphrase"))
    }

    #[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
    pub(super) fn key(&self, read: ReadKey) -> Result<Arc<dyn PrivateKey>, Error> {
        let content = self.content()?.expose();
        read(content, self.passphrase()?.map(Secret::expose))
    }
}

impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.content {
            Material::Here(secret) => secret.fmt(f),
            Material::At(location) => location.fmt(f),
        }
    }
}

impl<'de> Deserialize<'de> for KeySource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KeySourceVisitor)
    }
}

struct KeySourceVisitor;

impl<'de> Visitor<'de> for KeySourceVisitor {
    type Value = KeySource;

    fn visit_str<E: de::Error>(self, text: &str) -> Result<KeySource, E> {
        Ok(KeySource { content: Material::Here(Secret::from(text.as_bytes())), passphrase: None })
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<KeySource, E> {
        Ok(KeySource { content: Material::Here(Secret::from(text)), passphrase: None })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<KeySource, A::Error> {
        let (mut file, mut variable, mut passphrase) = (None::<Text>, None::<Text>, None::<Passphrase>);
        while let Some(name) = map.next_key::<Text>()? {
            match name.as_str() {
                "file" => read_field(&mut map, "file", &mut file)?,
                "env" => read_field(&mut map, "env", &mut variable)?,
                "passphrase" => read_field(&mut map, "passphrase", &mut passphrase)?,
                unknown => return Err(unknown_field(unknown, "`file`, `env` and `passphrase`")),
            }
        }
        let location = match (file, variable) {
            (Some(path), None) if is_path(path.as_str()) => KeyLocation::File(path.into_string()),
            (None, Some(name)) if is_variable(name.as_str()) => KeyLocation::Env(name.into_string()),
            (Some(_), None) => return Err(de::Error::custom("`file` must be the name of a file, not what is in it")),
            (None, Some(_)) => {
                return Err(de::Error::custom("`env` must be the name of an environment variable, not what is in it"));
            }
            (Some(_), Some(_)) => return Err(de::Error::custom("has both `file` and `env`: which is meant?")),
            (None, None) => return Err(de::Error::custom("has neither `file` nor `env`")),
        };
        let passphrase = passphrase.map(|passphrase| Material::At(passphrase.0));
        Ok(KeySource { content: Material::At(location), passphrase })
    }

    refuse_other_types!("the text itself, {\"file\": \"…\"} or {\"env\": \"…\"}");
}

/// Whether a text can be the path of a file. Errors show it, so that a key that slipped there must not pass for one.
fn is_path(text: &str) -> bool {
    (1..=1024).contains(&text.len()) && !text.contains(char::is_control) && !text.contains("-----BEGIN")
}

/// Whether a text can be the name of an environment variable, and not its content.
fn is_variable(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) && !text.contains("-----BEGIN")
}

/// The name of the environment variable that holds a passphrase.
struct Passphrase(KeyLocation);

impl<'de> Deserialize<'de> for Passphrase {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match KeySource::deserialize(deserializer)? {
            KeySource { content: Material::At(location @ KeyLocation::Env(_)), passphrase: None } => Ok(Self(location)),
            _ => Err(de::Error::custom("must be {\"env\": \"…\"}, the name of an environment variable")),
        }
    }
}
