//! Known words of the broker's, the specific ones above those that they are a special case of.
//!
//! An entry with a status counts in it alone: its words are common ones, and elsewhere they may be about something else.

use super::{cause::Cause, entry::Entry, scope::Scope};
use crate::error::kind::Stage;

const fn words(text: &'static str, cause: Cause) -> Entry {
    Entry { status: None, stage: None, text, cause, scope: cause.scope() }
}

pub(super) static WORDS: &[Entry] = &[
    // Voyz/ibind issues 34, 58, 72 and 109; nsirons/ibkr_web_client issues 4 and 5.
    words("invalid consumer", Cause::ConsumerNotActiveOrUnknown),
    // datawookie/ibkr-oauth-flow.
    words("ip not authorized", Cause::AddressNotAllowed),
    // Voyz/ibind issue 113.
    words("no access secret key found", Cause::AccessTokenSecretMissing),
    // Voyz/ibind issue 72.
    words("lst failed", Cause::LiveSessionTokenRefused),
    // Its own shape for first parties is not known: IBKR's campus page says that they "will receive an error".
    words("request not available to this consumer", Cause::FirstPartyConsumer),
    // Voyz/ibind issue 111: a user who may only read.
    words("session is misconfigured", Cause::SessionMisconfigured),
    // Voyz/ibeam issue 73, and a probe of July 2026.
    words("force compete", Cause::ForceCompeteRequired),
    // Voyz/ibind issues 44 and 104, with the statuses 400, 401 and 500.
    words("no bridge", Cause::NoBrokerageSession),
    // Voyz/ibeam issue 140.
    words("init session first", Cause::NoBrokerageSession),
    // Voyz/ibind issue 152.
    words("failed to generate sso dh token", Cause::BrokerageNotEntitled),
    // Public reports; 400 in IBKR's OpenAPI, 500 in the wild. It comes back after the daily reset.
    words("query /accounts", Cause::AccountsNotQueried),
    // Public reports, with the status 503.
    words("order…is not found", Cause::OrderNotFound),
    words("already filled or cancel", Cause::OrderAlreadyDone),
    words("reply id", Cause::ReplyIdNotAccepted),
    words("accountid is not valid", Cause::AccountNotValid),
    words("acct not found", Cause::AccountNotFound),
    words("account already set", Cause::AccountAlreadySet),
    words("conid…missing", Cause::ConidsMissing),
    words("connect to backend service", Cause::BackendUnavailable),
    // IBKR's OpenAPI: accepted, but not processed.
    words("failed to process request", Cause::NotProcessed),
    // IBKR's OpenAPI 2.28.0; a text that one public client looks for.
    words("token expired", Cause::LiveSessionTokenExpired),
    // Recorded responses of cquillen/ibkr-conduit.
    words("not authenticated", Cause::NotAuthenticated),
    // Public reports, in a tickle's 200.
    words("no session", Cause::NotAuthenticated),
    // A text that one public client looks for.
    words("invalid signature", Cause::SignatureRefused),
    // Public reports of the gateway's rule for addresses; Voyz/ibeam issue 239.
    words("access denied", Cause::AddressNotAllowed).only(404).about(Scope::Request),
    // IBKR's guide of 2020 says that the response names the parameter, not in which words.
    words("missing", Cause::ParameterMissing).only(401),
    words("timestamp", Cause::TimestampRefused).only(401),
    words("nonce", Cause::NonceRefused).only(401),
    words("signature_method", Cause::SignatureMethodRefused).only(401),
    words("realm", Cause::RealmRefused).only(401),
    // IBKR's Web API v1.0 documentation.
    words("publish", Cause::PublishMissing).only(500).at(Stage::OpenBrokerage),
];
