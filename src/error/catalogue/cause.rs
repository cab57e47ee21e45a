//! What is behind a refusal, and how much is known of that.

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
    /// The user may have no brokerage session, or another one is in the way.
    BrokerageNotEntitled,
    /// `publish` was not `true` where the brokerage session was to be opened.
    PublishMissing,
    /// There is no `User-Agent`, this address may not use the service, or the account lacks the permission.
    UserAgentMissingOrAccessDenied,
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
    /// Too many requests.
    RateLimited,
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
            Self::BrokerageNotEntitled => "brokerage_not_entitled",
            Self::PublishMissing => "publish_missing",
            Self::UserAgentMissingOrAccessDenied => "user_agent_missing_or_access_denied",
            Self::AddressNotAllowed => "address_not_allowed",
            Self::WrongHost => "wrong_host",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::Timeout => "timeout",
            Self::Gone => "gone",
            Self::ContentLengthMissing => "content_length_missing",
            Self::RateLimited => "rate_limited",
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
            Self::BrokerageNotEntitled => "the user may have no brokerage session, or another one is in the way",
            Self::PublishMissing => "`publish` is not true",
            Self::UserAgentMissingOrAccessDenied => "no `User-Agent`, or access denied",
            Self::AddressNotAllowed => "this address may not use this host",
            Self::WrongHost => "the host does not serve this URL",
            Self::NotFound => "the path is unknown",
            Self::MethodNotAllowed => "the method is not allowed",
            Self::Timeout => "the request came too slowly",
            Self::Gone => "the session is gone",
            Self::ContentLengthMissing => "`Content-Length` is missing",
            Self::RateLimited => "too many requests",
            Self::BackendUnavailable => "the broker's back end does not answer",
        })
    }
}

impl Serialize for Cause {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// How much is known of what a reply means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Confidence {
    /// It is a conclusion: nobody published such a reply together with its cause.
    Inferred,
    /// The broker, or a standard, says so.
    Documented,
    /// Somebody published such a reply, and what helped.
    Observed,
}

impl fmt::Display for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Inferred => "inferred",
            Self::Documented => "documented",
            Self::Observed => "observed",
        })
    }
}
