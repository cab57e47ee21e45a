//! Who may ask: what a browser says of the page that sent a request, and what a program knows.
//!
//! A port of this machine is open to each of its users, and to each page in their browsers. A page of another origin can
//! send what needs no CORS; one whose name was made to lead here (DNS rebinding) is of this origin to its browser. The first
//! is told by `Origin` and `Sec-Fetch-Site`, the second by `Host`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ibkr_oauth::{
    Secret,
    http::{
        HeaderMap, HeaderName, Uri,
        header::{AUTHORIZATION, HOST, ORIGIN},
        uri::Authority,
    },
};

use super::refusal::Refusal;
use crate::default_port;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Who may ask.
pub(crate) struct Callers {
    /// The names of this machine, without brackets; `None` where no browser gets: a Unix socket.
    pub(crate) hosts: Option<Vec<String>>,
    /// What a program must know.
    pub(crate) token: Option<Secret>,
}

impl Callers {
    /// The request was sent to a name of this machine's.
    pub(crate) fn check_host(&self, target: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        let Some(hosts) = &self.hosts else { return Ok(()) };
        let mut stated = headers.get_all(HOST).iter();
        let (Some(host), None) = (stated.next(), stated.next()) else {
            return Err(Refusal::bad("a request has one `Host`"));
        };
        let host = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok());
        let named = [host.as_ref(), target.authority()];
        let is_known = |authority: &Authority| !authority.as_str().contains('@') && is_among(hosts, name_of(authority));
        if host.is_some() && named.into_iter().flatten().all(is_known) {
            return Ok(());
        }
        Err(Refusal::forbidden(
            "this name is not among those of this gateway: use `localhost`, or start it with `--allow-host NAME`",
        ))
    }

    /// No page of another origin sent it.
    pub(crate) fn check_origin(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let refused = || Err(Refusal::forbidden("a page of another origin may not do this"));
        let mut sites = headers.get_all(SEC_FETCH_SITE).iter();
        if sites.any(|site| !matches!(site.as_bytes(), b"same-origin" | b"none")) {
            return refused();
        }
        let mut origins = headers.get_all(ORIGIN).iter();
        let Some(origin) = origins.next() else { return Ok(()) };
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
        let is_ours = origin.to_str().ok().and_then(authority_of).zip(host).is_some_and(|((scheme, origin), host)| {
            let default = default_port::of_scheme(Some(scheme));
            let port = |authority: &Authority| authority.port_u16().unwrap_or(default);
            let hosts = self.hosts.as_deref().unwrap_or_default();
            // `localhost` and `127.0.0.1` are one machine; its other ports are other programs.
            let name = name_of(&origin);
            let same_name = name.eq_ignore_ascii_case(name_of(&host)) || is_among(hosts, name);
            same_name && port(&origin) == port(&host)
        });
        if is_ours && origins.next().is_none() { Ok(()) } else { refused() }
    }

    /// It knows the token, if there is one: as a bearer of it, or as the password of any user, which URLs can have.
    pub(crate) fn check_token(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let Some(token) = &self.token else { return Ok(()) };
        let mut stated = headers.get_all(AUTHORIZATION).iter();
        let knows = match (stated.next(), stated.next()) {
            (Some(value), None) => value.to_str().ok().and_then(stated_token).is_some_and(|stated| stated == *token),
            _ => false,
        };
        if knows {
            return Ok(());
        }
        Err(Refusal::unauthorized("send `Authorization: Bearer` with the gateway's token"))
    }
}

/// The token in the value of an `Authorization`.
fn stated_token(value: &str) -> Option<Secret> {
    let (scheme, rest) = value.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Secret::from(rest.trim().as_bytes().to_vec()));
    }
    let login = STANDARD.decode(rest.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let at = login.iter().position(|byte| *byte == b':')?;
    Some(Secret::from(login.get(at.checked_add(1)?..)?.to_vec()))
}

/// The name without brackets, and without the dot at the end of a whole name.
fn name_of(authority: &Authority) -> &str {
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    name.strip_suffix('.').unwrap_or(name)
}

fn is_among(hosts: &[String], name: &str) -> bool {
    hosts.iter().any(|host| host.eq_ignore_ascii_case(name))
}

/// Scheme and authority of an origin; `None` for what has none, such as `null`.
fn authority_of(origin: &str) -> Option<(&str, Authority)> {
    let (scheme, authority) = origin.split_once("://")?;
    (matches!(scheme, "http" | "https") && !authority.contains('@')).then_some(())?;
    Some((scheme, authority.parse().ok()?))
}
