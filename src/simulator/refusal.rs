//! Why the broker refused a request.

use std::{error, fmt};

use crate::{
    context::{EntropyError, Timestamp},
    error::escape_invisible,
};

/// Why a request, or a visit to the consent page, was refused. One reason for each check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RefusalReason {
    /// No `User-Agent`, or an empty one: what the real broker's CDN turns away.
    UserAgentMissing,
    /// A `POST` with an empty body and no `Content-Length`.
    ContentLengthMissing,
    /// `Content-Length` is not the number of bytes in the body.
    ContentLengthDiffers,
    /// The request's URI has no scheme and host.
    UriNotAbsolute,
    /// The URI holds a user name or password.
    UserinfoPresent,
    /// The URI's scheme is not the broker's.
    SchemeDiffers,
    /// The URI's host is not the broker's, or the `Host` header names another.
    HostDiffers,
    /// The URI's port is not the broker's.
    PortDiffers,
    /// The URI's path is not under the base URL's.
    PathOutsideBase,
    /// The path has an empty segment, a slash at its end, a dot segment or a non-ASCII character.
    PathNotNormal,
    /// The resource does not know the method.
    MethodNotAllowed,
    /// No `Authorization` header.
    AuthorizationMissing,
    /// More than one `Authorization` header.
    AuthorizationRepeated,
    /// The word before the parameters is not `OAuth`.
    AuthorizationSchemeUnknown,
    /// The parameters are not `name="value"` with percent-encoded values and commas between them.
    AuthorizationMalformed,
    /// The JSON body that should hold the OAuth parameters is not one object of strings.
    ParametersMalformed,
    /// An OAuth parameter stands in the query or in the form.
    ParameterMisplaced,
    /// An OAuth parameter stands there twice.
    ParameterRepeated,
    /// A parameter that this request does not take.
    ParameterUnknown,
    /// A parameter that this request needs is absent or empty.
    ParameterMissing,
    /// `oauth_version` is not `1.0`.
    VersionUnsupported,
    /// `oauth_signature_method` is not the one for this request.
    SignatureMethodDiffers,
    /// `oauth_consumer_key` is not the consumer's.
    ConsumerUnknown,
    /// The consumer is not active.
    ConsumerInactive,
    /// A first-party consumer asked for what only third parties may have.
    FirstPartyOnly,
    /// `realm` is not the consumer's.
    RealmDiffers,
    /// `oauth_token` is not the access token.
    TokenUnknown,
    /// `oauth_token` is not a request token.
    RequestTokenUnknown,
    /// The request token has been consented to, or used, already.
    RequestTokenUsed,
    /// The user has not consented.
    ConsentMissing,
    /// The URL of the visit is not the consent page's.
    ConsentPageUnknown,
    /// `redirect_uri` is neither a path nor an absolute URL.
    RedirectMalformed,
    /// `oauth_verifier` is not the one that the callback got.
    VerifierDiffers,
    /// `oauth_callback` is neither `oob` nor an absolute URL.
    CallbackMalformed,
    /// `diffie_hellman_challenge` is not lower-case hexadecimal without leading zeros.
    ChallengeMalformed,
    /// `diffie_hellman_challenge` is not within `2..=p-2`.
    ChallengeOutOfRange,
    /// `oauth_timestamp` is not a positive decimal number of at most ten digits.
    TimestampMalformed,
    /// `oauth_timestamp` is more than 300 seconds from the broker's time.
    TimestampOutsideWindow,
    /// `oauth_timestamp` is smaller than one accepted before with the same token.
    TimestampOutOfOrder,
    /// `oauth_nonce` was accepted before with the same token.
    NonceRepeated,
    /// `oauth_signature` is not Base64, or not of the length that its method gives.
    SignatureMalformed,
    /// `oauth_signature` is not that of the expected base string.
    SignatureDiffers,
    /// No live session token has been negotiated.
    LiveSessionTokenMissing,
    /// The live session token that signed has expired, was ended by a logout or was replaced twice.
    LiveSessionTokenExpired,
    /// A body where none belongs.
    BodyUnexpected,
    /// The body or the query is not of the form that its resource takes.
    BodyMalformed,
    /// `/iserver` without an open brokerage session.
    BrokerageSessionClosed,
    /// `publish` is not `true` when opening the brokerage session.
    PublishNotTrue,
    /// There is no such resource.
    ResourceUnknown,
    /// There is no such account.
    AccountUnknown,
    /// More requests within a second than the rate limit allows.
    RateExceeded,
    /// A request while the penalty box was open.
    PenaltyBox,
    /// The simulation's source of random bytes failed, or gave only useless ones.
    EntropyFailed,
}

/// One refused request: what was asked, and exactly what was wrong with it.
///
/// `Display` is one line: the request, what differed and, for a wrong signature, the base string that was expected.
/// No secret is ever in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub(super) at: Timestamp,
    pub(super) subject: String,
    pub(super) objection: Objection,
}

impl Refusal {
    /// Which check failed.
    #[must_use]
    pub const fn reason(&self) -> RefusalReason {
        self.objection.reason
    }

    /// The broker's time when it refused.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        self.at
    }

    /// What was refused: the method and the URI without its query.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The signature base string that the broker computed, for a wrong signature.
    ///
    /// It starts with the method: the access token's secret, which stands before it in the request for a live session
    /// token, is left out here and shown as `[secret]` by `Display`.
    #[must_use]
    pub fn expected_base_string(&self) -> Option<&str> {
        self.objection.base_string.as_deref()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subject, self.objection.detail)?;
        match &self.objection.base_string {
            None => Ok(()),
            Some(text) if self.objection.prepended => write!(f, "; expected base string: [secret]{text}"),
            Some(text) => write!(f, "; expected base string: {text}"),
        }
    }
}

impl error::Error for Refusal {}

/// What is wrong with a request, before it is known which one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Objection {
    pub(super) reason: RefusalReason,
    pub(super) detail: String,
    pub(super) base_string: Option<String>,
    pub(super) prepended: bool,
}

impl Objection {
    pub(super) fn new(reason: RefusalReason, detail: impl Into<String>) -> Self {
        // What a client sends must not start a line of its own in a log.
        let detail = escape_invisible(&detail.into()).into_owned();
        Self { reason, detail, base_string: None, prepended: false }
    }

    pub(super) fn with_base_string(mut self, base_string: String, prepended: bool) -> Self {
        self.base_string = Some(base_string);
        self.prepended = prepended;
        self
    }
}

impl From<EntropyError> for Objection {
    fn from(error: EntropyError) -> Self {
        Self::new(RefusalReason::EntropyFailed, error.to_string())
    }
}
