//! What another client's base string has otherwise than the right one: the mistake that explains all of it, or else each
//! part that differs.

use std::collections::BTreeMap;

use super::{
    base_string::{BaseString, Pair},
    encoding,
    issue::SignatureIssue,
    mask::{self, Mask},
    mistakes::{Signed, not_signed},
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
            None => differences(&ours, &theirs, mask, &mut issues),
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

/// Each part that differs.
fn differences(ours: &BaseString<'_>, theirs: &BaseString<'_>, mask: &Mask, issues: &mut Vec<SignatureIssue>) {
    let before = issues.len();
    if ours.method != theirs.method {
        let what = format!("the method {} was signed, and {} is sent", theirs.method, ours.method);
        issues.push(SignatureIssue::new(what, "sign the method with which the request is sent, in upper case"));
    }
    issues.extend(uri(ours, theirs, mask));
    pairs(ours, theirs, mask, issues);
    if issues.len() == before {
        issues.push(SignatureIssue::new(
            "the texts are encoded otherwise",
            "write escapes in upper case, and encode everything but letters, digits and `-._~`",
        ));
    }
}

fn uri(ours: &BaseString<'_>, theirs: &BaseString<'_>, mask: &Mask) -> Option<SignatureIssue> {
    let shown = shown(&mask.uri(&ours.uri), &mask.uri(&theirs.uri));
    let issue = |what: &str, hint: &str| Some(SignatureIssue::new(format!("{what}{shown}"), hint));
    if ours.uri == theirs.uri {
        return None;
    }
    match (ours.uri.contains('?'), theirs.uri.contains('?')) {
        (false, true) => issue(
            "the query was signed as part of the URL",
            "move the query's pairs among the parameters, or set the query policy `in-url`",
        ),
        (true, false) => {
            issue("the query is no part of the URL that was signed", "set another query policy than `in-url`")
        }
        _ if is_encoded_otherwise(&ours.uri, &theirs.uri) => {
            Some(encoding::issue("the URL", &ours.uri, &theirs.uri, &shown))
        }
        _ => issue(
            "another URL was signed",
            "sign scheme, host, port and path as they are sent: scheme and host in lower case, no port that the scheme has \
             anyway, and one slash between the parts",
        ),
    }
}

fn is_encoded_otherwise(ours: &str, theirs: &str) -> bool {
    let (ours_once, theirs_once) = (decode(ours), decode(theirs));
    ours_once == theirs_once || ours_once == theirs || theirs_once == ours || theirs.contains('+')
}

fn pairs(ours: &BaseString<'_>, theirs: &BaseString<'_>, mask: &Mask, issues: &mut Vec<SignatureIssue>) {
    let mut by_name: BTreeMap<String, [Vec<&Pair>; 2]> = BTreeMap::new();
    for (side, pairs) in [&ours.pairs, &theirs.pairs].into_iter().enumerate() {
        for pair in pairs {
            if let Some(pairs) = by_name.entry(pair.key()).or_default().get_mut(side) {
                pairs.push(pair);
            }
        }
    }
    let is_sent = |(name, [ours, _]): &(&String, &[Vec<&Pair>; 2])| !is_protocol(name) && !ours.is_empty();
    let in_url = theirs.uri.contains('?') && !ours.uri.contains('?');
    // One cause, not one for each of its parameters.
    let none_signed = by_name.iter().any(|it| is_sent(&it))
        && by_name.iter().filter(is_sent).all(|(_, [_, theirs])| theirs.is_empty());
    if none_signed && !in_url {
        issues.push(SignatureIssue::new(
            "the parameters of query and form were not signed",
            "add their pairs to the parameters, or set the query policy `omit`",
        ));
    }
    let (before, mut more) = (issues.len(), 0_usize);
    for (name, [ours, theirs]) in &mut by_name {
        if none_signed && !is_protocol(name) && theirs.is_empty() {
            continue;
        }
        ours.sort_unstable();
        theirs.sort_unstable();
        for issue in of_name(name, ours, theirs, mask) {
            if issues.len() - before < MOST { issues.push(issue) } else { more += 1 }
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

fn is_protocol(name: &str) -> bool {
    name.starts_with("oauth_") || name == "realm" || name.starts_with("diffie_hellman_")
}

/// What differs in the pairs of one name, sorted on both sides.
fn of_name(name: &str, ours: &[&Pair], theirs: &[&Pair], mask: &Mask) -> Vec<SignatureIssue> {
    let (missing, added) = unlike(ours, theirs);
    let place =
        if name.len() > 40 { mask::HIDDEN.to_owned() } else { format!("`{}`", mask::printable(&mask.name(name))) };
    let both = missing.len().min(added.len());
    let mut issues: Vec<SignatureIssue> =
        missing.iter().zip(&added).map(|(expected, found)| of_pair(name, &place, expected, found, mask)).collect();
    for _ in missing.iter().skip(both) {
        issues.push(if theirs.is_empty() {
            not_signed(&place)
        } else {
            let what = format!("{place} was signed {} times, and is sent {} times", theirs.len(), ours.len());
            SignatureIssue::new(what, "keep the parameters in a list of pairs, not in a map")
        });
    }
    for _ in added.iter().skip(both) {
        let is_sent = !ours.is_empty();
        issues.push(match name {
            "realm" => SignatureIssue::new("`realm` was signed", "leave the realm out of the base string"),
            "oauth_signature" => {
                SignatureIssue::new("`oauth_signature` was signed", "leave `oauth_signature` out of the base string")
            }
            _ if is_sent => {
                let what = format!("{place} was signed {} times, and is sent {} times", theirs.len(), ours.len());
                SignatureIssue::new(what, "collect the parameters once, from the finished request")
            }
            _ if is_protocol(name) => {
                let what = format!("{place} was signed, and is not in the header");
                SignatureIssue::new(
                    what,
                    "send in the header whatever of OAuth's parameters is signed, and no more than that",
                )
            }
            _ => {
                let what = format!("{place} was signed, and is not sent");
                SignatureIssue::new(what, "sign only what is sent in the query, in a form or in the header")
            }
        });
    }
    issues
}

/// What is only in the first of two sorted lists, and what only in the second.
fn unlike<'a>(mut ours: &[&'a Pair], mut theirs: &[&'a Pair]) -> (Vec<&'a Pair>, Vec<&'a Pair>) {
    let (mut missing, mut added) = (Vec::new(), Vec::new());
    loop {
        match (ours, theirs) {
            ([pair, rest @ ..], [other, others @ ..]) if pair == other => (ours, theirs) = (rest, others),
            ([pair, rest @ ..], [other, ..]) if pair < other => {
                missing.push(*pair);
                ours = rest;
            }
            (_, [other, others @ ..]) => {
                added.push(*other);
                theirs = others;
            }
            ([pair, rest @ ..], []) => {
                missing.push(*pair);
                ours = rest;
            }
            ([], []) => return (missing, added),
        }
    }
}

fn of_pair(name: &str, place: &str, expected: &Pair, found: &Pair, mask: &Mask) -> SignatureIssue {
    let shown = shown(&expected.masked(mask), &found.masked(mask));
    if expected.value() == found.value() {
        return match (&expected.value, &found.value) {
            (Some(_), None) => SignatureIssue::new(
                format!("{place} lost the `=` of its empty value"),
                "sign `name=` for a parameter without value, or set the query policy `raw-pairs`",
            ),
            (None, Some(_)) => SignatureIssue::new(
                format!("{place} got an `=` that is not sent"),
                "sign the pair as it is sent, or set another query policy than `raw-pairs`",
            ),
            _ => encoding::issue(place, &expected.name, &found.name, &shown),
        };
    }
    if name == "oauth_timestamp" && is_in_milliseconds(found.value()) {
        return milliseconds();
    }
    encoding::issue(place, expected.value(), found.value(), &shown)
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
