//! Which proxy the environment asks for on the way to a host. A setting that cannot be obeyed is an error: whoever set it
//! does not want to be connected directly.

use std::{ffi::OsString, fmt, net::Ipv6Addr};

use ibkr_oauth::http::Uri;
use percent_encoding::percent_decode_str;

use crate::{
    default_port,
    no_proxy::{Exception, look_up},
};

/// What a proxy speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http,
    Https,
    /// Names are looked up here.
    Socks4,
    /// Names are looked up by the proxy, as with all that follow.
    Socks4a,
    /// As [`Self::Socks4`].
    Socks5,
    Socks5h,
}

/// A proxy, and who one is there.
pub(crate) struct Proxy {
    pub(crate) protocol: Protocol,
    /// In brackets where it is an address of IPv6.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// User name and password.
    pub(crate) login: Option<(String, String)>,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { protocol, host, port, login: _ } = self;
        f.debug_struct("Proxy")
            .field("protocol", protocol)
            .field("host", host)
            .field("port", port)
            .finish_non_exhaustive()
    }
}

/// How a host is reached.
#[derive(Debug)]
pub(crate) enum Route {
    /// No variable names a proxy.
    Direct,
    /// This variable names the host among those that are reached without the proxy.
    Excepted(&'static str),
    Through {
        proxy: Proxy,
        /// Scheme, host and port.
        shown: String,
        /// The variable that says so.
        variable: &'static str,
    },
}

/// Why a setting cannot be obeyed. Shows neither a user name nor a password.
#[derive(Debug)]
pub(crate) struct Unusable {
    pub(crate) what: String,
    pub(crate) remedy: String,
}

/// The route to the URL's host, by the values of the environment's variables.
///
/// What is for the URL's scheme (`HTTPS_PROXY` or `HTTP_PROXY`) goes before `ALL_PROXY`; each may be in lower case. An empty
/// variable is none. Whether the host is among those of `NO_PROXY` is asked before the setting is looked at.
///
/// # Errors
/// If the setting names no proxy, or one that this program cannot use.
pub(crate) fn route(url: &Uri, variable: impl Fn(&str) -> Option<OsString>) -> Result<Route, Unusable> {
    let of_scheme =
        if url.scheme_str() == Some("http") { ["HTTP_PROXY", "http_proxy"] } else { ["HTTPS_PROXY", "https_proxy"] };
    let Some((name, setting)) = first(of_scheme, &variable).or_else(|| first(["ALL_PROXY", "all_proxy"], &variable))
    else {
        return Ok(Route::Direct);
    };
    let host = url.host().unwrap_or_default();
    if let Some((exceptions, list)) = first(["NO_PROXY", "no_proxy"], &variable) {
        let port = default_port::of_url(url);
        match list.to_str().map(|list| look_up(list, host, port)) {
            Some(Exception::Listed) => return Ok(Route::Excepted(exceptions)),
            Some(Exception::NotListed) => {}
            Some(Exception::Unclear(entry)) => return Err(unclear(exceptions, &entry)),
            None => return Err(unclear(exceptions, "\u{fffd}")),
        }
    }
    let unusable = |why: String| Unusable {
        what: format!("{name} {why}"),
        remedy: format!(
            "set {name} to `http://HOST:PORT`, `https://…`, `socks5://…`, `socks5h://…`, `socks4://…` or `socks4a://…`, with \
             `USER:PASSWORD@` before the host where it is needed and `%` with two digits for other characters in them; or unset \
             it; or add {host} to NO_PROXY"
        ),
    };
    let text = setting.to_str().ok_or_else(|| unusable("is not text".to_owned()))?;
    let (proxy, shown) = parse(text.trim(), host).map_err(unusable)?;
    Ok(Route::Through { proxy, shown, variable: name })
}

fn unclear(variable: &str, entry: &str) -> Unusable {
    // Somebody may have put a proxy there, with its password.
    let entry = if entry.contains('@') { "[hidden]".to_owned() } else { entry.escape_debug().to_string() };
    Unusable {
        what: format!("{variable} has `{entry}`, which names no host"),
        remedy: format!(
            "write names, `.names`, addresses and networks such as `10.0.0.0/8` into {variable}, or unset it"
        ),
    }
}

/// The first of the variables that is there and not empty.
fn first<const N: usize>(
    names: [&'static str; N],
    variable: impl Fn(&str) -> Option<OsString>,
) -> Option<(&'static str, OsString)> {
    let is_set = |value: &OsString| value.to_str().is_none_or(|text| !text.trim().is_empty());
    names.into_iter().find_map(|name| Some((name, variable(name).filter(is_set)?)))
}

/// The proxy, and how it is shown.
fn parse(text: &str, target: &str) -> Result<(Proxy, String), String> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
    let scheme = scheme.to_ascii_lowercase();
    let (protocol, default_port) = match scheme.as_str() {
        "http" => (Protocol::Http, 80),
        "https" => (Protocol::Https, 443),
        "socks4" => (Protocol::Socks4, 1080),
        "socks4a" => (Protocol::Socks4a, 1080),
        "socks" | "socks5" => (Protocol::Socks5, 1080),
        "socks5h" => (Protocol::Socks5h, 1080),
        other if other.len() <= 12 && other.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            return Err(format!("asks for a proxy of the kind `{other}`, which this program cannot use"));
        }
        _ => return Err("names no proxy".to_owned()),
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (login, place) = match rest.rsplit_once('@') {
        Some((login, place)) => (Some(login), place),
        None => (None, rest),
    };
    let (host, port) = host_and_port(place).ok_or("names no proxy: it has no host, or more than a host and a port")?;
    let port = port.unwrap_or(default_port);
    let is_address_of_six = target.starts_with('[');
    if matches!(protocol, Protocol::Socks4 | Protocol::Socks4a) && (login.is_some() || is_address_of_six) {
        let what = if is_address_of_six { "addresses of IPv6" } else { "user names and passwords" };
        return Err(format!("asks for a proxy of the kind `{scheme}`, which has no {what}"));
    }
    let login = login.map(|login| read_login(login, protocol)).transpose()?;
    let shown = format!("{scheme}://{host}:{port}");
    Ok((Proxy { protocol, host: host.to_owned(), port, login }, shown))
}

/// Host, in brackets where it is an address of IPv6, and port; `None` if there is anything else.
fn host_and_port(place: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (place, None),
    };
    let port = port.map(|port| port.parse().ok().filter(|port| *port > 0)).map_or(Some(None), |port| port.map(Some))?;
    let is_host = match host.strip_prefix('[') {
        Some(address) => address.strip_suffix(']').is_some_and(|address| address.parse::<Ipv6Addr>().is_ok()),
        None => host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_')),
    };
    (is_host && !host.is_empty()).then_some((host, port))
}

/// User name and password, decoded. None is an empty one, which SOCKS has not.
fn read_login(login: &str, protocol: Protocol) -> Result<(String, String), String> {
    const UNREADABLE: &str = "has a user name or password that cannot be read";
    if login.contains(['/', '?', '#']) {
        return Err(UNREADABLE.to_owned());
    }
    let decode = |text| percent_decode_str(text).decode_utf8().map(String::from).map_err(|_| UNREADABLE);
    let (user, password) = match login.split_once(':') {
        Some((user, password)) => (decode(user)?, decode(password)?),
        None => (decode(login)?, String::new()),
    };
    let is_socks = matches!(protocol, Protocol::Socks5 | Protocol::Socks5h);
    let fits = |text: &str| (1..=255).contains(&text.len());
    if is_socks && !(fits(&user) && fits(&password)) {
        return Err(
            "has a user name or password of a length that SOCKS does not have: from 1 to 255 bytes each".to_owned()
        );
    }
    if !is_socks && user.contains(':') {
        return Err("has a user name with a `:`, which HTTP does not have".to_owned());
    }
    Ok((user, password))
}
