//! What speaks against signing a request, whatever way it is signed.

use http::{
    Method,
    header::{AUTHORIZATION, CONTENT_TYPE, HOST},
};

use super::head::Head;
use crate::{
    consumer::Hosts,
    error::{Error, Stage},
    oauth1::{self, EncodedBase},
};

/// Refuses a request whose signature a server would not verify, or that goes to another host than the consumer's.
///
/// Returns the base URL where the request's URI has its origin to the letter, which is so for nearly all.
pub(super) fn check<'a>(
    head: Head<'_>,
    form: Option<&[u8]>,
    hosts: &Hosts,
    base_url: Option<&'a EncodedBase>,
) -> Result<Option<&'a EncodedBase>, Error> {
    if *head.method == Method::CONNECT {
        return Err(Error::config(
            Stage::Sign,
            "a request with the method CONNECT names no resource that could be signed",
        )
        .with_remedy("let the HTTP client open the tunnel, and sign the request that goes through it"));
    }
    // A request has few headers: to look through them once costs less than to hash three names.
    let (mut is_form, mut host) = (false, None);
    for (name, value) in head.headers {
        if *name == AUTHORIZATION {
            return Err(Error::config(Stage::Sign, "the request has an `Authorization` header already")
                .with_remedy("sign a fresh request: to try again, build a new one or remove the header"));
        }
        if *name == HOST && host.replace(value.as_bytes()).is_some() {
            return Err(
                Error::config(Stage::Sign, "the request has more than one `Host` header").with_remedy(LEAVE_HOST)
            );
        }
        is_form |= *name == CONTENT_TYPE && oauth1::is_form_media_type(value);
    }
    let base_url = base_url.filter(|base_url| base_url.has_origin_of(head.uri));
    if host.is_some() || base_url.is_none() {
        let origin = hosts.admit(head.uri)?;
        if host.is_some_and(|host| !origin.is_named_by(host)) {
            return Err(Error::config(
                Stage::Sign,
                format!("the `Host` header names another host than the URL, {origin}"),
            )
            .with_remedy(LEAVE_HOST));
        }
    }
    match (is_form, form) {
        (true, None) => Err(Error::config(Stage::Sign, "the body is a form, which must be signed too")
            .with_remedy("use `sign_form`, which reads the body")),
        (false, Some(_)) => Err(Error::config(Stage::Sign, "the media type is not that of a form")
            .with_remedy("set `Content-Type: application/x-www-form-urlencoded`, or use `sign`")),
        _ => Ok(base_url),
    }
}

const LEAVE_HOST: &str = "leave the `Host` header to the HTTP client, which writes it from the URL; to reach another host, \
                          change the URL";
