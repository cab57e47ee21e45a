//! What another client's base string has otherwise than the right one: the mistake that explains all of it, or else each
//! part that differs.

use std::collections::BTreeMap;

use super::{
    base_string::{BaseString, Pair, is_protocol},
    issue::SignatureIssue,
    mask::{self, Mask},
    mistakes::{self, Signed, not_signed},
};
use crate::oauth1::percent_decode_lossy as decode;

/// How many issues of single parameters are named; more say nothing new.
const MOST: usize = 20;
/// How much is shown around a difference, in characters.
const CONTEXT: usize = 30;

/// `prepended` says whether a secret belongs before the right base string. Nothing comes back where both are the same.
pub(super) fn compare(signed: &Signed<'_>, prepended: bool, found: &str, mask: &Mask) -> Vec<SignatureIssue> {
    let Some(theirs) = BaseString::parse(found) else {
        return vec![SignatureIssue::new(
            "the text is no base string: it has not a method and three parts with `&` between them",
            "give the text that is signed, `METHOD&url&parameters`, not the header or the URL",
        )];
    };
    let mut issues = Vec::from_iter(secret(prepended, theirs.prepend));
    // What differs only between two attempts says nothing about either.
    let oauth = of_their_attempt(signed.oauth, &theirs);
    let attempt = Signed { oauth: &oauth, ..*signed };
    let right = attempt.base_string().unwrap_or_default();
    if let Some(ours) = BaseString::parse(&right).filter(|ours| ours.text != theirs.text) {
        match attempt.explain(|text| text == theirs.text) {
            Some(issue) => {
                issues.push(SignatureIssue { what: issue.what + &first_difference(&ours, &theirs, mask), ..issue });
            }
            None => differences(&attempt, &ours, &theirs, mask, &mut issues),
        }
    }
    if oauth != signed.oauth {
        issues.push(SignatureIssue::new(
            "nonce, timestamp or challenge differ: these are two attempts",
            "compare base strings with the same nonce and timestamp",
        ));
    }
    issues
}

fn secret(belongs: bool, found: &str) -> Option<SignatureIssue> {
    let has_upper = found.bytes().any(|byte| byte.is_ascii_uppercase());
    let is_hexadecimal = found.bytes().all(|byte| byte.is_ascii_hexdigit());
    match (belongs, found.is_empty()) {
        (true, true) => Some(SignatureIssue::new(
            "the opened secret does not precede the base string",
            "for the live session token, sign the opened secret in lower-case hexadecimal and, with nothing between them, \
             the base string",
        )),
        (false, false) => Some(SignatureIssue::new(
            "something precedes the base string",
            "only the request for a live session token is signed with the secret before the base string",
        )),
        (true, false) if !is_hexadecimal => Some(SignatureIssue::new(
            "what precedes the base string is not in hexadecimal",
            "open the access token's newest secret with the encryption key, and write its bytes in hexadecimal",
        )),
        (true, false) if has_upper => Some(SignatureIssue::new(
            "the secret before the base string is in upper-case hexadecimal",
            "write it in lower case",
        )),
        _ => None,
    }
}

/// The parameters with what each attempt draws anew taken from the other base string, where it is plausible there.
fn of_their_attempt(oauth: &[(String, String)], theirs: &BaseString<'_>) -> Vec<(String, String)> {
    let is_plausible = |name: &str, value: &str| match name {
        "oauth_nonce" => value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.+/=".contains(&byte)),
        "oauth_timestamp" => value.len() <= 10 && value.bytes().all(|byte| byte.is_ascii_digit()),
        "diffie_hellman_challenge" => value.bytes().all(|byte| byte.is_ascii_hexdigit()),
        _ => false,
    };
    let theirs = |name: &str| {
        let mut values = theirs.pairs.iter().filter(|pair| pair.name == name).map(|pair| decode(pair.value()));
        values.next().filter(|value| values.next().is_none() && !value.is_empty() && is_plausible(name, value))
    };
    let drawn = ["oauth_nonce", "oauth_timestamp", "diffie_hellman_challenge"].map(|name| (name, theirs(name)));
    let value_of = |name: &str| drawn.iter().find(|(known, _)| *known == name).and_then(|(_, value)| value.clone());
    oauth.iter().map(|(name, value)| (name.clone(), value_of(name).unwrap_or_else(|| value.clone()))).collect()
}

