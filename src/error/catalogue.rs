//! What the broker's refusals mean: one classification, by words first and by status where the words are not known.

use http::StatusCode;

use super::{
    kind::{ErrorKind, Stage},
    text::is_page,
};

mod cause;
mod entry;
mod explanation;
mod scope;
mod statuses;
#[cfg(test)]
mod tests;
mod words;

pub use self::cause::Cause;
pub(crate) use self::scope::Scope;

/// What a refusal means.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meaning {
    pub(super) kind: ErrorKind,
    pub(super) scope: Scope,
    pub(super) cause: Option<Cause>,
    pub(super) remedy: Option<&'static str>,
    /// Whether the broker's words say so, and not its status alone.
    pub(super) by_words: bool,
    /// Whether it is certain that the broker did not act on the request.
    pub(super) nothing_done: bool,
}

impl Meaning {
    /// What a cause means that no response names.
    pub(super) fn of_cause(cause: Cause) -> Self {
        Self::new(cause, cause.scope(), Stage::BrokerageStatus)
    }

    fn new(cause: Cause, scope: Scope, stage: Stage) -> Self {
        let (kind, remedy) = (kind(cause, scope, stage), Some(cause.remedy()));
        Self { kind, scope, cause: Some(cause), remedy, by_words: false, nothing_done: false }
    }
}

/// What the broker's words mean, if they are known. `status` is that of the response, or the one that it names as its
/// `statusCode`.
pub(super) fn by_words(stage: Stage, status: StatusCode, text: &str) -> Option<Meaning> {
    let lower = text.to_ascii_lowercase();
    let page = is_page(text);
    let entry = words::WORDS.iter().find(|entry| {
        let status_fits = match entry.status {
            // A page's words are about many things.
            None => !page,
            // An error inside a success has lost its own status.
            Some(_) if status.is_success() => is_sign_in(stage) || entry.stage == Some(stage),
            Some(code) => code == status.as_u16(),
        };
        status_fits && entry.stage.is_none_or(|at| at == stage) && contains(&lower, entry.text)
    })?;
    let nothing_done = entry.scope != Scope::Unavailable && entry.cause != Cause::BrokerageNotEntitled;
    Some(Meaning { by_words: true, nothing_done, ..Meaning::new(entry.cause, entry.scope, stage) })
}

/// What a refusal means, its words being known or not.
pub(super) fn classify(stage: Stage, status: StatusCode, text: &str) -> Meaning {
    if let Some(known) = by_words(stage, status, text) {
        return known;
    }
    let nothing_done = rules_out_action(status);
    let entry = statuses::STATUSES
        .iter()
        .find(|entry| entry.status == Some(status.as_u16()) && entry.stage.is_none_or(|at| at == stage));
    let meaning = match entry {
        Some(entry) => Meaning::new(entry.cause, entry.scope, stage),
        None => unknown(stage, status),
    };
    // An application's request may be an order, and be done in spite of such an answer.
    let look_first = stage == Stage::Transport && meaning.kind == ErrorKind::Unavailable && !nothing_done;
    Meaning { remedy: if look_first { Some(LOOK_FIRST) } else { meaning.remedy }, nothing_done, ..meaning }
}

const LOOK_FIRST: &str = "wait; if the request was an order, look whether it arrived; then send it again with a new signature. \
                          The broker maintains its servers at night and on Saturday evenings";

/// A status that means nothing by itself, beside words that are not known.
fn unknown(stage: Stage, status: StatusCode) -> Meaning {
    let (kind, scope) = match status {
        _ if status.is_server_error() => (ErrorKind::Unavailable, Scope::Unavailable),
        _ if status.is_redirection() || status.is_informational() => (ErrorKind::Malformed, Scope::Unavailable),
        _ if stage == Stage::Transport => (ErrorKind::Request, Scope::Request),
        _ if status.is_success() && !is_sign_in(stage) => (ErrorKind::Unavailable, Scope::Unavailable),
        _ => (ErrorKind::Rejected, Scope::Request),
    };
    Meaning { kind, scope, cause: None, remedy: None, by_words: false, nothing_done: false }
}

/// Who must act.
fn kind(cause: Cause, scope: Scope, stage: Stage) -> ErrorKind {
    match (cause, scope) {
        (Cause::ProxyAuthenticationRequired, _) => ErrorKind::Malformed,
        (
            Cause::BrokerageNotEntitled | Cause::PublishMissing | Cause::CompetingSession | Cause::BrokerageNotReady,
            _,
        )
        | (_, Scope::Unavailable | Scope::Pacing) => ErrorKind::Unavailable,
        (Cause::UserAgentMissingOrAccessDenied | Cause::AddressNotAllowed, _) => ErrorKind::Rejected,
        (_, Scope::Request) if stage == Stage::Transport => ErrorKind::Request,
        _ => ErrorKind::Rejected,
    }
}

/// Whether a status alone makes it certain that the broker did not act: it, or what is in front of it, turned the
/// request away unread or unfulfilled (RFC 9110 section 15.5, RFC 6585). Any other may come after the act.
fn rules_out_action(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        400 | 401 | 403..=407 | 410 | 411 | 413..=415 | 417 | 421 | 422 | 426 | 428 | 429 | 431
    )
}

const fn is_sign_in(stage: Stage) -> bool {
    matches!(stage, Stage::RequestToken | Stage::AccessToken | Stage::LiveSessionToken)
}

/// Whether the parts of a pattern, which `…` separates, are in a text one after another.
fn contains(text: &str, pattern: &str) -> bool {
    let mut rest = text;
    pattern.split('…').all(|part| match rest.split_once(part) {
        Some((_, after)) => {
            rest = after;
            true
        }
        None => false,
    })
}
