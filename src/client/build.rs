//! Requests as an application asks for them, at the broker's base URL.

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Uri, header::CONTENT_TYPE};
use serde::Serialize;

use crate::{
    consumer::{Consumer, Endpoints},
    error::{Error, Stage},
    oauth1::percent_encode,
};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

#[derive(Clone)]
pub(super) struct Builder(Endpoints);

impl Builder {
    pub(super) fn new(consumer: &Consumer) -> Self {
        Self(consumer.endpoints().clone())
    }

    pub(super) fn bare(&self, method: Method, path: &str) -> Result<Request<Bytes>, Error> {
        let mut request = Request::new(Bytes::new());
        (*request.method_mut(), *request.uri_mut()) = (method, self.0.url(path)?);
        Ok(request)
    }

    pub(super) fn json(&self, path: &str, body: &(impl Serialize + ?Sized)) -> Result<Request<Bytes>, Error> {
        let text = serde_json::to_vec(body).map_err(|error| {
            Error::config(Stage::Sign, format!("the body cannot be written as JSON: {error}")).with_source(error)
        })?;
        self.post(path, JSON, text.into())
    }

    pub(super) fn form(&self, path: &str, pairs: &[(&str, &str)]) -> Result<Request<Bytes>, Error> {
        let encode = |text: &str| percent_encode(text.as_bytes());
        let pairs: Vec<String> =
            pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        self.post(path, FORM, pairs.join("&").into())
    }

    fn post(&self, path: &str, media_type: HeaderValue, body: Bytes) -> Result<Request<Bytes>, Error> {
        let mut request = self.bare(Method::POST, path)?;
        request.headers_mut().insert(CONTENT_TYPE, media_type);
        *request.body_mut() = body;
        Ok(request)
    }

    pub(super) fn complete(&self, request: Request<impl Into<Bytes>>) -> Result<Request<Bytes>, Error> {
        let mut request = request.map(Into::into);
        if request.uri().authority().is_none() {
            let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
            let uri: Uri = self.0.url(path)?;
            *request.uri_mut() = uri;
        }
        Ok(request)
    }
}
