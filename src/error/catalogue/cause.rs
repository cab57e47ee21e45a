//! What is behind a refusal.

use std::fmt;

use serde::{Serialize, Serializer};

/// The causes, each with its name and its sentence.
macro_rules! causes {
    ($($(#[$doc:meta])* $cause:ident $name:literal $sentence:literal,)*) => {
        /// What is behind a refusal of the broker's, as far as its words tell.
        ///
        /// `Display` says it in a few words; [`name`](Self::name) is for programs, and never changes;
        /// [`explanation`](Self::explanation) says all that is known about it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Cause {
            $($(#[$doc])* $cause,)*
        }

        impl Cause {
            /// Every cause there is.
            pub const ALL: &[Self] = &[$(Self::$cause,)*];

            /// The name for programs: lower case, with underscores.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$cause => $name,)*
                }
            }
        }

        impl fmt::Display for Cause {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$cause => $sentence,)*
                })
            }
        }
    };
}

causes! {
    /// The consumer key is unknown or not active yet, or written in another case.
    ConsumerNotActiveOrUnknown "consumer_not_active_or_unknown" "the consumer key is unknown or not active yet",
    /// The consumer may not make this request: the portal gave out its access token already.
    FirstPartyConsumer "first_party_consumer" "the consumer needs no request token",
    /// The request for a request token was refused, with no reason given.
    RequestTokenRefused "request_token_refused" "no request token was given out",
    /// The verifier is wrong, used or too old.
    AccessTokenRefused "access_token_refused" "the verifier was not accepted",
    /// The broker has no secret for this access token.
    AccessTokenSecretMissing "access_token_secret_missing" "the broker has no secret for this access token",
    /// Signature, secret or Diffie-Hellman parameters are not what the broker has.
    LiveSessionTokenRefused "live_session_token_refused"
        "signature, secret or Diffie-Hellman parameters are not the registered ones",
    /// The broker's proof does not match: both sides computed different live session tokens.
    LiveSessionTokenNotProved "live_session_token_not_proved" "both sides computed different live session tokens",
    /// The live session token, or the access token, has expired.
    LiveSessionTokenExpired "live_session_token_expired" "the live session token has expired",
    /// The live session token is not accepted, or the session is over.
    NotAuthenticated "not_authenticated" "the live session token is not accepted",
    /// A parameter of the protocol is missing.
    ParameterMissing "parameter_missing" "a parameter of the protocol is missing",
    /// The realm is not the consumer's.
    RealmRefused "realm_refused" "the realm is not the consumer's",
    /// `oauth_timestamp` is too far from the broker's clock, or smaller than an earlier one.
    TimestampRefused "timestamp_refused" "the timestamp is not accepted: the clock is off",
    /// `oauth_nonce` was used before.
    NonceRefused "nonce_refused" "the nonce was used before",
    /// `oauth_signature_method` is not the one for this request.
    SignatureMethodRefused "signature_method_refused" "the signature method is not the one for this request",
    /// The signature is not the one that the broker computed.
    SignatureRefused "signature_refused" "the signature is wrong",
    /// There is no brokerage session for what lies under `/iserver`, or it is not ready yet.
    NoBrokerageSession "no_brokerage_session" "there is no brokerage session",
    /// The brokerage session is open and takes no requests yet, or takes none any more.
    BrokerageNotReady "brokerage_not_ready" "the brokerage session is not ready",
    /// Another session of the same user has the brokerage session.
    CompetingSession "competing_session" "another session of this user has the brokerage session",
    /// The brokerage session of this user opens only where `compete` is asked for.
    ForceCompeteRequired "force_compete_required" "the brokerage session opens only where `compete` is asked for",
    /// The user may read only, and has no brokerage session.
    SessionMisconfigured "session_misconfigured" "the user may read only",
    /// The user may have no brokerage session, or another one is in the way.
    BrokerageNotEntitled "brokerage_not_entitled"
        "the user may have no brokerage session, or another one is in the way",
    /// `publish` was not `true` where the brokerage session was to be opened.
    PublishMissing "publish_missing" "`publish` is not true",
    /// There is no `User-Agent`, this address may not use the service, or the account lacks the permission.
    UserAgentMissingOrAccessDenied "user_agent_missing_or_access_denied" "no `User-Agent`, or access denied",
    /// `GET /iserver/accounts` must come first, once in each brokerage session.
    AccountsNotQueried "accounts_not_queried" "`GET /iserver/accounts` must come first",
    /// There is no such order.
    OrderNotFound "order_not_found" "there is no such order",
    /// The order is filled or cancelled already.
    OrderAlreadyDone "order_already_done" "the order is filled or cancelled",
    /// No question of the broker's waits for this answer.
    ReplyIdNotAccepted "reply_id_not_accepted" "no question waits for this answer",
    /// The account is not one of the user's, or not written so.
    AccountNotValid "account_not_valid" "the account is not valid",
    /// No account was found by what was asked for.
    AccountNotFound "account_not_found" "no such account was found",
    /// The account that was asked for is the selected one already.
    AccountAlreadySet "account_already_set" "the account is selected already",
    /// The request names no contract.
    ConidsMissing "conids_missing" "no contract is named",
    /// This address may not use this host.
    AddressNotAllowed "address_not_allowed" "this address may not use this host",
    /// The host does not serve this URL.
    WrongHost "wrong_host" "the host does not serve this URL",
    /// The path is unknown.
    NotFound "not_found" "the path is unknown",
    /// The resource does not know the method.
    MethodNotAllowed "method_not_allowed" "the method is not allowed",
    /// The broker waited too long for the request.
    Timeout "timeout" "the request came too slowly",
    /// The session is stale, or the server is the wrong one.
    Gone "gone" "the session is gone",
    /// A request with an empty body has no `Content-Length`.
    ContentLengthMissing "content_length_missing" "`Content-Length` is missing",
    /// The body is larger than the broker takes.
    BodyTooLarge "body_too_large" "the body is too large",
    /// The URL is longer than the broker takes.
    UrlTooLong "url_too_long" "the URL is too long",
    /// The headers are larger than the broker takes.
    HeadersTooLarge "headers_too_large" "the headers are too large",
    /// The broker does not read bodies of this media type here.
    MediaTypeNotAccepted "media_type_not_accepted" "the media type is not accepted",
    /// The proxy on the way wants a user and a password.
    ProxyAuthenticationRequired "proxy_authentication_required" "the proxy wants a user and a password",
    /// Too many requests.
    RateLimited "rate_limited" "too many requests",
    /// The broker took the request and could not process it.
    NotProcessed "not_processed" "the request was not processed",
    /// The broker's back end does not answer, or is being maintained.
    BackendUnavailable "backend_unavailable" "the broker's back end does not answer",
}

impl Serialize for Cause {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
