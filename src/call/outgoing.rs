//! A request as it leaves: with the headers that the broker demands, and signed.

use bytes::Bytes;
use http::{
    HeaderValue, Method, Request,
    header::{CONTENT_LENGTH, USER_AGENT},
};

use crate::{
    context::Context,
    error::Error,
    oauth1,
    signer::{Signer, TokenId},
};

/// Adds what the broker demands of each request: the consumer's `User-Agent` where there is none, and `Content-Length: 0`
/// in a `POST` or `PUT` without a body. A `Content-Length` that is there already is set right.
pub(crate) fn complete_head(signer: &Signer, request: &mut Request<Bytes>) {
    if !request.headers().contains_key(USER_AGENT) {
        let user_agent = signer.consumer().user_agent().clone();
        request.headers_mut().insert(USER_AGENT, user_agent);
    }
    let length = request.body().len();
    let is_empty_post = length == 0 && [Method::POST, Method::PUT].contains(request.method());
    if is_empty_post || request.headers().contains_key(CONTENT_LENGTH) {
        request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
}

/// Signs a request, as a form if its media type is that of one.
pub(crate) fn sign(signer: &Signer, cx: &mut Context<'_>, request: &mut Request<Bytes>) -> Result<TokenId, Error> {
    if oauth1::is_form(request.headers()) { signer.sign_form(cx, request) } else { signer.sign(cx, request) }
}
