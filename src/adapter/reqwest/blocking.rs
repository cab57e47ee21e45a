//! The same with `reqwest`'s blocking client.

use ::reqwest::{
    Error as ReqwestError,
    blocking::{Client, ClientBuilder},
    redirect, retry,
};
use bytes::Bytes;
use http::{Request, Response, Uri};

use super::{as_sent, check_origin, no_response, unchanged, whole};
use crate::{
    adapter::{LOOK_FIRST, failure, read_body, too_large},
    session::{Failure, FailureKind},
    trace,
    transport::{Limits, Transport},
};

/// Starts a client that follows no redirect and sends nothing twice.
pub fn client_builder() -> ClientBuilder {
    Client::builder().redirect(redirect::Policy::none()).retry(retry::never())
}

impl Transport for Client {
    fn send(&self, request: Request<Bytes>, limits: Limits) -> Result<Response<Bytes>, Failure> {
        trace::sending(&request);
        let (url, is_empty) = (unchanged(request.uri())?, request.body().is_empty());
        let mut request = ::reqwest::blocking::Request::try_from(request).map_err(no_response)?;
        if is_empty {
            // An empty body would be sent with a `Content-Length`, which no `GET` has.
            *request.body_mut() = None;
        }
        *request.timeout_mut() = Some(limits.timeout);
        let mut response = self.execute(request).map_err(no_response)?;
        check_origin(&url, response.url())?;
        let body =
            read_body(&mut response, limits.longest_body).map_err(|error| match error.downcast::<ReqwestError>() {
                Ok(error) => no_response(error),
                Err(error) => failure(FailureKind::MaybeSent, LOOK_FIRST, error),
            })?;
        let body = body.ok_or_else(|| too_large(limits.longest_body))?;
        Ok(whole(response.status(), response.version(), std::mem::take(response.headers_mut()), body))
    }

    fn rewritten(&self, uri: &Uri) -> Option<Uri> {
        as_sent(uri)
    }
}
