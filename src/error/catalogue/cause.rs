//! What is behind a refusal.

use std::fmt;

use super::scope::Scope;

/// The causes, each with its name, what it is about, its sentence and the likeliest way out.
macro_rules! causes {
    ($($(#[$doc:meta])* $cause:ident $name:literal $scope:ident $sentence:literal $remedy:literal,)*) => {
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

            const fn facts(self) -> Facts {
                match self {
                    $(Self::$cause => Facts { name: $name, scope: Scope::$scope, sentence: $sentence, remedy: $remedy },)*
                }
            }
        }
    };
}

struct Facts {
    name: &'static str,
    scope: Scope,
    sentence: &'static str,
    remedy: &'static str,
}

causes! {
    /// The consumer key is unknown or not active yet, or written in another case.
    ConsumerNotActiveOrUnknown "consumer_not_active_or_unknown" Consumer
        "the consumer key is unknown or not active yet"
        "the consumer key is unknown or not yet active: check its spelling (upper case) and the portal's switch, \
         then wait for the broker's weekend reset, which can take up to two weeks",
    /// The consumer may not make this request: the portal gave out its access token already.
    FirstPartyConsumer "first_party_consumer" Consumer
        "the consumer needs no request token"
        "skip this step: the self-service portal hands out the access token and its secret itself",
    /// The request for a request token was refused, with no reason given.
    RequestTokenRefused "request_token_refused" Consumer
        "no request token was given out"
        "check the consumer key and the signature key; a consumer key from the self-service portal goes on without \
         a request token, since the portal hands out the access token itself",
    /// The verifier is wrong, used or too old.
    AccessTokenRefused "access_token_refused" Consumer
        "the verifier was not accepted"
        "the verifier is wrong, used or too old, or the signature key is not the registered one: ask the user for \
         consent again",
    /// The broker has no secret for this access token.
    AccessTokenSecretMissing "access_token_secret_missing" Consumer
        "the broker has no secret for this access token"
        "the broker has no secret for this access token: generate a new access token in the portal",
    /// Signature, secret or Diffie-Hellman parameters are not what the broker has.
    LiveSessionTokenRefused "live_session_token_refused" Consumer
        "signature, secret or Diffie-Hellman parameters are not the registered ones"
        "check that the signature key, the access token secret, the encryption key and the Diffie-Hellman \
         parameters are the registered ones, and whether two of them are swapped; then generate a new access token",
    /// The broker's proof does not match: both sides computed different live session tokens.
    LiveSessionTokenNotProved "live_session_token_not_proved" Consumer
        "both sides computed different live session tokens"
        "check the encryption key, the Diffie-Hellman parameters and the consumer key",
    /// The live session token, or the access token, has expired.
    LiveSessionTokenExpired "live_session_token_expired" Token
        "the live session token has expired"
        "negotiate a new live session token, then sign the request again",
    /// The live session token is not accepted, or the session is over.
    NotAuthenticated "not_authenticated" Token
        "the live session token is not accepted"
        "negotiate a new live session token, open the brokerage session, and sign the request again, once",
    /// A parameter of the protocol is missing.
    ParameterMissing "parameter_missing" Token
        "a parameter of the protocol is missing"
        "send the parameter that is named, in the `Authorization` header, and sign it",
    /// The realm is not the consumer's.
    RealmRefused "realm_refused" Token
        "the realm is not the consumer's"
        "send the realm `limited_poa`, or `test_realm` where the consumer is `TESTCONS`",
    /// `oauth_timestamp` is too far from the broker's clock, or smaller than an earlier one.
    TimestampRefused "timestamp_refused" Token
        "the timestamp is not accepted: the clock is off"
        "set the clock of this machine to within seconds, and send `oauth_timestamp` in whole seconds",
    /// `oauth_nonce` was used before.
    NonceRefused "nonce_refused" Token
        "the nonce was used before"
        "sign each attempt again, with its own nonce",
    /// `oauth_signature_method` is not the one for this request.
    SignatureMethodRefused "signature_method_refused" Token
        "the signature method is not the one for this request"
        "sign the three requests of the sign-in with RSA-SHA256, and all others with HMAC-SHA256",
    /// The signature is not the one that the broker computed.
    SignatureRefused "signature_refused" Token
        "the signature is wrong"
        "compare the base strings with `explain`, try another query policy, then negotiate a new live session token",
    /// There is no brokerage session for what lies under `/iserver`, or it is not ready yet.
    NoBrokerageSession "no_brokerage_session" BrokerageSession
        "there is no brokerage session"
        "open the brokerage session first; right after it was opened, wait a few seconds and try again",
    /// The brokerage session is open and takes no requests yet, or takes none any more.
    BrokerageNotReady "brokerage_not_ready" BrokerageSession
        "the brokerage session is not ready"
        "ask for its status again in some seconds, then open it again; if that changes nothing, check that \
         this user may trade, or go on without a brokerage session",
    /// Another session of the same user has the brokerage session.
    CompetingSession "competing_session" BrokerageSession
        "another session of this user has the brokerage session"
        "log out where the other session is (TWS, the phone, another program), or take its place with \
         `Compete::Take`",
    /// The brokerage session of this user opens only where `compete` is asked for.
    ForceCompeteRequired "force_compete_required" BrokerageSession
        "the brokerage session opens only where `compete` is asked for"
        "open the brokerage session with `Compete::Take`: this user's is opened only so, and a session elsewhere \
         ends with it",
    /// The user may read only, and has no brokerage session.
    SessionMisconfigured "session_misconfigured" Consumer
        "the user may read only"
        "give this user the right to trade in the portal, or sign in as one who has it; without it, portfolios can \
         be read with no brokerage session",
    /// The user may have no brokerage session, or another one is in the way.
    BrokerageNotEntitled "brokerage_not_entitled" BrokerageSession
        "the user may have no brokerage session, or another one is in the way"
        "another session of this user is in the way, or the account may not trade: wait some seconds, tickle, try \
         once more (with `Compete::Yield` if it was `Compete::Take`), then check the account",
    /// `publish` was not `true` where the brokerage session was to be opened.
    PublishMissing "publish_missing" BrokerageSession
        "`publish` is not true"
        "send `\"publish\": true` in the JSON body; if it was sent, wait and try again",
    /// There is no `User-Agent`, this address may not use the service, or the account lacks the permission.
    UserAgentMissingOrAccessDenied "user_agent_missing_or_access_denied" Request
        "no `User-Agent`, or access denied"
        "check that a User-Agent is sent, that this address may use the service, and that the account has the \
         permission",
    /// `GET /iserver/accounts` must come first, once in each brokerage session.
    AccountsNotQueried "accounts_not_queried" Request
        "`GET /iserver/accounts` must come first"
        "send `GET /iserver/accounts` once in each brokerage session, then this request again, with a new signature",
    /// There is no such order.
    OrderNotFound "order_not_found" Request
        "there is no such order"
        "check the order's number in `GET /iserver/account/orders`: it may be of another account, or an old one",
    /// The order is filled or cancelled already.
    OrderAlreadyDone "order_already_done" Request
        "the order is filled or cancelled"
        "take the order's state from `GET /iserver/account/orders`: it is filled or cancelled",
    /// No question of the broker's waits for this answer.
    ReplyIdNotAccepted "reply_id_not_accepted" Request
        "no question waits for this answer"
        "place the order again, and answer the question in its response by the `id` that it names",
    /// The account is not one of the user's, or not written so.
    AccountNotValid "account_not_valid" Request
        "the account is not valid"
        "take the account from `GET /iserver/accounts`, spelled as it is there",
    /// No account was found by what was asked for.
    AccountNotFound "account_not_found" Request
        "no such account was found"
        "look for the account among those of `GET /iserver/accounts`, and check that this user may use it",
    /// The account that was asked for is the selected one already.
    AccountAlreadySet "account_already_set" Request
        "the account is selected already"
        "go on: the account that was asked for is the selected one",
    /// The request names no contract.
    ConidsMissing "conids_missing" Request
        "no contract is named"
        "add the contracts' numbers to the query: `conids=265598`",
    /// This address may not use this host.
    AddressNotAllowed "address_not_allowed" Consumer
        "this address may not use this host"
        "use the host `api.ibkr.com`, and check that the portal allows this address",
    /// The host does not serve this URL.
    WrongHost "wrong_host" Request
        "the host does not serve this URL"
        "check the base URL: its scheme, host and port, and whether the `Host` header names the same",
    /// The path is unknown.
    NotFound "not_found" Request
        "the path is unknown"
        "check the base URL and the path",
    /// The resource does not know the method.
    MethodNotAllowed "method_not_allowed" Request
        "the method is not allowed"
        "check the request's method, which is signed too",
    /// The broker waited too long for the request.
    Timeout "timeout" Unavailable
        "the request came too slowly"
        "wait, then send the request again with a new signature",
    /// The session is stale, or the server is the wrong one.
    Gone "gone" Token
        "the session is gone"
        "the session is gone: negotiate a new live session token, or use another of the broker's hosts",
    /// A request with an empty body has no `Content-Length`.
    ContentLengthMissing "content_length_missing" Request
        "`Content-Length` is missing"
        "make the HTTP client send `Content-Length: 0` with an empty body",
    /// The body is larger than the broker takes.
    BodyTooLarge "body_too_large" Request
        "the body is too large"
        "send less in one body: split it into several requests",
    /// The URL is longer than the broker takes.
    UrlTooLong "url_too_long" Request
        "the URL is too long"
        "ask for less at a time, so that the query becomes shorter",
    /// The headers are larger than the broker takes.
    HeadersTooLarge "headers_too_large" Request
        "the headers are too large"
        "send fewer and shorter headers: the first to look at are the cookies",
    /// The broker does not read bodies of this media type here.
    MediaTypeNotAccepted "media_type_not_accepted" Request
        "the media type is not accepted"
        "send the body as JSON, with `Content-Type: application/json`",
    /// The proxy on the way wants a user and a password.
    ProxyAuthenticationRequired "proxy_authentication_required" Unavailable
        "the proxy wants a user and a password"
        "give the HTTP client the user and the password of the proxy that it goes through",
    /// Too many requests.
    RateLimited "rate_limited" Pacing
        "too many requests"
        "too many requests: wait 10 to 15 minutes, then send at most 10 requests a second",
    /// The broker took the request and could not process it.
    NotProcessed "not_processed" Unavailable
        "the request was not processed"
        "wait some seconds, then send the request again with a new signature",
    /// The broker's back end does not answer, or is being maintained.
    BackendUnavailable "backend_unavailable" Unavailable
        "the broker's back end does not answer"
        "wait, then send the request again with a new signature; the broker maintains its servers at night and on \
         Saturday evenings",
}

impl Cause {
    /// The name for programs: lower case, with underscores.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.facts().name
    }

    /// What it is about, unless words or status say otherwise.
    pub(super) const fn scope(self) -> Scope {
        self.facts().scope
    }

    pub(super) const fn remedy(self) -> &'static str {
        self.facts().remedy
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.facts().sentence)
    }
}
