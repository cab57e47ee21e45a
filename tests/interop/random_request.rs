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

use super::dice::Dice;

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

pub(super) fn random_text(dice: &mut Dice, least: usize, most: usize) -> String {
    let alphabet = dice.pick(&TEXTS);
    dice.text(alphabet, least, most)
}

/// The scheme and authority of a URL.
pub(super) fn origin(url: &str) -> String {
    // A URL without a path may have a query all the same.
    url.split(['?', '#']).next().unwrap_or_default().split('/').take(3).collect::<Vec<_>>().join("/")
}

/// Where a request goes: scheme and authority.
pub(super) fn random_origin(dice: &mut Dice) -> String {
    let scheme = dice.pick(&["https", "https", "http", "HTTPS", "Http"]);
    let host = dice.pick(&[
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
    let port = match dice.below(8) {
        0 => ":443".to_owned(),
        1 => ":80".to_owned(),
        2 => ":0443".to_owned(),
        3 => ":65535".to_owned(),
        4 => format!(":{}", 1 + dice.below(65535)),
        _ => String::new(),
    };
    format!("{scheme}://{host}{port}")
}

/// A path without dot segments that does not end in `;`. `normal` ones have no empty segments either.
fn random_path(dice: &mut Dice, normal: bool) -> String {
    let mut path = String::new();
    for _ in 0..dice.below(5) {
        path.push('/');
        if !normal && dice.once_in(8) {
            continue;
        }
        let text = random_text(dice, 1, 8);
        for char in text.chars() {
            if UNRESERVED.contains(char) || (!dice.once_in(3) && "!$&'()*+,:@=".contains(char)) {
                path.push(char);
            } else {
                push_escaped(dice, &mut path, char);
            }
        }
        // Never a dot segment, and now and then what looks like parameters of old.
        path.push_str(dice.pick(&["a", "x.y", ";v=1", ";a,b"]));
    }
    if !normal && dice.once_in(6) {
        path.push('/');
    }
    path
}

fn push_escaped(dice: &mut Dice, out: &mut String, char: char) {
    for byte in char.to_string().bytes() {
        let escape = if dice.once_in(2) { format!("%{byte:02X}") } else { format!("%{byte:02x}") };
        out.push_str(&escape);
    }
}

/// One half of a pair in one of the ways in which clients write it.
fn push_wire(dice: &mut Dice, out: &mut String, text: &str, is_value: bool) {
    for char in text.chars() {
        match char {
            ' ' if dice.once_in(2) => out.push('+'),
            '=' if is_value && dice.once_in(2) => out.push('='),
            _ if UNRESERVED.contains(char) && !dice.once_in(20) => out.push(char),
            _ if BARE.contains(char) && dice.once_in(2) => out.push(char),
            _ => push_escaped(dice, out, char),
        }
    }
}

/// `name=value&…`, with names that repeat, empty values, missing equals signs and empty pairs between.
fn random_pairs(dice: &mut Dice) -> (String, Vec<(String, String)>) {
    let (mut wire, mut pairs) = (String::new(), Vec::<(String, String)>::new());
    for _ in 0..dice.below(7) {
        if dice.once_in(10) {
            wire.push('&');
        }
        let name = match dice.below(4) {
            0 if !pairs.is_empty() => pairs[dice.below(pairs.len())].0.clone(),
            1 => dice.pick(&["conids", "fields", "a", "a1", "a-", "A", "oauth", "realm", "order[]", ""]).to_owned(),
            _ => random_text(dice, 0, 8),
        };
        let value = match dice.below(6) {
            0 => String::new(),
            1 if !pairs.is_empty() => pairs[dice.below(pairs.len())].1.clone(),
            _ => random_text(dice, 0, 16),
        };
        push_wire(dice, &mut wire, &name, false);
        // A pair of which nothing is left is none.
        if !value.is_empty() || name.is_empty() || dice.once_in(2) {
            wire.push('=');
        }
        push_wire(dice, &mut wire, &value, true);
        wire.push('&');
        pairs.push((name, value));
    }
    if !dice.once_in(10) {
        wire.truncate(wire.trim_end_matches('&').len());
    }
    (wire, pairs)
}

impl RandomRequest {
    /// A request to anywhere.
    pub(super) fn new(dice: &mut Dice) -> Self {
        let url = random_origin(dice) + &random_path(dice, false);
        Self::to(dice, url)
    }

    /// A request to a path under `base_url` as the simulator wants it: each segment filled, no slash at the end.
    pub(super) fn under(dice: &mut Dice, base_url: &str) -> Self {
        let url = format!("{base_url}/x{}", random_path(dice, true));
        Self::to(dice, url)
    }

    /// Scheme and authority.
    pub(super) fn origin(&self) -> String {
        origin(&self.url)
    }

    /// A request to `url` with a random method, query and form.
    pub(super) fn to(dice: &mut Dice, mut url: String) -> Self {
        let method = dice.pick(&["GET", "GET", "POST", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "REPORT"]);
        let mut query_pairs = Vec::new();
        if !dice.once_in(4) {
            let (wire, pairs) = random_pairs(dice);
            url = format!("{url}?{wire}");
            query_pairs = pairs;
        }
        let (mut form, mut form_pairs) = (None, Vec::new());
        if matches!(method, "POST" | "PUT" | "PATCH") && dice.once_in(2) {
            let (wire, pairs) = random_pairs(dice);
            (form, form_pairs) = (Some(wire), pairs);
        }
        Self { method, url, form, query_pairs, form_pairs }
    }
}
