//! The base string URI, written encoded in one pass.

use http::{Uri, uri::Scheme};

use super::{
    append::{append_encoded, append_reserved, append_unreserved},
    base_uri::is_dot_segment,
    origin::Origin,
    uri_error::UriError,
};

/// The start of a base string URI, checked and encoded once: nearly all requests of a signer go to one base URL.
#[derive(Clone, Debug)]
pub(crate) struct EncodedBase {
    scheme: Scheme,
    authority: String,
    /// Without a slash at its end.
    path: String,
    encoded: Vec<u8>,
}

impl EncodedBase {
    /// `None` where such a URI cannot be signed.
    pub(crate) fn new(uri: &Uri) -> Option<Self> {
        let mut encoded = Vec::new();
        append_base_uri(&mut encoded, uri, None).ok()?;
        let path = uri.path().trim_end_matches('/');
        encoded.truncate(encoded.len() - b"%2F".len() * (uri.path().len() - path.len()));
        let authority = uri.authority()?.as_str().to_owned();
        Some(Self { scheme: uri.scheme()?.clone(), authority, path: path.to_owned(), encoded })
    }

    /// Whether `uri` has this scheme, host and port, to the letter.
    pub(crate) fn has_origin_of(&self, uri: &Uri) -> bool {
        uri.authority().is_some_and(|authority| authority.as_str() == self.authority)
            && uri.scheme() == Some(&self.scheme)
    }

    /// The rest of the path, from a slash on, where `uri` starts with this path.
    fn rest_of_path<'a>(&self, uri: &'a Uri) -> Option<&'a str> {
        uri.path().strip_prefix(&*self.path).filter(|rest| rest.starts_with('/'))
    }
}

/// Writes the base string URI of `uri`, encoded. With a `base` that [has its origin](EncodedBase::has_origin_of), what is
/// known of that is not done again.
pub(crate) fn append_base_uri(out: &mut Vec<u8>, uri: &Uri, base: Option<&EncodedBase>) -> Result<(), UriError> {
    let path = if let Some((base, rest)) = base.and_then(|base| Some((base, base.rest_of_path(uri)?))) {
        out.extend_from_slice(&base.encoded);
        rest
    } else {
        append_origin(out, Origin::new(uri)?);
        uri.path()
    };
    if !uri.query().unwrap_or_default().is_ascii() {
        return Err(UriError::NON_ASCII);
    }
    append_path(out, path.as_bytes())
}

/// Writes a path, encoded, and checks on the way what [`base_uri`](super::base_uri) checks.
fn append_path(out: &mut Vec<u8>, mut path: &[u8]) -> Result<(), UriError> {
    while let (Some(reserved), rest) = append_unreserved(out, path) {
        match reserved {
            0x80.. => return Err(UriError::NON_ASCII),
            b'/' if starts_with_dot_segment(rest) => return Err(UriError::DOT_SEGMENT),
            _ => append_reserved::<false>(out, reserved),
        }
        path = rest;
    }
    Ok(())
}

fn starts_with_dot_segment(path: &[u8]) -> bool {
    matches!(path, [b'.' | b'%', ..]) && path.split(|byte| *byte == b'/').next().is_some_and(is_dot_segment)
}

fn append_origin(out: &mut Vec<u8>, origin: Origin<'_>) {
    out.extend_from_slice(origin.scheme.as_bytes());
    append_encoded(out, b"://");
    for byte in origin.host.bytes() {
        append_encoded(out, &[byte.to_ascii_lowercase()]);
    }
    if let Some(port) = origin.port {
        append_encoded(out, b":");
        out.extend_from_slice(itoa::Buffer::new().format(port).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth1::{base_uri, percent_encode};

    #[test]
    fn it_is_the_base_uri_encoded_whether_the_origin_is_known_or_not() {
        let known = EncodedBase::new(&Uri::from_static("https://api.ibkr.com/v1/api"));
        for text in [
            "https://api.ibkr.com/v1/api/portfolio/accounts?a=1",
            "https://api.ibkr.com",
            "https://api.ibkr.com/v1/api",
            "https://api.ibkr.com/v1/apiary",
            "https://api.ibkr.com/v1/api/",
            "https://api.ibkr.com//",
            "http://api.ibkr.com/",
            "https://api.ibkr.com:443/a,b",
            "https://api.ibkr.com:8443/%2C",
            "https://API.ibkr.com/A",
            "HTTPS://api.ibkr.com.example/",
            "http://[2001:DB8::A]:8080/a//b",
            "http://api.ibkr.com/v1/api/a",
            "https://localhost:5000/v1/api/a",
        ] {
            let uri: Uri = text.parse().unwrap();
            let expected = percent_encode(base_uri(&uri).unwrap().as_bytes());
            for known in [None, known.as_ref(), EncodedBase::new(&uri).as_ref()] {
                let mut out = Vec::new();
                append_base_uri(&mut out, &uri, known.filter(|known| known.has_origin_of(&uri))).unwrap();
                assert_eq!(String::from_utf8(out).unwrap(), expected, "{text}");
            }
        }
    }

    #[test]
    fn a_known_origin_does_not_hide_a_bad_path() {
        let known = EncodedBase::new(&Uri::from_static("https://api.ibkr.com/v1/api"));
        for text in [
            "https://api.ibkr.com/a/../b",
            "https://api.ibkr.com/v1/api/../b",
            "https://api.ibkr.com/%2e",
            "https://user@api.ibkr.com/",
            "https://api.ibkr.com/ü",
            "https://api.ibkr.com/v1/api/ü",
            "https://api.ibkr.com/v1/api/a?b=ü",
        ] {
            let uri: Uri = text.parse().unwrap();
            let known = known.as_ref().filter(|known| known.has_origin_of(&uri));
            let error = append_base_uri(&mut Vec::new(), &uri, known).unwrap_err();
            assert_eq!(Err(error), base_uri(&uri), "{text}");
        }
    }
}
