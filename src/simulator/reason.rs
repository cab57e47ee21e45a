//! The checks that a request, or a visit to the consent page, can fail, and what the broker answers then.

use http::StatusCode;

use self::Words::{Error, Page, Traced, TracedDetail};

/// What the broker says to a request that fails a check.
#[derive(Clone, Copy, Debug)]
pub(super) enum Words {
    /// A page with this heading, as proxies and servers have it.
    Page(StatusCode, &'static str),
    /// `{"error":"…","statusCode":…}`.
    Error(StatusCode, &'static str),
    /// As `Error`, a 401 with the number of the request before the text.
    Traced(&'static str),
    /// As `Traced`, and the text is what the check found.
    TracedDetail,
}

/// What the broker says where it gives out no live session token. It tells no more.
pub(super) const LIVE_SESSION_TOKEN_FAILED: &str = "LST failed, error: ";

/// The reasons, each with its name and what the broker says.
macro_rules! reasons {
    ($($(#[$doc:meta])* $reason:ident $name:literal => $words:expr,)*) => {
        /// Which check failed. One reason for each check.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Reason {
            $($(#[$doc])* $reason,)*
        }

        impl Reason {
            pub(super) const fn name(self) -> &'static str {
                match self {
                    $(Self::$reason => $name,)*
                }
            }

            pub(super) const fn words(self) -> Words {
                match self {
                    $(Self::$reason => $words,)*
                }
            }
        }
    };
}

reasons! {
    /// No `User-Agent`, or an empty one: what the real broker's CDN turns away.
    UserAgentMissing "user_agent_missing" => Page(StatusCode::FORBIDDEN, "Access Denied"),
    /// A `POST` with an empty body and no `Content-Length`.
    ContentLengthMissing "content_length_missing" => Page(StatusCode::LENGTH_REQUIRED, "Length Required"),
    /// `Content-Length` is not the number of bytes in the body.
    ContentLengthDiffers "content_length_differs" => Page(StatusCode::BAD_REQUEST, "Bad Request"),
    /// The request's URI has no scheme and host.
    UriNotAbsolute "uri_not_absolute" => Page(StatusCode::BAD_REQUEST, "Bad Request"),
    /// The URI holds a user name or password.
    UserinfoPresent "userinfo_present" => Page(StatusCode::BAD_REQUEST, "Bad Request"),
    /// The URI's scheme is not the broker's.
    SchemeDiffers "scheme_differs" => Page(StatusCode::MISDIRECTED_REQUEST, "Misdirected Request"),
    /// The URI's host is not the broker's, or the `Host` header is none, or names another.
    HostDiffers "host_differs" => Page(StatusCode::MISDIRECTED_REQUEST, "Misdirected Request"),
    /// The URI's port is not the broker's.
    PortDiffers "port_differs" => Page(StatusCode::MISDIRECTED_REQUEST, "Misdirected Request"),
    /// The URI's path is not under the base URL's.
    PathOutsideBase "path_outside_base" => Error(StatusCode::NOT_FOUND, "Resource not found"),
    /// The path has an empty segment, a slash at its end, a dot segment or a non-ASCII character.
    PathNotNormal "path_not_normal" => Error(StatusCode::NOT_FOUND, "Resource not found"),
    /// The resource does not know the method.
    MethodNotAllowed "method_not_allowed" => Page(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed"),
    /// No `Authorization` header.
    AuthorizationMissing "authorization_missing" => Traced("missing Authorization"),
    /// More than one `Authorization` header.
    AuthorizationRepeated "authorization_repeated" => Traced("invalid Authorization"),
    /// The word before the parameters is not `OAuth`.
    AuthorizationSchemeUnknown "authorization_scheme_unknown" => Traced("invalid Authorization"),
    /// The parameters are not `name="value"` with percent-encoded values and commas between them.
    AuthorizationMalformed "authorization_malformed" => Traced("invalid Authorization"),
    /// The JSON body that should hold the OAuth parameters is not one object of strings.
    ParametersMalformed "parameters_malformed" => Error(StatusCode::BAD_REQUEST, "Bad Request"),
    /// An OAuth parameter is in the query or in the form.
    ParameterMisplaced "parameter_misplaced" => TracedDetail,
    /// An OAuth parameter appears twice.
    ParameterRepeated "parameter_repeated" => TracedDetail,
    /// A parameter that this request does not take.
    ParameterUnknown "parameter_unknown" => TracedDetail,
    /// A parameter that this request needs is absent or empty.
    ParameterMissing "parameter_missing" => TracedDetail,
    /// `oauth_version` is not `1.0`.
    VersionUnsupported "version_unsupported" => Traced("invalid oauth_version"),
    /// `oauth_signature_method` is not the one for this request.
    SignatureMethodDiffers "signature_method_differs" => Traced("invalid oauth_signature_method"),
    /// `oauth_consumer_key` is not the consumer's.
    ConsumerUnknown "consumer_unknown" => Traced("invalid consumer"),
    /// The consumer is not active.
    ConsumerInactive "consumer_inactive" => Traced("invalid consumer"),
    /// A first-party consumer asked for what only third parties may have.
    FirstPartyOnly "first_party_only" => Traced("request not available to this consumer"),
    /// `realm` is not the consumer's.
    RealmDiffers "realm_differs" => Traced("invalid realm"),
    /// `oauth_token` is not the access token.
    TokenUnknown "token_unknown" => Error(StatusCode::UNAUTHORIZED, "not authenticated"),
    /// `oauth_token` is not a request token.
    RequestTokenUnknown "request_token_unknown" => Traced("invalid oauth_token"),
    /// The request token has been consented to, or used, already.
    RequestTokenUsed "request_token_used" => Traced("invalid oauth_token"),
    /// The user has not consented.
    ConsentMissing "consent_missing" => Traced("invalid oauth_token"),
    /// The URL of the visit is not the consent page's.
    ConsentPageUnknown "consent_page_unknown" => Traced("invalid Authorization"),
    /// `redirect_uri` is neither a path nor an absolute URL.
    RedirectMalformed "redirect_malformed" => Traced("invalid Authorization"),
    /// `oauth_verifier` is not the one that the callback got.
    VerifierDiffers "verifier_differs" => Traced("invalid oauth_verifier"),
    /// `oauth_callback` is neither `oob` nor an absolute URL.
    CallbackMalformed "callback_malformed" => Traced("invalid oauth_callback"),
    /// `diffie_hellman_challenge` is not lower-case hexadecimal without leading zeros.
    ChallengeMalformed "challenge_malformed" => Traced(LIVE_SESSION_TOKEN_FAILED),
    /// `diffie_hellman_challenge` is not within `2..=p-2`.
    ChallengeOutOfRange "challenge_out_of_range" => Traced(LIVE_SESSION_TOKEN_FAILED),
    /// `oauth_timestamp` is not a positive decimal number of at most ten digits.
    TimestampMalformed "timestamp_malformed" => Traced("invalid oauth_timestamp"),
    /// `oauth_timestamp` is more than 300 seconds from the broker's time.
    TimestampOutsideWindow "timestamp_outside_window" => Traced("invalid oauth_timestamp"),
    /// `oauth_timestamp` is smaller than one accepted before with the same token.
    TimestampOutOfOrder "timestamp_out_of_order" => Traced("invalid oauth_timestamp"),
    /// `oauth_nonce` was accepted before with the same token.
    NonceRepeated "nonce_repeated" => Traced("invalid oauth_nonce"),
    /// `oauth_signature` is not Base64, or not of the length that its method gives.
    SignatureMalformed "signature_malformed" => Error(StatusCode::UNAUTHORIZED, "Invalid signature"),
    /// `oauth_signature` is not that of the expected base string.
    SignatureDiffers "signature_differs" => Error(StatusCode::UNAUTHORIZED, "Invalid signature"),
    /// No live session token has been negotiated.
    LiveSessionTokenMissing "live_session_token_missing" => Error(StatusCode::UNAUTHORIZED, "not authenticated"),
    /// The live session token that signed has expired, was ended by a logout or was replaced twice.
    LiveSessionTokenExpired "live_session_token_expired" => Error(StatusCode::UNAUTHORIZED, "not authenticated"),
    /// A body where none belongs.
    BodyUnexpected "body_unexpected" => Error(StatusCode::BAD_REQUEST, "Bad Request"),
    /// The body or the query is not of the form that its resource takes.
    BodyMalformed "body_malformed" => Error(StatusCode::BAD_REQUEST, "Bad Request"),
    /// `/iserver` without an open brokerage session.
    BrokerageSessionClosed "brokerage_session_closed" => Error(StatusCode::BAD_REQUEST, "Bad Request: no bridge"),
    /// Market data or orders before `GET /iserver/accounts` in this brokerage session.
    AccountsNotQueried "accounts_not_queried" =>
        Error(StatusCode::INTERNAL_SERVER_ERROR, "Please query /accounts first"),
    /// `publish` is not `true` when opening the brokerage session.
    PublishNotTrue "publish_not_true" => Error(StatusCode::INTERNAL_SERVER_ERROR, "publish must be true"),
    /// There is no such resource.
    ResourceUnknown "resource_unknown" => Error(StatusCode::NOT_FOUND, "Resource not found"),
    /// There is no such account.
    AccountUnknown "account_unknown" => Error(StatusCode::NOT_FOUND, "Resource not found"),
    /// The WebSocket's cookie, or the session that it was sent, is not the value of the last tickle.
    SessionValueDiffers "session_value_differs" => Error(StatusCode::UNAUTHORIZED, "not authenticated"),
    /// A subscription before the WebSocket said that the session is authenticated: it is lost.
    SubscribedTooEarly "subscribed_too_early" => Error(StatusCode::BAD_REQUEST, "Bad Request"),
    /// The WebSocket does not understand a message.
    TopicUnknown "topic_unknown" => Error(StatusCode::BAD_REQUEST, "Bad Request"),
    /// More market data lines than a user has.
    MarketDataLinesExceeded "market_data_lines_exceeded" => Error(StatusCode::BAD_REQUEST, "Bad Request"),
    /// More histories at a time than a user may ask for.
    HistoriesExceeded "histories_exceeded" => Error(StatusCode::BAD_REQUEST, "Bad Request"),
    /// More requests within a second than the rate limit allows.
    RateExceeded "rate_exceeded" => Error(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests"),
    /// A request while the penalty box was open.
    PenaltyBox "penalty_box" => Error(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests"),
    /// The simulation's source of random bytes failed, or gave only useless ones.
    EntropyFailed "entropy_failed" => Error(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"),
}
