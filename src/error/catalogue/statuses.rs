//! What a status means where the words beside it are not known.

use super::{cause::Cause, entry::Entry, scope::Scope};
use crate::error::kind::Stage;

const fn status(status: u16, cause: Cause) -> Entry {
    Entry { status: Some(status), stage: None, text: "", cause, scope: cause.scope() }
}

pub(super) static STATUSES: &[Entry] = &[
    // IBKR's guide of 2020.
    status(401, Cause::LiveSessionTokenRefused).at(Stage::LiveSessionToken).about(Scope::Token),
    status(401, Cause::RequestTokenRefused).at(Stage::RequestToken),
    // RFC 5849 section 2.3.
    status(401, Cause::AccessTokenRefused).at(Stage::AccessToken),
    // Recorded responses of cquillen/ibkr-conduit.
    status(401, Cause::NotAuthenticated),
    // cquillen/ibkr-conduit; IBKR's OpenAPI 2.28.0.
    status(403, Cause::UserAgentMissingOrAccessDenied),
    // Recorded responses of cquillen/ibkr-conduit.
    status(404, Cause::NotFound),
    status(405, Cause::MethodNotAllowed),
    status(407, Cause::ProxyAuthenticationRequired),
    status(408, Cause::Timeout),
    // Voyz/ibeam issue 174; Voyz/ibind, also issue 134, with an empty body.
    status(410, Cause::Gone),
    // IBKR's Web API v1.0 documentation.
    status(411, Cause::ContentLengthMissing),
    status(413, Cause::BodyTooLarge),
    status(414, Cause::UrlTooLong),
    status(415, Cause::MediaTypeNotAccepted),
    status(421, Cause::WrongHost),
    // IBKR's Web API v1.0 documentation.
    status(429, Cause::RateLimited),
    status(431, Cause::HeadersTooLarge),
    status(502, Cause::BackendUnavailable),
    // Recorded responses of cquillen/ibkr-conduit; IBKR's OpenAPI 2.28.0.
    status(503, Cause::BackendUnavailable),
    status(504, Cause::BackendUnavailable),
];
