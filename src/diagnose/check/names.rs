//! Consumer key and realm.

use crate::{
    consumer::{LIMITED_POA, TEST_CONSUMER, TEST_REALM},
    diagnose::{
        finding::{Collector, Finding},
        mask,
    },
};

pub(super) fn check(key: &str, named: Option<&str>, list: &mut Vec<Finding>) {
    consumer_key(key, &mut Collector::about("consumer_key", list));
    realm(key, named, &mut Collector::about("realm", list));
}

fn consumer_key(key: &str, findings: &mut Collector<'_>) {
    let (length, shown) = (key.chars().count(), mask::beginning(key));
    if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return findings
            .error("it has characters that no consumer key has", "copy the consumer key from the portal again");
    }
    if key.bytes().any(|byte| byte.is_ascii_lowercase()) && !is_old(key) {
        return findings.warning(
            format!(
                "{shown} has lower-case letters; the portal stores consumer keys in upper case, and the live session \
                 token's proof is computed over it as it stands"
            ),
            "write the consumer key in upper case, as the portal shows it",
        );
    }
    let is_usual = length == 9 && key.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_usual || key == TEST_CONSUMER || is_old(key) {
        return findings.ok(format!("{shown} has the shape of a consumer key ({length} characters)"));
    }
    findings.warning(
        format!("{shown} has {length} characters, where the portal's have nine letters or digits"),
        "compare the consumer key with the portal's, letter by letter",
    );
}

/// What IBKR's older texts describe: 25 hexadecimal digits.
fn is_old(key: &str) -> bool {
    key.len() == 25 && key.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn realm(consumer_key: &str, realm: Option<&str>, findings: &mut Collector<'_>) {
    let is_test = consumer_key == TEST_CONSUMER;
    let right = if is_test { TEST_REALM } else { LIMITED_POA };
    match realm {
        None => findings.ok(format!("not set, so `{right}`, which fits this consumer")),
        Some(realm) if realm == right => findings.ok(format!("`{right}` fits this consumer")),
        Some(realm) if [TEST_REALM, LIMITED_POA].contains(&realm) => findings.error(
            format!(
                "`{realm}` is not this consumer's: only `{TEST_CONSUMER}` has `test_realm`, all others `limited_poa`"
            ),
            format!("leave the realm out, or set it to `{right}`"),
        ),
        Some(_) => findings.warning(
            format!("another one than `{right}`, which the broker's documents name"),
            format!("leave the realm out, or set it to `{right}`, unless the broker gave you another"),
        ),
    }
}
