//! The entries of the catalogue, the specific ones above the general ones.

use super::{
    super::{ErrorKind, Stage},
    CatalogueEntry, Cause, Confidence,
};

use Confidence::{Documented, Inferred, Observed};

impl CatalogueEntry {
    const fn new(
        status: u16,
        text: &'static str,
        cause: Cause,
        confidence: Confidence,
        source: &'static str,
        remedy: &'static str,
    ) -> Self {
        let kind = match cause {
            Cause::BrokerageNotEntitled
            | Cause::PublishMissing
            | Cause::Timeout
            | Cause::RateLimited
            | Cause::BackendUnavailable => ErrorKind::Unavailable,
            _ => ErrorKind::Rejected,
        };
        Self { status: Some(status), stage: None, text, cause, confidence, kind, remedy, source }
    }

    const fn at(self, stage: Stage) -> Self {
        Self { stage: Some(stage), ..self }
    }

    const fn with_any_status(self) -> Self {
        Self { status: None, ..self }
    }
}

pub(super) static CATALOGUE: &[CatalogueEntry] = &[
    CatalogueEntry::new(
        401,
        "invalid consumer",
        Cause::ConsumerNotActiveOrUnknown,
        Observed,
        "Voyz/ibind issues 34, 58, 72 and 109; nsirons/ibkr_web_client issues 4 and 5",
        "the consumer key is unknown or not yet active: check its spelling (upper case) and the portal's switch, \
         then wait for the broker's weekend reset, which can take up to two weeks",
    )
    .with_any_status(),
    CatalogueEntry::new(
        403,
        "ip not authorized",
        Cause::AddressNotAllowed,
        Observed,
        "datawookie/ibkr-oauth-flow",
        "use the host `api.ibkr.com`, and check that the portal allows this address",
    )
    .with_any_status(),
    CatalogueEntry::new(
        401,
        "no access secret key found",
        Cause::AccessTokenSecretMissing,
        Observed,
        "Voyz/ibind issue 113",
        "the broker has no secret for this access token: generate a new access token in the portal",
    )
    .with_any_status(),
    CatalogueEntry::new(
        401,
        "lst failed",
        Cause::LiveSessionTokenRefused,
        Observed,
        "Voyz/ibind issue 72",
        LST_REFUSED,
    ),
    CatalogueEntry::new(
        401,
        "access token expired",
        Cause::LiveSessionTokenExpired,
        Documented,
        "IBKR's OpenAPI 2.28.0",
        "the live session token has expired: negotiate a new one, then sign the request anew",
    ),
    CatalogueEntry::new(
        401,
        "token expired",
        Cause::LiveSessionTokenExpired,
        Inferred,
        "a text that one public client looks for",
        "the live session token has expired: negotiate a new one, then sign the request anew",
    ),
    CatalogueEntry::new(
        401,
        "missing",
        Cause::ParameterMissing,
        Inferred,
        NAMED,
        "send the parameter that is named, in the `Authorization` header, and sign it",
    ),
    CatalogueEntry::new(
        401,
        "timestamp",
        Cause::TimestampRefused,
        Inferred,
        NAMED,
        "set the clock of this machine (to within seconds), and send `oauth_timestamp` in seconds, not milliseconds",
    ),
    CatalogueEntry::new(
        401,
        "nonce",
        Cause::NonceRefused,
        Inferred,
        NAMED,
        "sign each attempt anew: a retry must not send the nonce of the request before",
    ),
    CatalogueEntry::new(
        401,
        "signature_method",
        Cause::SignatureMethodRefused,
        Inferred,
        NAMED,
        "the three requests of the sign-in are signed with RSA-SHA256, all others with HMAC-SHA256: no SHA-1",
    ),
    CatalogueEntry::new(
        401,
        "realm",
        Cause::RealmRefused,
        Inferred,
        NAMED,
        "the realm is `limited_poa` for every consumer but `TESTCONS`, whose realm is `test_realm`",
    ),
    CatalogueEntry::new(
        401,
        "request not available to this consumer",
        Cause::FirstPartyConsumer,
        Inferred,
        "IBKR's campus page says that first parties \"will receive an error\", not which",
        "skip this step: the self-service portal hands out the access token and its secret itself",
    ),
    CatalogueEntry::new(401, "", Cause::LiveSessionTokenRefused, Inferred, "IBKR's guide of 2020", LST_REFUSED)
        .at(Stage::LiveSessionToken),
    CatalogueEntry::new(
        401,
        "",
        Cause::RequestTokenRefused,
        Inferred,
        "IBKR's guide of 2020",
        "check the consumer key and the signing key; a consumer key from the self-service portal needs no \
         request token, since the portal hands out the access token itself",
    )
    .at(Stage::RequestToken),
    CatalogueEntry::new(
        401,
        "",
        Cause::AccessTokenRefused,
        Inferred,
        "RFC 5849 section 2.3",
        "the verifier is wrong, used or too old, or the signing key is not the registered one: ask the user for \
         consent again",
    )
    .at(Stage::AccessToken),
    CatalogueEntry::new(
        401,
        "invalid signature",
        Cause::SignatureRefused,
        Inferred,
        "a text that one public client looks for",
        "compare the base strings with `explain`, try another query policy, then negotiate a new live session token",
    ),
    CatalogueEntry::new(
        401,
        "",
        Cause::NotAuthenticated,
        Observed,
        "recorded replies of cquillen/ibkr-conduit",
        "negotiate a new live session token, open the brokerage session, and sign the request anew, once",
    ),
    CatalogueEntry::new(
        400,
        "no bridge",
        Cause::NoBrokerageSession,
        Observed,
        "Voyz/ibind issues 44 and 104",
        NO_BRIDGE,
    ),
    CatalogueEntry::new(
        400,
        "init session first",
        Cause::NoBrokerageSession,
        Observed,
        "Voyz/ibeam issue 140",
        NO_BRIDGE,
    ),
    CatalogueEntry::new(
        403,
        "",
        Cause::UserAgentMissingOrAccessDenied,
        Observed,
        "cquillen/ibkr-conduit; IBKR's OpenAPI 2.28.0",
        "check that a User-Agent is sent, that this address may use the service, and that the account has the permission",
    ),
    CatalogueEntry::new(
        404,
        "",
        Cause::NotFound,
        Observed,
        "recorded replies of cquillen/ibkr-conduit",
        "check the base URL and the path",
    ),
    CatalogueEntry::new(
        405,
        "",
        Cause::MethodNotAllowed,
        Inferred,
        "RFC 9110 section 15.5.6",
        "check the request's method, which is signed too",
    ),
    CatalogueEntry::new(
        408,
        "",
        Cause::Timeout,
        Documented,
        "IBKR's OpenAPI 1.0.0",
        "send the request again with a new signature",
    ),
    CatalogueEntry::new(
        410,
        "",
        Cause::Gone,
        Observed,
        "Voyz/ibeam issue 174; Voyz/ibind",
        "the session is gone: negotiate a new live session token, or use another of the broker's hosts",
    ),
    CatalogueEntry::new(
        411,
        "",
        Cause::ContentLengthMissing,
        Documented,
        "IBKR's Web API v1.0 documentation",
        "make the HTTP client send `Content-Length: 0` with an empty body",
    ),
    CatalogueEntry::new(
        421,
        "",
        Cause::WrongHost,
        Inferred,
        "RFC 9110 section 15.5.20",
        "check the base URL: its scheme, host and port, and whether the `Host` header names the same",
    ),
    CatalogueEntry::new(
        429,
        "",
        Cause::RateLimited,
        Documented,
        "IBKR's Web API v1.0 documentation",
        "too many requests: send nothing for 10 to 15 minutes, then at most 10 requests a second",
    ),
    CatalogueEntry::new(
        500,
        "failed to generate sso dh token",
        Cause::BrokerageNotEntitled,
        Observed,
        "Voyz/ibind issue 152",
        "another session of this user is in the way, or the account may not trade: wait some seconds, tickle, try once \
         more, then check the account",
    ),
    CatalogueEntry::new(
        500,
        "publish",
        Cause::PublishMissing,
        Documented,
        "IBKR's Web API v1.0 documentation",
        "send `\"publish\": true` in the JSON body; if it was sent, wait and try again",
    )
    .at(Stage::OpenBrokerage),
    CatalogueEntry::new(502, "", Cause::BackendUnavailable, Inferred, "RFC 9110 section 15.6.3", WAIT),
    CatalogueEntry::new(
        503,
        "",
        Cause::BackendUnavailable,
        Observed,
        "recorded replies of cquillen/ibkr-conduit; IBKR's OpenAPI 2.28.0",
        WAIT,
    ),
    CatalogueEntry::new(504, "", Cause::BackendUnavailable, Inferred, "RFC 9110 section 15.6.5", WAIT),
];

const NAMED: &str = "IBKR's guide of 2020 says that the reply names the parameter, not in which words";

const LST_REFUSED: &str = "check that the signing key, the access token secret, the decryption key and the Diffie-Hellman \
                           parameters are the registered ones and are not swapped; then generate a new access token";

const NO_BRIDGE: &str = "open the brokerage session first; right after it was opened, wait a few seconds and try again";

const WAIT: &str = "wait, then send the request again with a new signature; the broker maintains its servers at night and \
                    on Saturday evenings";
