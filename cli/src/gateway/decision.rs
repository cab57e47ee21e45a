//! What becomes of a request: pure, so that every request there can be is decided the same in a test, in the fuzzer and here.

use std::borrow::Cow;

use ibkr_oauth::http::{
    HeaderMap, HeaderName, Method,
    header::{CONNECTION, UPGRADE},
    request::Parts,
};

use super::{
    caller::Callers,
    headers,
    permission::{Effect, PathPattern, effect, matches},
    refusal::Refusal,
    resource::{self, Place},
};

/// What the gateway was told to let through.
pub(crate) struct Rules {
    pub(crate) callers: Callers,
    /// Whether programs may trade, and change what is kept at the broker's.
    pub(crate) allow_orders: bool,
    /// What is refused whatever else is allowed.
    pub(crate) rejected: Vec<PathPattern>,
}

/// What becomes of a request.
#[derive(Debug)]
pub(crate) enum Decision {
    Refuse(Refusal),
    /// The gateway answers itself, from what it knows of the session.
    Local(Local),
    /// The broker answers, once the request is signed.
    Forward(Forward),
    /// It becomes a WebSocket.
    Socket,
}

/// What the gateway answers itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Local {
    /// The page for people, also where programs look for the words of a login.
    Page,
    Alive,
    Ready,
    Health,
    Validate,
    Reauthenticate,
    OpenSession,
    Status,
    Tickle,
    Logout,
}

/// What is answered itself of the API, in whatever case the path is, with a slash at its end or without.
const ABOUT_SESSION: [(&str, Local); 6] = [
    ("/sso/validate", Local::Validate),
    ("/iserver/reauthenticate", Local::Reauthenticate),
    ("/iserver/auth/ssodh/init", Local::OpenSession),
    ("/iserver/auth/status", Local::Status),
    ("/tickle", Local::Tickle),
    ("/logout", Local::Logout),
];

/// A request as it goes to the broker, before it is signed.
#[derive(Debug)]
pub(crate) struct Forward {
    pub(crate) method: Method,
    /// What follows the base URL, without the query.
    pub(crate) path: String,
    /// The query's bytes as they came.
    pub(crate) query: Option<String>,
    pub(crate) headers: HeaderMap,
    pub(crate) effect: Effect,
}

impl Forward {
    /// What follows the base URL.
    pub(crate) fn path_and_query(&self) -> Cow<'_, str> {
        match &self.query {
            Some(query) => [&self.path, "?", query].concat().into(),
            None => self.path.as_str().into(),
        }
    }
}

/// Decides about a request by its head.
pub(crate) fn decide(rules: &Rules, head: &Parts) -> Decision {
    decided(rules, head).unwrap_or_else(Decision::Refuse)
}

fn decided(rules: &Rules, head: &Parts) -> Result<Decision, Refusal> {
    let Parts { method, uri, headers, .. } = head;
    rules.callers.check_host(uri, headers)?;
    let place = resource::place(uri)?;
    let upgrades = is_upgrade(headers);
    let effect = match &place {
        Place::Gateway(_) => effect(method, ""),
        Place::Api(path) => effect(method, path),
    };
    // A page of another origin may load what it cannot read, and no more.
    if upgrades || effect != Effect::Read {
        rules.callers.check_origin(headers)?;
    }
    let local = local(method, &place);
    if !matches!(local, Some(Local::Alive | Local::Ready)) {
        rules.callers.check_token(headers)?;
    }
    let path = match place {
        Place::Gateway(_) => return local.map(Decision::Local).ok_or_else(|| no_such_path(method)),
        Place::Api(path) => path,
    };
    if rules.rejected.iter().any(|pattern| pattern.covers(&path)) {
        return Err(Refusal::forbidden("this gateway was started with a `--reject-path` for this path"));
    }
    if resource::is_below(&path, "/oauth") || resource::is_below(&path, "/oauth2") {
        return Err(Refusal::forbidden("the gateway alone signs in: no program behind it needs its tokens"));
    }
    if matches("/ws", &path) {
        return if upgrades && *method == Method::GET { Ok(Decision::Socket) } else { Err(Refusal::upgrade()) };
    }
    if let Some(local) = local {
        return Ok(Decision::Local(local));
    }
    if upgrades {
        return Err(Refusal::bad("only `/v1/api/ws` is a WebSocket"));
    }
    if effect == Effect::Acts && !rules.allow_orders {
        return Err(Refusal::forbidden(
            "this gateway only reads: start it with `--allow-orders` if the programs behind it may trade",
        ));
    }
    let query = uri.query().map(str::to_owned);
    Ok(Decision::Forward(Forward { method: method.clone(), path, query, headers: headers::to_broker(headers), effect }))
}

/// What the gateway answers itself at a place.
fn local(method: &Method, place: &Place) -> Option<Local> {
    let reads = matches!(*method, Method::GET | Method::HEAD);
    let posts = reads || *method == Method::POST;
    match place {
        Place::Gateway(path) => match path.as_str() {
            "/" | "/sso/Login" | "/sso/Dispatcher" if posts => Some(Local::Page),
            "/livez" if reads => Some(Local::Alive),
            "/readyz" if reads => Some(Local::Ready),
            "/health" if reads => Some(Local::Health),
            _ => None,
        },
        Place::Api(path) if posts => {
            ABOUT_SESSION.iter().find(|(known, _)| matches(known, path)).map(|(_, local)| *local)
        }
        Place::Api(_) => None,
    }
}

fn no_such_path(method: &Method) -> Refusal {
    match *method {
        Method::GET | Method::HEAD | Method::POST => {
            Refusal::unknown("paths begin with `/v1/api/` here, or with `/v1/portal/`")
        }
        _ => Refusal::method(),
    }
}

/// Whether the request asks to become a WebSocket. A server may ignore any other protocol that it is offered (RFC 9110,
/// section 7.8): Java's own client offers HTTP/2 with each request to `http`.
fn is_upgrade(headers: &HeaderMap) -> bool {
    lists(headers, &CONNECTION, "upgrade") && lists(headers, &UPGRADE, "websocket")
}

/// Whether one of the header's comma-separated values is this word.
fn lists(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|value| value.trim().eq_ignore_ascii_case(word))
}
