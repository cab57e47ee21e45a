//! What is behind a refusal.

use std::fmt;

use serde::{Serialize, Serializer};

/// What is behind a refusal of the broker's, as far as its words tell.
///
/// `Display` says it in a few words; [`name`](Self::name) is for programs, and never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// The consumer key is unknown or not active yet, or written in another case.
    ConsumerNotActiveOrUnknown,
    /// The consumer may not make this request: the portal gave out its access token already.
    FirstPartyConsumer,
    /// The request for a request token was refused, with no reason given.
    RequestTokenRefused,
    /// The verifier is wrong, used or too old.
    AccessTokenRefused,
    /// The broker has no secret for this access token.
    AccessTokenSecretMissing,
    /// Signature, secret or Diffie-Hellman parameters are not what the broker has.
    LiveSessionTokenRefused,
    /// The broker's proof does not match: both sides computed different live session tokens.
    LiveSessionTokenNotProved,
    /// The live session token, or the access token, has expired.
    LiveSessionTokenExpired,
    /// The live session token is not accepted, or the session is over.
    NotAuthenticated,
    /// A parameter of the protocol is missing.
    ParameterMissing,
    /// The realm is not the consumer's.
    RealmRefused,
    /// `oauth_timestamp` is too far from the broker's clock, or smaller than an earlier one.
    TimestampRefused,
    /// `oauth_nonce` was used before.
    NonceRefused,
    /// `oauth_signature_method` is not the one for this request.
    SignatureMethodRefused,
    /// The signature is not the one that the broker computed.
    SignatureRefused,
    /// There is no brokerage session for what lies under `/iserver`, or it is not ready yet.
    NoBrokerageSession,
    /// The brokerage session is open and takes no requests yet, or takes none any more.
    BrokerageNotReady,
    /// Another session of the same user has the brokerage session.
    CompetingSession,
    /// The brokerage session of this user opens only where `compete` is asked for.
    ForceCompeteRequired,
    /// The user may read only, and has no brokerage session.
    SessionMisconfigured,
    /// The user may have no brokerage session, or another one is in the way.
    BrokerageNotEntitled,
    /// `publish` was not `true` where the brokerage session was to be opened.
    PublishMissing,
    /// There is no `User-Agent`, this address may not use the service, or the account lacks the permission.
    UserAgentMissingOrAccessDenied,
    /// `GET /iserver/accounts` must come first, once in each brokerage session.
    AccountsNotQueried,
    /// There is no such order.
    OrderNotFound,
    /// The order is filled or cancelled already.
    OrderAlreadyDone,
    /// No question of the broker's waits for this answer.
    ReplyIdNotAccepted,
    /// The account is not one of the user's, or not written so.
    AccountNotValid,
    /// No account was found by what was asked for.
    AccountNotFound,
    /// The account that was asked for is the selected one already.
    AccountAlreadySet,
    /// The request names no contract.
    ConidsMissing,
    /// This address may not use this host.
    AddressNotAllowed,
    /// The host does not serve this URL.
    WrongHost,
    /// The path is unknown.
    NotFound,
    /// The resource does not know the method.
    MethodNotAllowed,
    /// The broker waited too long for the request.
    Timeout,
    /// The session is stale, or the server is the wrong one.
    Gone,
    /// A request with an empty body has no `Content-Length`.
    ContentLengthMissing,
    /// The body is larger than the broker takes.
    BodyTooLarge,
    /// The URL is longer than the broker takes.
    UrlTooLong,
    /// The headers are larger than the broker takes.
    HeadersTooLarge,
    /// The broker does not read bodies of this media type here.
    MediaTypeNotAccepted,
    /// The proxy on the way wants a user and a password.
    ProxyAuthenticationRequired,
    /// Too many requests.
    RateLimited,
    /// The broker took the request and could not process it.
    NotProcessed,
    /// The broker's back end does not answer, or is being maintained.
    BackendUnavailable,
}

