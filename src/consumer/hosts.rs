//! The hosts for which requests are signed.

use http::Uri;

use super::{Endpoints, uri_error};
use crate::{
    error::{Error, Stage},
    oauth1::{self, Origin},
};

const STAGE: Stage = Stage::Sign;

/// The host of the base URL and those that were allowed beside it, each with its scheme and port.
pub(crate) struct Hosts {
    /// `None` for a base URL that cannot be signed, which no [`Endpoints`] has.
    own: Option<Uri>,
    allowed: Vec<Uri>,
}

impl Hosts {
    pub(super) fn new(endpoints: &Endpoints, allowed: &[Uri]) -> Self {
        Self { own: oauth1::parse_uri(endpoints.base_url()).ok(), allowed: allowed.to_vec() }
    }

    /// Where a request to `uri` goes, if it may be signed for there.
    pub(crate) fn admit<'a>(&self, uri: &'a Uri) -> Result<Origin<'a>, Error> {
        let origin = Origin::new(uri).map_err(|error| uri_error(STAGE, error))?;
        if self.own.iter().chain(&self.allowed).any(|known| Origin::new(known).is_ok_and(|known| known == origin)) {
            return Ok(origin);
        }
        let own = self.own.as_ref().and_then(|own| Origin::new(own).ok());
        let own = own.map_or_else(String::new, |own| format!(", which is at {own}"));
        Err(Error::config(STAGE, format!("the URL's host, {origin}, is not the consumer's{own}")).with_remedy(
            "correct the URL; or, if the broker answers there too, allow it (`ConsumerBuilder::allow_host`) or make it the \
             base URL (`Endpoints::new`, or `base_url` in a bundle)",
        ))
    }
}

/// Reads a host that is to be allowed: `host`, `host:port`, or either behind its scheme.
pub(super) fn read(text: &str) -> Result<Uri, Error> {
    let refuse = |why: &str| {
        Error::config(Stage::Consumer, format!("an allowed host {why}")).with_remedy(
            "write one host and nothing else: `1.api.ibkr.com`, `gateway.example:8443` or `http://127.0.0.1:5000`",
        )
    };
    let url = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    let uri =
        oauth1::parse_uri(&url).map_err(|error| refuse(&format!("cannot be used: {error}")).with_source(error))?;
    if uri.path() != "/" || uri.query().is_some() {
        return Err(refuse("has more than a host: a path or a query"));
    }
    Ok(uri)
}
