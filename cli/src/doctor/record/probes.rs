//! What is asked, in order: data, so that a new question is a line here and one in `questions`.

use ibkr_oauth::QueryPolicy;

/// A request that decides something.
pub(super) struct Probe {
    pub(super) id: &'static str,
    /// The question that it is for.
    pub(super) question: &'static str,
    /// What is unusual about it; empty where nothing is.
    pub(super) peculiarity: &'static str,
    pub(super) step: Step,
}

/// What is sent.
#[derive(Clone, Copy)]
pub(super) enum Step {
    /// `POST /oauth/live_session_token`. A usual one gives the token that signs from then on.
    SignIn(Challenge),
    /// A signed request.
    Ask(Ask),
    /// The status of the brokerage session, until it is ready, or for about half a minute.
    Settle,
    /// The WebSocket, with the session of the tickle before: until it was ready and there were two heartbeats, or for about
    /// half a minute. Nothing is subscribed to.
    Listen,
}

/// How the Diffie-Hellman challenge is spelled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Challenge {
    Usual,
    UpperCase,
    LeadingZeros,
}

/// A signed request.
#[derive(Clone, Copy)]
pub(super) struct Ask {
    pub(super) method: &'static str,
    pub(super) target: &'static str,
    /// A JSON body.
    pub(super) body: &'static str,
    pub(super) signed: Signed,
    pub(super) only_if: Condition,
}

/// How it is signed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Signed {
    Usual,
    Under(QueryPolicy),
    /// With the live session token before the newest.
    ByEarlierToken,
    /// With 20 bytes that are nobody's token.
    ByNobody,
    /// Over the method GET.
    AsGet,
    /// With the nonce and timestamp of the request before.
    AsBefore,
    /// With a timestamp that is so many seconds behind.
    Behind(u64),
    /// The header changed after the signature was made.
    Respelled(Respelling),
}

/// What is changed in a header.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Respelling {
    /// Only `oauth_token` is left.
    TokenAlone,
    WithoutNonce,
    WithoutRealm,
    OtherRealm,
    Unquoted,
    RawSignature,
    LowerCaseEscapes,
    EncodedTwice,
    TrailingComma,
}

/// When a request is sent at all.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    Always,
    /// While there is no brokerage session.
    Closed,
    /// After it was opened here.
    Opened,
}

/// Probes that are sent one after another.
#[derive(Clone, Copy)]
pub(super) struct Group {
    pub(super) probes: &'static [Probe],
    /// The broker may well refuse them. Whether that is about them is seen by a usual request at the end.
    pub(super) is_unusual: bool,
    /// Only where it was asked for by name.
    pub(super) ends_session: bool,
}

const fn usual(probes: &'static [Probe]) -> Group {
    Group { probes, is_unusual: false, ends_session: false }
}

const fn unusual(probes: &'static [Probe]) -> Group {
    Group { is_unusual: true, ..usual(probes) }
}

const fn at_the_end(group: Group) -> Group {
    Group { ends_session: true, ..group }
}

const fn probe(id: &'static str, question: &'static str, peculiarity: &'static str, step: Step) -> Probe {
    Probe { id, question, peculiarity, step }
}

const fn ask(method: &'static str, target: &'static str) -> Ask {
    Ask { method, target, body: "", signed: Signed::Usual, only_if: Condition::Always }
}

/// A request whose answer needs nothing but the token, and whose signature is the same under each query policy.
pub(super) const PLAIN: Ask = ask("POST", "/tickle");

const fn plain(signed: Signed) -> Step {
    Step::Ask(Ask { signed, ..PLAIN })
}

const fn respelled(respelling: Respelling) -> Step {
    plain(Signed::Respelled(respelling))
}

/// Its query tells the policies apart: one reserved character is encoded, one is not.
const fn under(policy: QueryPolicy) -> Step {
    Step::Ask(Ask { signed: Signed::Under(policy), ..ask("GET", "/trsrv/stocks?symbols=AAPL,IBM%2CMSFT") })
}

const fn only(only_if: Condition, ask: Ask) -> Step {
    Step::Ask(Ask { only_if, ..ask })
}

