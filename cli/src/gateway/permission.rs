//! What a request can do at the broker's, and what a user lets nobody do.

use ibkr_oauth::http::Method;

/// What a request can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It reads, and whoever sends it unasked has gained nothing.
    Read,
    /// It changes nothing that is worth money: a search, a preview of an order, the end of a subscription.
    Harmless,
    /// It may trade, or change what is kept at the broker's. Everything that is not known to be otherwise.
    Acts,
}

/// Reads that are sent with `POST`, and what changes only the session; `{}` stands for a segment.
const HARMLESS: [&str; 21] = [
    "/tickle",
    "/logout",
    "/sso/validate",
    "/iserver/reauthenticate",
    "/iserver/auth/status",
    "/iserver/auth/ssodh/init",
    "/iserver/account",
    "/iserver/account/{}/orders/whatif",
    "/accounts/{}/order_impact",
    "/iserver/contract/rules",
    "/iserver/marketdata/unsubscribe",
    "/iserver/scanner/run",
    "/iserver/secdef/search",
    "/hmds/scanner",
    "/pa/allperiods",
    "/pa/performance",
    "/pa/summary",
    "/pa/transactions",
    "/portfolio/allocation",
    "/portfolio/{}/positions/invalidate",
    "/trsrv/secdef",
];

/// What does something although it is asked for with `GET`.
const NO_PLAIN_READS: [&str; 6] = [
    "/logout",
    "/iserver/reauthenticate",
    "/iserver/auth/ssodh/init",
    "/iserver/marketdata/unsubscribeall",
    "/iserver/marketdata/{}/unsubscribe",
    "/ws",
];

/// What a request of this method and path, behind the base URL, can do.
pub(crate) fn effect(method: &Method, path: &str) -> Effect {
    let is_one_of = |patterns: &[&str]| patterns.iter().any(|pattern| matches(pattern, path));
    match *method {
        Method::GET | Method::HEAD if is_one_of(&NO_PLAIN_READS) => Effect::Harmless,
        Method::GET | Method::HEAD => Effect::Read,
        Method::POST if is_one_of(&HARMLESS) => Effect::Harmless,
        _ => Effect::Acts,
    }
}

/// A path of a user's `--reject-path`, or all that begin so.
#[derive(Clone, Debug)]
pub(crate) struct PathPattern(String);

impl PathPattern {
    /// A path behind the base URL, in which `{}` stands for a segment; one that ends with a slash stands for all below it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let is_path =
            text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#%;\\".contains(&byte));
        let names_base = ["/v1/api", "/v1/portal"].iter().any(|base| text.starts_with(base));
        if is_path && !names_base {
            return Ok(Self(text.to_owned()));
        }
        Err("give what follows `/v1/api`, such as `/iserver/account/{}/orders` or `/iserver/account/`".to_owned())
    }

    pub(crate) fn covers(&self, path: &str) -> bool {
        let Some(above) = self.0.strip_suffix('/') else { return matches(&self.0, path) };
        let depth = above.split('/').count();
        let beginning: Vec<&str> = path.split('/').take(depth).collect();
        matches(above, &beginning.join("/"))
    }
}

/// Whether a path is that of the pattern, in whatever case and with or without a slash at its end.
pub(crate) fn matches(pattern: &str, path: &str) -> bool {
    // Most paths differ soon.
    let mut literal = pattern.bytes().zip(path.bytes()).take_while(|(expected, _)| *expected != b'{');
    if literal.any(|(expected, found)| !expected.eq_ignore_ascii_case(&found)) {
        return false;
    }
    let (mut expected, mut found) = (segments(pattern), segments(path.strip_suffix('/').unwrap_or(path)));
    loop {
        match (expected.next(), found.next()) {
            (None, None) => return true,
            (Some(b"{}"), Some(segment)) if !segment.is_empty() => {}
            (Some(expected), Some(found)) if expected.eq_ignore_ascii_case(found) => {}
            _ => return false,
        }
    }
}

fn segments(path: &str) -> impl Iterator<Item = &[u8]> {
    path.as_bytes().split(|byte| *byte == b'/')
}
