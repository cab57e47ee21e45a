//! A key in a bundle: its text, or where to find it.

use std::{error, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor},
};

use super::text::{Text, read_field, refuse_other_types, unknown_field};
#[cfg(feature = "rsa")]
use crate::{
    dh::DhGroup,
    key::{
        KeyError, RsaKey,
        encoding::{plain, text_of},
    },
};
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

    #[cfg(feature = "rsa")]
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

    #[cfg(feature = "rsa")]
    pub(super) fn content(&self) -> Result<&Secret, Error> {
        self.content.get()
    }

    #[cfg(feature = "rsa")]
    pub(super) fn passphrase(&self) -> Result<Option<&Secret>, Error> {
        let passphrase = self.passphrase.as_ref().map(Material::get).transpose();
        passphrase.map_err(|error| error.in_field("passphrase"))
    }

    #[cfg(feature = "rsa")]
    pub(super) fn rsa_key(&self) -> Result<RsaKey, Error> {
        let content = self.content()?.expose();
        read_rsa_key(content, self.passphrase()?.map(Secret::expose))
    }
}

/// Reads a key in every form that [`RsaKey`] reads.
#[cfg(feature = "rsa")]
pub(crate) fn read_rsa_key(content: &[u8], passphrase: Option<&[u8]>) -> Result<RsaKey, Error> {
    let text = text_of(content);
    let text = text.as_deref().map(String::as_str);
    if let Some(passphrase) = passphrase {
        return open(content, text, passphrase);
    }
    let key = text.map_or_else(|| RsaKey::from_der(content), RsaKey::from_pem);
    key.map_err(|error| match text {
        Some(text) if plain(text).contains("BEGIN ENCRYPTED PRIVATE KEY") => {
            refused(error).with_remedy(PASSPHRASE_WANTED)
        }
        _ => refused(error),
    })
}

/// Reads Diffie-Hellman parameters in every form that [`DhGroup`] reads.
#[cfg(feature = "rsa")]
pub(crate) fn read_dh_params(content: &[u8]) -> Result<DhGroup, KeyError> {
    text_of(content).map_or_else(|| DhGroup::from_der(content), |text| DhGroup::from_text(&text))
}

/// Reads a Diffie-Hellman prime in digits, which has the generator 2.
#[cfg(feature = "rsa")]
pub(crate) fn read_dh_prime(content: &[u8]) -> Result<DhGroup, KeyError> {
    let text = text_of(content).ok_or_else(|| KeyError::new("is no text").with_remedy(PRIME_WANTED))?;
    let is_pem = plain(&text).contains("-----BEGIN");
    DhGroup::from_hex(&text).map_err(|error| if is_pem { error.with_remedy(PRIME_WANTED) } else { error })
}

#[cfg(feature = "rsa")]
const PRIME_WANTED: &str = "write the prime's hexadecimal digits there, or give the PEM file as `dh_params`";

#[cfg(feature = "rsa")]
const PASSPHRASE_WANTED: &str = "put the passphrase into an environment variable, and write \
                                 `{\"file\": \"…\", \"passphrase\": {\"env\": \"…\"}}`";

#[cfg(feature = "rsa")]
fn refused(error: KeyError) -> Error {
    Error::key(Stage::Bundle, error)
}

#[cfg(feature = "encrypted-keys")]
fn open(content: &[u8], text: Option<&str>, passphrase: &[u8]) -> Result<RsaKey, Error> {
    let key = match text {
        Some(text) => RsaKey::from_encrypted_pem(text, passphrase),
        None => RsaKey::from_encrypted_der(content, passphrase),
    };
    key.map_err(refused)
}

#[cfg(all(feature = "rsa", not(feature = "encrypted-keys")))]
fn open(_: &[u8], _: Option<&str>, _: &[u8]) -> Result<RsaKey, Error> {
    Err(Error::config(Stage::Bundle, "has a passphrase, and this program was built without support for encrypted keys")
        .with_remedy("turn on the feature `encrypted-keys` of the crate `ibkr-oauth`"))
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
