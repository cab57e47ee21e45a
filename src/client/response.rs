//! The broker's response to a call.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;

use crate::{
    error::{Error, Stage},
    response::without_value,
};

/// The broker's response, whatever its status.
#[derive(Clone)]
pub struct Response(http::Response<Bytes>);

// Without headers and body, which are the user's.
debug_fields!(self: Response { status: self.status(), length: self.0.body().len() });

impl Response {
    pub(super) fn new(response: http::Response<Bytes>) -> Self {
        Self(response)
    }

    /// Its status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status()
    }

    /// Its headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        self.0.headers()
    }

    /// Its body, as text.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`](crate::ErrorKind::Malformed) if that is not UTF-8.
    pub fn text(&self) -> Result<&str, Error> {
        str::from_utf8(self.0.body()).map_err(|error| {
            self.unreadable("the response is not UTF-8")
                .with_remedy("take the bytes, with `into_inner`")
                .with_source(error)
        })
    }

    /// Its body, read as JSON.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`](crate::ErrorKind::Malformed) if it cannot be read as that.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(self.0.body()).map_err(|error| {
            let message = format!("the response is not the JSON that was expected: {}", without_value(&error));
            self.unreadable(message)
                .with_remedy("look at the response's `text`: what the broker sent has another shape")
        })
    }

    /// The response, if it says no neither by its status nor by its words.
    ///
    /// # Errors
    /// As [`Error::from_response`].
    pub fn error_for_status(self) -> Result<Self, Error> {
        match Error::from_response(&self.0) {
            Some(error) => Err(error),
            None => Ok(self),
        }
    }

    /// The response as it came.
    #[must_use]
    pub fn into_inner(self) -> http::Response<Bytes> {
        self.0
    }

    fn unreadable(&self, message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
        Error::malformed(Stage::Transport, message).with_status(self.status())
    }
}
