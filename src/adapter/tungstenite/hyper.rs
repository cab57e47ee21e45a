//! Upgrades of `hyper-util`'s client.

use ::hyper::upgrade::Upgraded;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper_util::{client::legacy::connect::Connect, rt::TokioIo};

use super::{Upgrade, check};
use crate::{
    adapter::{
        CHECK_CONNECTION, failure,
        hyper::{HyperTransport, no_response},
    },
    session::{Failure, FailureKind},
    trace,
};

impl<C: Connect + Clone + Send + Sync + 'static> Upgrade for HyperTransport<C> {
    type Connection = TokioIo<Upgraded>;

    async fn upgrade(&self, request: Request<()>) -> Result<Response<Self::Connection>, Failure> {
        trace::sending(&request);
        let request = request.map(|()| Full::new(Bytes::new()));
        let mut response = self.client.request(request).await.map_err(no_response)?;
        check(response.status())?;
        let headers = std::mem::take(response.headers_mut());
        let upgraded = ::hyper::upgrade::on(response).await;
        let upgraded = upgraded.map_err(|error| failure(FailureKind::NotSent, CHECK_CONNECTION, error))?;
        let mut response = Response::new(TokioIo::new(upgraded));
        *response.headers_mut() = headers;
        Ok(response)
    }
}