const OPEN: Ask = Ask { body: r#"{"publish":true,"compete":false}"#, ..ask("POST", "/iserver/auth/ssodh/init") };
const SNAPSHOT: Ask = ask("GET", "/iserver/marketdata/snapshot?conids=265598&fields=31");

/// Whose accounts they are is known by it.
pub(super) const ACCOUNTS: &str = "portfolio_accounts";
pub(super) const STATUS: &str = "status";
pub(super) const OPENING: &str = "opening";
/// The WebSocket is opened with its session.
pub(super) const TICKLE: &str = "tickle_open";

pub(super) static GROUPS: &[Group] = &[
    usual(&[
        probe("sign_in", "sign_in", "", Step::SignIn(Challenge::Usual)),
        probe(ACCOUNTS, "accounts", "", Step::Ask(ask("GET", "/portfolio/accounts"))),
        probe(STATUS, "status_fields", "", Step::Ask(ask("POST", "/iserver/auth/status"))),
        probe("status_by_get", "status_by_get", "", Step::Ask(ask("GET", "/iserver/auth/status"))),
        probe("tickle", "tickle_fields", "", Step::Ask(PLAIN)),
        probe("tickle_by_get", "tickle_by_get", "", Step::Ask(ask("GET", "/tickle"))),
        probe(
            "iserver_closed",
            "no_brokerage_session",
            "there is no brokerage session",
            only(Condition::Closed, ask("GET", "/iserver/contract/265598/info")),
        ),
        probe("unknown_path", "unknown_path", "there is no such path", Step::Ask(ask("GET", "/no/such/path"))),
    ]),
    unusual(&[
        probe("policy_rfc5849", "query_policies", "signed under rfc5849", under(QueryPolicy::Rfc5849)),
        probe("policy_decoded_once", "query_policies", "signed under decoded-once", under(QueryPolicy::DecodedOnce)),
        probe("policy_raw_pairs", "query_policies", "signed under raw-pairs", under(QueryPolicy::RawPairs)),
        probe("policy_omit", "query_policies", "signed under omit", under(QueryPolicy::Omit)),
        probe("policy_in_url", "query_policies", "signed under in-url", under(QueryPolicy::InUrl)),
    ]),
    unusual(&[
        probe("wrong_signature", "wrong_signature", "signed with random bytes", plain(Signed::ByNobody)),
        probe("other_method", "other_method", "signed as a GET", plain(Signed::AsGet)),
        probe("token_alone", "token_alone", "only `oauth_token`, unsigned", respelled(Respelling::TokenAlone)),
        probe("without_nonce", "without_nonce", "no `oauth_nonce`", respelled(Respelling::WithoutNonce)),
        probe("other_realm", "other_realm", "another realm", respelled(Respelling::OtherRealm)),
        probe("without_realm", "without_realm", "no realm", respelled(Respelling::WithoutRealm)),
    ]),
    unusual(&[
        probe("usual", "usual_request", "", Step::Ask(PLAIN)),
        probe("behind_4", "timestamp_behind_4", "a timestamp 4 s behind", plain(Signed::Behind(4))),
        probe("nonce_repeated", "nonce_repeated", "nonce and timestamp of the one before", plain(Signed::AsBefore)),
        // None is ahead: where the order of timestamps counts, that would lock the user out for as long.
        probe("behind_60", "timestamp_behind_60", "a timestamp 60 s behind", plain(Signed::Behind(60))),
        probe("behind_600", "timestamp_behind_600", "a timestamp 600 s behind", plain(Signed::Behind(600))),
    ]),
    unusual(&[
        probe("unquoted", "header_unquoted", "header values without quotes", respelled(Respelling::Unquoted)),
        probe("raw", "header_raw", "the signature not percent-encoded", respelled(Respelling::RawSignature)),
        probe(
            "lower_case_escapes",
            "header_lower_case",
            "the signature's escapes in lower case",
            respelled(Respelling::LowerCaseEscapes),
        ),
        probe("twice", "header_twice", "the signature percent-encoded twice", respelled(Respelling::EncodedTwice)),
        probe(
            "trailing_comma",
            "header_trailing_comma",
            "a comma at the header's end",
            respelled(Respelling::TrailingComma),
        ),
    ]),
    usual(&[
        probe(OPENING, "compete_false", "`compete` is false", Step::Ask(OPEN)),
        probe("settling", "settling", "until it is ready", Step::Settle),
        probe(
            "snapshot_first",
            "accounts_first",
            "before the accounts were asked for",
            only(Condition::Opened, SNAPSHOT),
        ),
        probe("accounts", "iserver_accounts", "", only(Condition::Opened, ask("GET", "/iserver/accounts"))),
        probe("snapshot_after", "accounts_after", "after that", only(Condition::Opened, SNAPSHOT)),
        probe(
            "opening_by_query",
            "opening_by_query",
            "`publish` and `compete` in the query",
            only(
                Condition::Opened,
                Ask { body: "", target: "/iserver/auth/ssodh/init?publish=true&compete=false", ..OPEN },
            ),
        ),
        probe(TICKLE, "tickle_open", "there is a brokerage session", only(Condition::Opened, PLAIN)),
        probe("websocket", "websocket_upgrade", "as a WebSocket, until there were two heartbeats", Step::Listen),
    ]),
    usual(&[probe("second_sign_in", "second_sign_in", "", Step::SignIn(Challenge::Usual))]),
    unusual(&[
        probe("earlier_token", "earlier_token", "signed with the token before", plain(Signed::ByEarlierToken)),
        probe(
            "challenge_upper_case",
            "challenge_upper_case",
            "the challenge in upper case",
            Step::SignIn(Challenge::UpperCase),
        ),
        probe(
            "challenge_leading_zeros",
            "challenge_leading_zeros",
            "the challenge with zeros before it",
            Step::SignIn(Challenge::LeadingZeros),
        ),
    ]),
    at_the_end(usual(&[
        probe("last_sign_in", "second_sign_in", "", Step::SignIn(Challenge::Usual)),
        probe("logout", "logout", "", Step::Ask(ask("POST", "/logout"))),
    ])),
    at_the_end(unusual(&[
        probe("token_after_logout", "token_after_logout", "with the token from before", Step::Ask(PLAIN)),
        probe("opening_after_logout", "opening_after_logout", "with the token from before", Step::Ask(OPEN)),
    ])),
];

/// How often the status is asked for, and how long is waited before each time, in seconds.
pub(super) const SETTLING: [u64; 7] = [0, 1, 2, 3, 5, 8, 13];

/// How the request is named in what people read.
pub(super) fn request_of(probe: &Probe) -> String {
    let (method, target) = match &probe.step {
        Step::SignIn(_) => ("POST", "/oauth/live_session_token"),
        Step::Ask(ask) => (ask.method, ask.target),
        Step::Settle => ("POST", "/iserver/auth/status"),
        Step::Listen => ("GET", "/ws"),
    };
    match probe.peculiarity {
        "" => format!("{method} {target}"),
        peculiarity => format!("{method} {target}: {peculiarity}"),
    }
}
