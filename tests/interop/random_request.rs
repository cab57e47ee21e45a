//! Random requests on which this crate and `oauthlib` can be compared.
//!
//! Left out is what the two treat differently, each with the reason; that `oauthlib` still does is asserted in
//! `disagreements.rs`, so that a filter goes when its reason does.
//!
//! * Characters in a query that RFC 3986 does not allow there but many servers do, `[` or `|` for example: `oauthlib`
//!   raises.
//! * Percent-encoded bytes that are not UTF-8: `oauthlib` signs U+FFFD in their place.
//! * A `%` without two hexadecimal digits: `oauthlib` raises, mostly.
//! * A path that ends in `;`: `oauthlib` loses that character on the way through `urlparse`.
//! * An IPv6 address that is not written in its shortest form: `oauthlib` rewrites it.
//! * Port 0: `oauthlib` raises. Nobody can listen there.
//! * Methods in lower case: `oauthlib` signs them in upper case. HTTP's methods are case-sensitive.
//! * Names that start with `oauth_`: this crate refuses to sign them.

use super::rng::Rng;

/// A request as it is on the wire, and what its parameters mean.
#[derive(Debug)]
pub(super) struct RandomRequest {
    pub(super) method: &'static str,
    pub(super) url: String,
    /// The body of a form request.
    pub(super) form: Option<String>,
    /// The decoded pairs of the query.
    pub(super) query_pairs: Vec<(String, String)>,
    /// The decoded pairs of the form.
    pub(super) form_pairs: Vec<(String, String)>,
}

const UNRESERVED: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
/// What may stand in a query or form as it is, beside the unreserved characters. `+` means a space.
const BARE: &str = ":,*@!()/?'$;";

/// Characters of text: each kind that encoders are known to get wrong.
const TEXTS: [&str; 6] = [
    UNRESERVED,
    "abc019 ,/:",
    "~*'()!-._ +%&=;",
    "äöüßéñ£€",
    "日本語한국어русскийعربى",
    "😀🏦\u{1f468}\u{200d}\u{1f469}\u{0}\n\r\t\u{7f}\u{a0}\u{feff}\u{fffd}\u{10ffff}",
];

pub(super) fn random_text(rng: &mut Rng, least: usize, most: usize) -> String {
    let alphabet = rng.pick(&TEXTS);
    rng.text(alphabet, least, most)
}

/// The scheme and authority of a URL.
pub(super) fn origin(url: &str) -> String {
    // A URL without a path may have a query all the same.
    url.split(['?', '#']).next().unwrap_or_default().split('/').take(3).collect::<Vec<_>>().join("/")
}

/// Where a request goes: scheme and authority.
pub(super) fn random_origin(rng: &mut Rng) -> String {
    let scheme = rng.pick(&["https", "https", "http", "HTTPS", "Http"]);
    let host = rng.pick(&[
        "api.ibkr.com",
        "API.ibkr.COM",
        "localhost",
        "127.0.0.1",
        "[::1]",
        "[2001:db8::a]",
        "[2001:DB8::A]",
        "xn--mnchen-3ya.example",
        "under_score.example",
        "a.b-c.d.example.",
    ]);
    let port = match rng.below(8) {
        0 => ":443".to_owned(),
        1 => ":80".to_owned(),
        2 => ":0443".to_owned(),
        3 => ":65535".to_owned(),
        4 => format!(":{}", 1 + rng.below(65535)),
        _ => String::new(),
    };
    format!("{scheme}://{host}{port}")
}

/// A path without dot segments that does not end in `;`. `normal` ones have no empty segments either.
fn random_path(rng: &mut Rng, normal: bool) -> String {
    let mut path = String::new();
    for _ in 0..rng.below(5) {
        path.push('/');
        if !normal && rng.once_in(8) {
            continue;
        }
        let text = random_text(rng, 1, 8);
        for char in text.chars() {
            if UNRESERVED.contains(char) || (!rng.once_in(3) && "!$&'()*+,:@=".contains(char)) {
                path.push(char);
            } else {
                push_escaped(rng, &mut path, char);
            }
        }
        // Never a dot segment, and now and then what looks like parameters of old.
        path.push_str(rng.pick(&["a", "x.y", ";v=1", ";a,b"]));
    }
    if !normal && rng.once_in(6) {
        path.push('/');
    }
    path
}

