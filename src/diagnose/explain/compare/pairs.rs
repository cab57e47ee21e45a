//! The third part of two base strings: the parameters.

use super::{
    difference::{Difference, Place},
    text,
};
use crate::diagnose::{
    explain::{
        parse::{BaseString, Pair},
        slip::{Slip, in_milliseconds},
    },
    mask::{self, Mask},
};

pub(super) fn compare(ours: &BaseString<'_>, theirs: &BaseString<'_>, mask: &Mask, differences: &mut Vec<Difference>) {
    let before = differences.len();
    let query_moved = differences.iter().any(|difference| {
        difference.place == Place::Uri && matches!(difference.slip, Slip::QueryInUrl | Slip::QueryNotInUrl)
    });
    let mut keys: Vec<String> = ours.pairs.iter().chain(&theirs.pairs).map(Pair::key).collect();
    keys.sort();
    keys.dedup();
    for key in keys {
        if query_moved && !is_protocol(&key) {
            continue;
        }
        of_name(&key, ours, theirs, mask, differences);
    }
    if differences.len() > before {
        let all_of_query =
            |pair: &Pair| is_protocol(&pair.key()) || theirs.pairs.iter().all(|other| other.key() != pair.key());
        let lost =
            |difference: &Difference| difference.slip == Slip::ParameterMissing && is_of_query(&difference.place);
        // One cause, not one for each of its parameters.
        if ours.pairs.iter().all(all_of_query) && differences.iter().any(lost) {
            differences.retain(|difference| !lost(difference));
            differences.push(Difference::new(Place::Parameters, Slip::QueryMissing));
        }
    }
    if !query_moved && differences.iter().skip(before).all(|difference| difference.slip == Slip::AnotherAttempt) {
        order(ours, theirs, mask, differences);
    }
}

fn is_protocol(key: &str) -> bool {
    key.starts_with("oauth_") || key == "realm" || key.starts_with("diffie_hellman_")
}

fn is_of_query(place: &Place) -> bool {
    matches!(place, Place::Parameter(name) if !is_protocol(name))
}

/// The pairs of one name on both sides.
fn of_name(key: &str, ours: &BaseString<'_>, theirs: &BaseString<'_>, mask: &Mask, differences: &mut Vec<Difference>) {
    let named = |pairs: &[Pair]| -> Vec<Pair> { pairs.iter().filter(|pair| pair.key() == key).cloned().collect() };
    let (all_ours, all_theirs) = (named(&ours.pairs), named(&theirs.pairs));
    let (missing, added) = (without(&all_ours, &all_theirs), without(&all_theirs, &all_ours));
    let place = || Place::Parameter(mask::printable(&mask.name(key)));
    let mut add = |slip, expected: Option<&Pair>, found: Option<&Pair>| {
        let (expected, found) = (expected.map(|pair| pair.masked(mask)), found.map(|pair| pair.masked(mask)));
        differences.push(Difference::new(place(), slip).showing(expected.as_deref(), found.as_deref()));
    };
    let both = missing.len().min(added.len());
    for (expected, found) in missing.iter().zip(&added) {
        add(of_pair(key, expected, found), Some(expected), Some(found));
    }
    for expected in missing.iter().skip(both) {
        let slip = if all_theirs.is_empty() { Slip::ParameterMissing } else { Slip::DuplicateLost };
        add(slip, Some(expected), None);
    }
    for found in added.iter().skip(both) {
        let slip = match key {
            "realm" => Slip::RealmIncluded,
            "oauth_signature" => Slip::SignatureIncluded,
            "oauth_version" => Slip::VersionAdded,
            _ if all_ours.is_empty() => Slip::ParameterAdded,
            _ => Slip::ParameterDoubled,
        };
        add(slip, None, Some(found));
    }
}

/// What is in `pairs` more often than in `others`.
fn without(pairs: &[Pair], others: &[Pair]) -> Vec<Pair> {
    let mut others = others.to_vec();
    let mut rest = Vec::new();
    for pair in pairs {
        match others.iter().position(|other| other == pair) {
            Some(at) => drop(others.swap_remove(at)),
            None => rest.push(pair.clone()),
        }
    }
    rest
}

fn of_pair(key: &str, expected: &Pair, found: &Pair) -> Slip {
    if expected.value() == found.value() {
        return match (&expected.value, &found.value) {
            (Some(_), None) => Slip::EqualsSignMissing,
            (None, Some(_)) => Slip::Value,
            _ => text::slip(&expected.name, &found.name),
        };
    }
    match (key, text::slip(expected.value(), found.value())) {
        ("oauth_timestamp", _) if in_milliseconds(found.value()) => Slip::MillisecondsTimestamp,
        ("oauth_timestamp" | "oauth_nonce" | "diffie_hellman_challenge", Slip::Value) => Slip::AnotherAttempt,
        (_, slip) => slip,
    }
}

fn order(ours: &BaseString<'_>, theirs: &BaseString<'_>, mask: &Mask, differences: &mut Vec<Difference>) {
    let keys = |base_string: &BaseString<'_>| base_string.pairs.iter().map(Pair::key).collect::<Vec<_>>();
    let same_pairs = without(&ours.pairs, &theirs.pairs).is_empty() && ours.pairs.len() == theirs.pairs.len();
    if keys(ours) != keys(theirs) || (same_pairs && ours.pairs != theirs.pairs) {
        let first =
            ours.pairs.iter().zip(&theirs.pairs).find(|(ours, theirs)| ours != theirs && ours.key() != theirs.key());
        let (expected, found) = first.map(|(ours, theirs)| (ours.masked(mask), theirs.masked(mask))).unzip();
        let difference = Difference::new(Place::Parameters, Slip::Order);
        differences.push(difference.showing(expected.as_deref(), found.as_deref()));
    } else if same_pairs && ours.pairs_encoding == theirs.pairs_encoding && ours.raw_pairs != theirs.raw_pairs {
        let slip = text::slip(ours.raw_pairs, theirs.raw_pairs);
        differences.push(Difference::new(Place::Parameters, slip));
    }
}
