//! Upgrades of `reqwest`'s client.

use ::reqwest::{Client, Upgraded, Url};
use http::{Request, Response};

use super::{Upgrade, check};
use crate::{
    adapter::{CHECK_CONNECTION, failure, reqwest::no_response},
    session::{Failure, FailureKind},
    trace,
};

impl Upgrade for Client {
    type Connection = Upgraded;

    async fn upgrade(&self, request: Request<()>) -> Result<Response<Upgraded>, Failure> {
        trace::sending(&request);
        let (head, ()) = request.into_parts();
        // The error would show the URL.
        let url = Url::parse(&head.uri.to_string());
        let url = url.map_err(|_| failure(FailureKind::NotSent, CHECK_CONNECTION, "the URL is none of `reqwest`'s"))?;
        let mut request = ::reqwest::Request::new(head.method, url);
        *request.headers_mut() = head.headers;
        let mut response = self.execute(request).await.map_err(no_response)?;
        check(response.status())?;
        let headers = std::mem::take(response.headers_mut());
        let mut upgraded = Response::new(response.upgrade().await.map_err(no_response)?);
        *upgraded.headers_mut() = headers;
        Ok(upgraded)
    }
}
