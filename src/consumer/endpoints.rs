//! Where the broker is.

use http::{Uri, uri};

use crate::{
    error::{Error, Stage},
    oauth1,
};

/// Where the broker is: the base URL of its Web API, and the page on which users give their consent.
///
/// ```
/// use ibkr_oauth::Endpoints;
///
/// let production = Endpoints::default();
/// assert_eq!(production.base_url(), "https://api.ibkr.com/v1/api");
///
/// let zug = Endpoints::new("https://7.api.ibkr.com/v1/api/")?;
/// assert_eq!(zug.url("/portfolio/accounts")?, "https://7.api.ibkr.com/v1/api/portfolio/accounts");
/// # Ok::<(), ibkr_oauth::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoints {
    base_url: String,
    /// The same, read.
    base: Uri,
    authorize_url: String,
}

impl Endpoints {
    /// The Web API at another base URL than production's, such as `https://1.api.ibkr.com/v1/api`. Slashes at its end are
    /// dropped, since paths are appended with theirs.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if it is not a URL that can be signed (see
    /// [`UriError`](oauth1::UriError)), or has a query.
    pub fn new(base_url: &str) -> Result<Self, Error> {
        let base = checked_url("base URL", base_url)?;
        Ok(Self { base_url: base_url.trim_end_matches('/').to_owned(), base, ..Self::default() })
    }

    /// Another page for the user's consent than `https://www.interactivebrokers.com/authorize`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config), as for the base URL.
    pub fn with_authorize_url(self, authorize_url: &str) -> Result<Self, Error> {
        checked_url("authorization URL", authorize_url)?;
        Ok(Self { authorize_url: authorize_url.to_owned(), ..self })
    }

    /// The base URL of the Web API, without a slash at its end.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The page for the user's consent.
    #[must_use]
    pub fn authorize_url(&self) -> &str {
        &self.authorize_url
    }

    /// The URL of a resource: `path_and_query`, which starts with a slash, appended to the base URL.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the result cannot be signed.
    pub fn url(&self, path_and_query: &str) -> Result<Uri, Error> {
        if !path_and_query.starts_with('/') {
            return Err(Error::config(Stage::Sign, "the path of the resource does not start with a slash")
                .with_remedy("write what follows the base URL, as in `/portfolio/accounts`"));
        }
        let path = [self.base.path().trim_end_matches('/'), path_and_query].concat();
        let refused = |error| uri_error(Stage::Sign, error);
        let mut parts = uri::Parts::from(self.base.clone());
        parts.path_and_query = Some(oauth1::parse_path_and_query(path).map_err(refused)?);
        Uri::from_parts(parts).map_err(|_| refused(oauth1::UriError::SYNTAX))
    }
}

impl Default for Endpoints {
    /// Production: `https://api.ibkr.com/v1/api`.
    fn default() -> Self {
        const BASE_URL: &str = "https://api.ibkr.com/v1/api";
        Self {
            base_url: BASE_URL.to_owned(),
            base: Uri::from_static(BASE_URL),
            authorize_url: "https://www.interactivebrokers.com/authorize".to_owned(),
        }
    }
}

fn checked_url(what: &str, text: &str) -> Result<Uri, Error> {
    let uri = oauth1::parse_uri(text).map_err(|error| {
        Error::config(Stage::Consumer, format!("the {what} cannot be used: {error}")).with_source(error)
    })?;
    if uri.query().is_some() {
        return Err(Error::config(Stage::Consumer, format!("the {what} has a query")));
    }
    Ok(uri)
}

pub(crate) fn uri_error(stage: Stage, error: oauth1::UriError) -> Error {
    Error::config(stage, error.to_string()).with_source(error)
}
