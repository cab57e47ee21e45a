//! The parameters of a request as a multiset of pairs of bytes (RFC 5849 section 3.4.1.3).

use std::borrow::Cow;

use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};

use super::encode::decode_form;

/// A name and a value, decoded: in bytes, since percent-encoding can carry any. Names may repeat; a value may be empty.
type Parameter<'a> = (Cow<'a, [u8]>, Cow<'a, [u8]>);

/// The pairs of an `application/x-www-form-urlencoded` body, or of a query, decoded and in their order.
///
/// `+` is a space, and a pair without `=` has an empty value. A `%` without two hexadecimal digits behind it stands for
/// itself. Empty pairs (`a=1&&b=2`) are none.
pub(crate) fn parameters(form: &[u8]) -> impl Iterator<Item = Parameter<'_>> {
    wire_pairs(form).map(|(name, value)| (decode_form(name), value.map_or(Cow::Borrowed(&[][..]), decode_form)))
}

/// The pairs as they are on the wire; `None` where a pair has no `=`.
pub(crate) fn wire_pairs(text: &[u8]) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
    text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        (halves.next().unwrap_or_default(), halves.next())
    })
}

/// Whether the content type is `application/x-www-form-urlencoded`, whatever its case and parameters (`; charset=…`).
#[must_use]
pub fn is_form(headers: &HeaderMap) -> bool {
    headers.get_all(CONTENT_TYPE).iter().any(is_form_media_type)
}

/// Whether this value of a content type is that of a form.
pub(crate) fn is_form_media_type(value: &HeaderValue) -> bool {
    let media_type = value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
    media_type.trim_ascii().eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
}