fn push_escaped(rng: &mut Rng, out: &mut String, char: char) {
    for byte in char.to_string().bytes() {
        let escape = if rng.once_in(2) { format!("%{byte:02X}") } else { format!("%{byte:02x}") };
        out.push_str(&escape);
    }
}

/// One half of a pair in one of the ways in which clients write it.
fn push_wire(rng: &mut Rng, out: &mut String, text: &str, is_value: bool) {
    for char in text.chars() {
        match char {
            ' ' if rng.once_in(2) => out.push('+'),
            '=' if is_value && rng.once_in(2) => out.push('='),
            _ if UNRESERVED.contains(char) && !rng.once_in(20) => out.push(char),
            _ if BARE.contains(char) && rng.once_in(2) => out.push(char),
            _ => push_escaped(rng, out, char),
        }
    }
}

/// `name=value&…`, with names that repeat, empty values, missing equals signs and empty pairs between.
fn random_pairs(rng: &mut Rng) -> (String, Vec<(String, String)>) {
    let (mut wire, mut pairs) = (String::new(), Vec::<(String, String)>::new());
    for _ in 0..rng.below(7) {
        if rng.once_in(10) {
            wire.push('&');
        }
        let name = match rng.below(4) {
            0 if !pairs.is_empty() => pairs[rng.below(pairs.len())].0.clone(),
            1 => rng.pick(&["conids", "fields", "a", "a1", "a-", "A", "oauth", "realm", "order[]", ""]).to_owned(),
            _ => random_text(rng, 0, 8),
        };
        let value = match rng.below(6) {
            0 => String::new(),
            1 if !pairs.is_empty() => pairs[rng.below(pairs.len())].1.clone(),
            _ => random_text(rng, 0, 16),
        };
        push_wire(rng, &mut wire, &name, false);
        // A pair of which nothing is left is none.
        if !value.is_empty() || name.is_empty() || rng.once_in(2) {
            wire.push('=');
        }
        push_wire(rng, &mut wire, &value, true);
        wire.push('&');
        pairs.push((name, value));
    }
    if !rng.once_in(10) {
        wire.truncate(wire.trim_end_matches('&').len());
    }
    (wire, pairs)
}

impl RandomRequest {
    /// A request to anywhere.
    pub(super) fn new(rng: &mut Rng) -> Self {
        let url = random_origin(rng) + &random_path(rng, false);
        Self::to(rng, url)
    }

    /// A request to a path under `base_url` as the simulator wants it: each segment filled, no slash at the end.
    pub(super) fn under(rng: &mut Rng, base_url: &str) -> Self {
        let url = format!("{base_url}/x{}", random_path(rng, true));
        Self::to(rng, url)
    }

    /// Scheme and authority.
    pub(super) fn origin(&self) -> String {
        origin(&self.url)
    }

    /// A request to `url` with a random method, query and form.
    pub(super) fn to(rng: &mut Rng, mut url: String) -> Self {
        let method = rng.pick(&["GET", "GET", "POST", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "REPORT"]);
        let mut query_pairs = Vec::new();
        if !rng.once_in(4) {
            let (wire, pairs) = random_pairs(rng);
            url = format!("{url}?{wire}");
            query_pairs = pairs;
        }
        let (mut form, mut form_pairs) = (None, Vec::new());
        if matches!(method, "POST" | "PUT" | "PATCH") && rng.once_in(2) {
            let (wire, pairs) = random_pairs(rng);
            (form, form_pairs) = (Some(wire), pairs);
        }
        Self { method, url, form, query_pairs, form_pairs }
    }
}
