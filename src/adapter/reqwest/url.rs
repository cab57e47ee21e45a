//! URLs as `reqwest` sends them: what is signed must be what is sent.

use ::reqwest::Url;
use bytes::Bytes;
use http::{Request, Uri};

use crate::{
    adapter::{NoReply, complete_head, sign},
    consumer::uri_error,
    context::Context,
    error::{Error, Stage},
    oauth1::BaseUri,
    session::FailureKind,
    signer::Signer,
};

/// Signs the request to the URL that `reqwest` will make of it.
pub(super) fn sign_as_sent(
    signer: &Signer,
    cx: &mut Context<'_>,
    request: Request<impl Into<Bytes>>,
) -> Result<Request<Bytes>, Error> {
    let mut request = complete_head(signer, request);
    BaseUri::new(request.uri()).map_err(|error| uri_error(Stage::Sign, error))?;
    let sent = Url::parse(&request.uri().to_string()).ok().and_then(|url| url.as_str().parse().ok());
    // A backslash would become a slash: another path, which nobody asked for. It is left as it is, and so refused.
    if let Some(uri) = sent.filter(|_| !request.uri().path().contains('\\')) {
        *request.uri_mut() = uri;
    }
    sign(signer, cx, &mut request)?;
    Ok(request)
}

/// The URL, if `reqwest` sends it as it is.
pub(super) fn unchanged(uri: &Uri) -> Result<Url, NoReply> {
    let url = Url::parse(&uri.to_string()).ok();
    let sent = url.as_ref().and_then(|url| url.as_str().parse::<Uri>().ok());
    let same =
        sent.is_some_and(|sent| BaseUri::new(&sent).ok() == BaseUri::new(uri).ok() && sent.query() == uri.query());
    let remedy = "write the URL as `reqwest` would";
    let changed = "`reqwest` would send another URL than the one that was signed";
    url.filter(|_| same).ok_or_else(|| NoReply::new(FailureKind::NotSent, remedy, changed))
}

pub(super) fn check_origin(asked: &Url, answered: &Url) -> Result<(), NoReply> {
    let remedy = "build the client with `adapter::reqwest::client_builder`, which follows no redirect";
    let other = || NoReply::new(FailureKind::MaybeSent, remedy, "the client followed a redirect to another URL");
    if asked == answered { Ok(()) } else { Err(other()) }
}

#[cfg(feature = "getrandom")]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Consumer, Endpoints, ErrorKind, OsEntropy, Secret, Timestamp};

    fn signed(url: &str) -> Result<Request<Bytes>, Error> {
        let endpoints = Endpoints::new("https://api.ibkr.com/v1/api").unwrap();
        let consumer = Consumer::builder("TESTCONS").endpoints(endpoints).allow_host("http://api.ibkr.com");
        let consumer = consumer.allow_host("http://127.0.0.1:5000").allow_host("http://[::1]:5000").build().unwrap();
        let signer = Signer::from_stored(&consumer, "1234", &Secret::from(vec![7; 20])).unwrap();
        let mut entropy = OsEntropy;
        let mut cx = Context::new(Timestamp::from_secs(1_700_000_000), &mut entropy);
        sign_as_sent(&signer, &mut cx, Request::get(url).body(Bytes::new()).unwrap())
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
            let no_reply = unchanged(request.uri()).err().unwrap();
            assert_eq!(no_reply.failure.kind, FailureKind::NotSent, "{url}");
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
