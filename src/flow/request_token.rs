//! `POST /oauth/request_token`: asks for a token with which the user can be asked.

use serde::Deserialize;

use super::authorize::Consent;
use crate::{
    consumer::Consumer,
    context::Context,
    error::{Error, Stage},
    exchange::{Exchange, Unsigned},
    response,
};

const STAGE: Stage = Stage::RequestToken;

/// Where the broker sends the user's browser after the consent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Callback<'a> {
    /// `oob`: to the address that is registered for the consumer, or, without one, to a page from whose address the user
    /// copies the verifier. The written contract knows only this.
    #[default]
    OutOfBand,
    /// An absolute URL, which newer texts of the broker allow.
    Url(&'a str),
}

#[derive(Deserialize)]
struct Reply {
    oauth_token: String,
}

impl Consumer {
    /// Asks for a request token, the first step for applications that act for other users.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) without a signature key,
    /// [`ErrorKind::Key`](crate::ErrorKind::Key) if the key refuses, [`ErrorKind::Entropy`](crate::ErrorKind::Entropy)
    /// if there are no random bytes.
    pub fn request_token(&self, cx: &mut Context<'_>, callback: Callback<'_>) -> Result<Exchange<Consent>, Error> {
        self.prepare_request_token(cx, callback)?.sign(cx)
    }

    /// As [`request_token`](Self::request_token), with the signature made elsewhere.
    ///
    /// # Errors
    /// [`ErrorKind::Entropy`](crate::ErrorKind::Entropy) if there are no random bytes.
    pub fn prepare_request_token(
        &self,
        cx: &mut Context<'_>,
        callback: Callback<'_>,
    ) -> Result<Unsigned<Consent>, Error> {
        let callback = match callback {
            Callback::OutOfBand => "oob",
            Callback::Url(url) => url,
        };
        let parameters = vec![("oauth_callback", callback.to_owned())];
        let (step, now) = ((STAGE, "/oauth/request_token"), cx.now().as_secs());
        let authorize_url = self.endpoints().authorize_url().to_owned();
        Unsigned::new(step, self, cx.entropy(), now, parameters, "", move |response| {
            let Reply { oauth_token } = response::read(STAGE, &response)?;
            Consent::new(oauth_token, &authorize_url)
        })
    }
}
