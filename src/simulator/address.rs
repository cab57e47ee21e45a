//! Where the broker listens, and whether a request was sent there.

use http::{Request, Uri, header, uri::Authority};

use super::{
    judge::{Deviation, Judge},
    reason::Reason,
    refusal::{Objection, ensure, refuse},
};

/// The base URL, taken apart.
#[derive(Debug)]
pub(super) struct Base {
    scheme: String,
    host: String,
    port: u16,
    path: String,
}

/// Where a request was sent.
#[derive(Debug)]
pub(super) struct Address {
    /// The base string URI (RFC 5849 section 3.4.1.2).
    pub(super) base_uri: String,
    /// The path under the base URL, with its leading slash.
    pub(super) path: String,
}

impl Base {
    pub(super) fn parse(url: &str) -> Option<Self> {
        if url.contains(['?', '#']) {
            return None;
        }
        let uri: Uri = url.parse().ok()?;
        let (scheme, host, port) = place(&uri)?;
        let path = match uri.path() {
            // `Uri` gives an empty path a slash.
            "/" if !url.ends_with('/') => "",
            path => path,
        };
        let usable = matches!(scheme.as_str(), "http" | "https")
            && !has_userinfo(uri.authority()?)
            && (path.is_empty() || abnormality(path).is_none());
        usable.then(|| Self { scheme, host, port, path: path.to_owned() })
    }

    /// The base URL, without its default port.
    pub(super) fn url(&self) -> String {
        let Self { scheme, host, port, path } = self;
        match (scheme.as_str(), port) {
            ("http", 80) | ("https", 443) => format!("{scheme}://{host}{path}"),
            _ => format!("{scheme}://{host}:{port}{path}"),
        }
    }

    /// The path under this base, however wrong the rest of the URI is.
    pub(super) fn relative<'u>(&self, uri: &'u Uri) -> Option<&'u str> {
        uri.path().strip_prefix(&self.path).filter(|path| path.is_empty() || path.starts_with('/'))
    }

    /// Whether the URI is this path at the base's scheme, host and port, whatever its query.
    pub(super) fn is_at_origin(&self, uri: &Uri, path: &str) -> bool {
        let is_here = |(scheme, host, port)| scheme == self.scheme && host == self.host && port == self.port;
        uri.path() == path && !uri.authority().is_some_and(has_userinfo) && place(uri).is_some_and(is_here)
    }

    pub(super) fn locate<B>(&self, request: &Request<B>, judge: &mut Judge) -> Result<Address, Objection> {
        let uri = request.uri();
        let Some((scheme, host, port)) = place(uri) else {
            return refuse(
                Reason::UriNotAbsolute,
                format_args!("`{}` has no scheme, host and usable port", uri.path()),
            );
        };
        let has_userinfo = uri.authority().is_some_and(has_userinfo);
        ensure(!has_userinfo, Reason::UserinfoPresent, "the URI holds a user name")?;
        ensure_same(Reason::SchemeDiffers, "scheme", &scheme, &self.scheme)?;
        ensure_same(Reason::HostDiffers, "host", &host, &self.host)?;
        ensure_same(Reason::PortDiffers, "port", &port.to_string(), &self.port.to_string())?;
        self.check_host_header(request, judge)?;
        if let Some(fault) = abnormality(uri.path()) {
            return refuse(Reason::PathNotNormal, format_args!("the path `{}` {fault}", uri.path()));
        }
        let Some(path) = self.relative(uri) else {
            return refuse(
                Reason::PathOutsideBase,
                format_args!("the path `{}` is not under `{}`", uri.path(), self.path),
            );
        };
        let shown_port = if port == default_port(&scheme) { String::new() } else { format!(":{port}") };
        let base_uri = format!("{scheme}://{host}{shown_port}{}", uri.path());
        Ok(Address { base_uri, path: path.to_owned() })
    }

    fn check_host_header<B>(&self, request: &Request<B>, judge: &mut Judge) -> Result<(), Objection> {
        for value in request.headers().get_all(header::HOST) {
            let given = value.to_str().ok().and_then(|text| text.parse::<Authority>().ok());
            let given = given.filter(|authority| !has_userinfo(authority));
            let detail = || format!("the Host header is {value:?}, the broker is {}:{}", self.host, self.port);
            match given {
                None => return refuse(Reason::HostDiffers, detail()),
                Some(authority)
                    if authority.host().eq_ignore_ascii_case(&self.host)
                        && port_of(&authority, &self.scheme) == Some(self.port) => {}
                Some(_) => judge.tolerate(Deviation::HostOfAnotherName, Reason::HostDiffers, detail())?,
            }
        }
        Ok(())
    }
}

fn ensure_same(reason: Reason, what: &str, given: &str, wanted: &str) -> Result<(), Objection> {
    ensure(given == wanted, reason, format_args!("the URI's {what} is `{given}`, the broker's is `{wanted}`"))
}

/// Scheme and host in lower case, and the port.
fn place(uri: &Uri) -> Option<(String, String, u16)> {
    let scheme = uri.scheme_str()?.to_ascii_lowercase();
    let authority = uri.authority()?;
    let port = port_of(authority, &scheme)?;
    Some((scheme, authority.host().to_ascii_lowercase(), port))
}

/// `None` where there is text behind the host that is no port.
fn port_of(authority: &Authority, scheme: &str) -> Option<u16> {
    let after_userinfo = authority.as_str().rsplit_once('@').map_or(authority.as_str(), |(_, rest)| rest);
    match after_userinfo.get(authority.host().len()..)? {
        "" => Some(default_port(scheme)),
        _ => authority.port_u16(),
    }
}

fn default_port(scheme: &str) -> u16 {
    if scheme == "http" { 80 } else { 443 }
}

fn has_userinfo(authority: &Authority) -> bool {
    authority.as_str().contains('@')
}

/// A URI as a refusal names it: without its query, which may hold tokens, and without user name and password.
pub(super) fn without_query(uri: &Uri) -> String {
    let scheme = uri.scheme_str().map(|scheme| format!("{scheme}://")).unwrap_or_default();
    let authority = uri.authority().map(Authority::as_str).unwrap_or_default();
    format!("{scheme}{}{}", authority.rsplit('@').next().unwrap_or_default(), uri.path())
}

/// Whether `text` is an `http` or `https` URL with a host and without a fragment.
pub(super) fn is_absolute_url(text: &str) -> bool {
    let has_place = |uri: Uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty())
    };
    !text.contains('#') && text.parse().is_ok_and(has_place)
}

/// What keeps a path from having one spelling only.
fn abnormality(path: &str) -> Option<&'static str> {
    let dots = |segment: &str| matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..");
    if !path.is_ascii() {
        Some("has a non-ASCII character")
    } else if path.contains("//") {
        Some("has an empty segment")
    } else if path.ends_with('/') {
        Some("ends with a slash")
    } else if path.split('/').any(dots) {
        Some("has a dot segment")
    } else {
        None
    }
}