/// Each part that differs, with the mistake that explains it alone.
fn differences(
    signed: &Signed<'_>,
    ours: &BaseString<'_>,
    theirs: &BaseString<'_>,
    mask: &Mask,
    issues: &mut Vec<SignatureIssue>,
) {
    let before = issues.len();
    if ours.method != theirs.method {
        let what = format!("the method {} was signed, and {} is sent", theirs.method, ours.method);
        issues.push(SignatureIssue::new(what, "sign the method with which the request is sent, in upper case"));
    }
    issues.extend(uri(signed, ours, theirs, mask));
    pairs(ours, theirs, mask, issues);
    if issues.len() == before {
        issues.push(SignatureIssue::new(
            "the texts are encoded otherwise",
            "write escapes in upper case, and encode everything but letters, digits and `-._~`",
        ));
    }
}

fn uri(signed: &Signed<'_>, ours: &BaseString<'_>, theirs: &BaseString<'_>, mask: &Mask) -> Option<SignatureIssue> {
    if ours.uri == theirs.uri {
        return None;
    }
    let is_theirs = |text: &str| BaseString::parse(text).is_some_and(|other| other.uri == theirs.uri);
    let issue = signed.explain(is_theirs).unwrap_or_else(|| {
        SignatureIssue::new(
            "another URL was signed",
            "sign scheme, host, port and path as they are sent: scheme and host in lower case, no port that the scheme has \
             anyway, and one slash between the parts",
        )
    });
    Some(SignatureIssue { what: issue.what + &shown(&mask.uri(&ours.uri), &mask.uri(&theirs.uri)), ..issue })
}

/// The pairs of one name: how many are sent and signed, and which of them only one side has.
#[derive(Default)]
struct Named<'a> {
    sent: usize,
    signed: usize,
    missing: Vec<&'a Pair>,
    added: Vec<&'a Pair>,
}

fn by_name<'a>(ours: &'a [Pair], theirs: &'a [Pair]) -> BTreeMap<String, Named<'a>> {
    let mut by_name: BTreeMap<String, Named<'a>> = BTreeMap::new();
    // How many more of a pair are sent than signed.
    let mut surplus: BTreeMap<&Pair, isize> = BTreeMap::new();
    for pair in ours {
        by_name.entry(pair.key()).or_default().sent += 1;
        *surplus.entry(pair).or_default() += 1;
    }
    for pair in theirs {
        by_name.entry(pair.key()).or_default().signed += 1;
        *surplus.entry(pair).or_default() -= 1;
    }
    for (pair, surplus) in surplus {
        let named = by_name.entry(pair.key()).or_default();
        let pairs = if surplus > 0 { &mut named.missing } else { &mut named.added };
        pairs.extend(std::iter::repeat_n(pair, surplus.unsigned_abs()));
    }
    by_name
}

fn pairs(ours: &BaseString<'_>, theirs: &BaseString<'_>, mask: &Mask, issues: &mut Vec<SignatureIssue>) {
    let by_name = by_name(&ours.pairs, &theirs.pairs);
    let mut sent = by_name.iter().filter(|(name, pairs)| !is_protocol(name) && pairs.sent > 0).peekable();
    let in_url = theirs.uri.contains('?') && !ours.uri.contains('?');
    // One cause, not one for each of its parameters.
    let none_signed = sent.peek().is_some() && sent.all(|(_, pairs)| pairs.signed == 0);
    if none_signed && !in_url {
        issues.push(SignatureIssue::new(
            "the parameters of query and form were not signed",
            "add their pairs to the parameters, or set the query policy `omit`",
        ));
    }
    let (before, mut more) = (issues.len(), 0_usize);
    for (name, pairs) in &by_name {
        if none_signed && !is_protocol(name) && pairs.signed == 0 {
            continue;
        }
        for at in 0..pairs.missing.len().max(pairs.added.len()) {
            if issues.len() - before < MOST {
                issues.push(of_name(name, pairs, pairs.missing.get(at), pairs.added.get(at), mask));
            } else {
                more += 1;
            }
        }
    }
    if more > 0 {
        issues.push(SignatureIssue::new(
            format!("{more} more parameters differ"),
            "mend what is named first: they often have one cause",
        ));
    }
    if issues.len() == before && !none_signed && ours.pairs != theirs.pairs {
        issues.push(SignatureIssue::new(
            format!("the parameters were signed in another order{}", first_difference(ours, theirs, mask)),
            "sort by the bytes of the encoded name, then of the encoded value, not by locale nor as joined text",
        ));
    }
}

