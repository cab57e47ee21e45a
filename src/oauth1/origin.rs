//! The base string URI, written encoded in one pass.

use http::{Uri, uri::Scheme};

use super::{
    append::append_encoded,
    base_uri::{Origin, UriError, check_path_and_query},
};
use crate::encoding::Decimal;

/// A scheme and an authority, checked once, and what is signed for them: nearly all requests of a signer go to one host.
#[derive(Clone, Debug)]
pub(crate) struct EncodedOrigin {
    scheme: Scheme,
    authority: String,
    encoded: Vec<u8>,
}

impl EncodedOrigin {
    /// The origin of `uri`; `None` where such a URI cannot be signed.
    pub(crate) fn of(uri: &Uri) -> Option<Self> {
        let mut encoded = Vec::new();
        append_origin(&mut encoded, Origin::new(uri).ok()?);
        Some(Self { scheme: uri.scheme()?.clone(), authority: uri.authority()?.as_str().to_owned(), encoded })
    }

    /// Whether it is that of `uri`, to the letter.
    fn is_of(&self, uri: &Uri) -> bool {
        uri.scheme() == Some(&self.scheme) && uri.authority().is_some_and(|other| other.as_str() == self.authority)
    }
}

/// Writes the base string URI of `uri`, encoded; `known` spares what was done before.
pub(crate) fn append_base_uri(out: &mut Vec<u8>, uri: &Uri, known: Option<&EncodedOrigin>) -> Result<(), UriError> {
    match known.filter(|known| known.is_of(uri)) {
        Some(known) => out.extend_from_slice(&known.encoded),
        None => append_origin(out, Origin::new(uri)?),
    }
    check_path_and_query(uri)?;
    append_encoded(out, uri.path().as_bytes());
    Ok(())
}

fn append_origin(out: &mut Vec<u8>, origin: Origin<'_>) {
    out.extend_from_slice(origin.scheme.as_bytes());
    append_encoded(out, b"://");
    for byte in origin.host.bytes() {
        append_encoded(out, &[byte.to_ascii_lowercase()]);
    }
    if let Some(port) = origin.port {
        append_encoded(out, b":");
        out.extend_from_slice(Decimal::from(u64::from(port)).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth1::{BaseUri, percent_encode};

    #[test]
    fn it_is_the_base_uri_encoded_whether_the_origin_is_known_or_not() {
        let known = EncodedOrigin::of(&Uri::from_static("https://api.ibkr.com/v1/api"));
        for text in [
            "https://api.ibkr.com/v1/api/portfolio/accounts?a=1",
            "https://api.ibkr.com",
            "http://api.ibkr.com/",
            "https://api.ibkr.com:443/a,b",
            "https://api.ibkr.com:8443/%2C",
            "https://API.ibkr.com/A",
            "HTTPS://api.ibkr.com.example/",
            "http://[2001:DB8::A]:8080/a//b",
        ] {
            let uri: Uri = text.parse().unwrap();
            let expected = percent_encode(BaseUri::new(&uri).unwrap().as_str().as_bytes());
            for known in [None, known.as_ref(), EncodedOrigin::of(&uri).as_ref()] {
                let mut out = Vec::new();
                append_base_uri(&mut out, &uri, known).unwrap();
                assert_eq!(String::from_utf8(out).unwrap(), expected, "{text}");
            }
        }
    }

    #[test]
    fn a_known_origin_does_not_hide_a_bad_path() {
        let known = EncodedOrigin::of(&Uri::from_static("https://api.ibkr.com/v1/api"));
        for text in ["https://api.ibkr.com/a/../b", "https://api.ibkr.com/%2e", "https://user@api.ibkr.com/"] {
            let uri: Uri = text.parse().unwrap();
            let error = append_base_uri(&mut Vec::new(), &uri, known.as_ref()).unwrap_err();
            assert_eq!(Err(error), BaseUri::new(&uri), "{text}");
        }
    }
}
