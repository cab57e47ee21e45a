//! Known words of the broker's, the specific ones above those that they are a special case of.
//!
//! An entry with a status counts in it alone: its words are common ones, and elsewhere they may be about something else.

use super::{
    cause::Cause,
    entry::Entry,
    scope::Scope,
    statuses::{ADDRESS, LST_REFUSED, NEW_TOKEN, WAIT},
};
use crate::error::kind::Stage;

const fn words(text: &'static str, cause: Cause, scope: Scope, remedy: &'static str) -> Entry {
    Entry { status: None, stage: None, text, cause, scope, remedy }
}

impl Entry {
    const fn only(self, status: u16) -> Self {
        Self { status: Some(status), ..self }
    }

    const fn at(self, stage: Stage) -> Self {
        Self { stage: Some(stage), ..self }
    }
}

pub(super) static WORDS: &[Entry] = &[
    // Voyz/ibind issues 34, 58, 72 and 109; nsirons/ibkr_web_client issues 4 and 5.
    words(
        "invalid consumer",
        Cause::ConsumerNotActiveOrUnknown,
        Scope::Consumer,
        "the consumer key is unknown or not yet active: check its spelling (upper case) and the portal's switch, then \
         wait for the broker's weekend reset, which can take up to two weeks",
    ),
    // datawookie/ibkr-oauth-flow.
    words("ip not authorized", Cause::AddressNotAllowed, Scope::Consumer, ADDRESS),
    // Voyz/ibind issue 113.
    words(
        "no access secret key found",
        Cause::AccessTokenSecretMissing,
        Scope::Consumer,
        "the broker has no secret for this access token: generate a new access token in the portal",
    ),
    // Voyz/ibind issue 72.
    words("lst failed", Cause::LiveSessionTokenRefused, Scope::Consumer, LST_REFUSED),
    // Its own shape for first parties is not known: IBKR's campus page says that they "will receive an error".
    words(
        "request not available to this consumer",
        Cause::FirstPartyConsumer,
        Scope::Consumer,
        "skip this step: the self-service portal hands out the access token and its secret itself",
    ),
    // Voyz/ibind issue 111: a user who may only read.
    words(
        "session is misconfigured",
        Cause::SessionMisconfigured,
        Scope::Consumer,
        "give this user the right to trade in the portal, or sign in as one who has it; without it, portfolios can be \
         read with no brokerage session",
    ),
    // Voyz/ibeam issue 73, and a probe of July 2026.
    words(
        "force compete",
        Cause::ForceCompeteRequired,
        Scope::BrokerageSession,
        "open the brokerage session with `Compete::Take`: this user's is opened only so, and a session elsewhere ends \
         with it",
    ),
    // Voyz/ibind issues 44 and 104, with the statuses 400, 401 and 500.
    words("no bridge", Cause::NoBrokerageSession, Scope::BrokerageSession, NO_BRIDGE),
    // Voyz/ibeam issue 140.
    words("init session first", Cause::NoBrokerageSession, Scope::BrokerageSession, NO_BRIDGE),
    // Voyz/ibind issue 152.
    words(
        "failed to generate sso dh token",
        Cause::BrokerageNotEntitled,
        Scope::BrokerageSession,
        "another session of this user is in the way, or the account may not trade: wait some seconds, tickle, try once \
         more (with `Compete::Yield` if it was `Compete::Take`), then check the account",
    ),
    // Public reports; 400 in IBKR's OpenAPI, 500 in the wild. It comes back after the daily reset.
    words(
        "query /accounts",
        Cause::AccountsNotQueried,
        Scope::Request,
        "send `GET /iserver/accounts` once in each brokerage session, then this request again, with a new signature",
    ),
    // Public reports, with the status 503.
    words(
        "order…is not found",
        Cause::OrderNotFound,
        Scope::Request,
        "check the order's number in `GET /iserver/account/orders`: it may be of another account, or an old one",
    ),
    words(
        "already filled or cancel",
        Cause::OrderAlreadyDone,
        Scope::Request,
        "take the order's state from `GET /iserver/account/orders`: it is filled or cancelled",
    ),
    words(
        "reply id",
        Cause::ReplyIdNotAccepted,
        Scope::Request,
        "place the order again, and answer the question in its response by the `id` that it names",
    ),
    words(
        "accountid is not valid",
        Cause::AccountNotValid,
        Scope::Request,
        "take the account from `GET /iserver/accounts`, spelled as it is there",
    ),
    words(
        "acct not found",
        Cause::AccountNotFound,
        Scope::Request,
        "look for the account among those of `GET /iserver/accounts`, and check that this user may use it",
    ),
    words(
        "account already set",
        Cause::AccountAlreadySet,
        Scope::Request,
        "go on: the account that was asked for is the selected one",
    ),
    words(
        "conid…missing",
        Cause::ConidsMissing,
        Scope::Request,
        "add the contracts' numbers to the query: `conids=265598`",
    ),
    words("connect to backend service", Cause::BackendUnavailable, Scope::Unavailable, WAIT),
    // IBKR's OpenAPI: accepted, but not processed.
    words(
        "failed to process request",
        Cause::NotProcessed,
        Scope::Unavailable,
        "wait some seconds, then send the request again with a new signature",
    ),
    // IBKR's OpenAPI 2.28.0; a text that one public client looks for.
    words(
        "token expired",
        Cause::LiveSessionTokenExpired,
        Scope::Token,
        "negotiate a new live session token, then sign the request again",
    ),
    // Recorded responses of cquillen/ibkr-conduit.
    words("not authenticated", Cause::NotAuthenticated, Scope::Token, NEW_TOKEN),
    // Public reports, in a tickle's 200.
    words("no session", Cause::NotAuthenticated, Scope::Token, NEW_TOKEN),
    // A text that one public client looks for.
    words(
        "invalid signature",
        Cause::SignatureRefused,
        Scope::Token,
        "compare the base strings with `explain`, try another query policy, then negotiate a new live session token",
    ),
    // Public reports of the gateway's rule for addresses; Voyz/ibeam issue 239.
    words("access denied", Cause::AddressNotAllowed, Scope::Request, ADDRESS).only(404),
    // IBKR's guide of 2020 says that the response names the parameter, not in which words.
    words(
        "missing",
        Cause::ParameterMissing,
        Scope::Token,
        "send the parameter that is named, in the `Authorization` header, and sign it",
    )
    .only(401),
    words(
        "timestamp",
        Cause::TimestampRefused,
        Scope::Token,
        "set the clock of this machine to within seconds, and send `oauth_timestamp` in whole seconds",
    )
    .only(401),
    words("nonce", Cause::NonceRefused, Scope::Token, "sign each attempt again, with its own nonce").only(401),
    words(
        "signature_method",
        Cause::SignatureMethodRefused,
        Scope::Token,
        "sign the three requests of the sign-in with RSA-SHA256, and all others with HMAC-SHA256",
    )
    .only(401),
    words(
        "realm",
        Cause::RealmRefused,
        Scope::Token,
        "send the realm `limited_poa`, or `test_realm` where the consumer is `TESTCONS`",
    )
    .only(401),
    // IBKR's Web API v1.0 documentation.
    words(
        "publish",
        Cause::PublishMissing,
        Scope::BrokerageSession,
        "send `\"publish\": true` in the JSON body; if it was sent, wait and try again",
    )
    .only(500)
    .at(Stage::OpenBrokerage),
];

const NO_BRIDGE: &str = "open the brokerage session first; right after it was opened, wait a few seconds and try again";
