//! [`reqwest`](https://docs.rs/reqwest/0.13) 0.13 as a transport, asynchronous and [blocking]. Needs the feature `reqwest`.
//!
//! `reqwest` can be set only when a client is built to follow no redirect and to retry nothing: build it with
//! [`client_builder`]. A response from another URL than the request's is a failure. `reqwest` also rewrites some URLs (`'`
//! becomes `%27`): those are signed as they will be sent, and a request that was signed otherwise is not sent. The limit of
//! a call takes the place of the client's own `timeout`; its `read_timeout` and `connect_timeout` are kept.

use std::{future::Future, time::Duration};

use ::reqwest::{Client, ClientBuilder, Error as ReqwestError, redirect, retry};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, Uri, Version};

use super::{CHECK_CONNECTION, LOOK_FIRST, canceled::was_canceled, failure, too_large};
use crate::{
    session::{Failure, FailureKind},
    trace,
    transport::{AsyncTransport, Limits},
};

pub mod blocking;
mod url;

use self::url::{as_sent, check_origin, unchanged};

/// Starts a client that follows no redirect and sends nothing twice, by HTTP/1.1, without which there is no WebSocket.
pub fn client_builder() -> ClientBuilder {
    Client::builder().redirect(redirect::Policy::none()).retry(retry::never()).http1_only()
}

impl AsyncTransport for Client {
    async fn send(&self, request: Request<Bytes>, limits: Limits) -> Result<Response<Bytes>, Failure> {
        trace::sending(&request);
        let (url, is_empty) = (unchanged(request.uri())?, request.body().is_empty());
        let mut request = ::reqwest::Request::try_from(request).map_err(no_response)?;
        if is_empty {
            // An empty body would be sent with a `Content-Length`, which no `GET` has.
            *request.body_mut() = None;
        }
        *request.timeout_mut() = Some(limits.timeout);
        let mut response = self.execute(request).await.map_err(no_response)?;
        check_origin(&url, response.url())?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(no_response)? {
            if chunk.len() > limits.longest_body - body.len() {
                return Err(too_large(limits.longest_body));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(whole(response.status(), response.version(), std::mem::take(response.headers_mut()), body.into()))
    }

    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send {
        tokio::time::sleep(time)
    }

    fn rewritten(&self, uri: &Uri) -> Option<Uri> {
        as_sent(uri)
    }
}

fn whole(status: StatusCode, version: Version, headers: HeaderMap, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    (*response.status_mut(), *response.version_mut(), *response.headers_mut()) = (status, version, headers);
    response
}

pub(super) fn no_response(error: ReqwestError) -> Failure {
    let (kind, remedy) = match &error {
        error if error.is_connect() || error.is_builder() || was_canceled(error) => {
            (FailureKind::NotSent, CHECK_CONNECTION)
        }
        error if error.is_timeout() => (FailureKind::TimedOut, LOOK_FIRST),
        _ => (FailureKind::MaybeSent, LOOK_FIRST),
    };
    failure(kind, remedy, error.without_url())
}