impl Cause {
    /// The name for programs: lower case, with underscores.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ConsumerNotActiveOrUnknown => "consumer_not_active_or_unknown",
            Self::FirstPartyConsumer => "first_party_consumer",
            Self::RequestTokenRefused => "request_token_refused",
            Self::AccessTokenRefused => "access_token_refused",
            Self::AccessTokenSecretMissing => "access_token_secret_missing",
            Self::LiveSessionTokenRefused => "live_session_token_refused",
            Self::LiveSessionTokenNotProved => "live_session_token_not_proved",
            Self::LiveSessionTokenExpired => "live_session_token_expired",
            Self::NotAuthenticated => "not_authenticated",
            Self::ParameterMissing => "parameter_missing",
            Self::RealmRefused => "realm_refused",
            Self::TimestampRefused => "timestamp_refused",
            Self::NonceRefused => "nonce_refused",
            Self::SignatureMethodRefused => "signature_method_refused",
            Self::SignatureRefused => "signature_refused",
            Self::NoBrokerageSession => "no_brokerage_session",
            Self::BrokerageNotReady => "brokerage_not_ready",
            Self::CompetingSession => "competing_session",
            Self::ForceCompeteRequired => "force_compete_required",
            Self::SessionMisconfigured => "session_misconfigured",
            Self::BrokerageNotEntitled => "brokerage_not_entitled",
            Self::PublishMissing => "publish_missing",
            Self::UserAgentMissingOrAccessDenied => "user_agent_missing_or_access_denied",
            Self::AccountsNotQueried => "accounts_not_queried",
            Self::OrderNotFound => "order_not_found",
            Self::OrderAlreadyDone => "order_already_done",
            Self::ReplyIdNotAccepted => "reply_id_not_accepted",
            Self::AccountNotValid => "account_not_valid",
            Self::AccountNotFound => "account_not_found",
            Self::AccountAlreadySet => "account_already_set",
            Self::ConidsMissing => "conids_missing",
            Self::AddressNotAllowed => "address_not_allowed",
            Self::WrongHost => "wrong_host",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::Timeout => "timeout",
            Self::Gone => "gone",
            Self::ContentLengthMissing => "content_length_missing",
            Self::BodyTooLarge => "body_too_large",
            Self::UrlTooLong => "url_too_long",
            Self::HeadersTooLarge => "headers_too_large",
            Self::MediaTypeNotAccepted => "media_type_not_accepted",
            Self::ProxyAuthenticationRequired => "proxy_authentication_required",
            Self::RateLimited => "rate_limited",
            Self::NotProcessed => "not_processed",
            Self::BackendUnavailable => "backend_unavailable",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ConsumerNotActiveOrUnknown => "the consumer key is unknown or not active yet",
            Self::FirstPartyConsumer => "the consumer needs no request token",
            Self::RequestTokenRefused => "no request token was given out",
            Self::AccessTokenRefused => "the verifier was not accepted",
            Self::AccessTokenSecretMissing => "the broker has no secret for this access token",
            Self::LiveSessionTokenRefused => {
                "signature, secret or Diffie-Hellman parameters are not the registered ones"
            }
            Self::LiveSessionTokenNotProved => "both sides computed different live session tokens",
            Self::LiveSessionTokenExpired => "the live session token has expired",
            Self::NotAuthenticated => "the live session token is not accepted",
            Self::ParameterMissing => "a parameter of the protocol is missing",
            Self::RealmRefused => "the realm is not the consumer's",
            Self::TimestampRefused => "the timestamp is not accepted: the clock is off",
            Self::NonceRefused => "the nonce was used before",
            Self::SignatureMethodRefused => "the signature method is not the one for this request",
            Self::SignatureRefused => "the signature is wrong",
            Self::NoBrokerageSession => "there is no brokerage session",
            Self::BrokerageNotReady => "the brokerage session is not ready",
            Self::CompetingSession => "another session of this user has the brokerage session",
            Self::ForceCompeteRequired => "the brokerage session opens only where `compete` is asked for",
            Self::SessionMisconfigured => "the user may read only",
            Self::BrokerageNotEntitled => "the user may have no brokerage session, or another one is in the way",
            Self::PublishMissing => "`publish` is not true",
            Self::UserAgentMissingOrAccessDenied => "no `User-Agent`, or access denied",
            Self::AccountsNotQueried => "`GET /iserver/accounts` must come first",
            Self::OrderNotFound => "there is no such order",
            Self::OrderAlreadyDone => "the order is filled or cancelled",
            Self::ReplyIdNotAccepted => "no question waits for this answer",
            Self::AccountNotValid => "the account is not valid",
            Self::AccountNotFound => "no such account was found",
            Self::AccountAlreadySet => "the account is selected already",
            Self::ConidsMissing => "no contract is named",
            Self::AddressNotAllowed => "this address may not use this host",
            Self::WrongHost => "the host does not serve this URL",
            Self::NotFound => "the path is unknown",
            Self::MethodNotAllowed => "the method is not allowed",
            Self::Timeout => "the request came too slowly",
            Self::Gone => "the session is gone",
            Self::ContentLengthMissing => "`Content-Length` is missing",
            Self::BodyTooLarge => "the body is too large",
            Self::UrlTooLong => "the URL is too long",
            Self::HeadersTooLarge => "the headers are too large",
            Self::MediaTypeNotAccepted => "the media type is not accepted",
            Self::ProxyAuthenticationRequired => "the proxy wants a user and a password",
            Self::RateLimited => "too many requests",
            Self::NotProcessed => "the request was not processed",
            Self::BackendUnavailable => "the broker's back end does not answer",
        })
    }
}

impl Serialize for Cause {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
