//! Values of headers: those that may be seen, and those that may not.

use http::HeaderValue;

use crate::error::{Error, Stage};

/// A header value that neither `Debug` nor a log shows.
pub(crate) fn sensitive(stage: Stage, value: &[u8]) -> Result<HeaderValue, Error> {
    let mut value = header_value(stage, value)?;
    value.set_sensitive(true);
    Ok(value)
}

pub(crate) fn header_value(stage: Stage, value: &[u8]) -> Result<HeaderValue, Error> {
    HeaderValue::from_bytes(value)
        .map_err(|_| Error::config(stage, "a header would have characters that no header may have"))
}
