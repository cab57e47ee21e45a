//! A key in a bundle: its text, or where to find it.

use std::{error, fmt};

use super::json::{Json, taken};
#[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
use super::key_files::read_key;
#[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
use crate::key::{Backend, RsaKey};
use crate::{
    error::{Error, Stage},
    key::KeyLocation,
    secret::Secret,
};

/// The content of a key file, and the passphrase that opens it.
#[derive(Clone)]
pub(crate) struct KeySource {
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
    /// A text, or an object that names where one is.
    pub(super) fn new(json: Json) -> Result<Self, Error> {
        let mut fields = match json {
            Json::Text(text) => {
                return Ok(Self { content: Material::Here(Secret::from(taken(text))), passphrase: None });
            }
            Json::Object(fields) => fields,
        };
        fields.check_names(&["file", "env", "passphrase"])?;
        let refuse = |what| Err(Error::config(Stage::Bundle, what));
        let location = match (fields.take_text("file")?, fields.take_text("env")?) {
            (Some(path), None) if is_path(&path) => KeyLocation::File(taken(path)),
            (None, Some(name)) if is_variable(&name) => KeyLocation::Env(taken(name)),
            (Some(_), None) => return refuse("`file` must be the name of a file, not what is in it"),
            (None, Some(_)) => return refuse("`env` must be the name of an environment variable, not what is in it"),
            (Some(_), Some(_)) => return refuse("has both `file` and `env`: which is meant?"),
            (None, None) => return refuse("has neither `file` nor `env`"),
        };
        let passphrase = fields.take("passphrase").map(passphrase).transpose();
        let passphrase = passphrase.map_err(|error| error.in_field("passphrase"))?;
        Ok(Self { content: Material::At(location), passphrase })
    }

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
    pub(crate) fn content(&self) -> Result<&Secret, Error> {
        self.content.get()
    }

    #[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
    fn passphrase(&self) -> Result<Option<&Secret>, Error> {
        let passphrase = self.passphrase.as_ref().map(Material::get).transpose();
        passphrase.map_err(|error| error.in_field("passphrase"))
    }

    #[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
    pub(crate) fn key(&self, backend: Backend) -> Result<RsaKey, Error> {
        let content = self.content()?.expose();
        read_key(backend, content, self.passphrase()?.map(Secret::expose))
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

/// Whether a text can be the path of a file. Errors show it, so that a key that slipped there must not pass for one.
fn is_path(text: &str) -> bool {
    (1..=1024).contains(&text.len()) && !text.contains(char::is_control) && !text.contains("-----BEGIN")
}

/// Whether a text can be the name of an environment variable, and not its content.
fn is_variable(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) && !text.contains("-----BEGIN")
}

/// A passphrase, of which a bundle has only the name of the environment variable.
fn passphrase(json: Json) -> Result<Material, Error> {
    match KeySource::new(json)? {
        KeySource { content: location @ Material::At(KeyLocation::Env(_)), passphrase: None } => Ok(location),
        _ => Err(Error::config(Stage::Bundle, "must be {\"env\": \"…\"}, the name of an environment variable")),
    }
}
