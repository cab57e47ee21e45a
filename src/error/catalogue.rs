//! The broker's statuses and texts as data: what each means, and what to try.

use http::StatusCode;

use super::{ErrorKind, Stage};

/// One known way in which the broker says no. A field that is `None` fits everything.
struct Entry {
    status: Option<u16>,
    stage: Option<Stage>,
    /// Part of the broker's text, in lower case; `""` fits every text.
    text: &'static str,
    kind: ErrorKind,
    remedy: &'static str,
}

const fn entry(status: u16, text: &'static str, kind: ErrorKind, remedy: &'static str) -> Entry {
    Entry { status: Some(status), stage: None, text, kind, remedy }
}

/// The first entry that fits wins, so the specific ones stand above the general ones.
static CATALOGUE: &[Entry] = &[
    Entry {
        status: None,
        stage: None,
        text: "invalid consumer",
        kind: ErrorKind::Rejected,
        remedy: "the consumer key is unknown or not yet active: check its spelling (upper case) and the portal's switch, \
                 then wait for the broker's weekend reset, which can take up to two weeks",
    },
    Entry {
        status: None,
        stage: None,
        text: "no access secret key found",
        kind: ErrorKind::Rejected,
        remedy: "the broker has no secret for this access token: generate a new access token in the portal",
    },
    entry(401, "lst failed", ErrorKind::Rejected, LST_REFUSED),
    entry(
        401,
        "access token expired",
        ErrorKind::Rejected,
        "the live session token has expired: negotiate a new one, then sign the request anew",
    ),
    Entry {
        status: Some(401),
        stage: Some(Stage::LiveSessionToken),
        text: "",
        kind: ErrorKind::Rejected,
        remedy: LST_REFUSED,
    },
    Entry {
        status: Some(401),
        stage: Some(Stage::RequestToken),
        text: "",
        kind: ErrorKind::Rejected,
        remedy: "check the consumer key and the signing key; a consumer key from the self-service portal needs no \
                 request token, since the portal hands out the access token itself",
    },
    Entry {
        status: Some(401),
        stage: Some(Stage::AccessToken),
        text: "",
        kind: ErrorKind::Rejected,
        remedy: "the verifier is wrong, used or too old, or the signing key is not the registered one: ask the user for \
                 consent again",
    },
    entry(
        401,
        "",
        ErrorKind::Rejected,
        "negotiate a new live session token, open the brokerage session, and sign the request anew, once",
    ),
    entry(400, "no bridge", ErrorKind::Rejected, NO_BRIDGE),
    entry(400, "init session first", ErrorKind::Rejected, NO_BRIDGE),
    entry(
        403,
        "",
        ErrorKind::Rejected,
        "check that a User-Agent is sent, that this address may use the service, and that the account has the permission",
    ),
    entry(404, "", ErrorKind::Rejected, "check the base URL and the path"),
    entry(
        410,
        "",
        ErrorKind::Rejected,
        "the session is gone: negotiate a new live session token, or use another of the broker's hosts",
    ),
    entry(411, "", ErrorKind::Rejected, "make the HTTP client send `Content-Length: 0` with an empty body"),
    entry(408, "", ErrorKind::Unavailable, "send the request again with a new signature"),
    entry(
        429,
        "",
        ErrorKind::Unavailable,
        "too many requests: send nothing for 10 to 15 minutes, then at most 10 requests a second",
    ),
    entry(
        500,
        "failed to generate sso dh token",
        ErrorKind::Unavailable,
        "another session of this user is in the way, or the account may not trade: wait some seconds, tickle, try once \
         more, then check the account",
    ),
];

const LST_REFUSED: &str = "check that the signing key, the access token secret, the decryption key and the Diffie-Hellman \
                           parameters are the registered ones and are not swapped; then generate a new access token";

const NO_BRIDGE: &str = "open the brokerage session first; right after it was opened, wait a few seconds and try again";

/// Who must act on this reply, and what is likeliest to help.
pub(super) fn explain(stage: Stage, status: StatusCode, text: &str) -> (ErrorKind, &'static str) {
    let text = text.to_ascii_lowercase();
    let fits = |entry: &&Entry| {
        // An error inside a 200 has lost its own status, but not its words.
        let by_words = status.is_success() && !entry.text.is_empty();
        entry.status.is_none_or(|code| code == status.as_u16() || by_words)
            && entry.stage.is_none_or(|at| at == stage)
            && text.contains(entry.text)
    };
    if let Some(entry) = CATALOGUE.iter().find(fits) {
        return (entry.kind, entry.remedy);
    }
    let kind = if status.is_server_error() {
        ErrorKind::Unavailable
    } else if status.is_redirection() || status.is_informational() {
        ErrorKind::Malformed
    } else {
        ErrorKind::Rejected
    };
    (kind, kind.remedy())
}
