//! URLs as `reqwest` sends them: what is signed must be what is sent.

use ::reqwest::Url;
use http::Uri;

use crate::{
    adapter::failure,
    oauth1::base_uri,
    session::{Failure, FailureKind},
};

/// The URL that `reqwest` will make of this one.
///
/// A backslash would become a slash: another path, which nobody asked for. It is left as it is, and so refused.
pub(super) fn as_sent(uri: &Uri) -> Option<Uri> {
    let sent = Url::parse(&uri.to_string()).ok()?.as_str().parse().ok();
    sent.filter(|_| !uri.path().contains('\\'))
}

/// The URL, if `reqwest` sends it as it is.
pub(super) fn unchanged(uri: &Uri) -> Result<Url, Failure> {
    let url = Url::parse(&uri.to_string()).ok();
    let sent = url.as_ref().and_then(|url| url.as_str().parse::<Uri>().ok());
    let same = sent.is_some_and(|sent| base_uri(&sent).ok() == base_uri(uri).ok() && sent.query() == uri.query());
    let remedy = "write the URL as `reqwest` would";
    let changed = "`reqwest` would send another URL than the one that was signed";
    url.filter(|_| same).ok_or_else(|| failure(FailureKind::NotSent, remedy, changed))
}

pub(super) fn check_origin(asked: &Url, answered: &Url) -> Result<(), Failure> {
    let remedy = "build the client with `adapter::reqwest::client_builder`, which follows no redirect";
    let other = || failure(FailureKind::MaybeSent, remedy, "the client followed a redirect to another URL");
    if asked == answered { Ok(()) } else { Err(other()) }
}

#[cfg(feature = "getrandom")]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Consumer, Context, Endpoints, Error, ErrorKind, OsEntropy, Secret, Signer, Stage, Timestamp};
    use bytes::Bytes;
    use http::Request;

    fn signed(url: &str) -> Result<Request<Bytes>, Error> {
        let endpoints = Endpoints::new("https://api.ibkr.com/v1/api").unwrap();
        let consumer = Consumer::builder("TESTCONS").endpoints(endpoints).allow_host("http://api.ibkr.com");
        let consumer = consumer.allow_host("http://127.0.0.1:5000").allow_host("http://[::1]:5000").build().unwrap();
        let signer = Signer::from_stored(&consumer, "1234", &Secret::from(vec![7; 20])).unwrap();
        let mut entropy = OsEntropy;
        let mut cx = Context::new(Timestamp::from_secs(1_700_000_000), &mut entropy);
        signer.signed_as_sent(&mut cx, Request::get(url).body(Bytes::new()).unwrap(), as_sent)
    }

    #[test]
    fn a_request_is_signed_to_the_url_that_will_be_sent() {
        for (asked, sent) in [
            ("https://api.ibkr.com/v1/api/a?b=c,d&e=f%20g+h", "https://api.ibkr.com/v1/api/a?b=c,d&e=f%20g+h"),
            ("https://api.ibkr.com/a?b='c'", "https://api.ibkr.com/a?b=%27c%27"),
            ("https://api.ibkr.com/it's", "https://api.ibkr.com/it's"),
            ("https://api.ibkr.com/{a}\"?b={c}", "https://api.ibkr.com/%7Ba%7D%22?b={c}"),
            ("https://api.ibkr.com:443/a", "https://api.ibkr.com/a"),
            ("https://api.ibkr.com:00443/a", "https://api.ibkr.com/a"),
            ("http://api.ibkr.com:080", "http://api.ibkr.com/"),
            ("HTTPS://Api.IBKR.com?a", "https://api.ibkr.com/?a"),
            ("http://127.1:5000/a", "http://127.0.0.1:5000/a"),
            ("http://[0:0:0:0:0:0:0:1]:5000/a", "http://[::1]:5000/a"),
        ] {
            let request = signed(asked).unwrap();
            assert_eq!(request.uri().to_string(), sent, "{asked}");
            let sent_by_reqwest = ::reqwest::Request::try_from(request.clone()).unwrap();
            assert_eq!(sent_by_reqwest.url().as_str(), sent, "{asked}");
            assert_eq!(unchanged(request.uri()).ok().unwrap().as_str(), sent, "{asked}");
        }
    }

    #[test]
    fn what_would_become_another_path_is_refused() {
        for url in ["https://api.ibkr.com/a/../b", "https://api.ibkr.com/a/%2e%2E/b", "https://a:b@api.ibkr.com/"] {
            let error = signed(url).unwrap_err();
            assert_eq!((error.kind(), error.stage()), (ErrorKind::Config, Stage::Sign), "{url}");
        }
        for url in [r"https://api.ibkr.com/a\b", r"https://api.ibkr.com/a\..\b"] {
            let request = signed(url).unwrap();
            assert_eq!(unchanged(request.uri()).unwrap_err().kind(), FailureKind::NotSent, "{url}");
        }
    }

    #[test]
    fn an_exchange_that_would_be_changed_is_not_sent() {
        for (url, is_sent) in [
            ("https://api.ibkr.com/v1/api/tickle", true),
            ("https://API.ibkr.com:443/v1/api/tickle", true),
            ("https://127.1/v1/api/tickle", false),
            ("https://api.ibkr.com/v1/api/{x}", false),
            ("https://api.ibkr.com/v1/api/x?a='", false),
        ] {
            assert_eq!(unchanged(&url.parse().unwrap()).is_ok(), is_sent, "{url}");
        }
    }
}
