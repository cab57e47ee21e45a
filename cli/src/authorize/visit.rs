//! Whether a visit to the program's address is the user's answer. Every page that the user's browser shows can make it come
//! here, so that only what names the request token counts.

use std::net::SocketAddr;

use ibkr_oauth::{
    Consent, ErrorKind, Verifier,
    http::{
        HeaderMap, Method, StatusCode, Uri,
        header::HOST,
        request::Parts,
        uri::{Authority, PathAndQuery},
    },
};

use crate::default_port;

/// What the program takes for its own address.
pub(crate) struct OwnAddress {
    hosts: Vec<String>,
    /// The callback's path; `None` where only the broker knows it.
    path: Option<String>,
}

/// What a visit says, and how it is answered.
pub(crate) struct Visit {
    pub(crate) status: StatusCode,
    pub(crate) page: &'static str,
    pub(crate) meaning: Meaning,
}

pub(crate) enum Meaning {
    Consented(Verifier),
    /// No answer, but something that the user may want to know.
    Note(String),
    /// What browsers ask for by themselves.
    Nothing,
}

const DONE: &str = "You may close this page: the program says how it went.";
const NO_ANSWER: &str = "There is no answer in this address. The program goes on waiting for one.";
const NOT_THE_ANSWER: &str = "This is not the answer that the program waits for.";

impl OwnAddress {
    /// `address` is listened at, and `callback` was named to the broker, if one was.
    pub(crate) fn new(address: SocketAddr, callback: Option<&Uri>) -> Self {
        let port = address.port();
        let mut hosts = vec![address.to_string(), format!("localhost:{port}")];
        if port == 80 {
            // The port that browsers leave out.
            let short: Vec<String> =
                hosts.iter().filter_map(|host| host.strip_suffix(":80")).map(str::to_owned).collect();
            hosts.extend(short);
        }
        // Something may stand in between, and hand on what is sent to the callback.
        hosts.extend(callback.and_then(Uri::authority).map(|authority| without_default_port(callback, authority)));
        Self { hosts, path: callback.map(|callback| callback.path().to_owned()) }
    }

    /// Judges the head of a request.
    pub(crate) fn judge(&self, request: &Parts, consent: &Consent) -> Visit {
        let note = |status, page, note: &str| Visit { status, page, meaning: Meaning::Note(note.to_owned()) };
        match self.is_for_us(&request.uri, &request.headers) {
            Some(true) => {}
            Some(false) => {
                let text = "a visit to another host's name was turned away; waiting goes on";
                return note(StatusCode::MISDIRECTED_REQUEST, NOT_THE_ANSWER, text);
            }
            None => {
                let text = "a visit without the name of its host was turned away, and no user made it; waiting goes on";
                return note(StatusCode::BAD_REQUEST, NOT_THE_ANSWER, text);
            }
        }
        let target = request.uri.path_and_query().map_or("/", PathAndQuery::as_str);
        if !self.is_callback(target) {
            return Visit { status: StatusCode::NOT_FOUND, page: "", meaning: Meaning::Nothing };
        }
        let by_no_user = "a visit that no user made (an image, a script, a form) was turned away; waiting goes on";
        if request.method != Method::GET {
            return note(StatusCode::METHOD_NOT_ALLOWED, NOT_THE_ANSWER, by_no_user);
        }
        if !is_navigation(&request.headers) {
            return note(StatusCode::FORBIDDEN, NOT_THE_ANSWER, by_no_user);
        }
        match consent.verifier(target) {
            Ok(verifier) => Visit { status: StatusCode::OK, page: DONE, meaning: Meaning::Consented(verifier) },
            // The broker sends a user who declines here with nothing, and so can every page send anybody.
            Err(error) if error.kind() == ErrorKind::Rejected => {
                let text =
                    "the browser came without an answer: perhaps the user declined; waiting goes on, Ctrl-C ends it";
                note(StatusCode::OK, NO_ANSWER, text)
            }
            Err(error) => note(StatusCode::BAD_REQUEST, NOT_THE_ANSWER, &format!("{error}; waiting goes on")),
        }
    }

    /// Whether the visit names one of our hosts; `None` if it names none, or more than one.
    fn is_for_us(&self, uri: &Uri, headers: &HeaderMap) -> Option<bool> {
        let mut named = headers.get_all(HOST).iter();
        let (host, None) = (named.next()?.to_str().ok()?, named.next()) else { return None };
        let is_ours = |name: &str| self.hosts.iter().any(|own| own.eq_ignore_ascii_case(name));
        Some(is_ours(host) && uri.authority().is_none_or(|authority| is_ours(authority.as_str())))
    }

    /// Browsers ask for an icon too, and for more.
    fn is_callback(&self, target: &str) -> bool {
        let path = target.split('?').next().unwrap_or_default();
        match &self.path {
            _ if target.contains("oauth_") => true,
            Some(own) => own == path,
            None => !path.starts_with("/favicon") && !path.starts_with("/.well-known/"),
        }
    }
}

fn without_default_port(url: Option<&Uri>, authority: &Authority) -> String {
    let default = format!(":{}", default_port::of_scheme(url.and_then(Uri::scheme_str)));
    let text = authority.as_str();
    text.strip_suffix(&default).unwrap_or(text).to_owned()
}

/// Whether the browser, if it says what for, came to show the page to its user.
fn is_navigation(headers: &HeaderMap) -> bool {
    let is_none_or = |name, wanted: &str| headers.get_all(name).iter().all(|value| value == wanted);
    is_none_or("sec-fetch-dest", "document") && is_none_or("sec-fetch-mode", "navigate")
}
