//! What a status means where the words beside it are not known.

use super::{cause::Cause, entry::Entry, scope::Scope};
use crate::error::kind::Stage;

const fn status(status: u16, cause: Cause, scope: Scope, remedy: &'static str) -> Entry {
    Entry { status: Some(status), stage: None, text: "", cause, scope, remedy }
}

const fn at(stage: Stage, entry: Entry) -> Entry {
    Entry { stage: Some(stage), ..entry }
}

pub(super) static STATUSES: &[Entry] = &[
    // IBKR's guide of 2020.
    at(Stage::LiveSessionToken, status(401, Cause::LiveSessionTokenRefused, Scope::Token, LST_REFUSED)),
    at(
        Stage::RequestToken,
        status(
            401,
            Cause::RequestTokenRefused,
            Scope::Consumer,
            "check the consumer key and the signature key; a consumer key from the self-service portal goes on without \
             a request token, since the portal hands out the access token itself",
        ),
    ),
    // RFC 5849 section 2.3.
    at(
        Stage::AccessToken,
        status(
            401,
            Cause::AccessTokenRefused,
            Scope::Consumer,
            "the verifier is wrong, used or too old, or the signature key is not the registered one: ask the user for \
             consent again",
        ),
    ),
    // Recorded responses of cquillen/ibkr-conduit.
    status(401, Cause::NotAuthenticated, Scope::Token, NEW_TOKEN),
    // cquillen/ibkr-conduit; IBKR's OpenAPI 2.28.0.
    status(
        403,
        Cause::UserAgentMissingOrAccessDenied,
        Scope::Request,
        "check that a User-Agent is sent, that this address may use the service, and that the account has the permission",
    ),
    // Recorded responses of cquillen/ibkr-conduit.
    status(404, Cause::NotFound, Scope::Request, "check the base URL and the path"),
    status(405, Cause::MethodNotAllowed, Scope::Request, "check the request's method, which is signed too"),
    status(
        407,
        Cause::ProxyAuthenticationRequired,
        Scope::Unavailable,
        "give the HTTP client the user and the password of the proxy that it goes through",
    ),
    // IBKR's OpenAPI 1.0.0.
    at(Stage::Transport, status(408, Cause::Timeout, Scope::Unavailable, LOOK_FIRST)),
    status(408, Cause::Timeout, Scope::Unavailable, "wait, then send the request again with a new signature"),
    // Voyz/ibeam issue 174; Voyz/ibind, also issue 134, with an empty body.
    status(
        410,
        Cause::Gone,
        Scope::Token,
        "the session is gone: negotiate a new live session token, or use another of the broker's hosts",
    ),
    // IBKR's Web API v1.0 documentation.
    status(
        411,
        Cause::ContentLengthMissing,
        Scope::Request,
        "make the HTTP client send `Content-Length: 0` with an empty body",
    ),
    status(413, Cause::BodyTooLarge, Scope::Request, "send less in one body: split it into several requests"),
    status(414, Cause::UrlTooLong, Scope::Request, "ask for less at a time, so that the query becomes shorter"),
    status(
        415,
        Cause::MediaTypeNotAccepted,
        Scope::Request,
        "send the body as JSON, with `Content-Type: application/json`",
    ),
    status(
        421,
        Cause::WrongHost,
        Scope::Request,
        "check the base URL: its scheme, host and port, and whether the `Host` header names the same",
    ),
    // IBKR's Web API v1.0 documentation.
    status(
        429,
        Cause::RateLimited,
        Scope::Pacing,
        "too many requests: wait 10 to 15 minutes, then send at most 10 requests a second",
    ),
    status(
        431,
        Cause::HeadersTooLarge,
        Scope::Request,
        "send fewer and shorter headers: the first to look at are the cookies",
    ),
    at(Stage::Transport, status(502, Cause::BackendUnavailable, Scope::Unavailable, LOOK_FIRST)),
    at(Stage::Transport, status(503, Cause::BackendUnavailable, Scope::Unavailable, LOOK_FIRST)),
    at(Stage::Transport, status(504, Cause::BackendUnavailable, Scope::Unavailable, LOOK_FIRST)),
    status(502, Cause::BackendUnavailable, Scope::Unavailable, WAIT),
    // Recorded responses of cquillen/ibkr-conduit; IBKR's OpenAPI 2.28.0.
    status(503, Cause::BackendUnavailable, Scope::Unavailable, WAIT),
    status(504, Cause::BackendUnavailable, Scope::Unavailable, WAIT),
];

pub(super) const LST_REFUSED: &str = "check that the signature key, the access token secret, the encryption key and \
                                      the Diffie-Hellman parameters are the registered ones, and whether two of them are \
                                      swapped; then generate a new access token";

pub(super) const ADDRESS: &str = "use the host `api.ibkr.com`, and check that the portal allows this address";

pub(super) const NEW_TOKEN: &str =
    "negotiate a new live session token, open the brokerage session, and sign the request again, once";

pub(super) const WAIT: &str = "wait, then send the request again with a new signature; the broker maintains its servers \
                               at night and on Saturday evenings";

/// For an application's request, which may be an order.
pub(super) const LOOK_FIRST: &str = "wait; if the request was an order, look whether it arrived; then send it again with \
                                     a new signature. The broker maintains its servers at night and on Saturday evenings";