/// What differs in one pair of this name: what is signed of it, in place of what.
fn of_name(
    name: &str,
    &Named { sent, signed, .. }: &Named<'_>,
    expected: Option<&&Pair>,
    found: Option<&&Pair>,
    mask: &Mask,
) -> SignatureIssue {
    let place =
        if name.len() > 40 { mask::HIDDEN.to_owned() } else { format!("`{}`", mask::printable(&mask.name(name))) };
    let often = || format!("{place} was signed {signed} times, and is sent {sent} times");
    match (expected, found) {
        (Some(expected), Some(found)) => of_pair(name, &place, expected, found, mask),
        (Some(_), None) if signed == 0 => not_signed(&place),
        (Some(_), None) => SignatureIssue::new(often(), "keep the parameters in a list of pairs, not in a map"),
        _ if name == "realm" || name == "oauth_signature" => {
            SignatureIssue::new(format!("{place} was signed"), format!("leave {place} out of the base string"))
        }
        _ if sent > 0 => SignatureIssue::new(often(), "collect the parameters once, from the finished request"),
        _ if is_protocol(name) => SignatureIssue::new(
            format!("{place} was signed, and is not in the header"),
            "send in the header whatever of OAuth's parameters is signed, and no more than that",
        ),
        _ => SignatureIssue::new(
            format!("{place} was signed, and is not sent"),
            "sign only what is sent in the query, in a form or in the header",
        ),
    }
}

fn of_pair(name: &str, place: &str, expected: &Pair, found: &Pair, mask: &Mask) -> SignatureIssue {
    if name == "oauth_timestamp" && is_in_milliseconds(found.value()) {
        return milliseconds();
    }
    let issue = match (&expected.value, &found.value) {
        (Some(value), None) if value.is_empty() => SignatureIssue::new(
            "lost the `=` of its empty value",
            "sign `name=` for a parameter without value, or set the query policy `raw-pairs`",
        ),
        (None, Some(value)) if value.is_empty() => SignatureIssue::new(
            "got an `=` that is not sent",
            "sign the pair as it is sent, or set another query policy than `raw-pairs`",
        ),
        _ => mistakes::of_pair(expected, found).unwrap_or_else(|| {
            SignatureIssue::new("another text was signed than is sent", "sign the value that is sent")
        }),
    };
    let shown = shown(&expected.masked(mask), &found.masked(mask));
    SignatureIssue { what: format!("{place}: {}{}", issue.what, shown.replacen(": ", ", ", 1)), ..issue }
}

/// Seconds have ten digits until the year 2286.
pub(super) fn is_in_milliseconds(timestamp: &str) -> bool {
    timestamp.len() >= 13 && timestamp.bytes().all(|byte| byte.is_ascii_digit())
}

pub(super) fn milliseconds() -> SignatureIssue {
    SignatureIssue::new("the timestamp is in milliseconds", "send seconds since 1970: ten digits")
}

/// Where two base strings begin to differ, credentials hidden.
fn first_difference(ours: &BaseString<'_>, theirs: &BaseString<'_>, mask: &Mask) -> String {
    if ours.uri != theirs.uri {
        return shown(&mask.uri(&ours.uri), &mask.uri(&theirs.uri));
    }
    let masked = |pair: Option<&Pair>| pair.map(|pair| pair.masked(mask)).unwrap_or_default();
    let same = ours.pairs.iter().zip(&theirs.pairs).take_while(|(ours, theirs)| ours == theirs).count();
    match (ours.pairs.get(same), theirs.pairs.get(same)) {
        (None, None) => String::new(),
        (expected, found) => shown(&masked(expected), &masked(found)),
    }
}

/// What was signed and what is right, as far as they may be shown, around their first difference.
fn shown(expected: &str, found: &str) -> String {
    let same = expected.chars().zip(found.chars()).take_while(|(ours, theirs)| ours == theirs).count();
    let excerpt = |text: &str| {
        let start = same.saturating_sub(CONTEXT);
        let mut chars = text.chars().skip(start);
        let middle: String = chars.by_ref().take(2 * CONTEXT).collect();
        let end = if chars.next().is_some() { "…" } else { "" };
        mask::printable(&format!("{}{middle}{end}", if start > 0 { "…" } else { "" }))
    };
    if expected == found { String::new() } else { format!(": `{}`, not `{}`", excerpt(found), excerpt(expected)) }
}
