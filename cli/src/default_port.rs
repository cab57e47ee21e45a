//! The port at which a URL leads that names none.

use ibkr_oauth::http::Uri;

/// The port of a scheme.
pub(crate) fn of_scheme(scheme: Option<&str>) -> u16 {
    if scheme == Some("http") { 80 } else { 443 }
}

/// The port of a URL.
pub(crate) fn of_url(url: &Uri) -> u16 {
    url.port_u16().unwrap_or_else(|| of_scheme(url.scheme_str()))
}
