//! The checks that a request, or a visit to the consent page, can fail.

/// The reasons, each with its name.
macro_rules! reasons {
    ($($(#[$doc:meta])* $reason:ident $name:literal,)*) => {
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
        }
    };
}

reasons! {
    /// No `User-Agent`, or an empty one: what the real broker's CDN turns away.
    UserAgentMissing "user_agent_missing",
    /// A `POST` with an empty body and no `Content-Length`.
    ContentLengthMissing "content_length_missing",
    /// `Content-Length` is not the number of bytes in the body.
    ContentLengthDiffers "content_length_differs",
    /// The request's URI has no scheme and host.
    UriNotAbsolute "uri_not_absolute",
    /// The URI holds a user name or password.
    UserinfoPresent "userinfo_present",
    /// The URI's scheme is not the broker's.
    SchemeDiffers "scheme_differs",
    /// The URI's host is not the broker's, or the `Host` header is none, or names another.
    HostDiffers "host_differs",
    /// The URI's port is not the broker's.
    PortDiffers "port_differs",
    /// The URI's path is not under the base URL's.
    PathOutsideBase "path_outside_base",
    /// The path has an empty segment, a slash at its end, a dot segment or a non-ASCII character.
    PathNotNormal "path_not_normal",
    /// The resource does not know the method.
    MethodNotAllowed "method_not_allowed",
    /// No `Authorization` header.
    AuthorizationMissing "authorization_missing",
    /// More than one `Authorization` header.
    AuthorizationRepeated "authorization_repeated",
    /// The word before the parameters is not `OAuth`.
    AuthorizationSchemeUnknown "authorization_scheme_unknown",
    /// The parameters are not `name="value"` with percent-encoded values and commas between them.
    AuthorizationMalformed "authorization_malformed",
    /// The JSON body that should hold the OAuth parameters is not one object of strings.
    ParametersMalformed "parameters_malformed",
    /// An OAuth parameter is in the query or in the form.
    ParameterMisplaced "parameter_misplaced",
    /// An OAuth parameter appears twice.
    ParameterRepeated "parameter_repeated",
    /// A parameter that this request does not take.
    ParameterUnknown "parameter_unknown",
    /// A parameter that this request needs is absent or empty.
    ParameterMissing "parameter_missing",
    /// `oauth_version` is not `1.0`.
    VersionUnsupported "version_unsupported",
    /// `oauth_signature_method` is not the one for this request.
    SignatureMethodDiffers "signature_method_differs",
    /// `oauth_consumer_key` is not the consumer's.
    ConsumerUnknown "consumer_unknown",
    /// The consumer is not active.
    ConsumerInactive "consumer_inactive",
    /// A first-party consumer asked for what only third parties may have.
    FirstPartyOnly "first_party_only",
    /// `realm` is not the consumer's.
    RealmDiffers "realm_differs",
    /// `oauth_token` is not the access token.
    TokenUnknown "token_unknown",
    /// `oauth_token` is not a request token.
    RequestTokenUnknown "request_token_unknown",
    /// The request token has been consented to, or used, already.
    RequestTokenUsed "request_token_used",
    /// The user has not consented.
    ConsentMissing "consent_missing",
    /// The URL of the visit is not the consent page's.
    ConsentPageUnknown "consent_page_unknown",
    /// `redirect_uri` is neither a path nor an absolute URL.
    RedirectMalformed "redirect_malformed",
    /// `oauth_verifier` is not the one that the callback got.
    VerifierDiffers "verifier_differs",
    /// `oauth_callback` is neither `oob` nor an absolute URL.
    CallbackMalformed "callback_malformed",
    /// `diffie_hellman_challenge` is not lower-case hexadecimal without leading zeros.
    ChallengeMalformed "challenge_malformed",
    /// `diffie_hellman_challenge` is not within `2..=p-2`.
    ChallengeOutOfRange "challenge_out_of_range",
    /// `oauth_timestamp` is not a positive decimal number of at most ten digits.
    TimestampMalformed "timestamp_malformed",
    /// `oauth_timestamp` is more than 300 seconds from the broker's time.
    TimestampOutsideWindow "timestamp_outside_window",
    /// `oauth_timestamp` is smaller than one accepted before with the same token.
    TimestampOutOfOrder "timestamp_out_of_order",
    /// `oauth_nonce` was accepted before with the same token.
    NonceRepeated "nonce_repeated",
    /// `oauth_signature` is not Base64, or not of the length that its method gives.
    SignatureMalformed "signature_malformed",
    /// `oauth_signature` is not that of the expected base string.
    SignatureDiffers "signature_differs",
    /// No live session token has been negotiated.
    LiveSessionTokenMissing "live_session_token_missing",
    /// The live session token that signed has expired, was ended by a logout or was replaced twice.
    LiveSessionTokenExpired "live_session_token_expired",
    /// A body where none belongs.
    BodyUnexpected "body_unexpected",
    /// The body or the query is not of the form that its resource takes.
    BodyMalformed "body_malformed",
    /// `/iserver` without an open brokerage session.
    BrokerageSessionClosed "brokerage_session_closed",
    /// Market data or orders before `GET /iserver/accounts` in this brokerage session.
    AccountsNotQueried "accounts_not_queried",
    /// `publish` is not `true` when opening the brokerage session.
    PublishNotTrue "publish_not_true",
    /// There is no such resource.
    ResourceUnknown "resource_unknown",
    /// There is no such account.
    AccountUnknown "account_unknown",
    /// The WebSocket's cookie, or the session that it was sent, is not the value of the last tickle.
    SessionValueDiffers "session_value_differs",
    /// A subscription before the WebSocket said that the session is authenticated: it is lost.
    SubscribedTooEarly "subscribed_too_early",
    /// The WebSocket does not understand a message.
    TopicUnknown "topic_unknown",
    /// More market data lines than a user has.
    MarketDataLinesExceeded "market_data_lines_exceeded",
    /// More histories at a time than a user may ask for.
    HistoriesExceeded "histories_exceeded",
    /// More requests within a second than the rate limit allows.
    RateExceeded "rate_exceeded",
    /// A request while the penalty box was open.
    PenaltyBox "penalty_box",
    /// The simulation's source of random bytes failed, or gave only useless ones.
    EntropyFailed "entropy_failed",
}
