//! Queries and forms under each policy.

use http::{HeaderValue, Method, header};
use ibkr_oauth::{QueryPolicy, simulator::Refusal};

use crate::deviations::good::{BASE, FORM, Good, HARD_QUERY, leniently, names, names_nothing, signed_in};

const IMPACT: &str = "/accounts/DU0000001/order_impact";

fn hard(policy: QueryPolicy) -> Good {
    Good::of_policy(policy, Method::GET, HARD_QUERY, None)
}

#[test]
fn another_policy() {
    for signed in QueryPolicy::ALL {
        hard(signed).still_taken();
        for verified in QueryPolicy::ALL.into_iter().filter(|verified| *verified != signed) {
            let broker = signed_in().query_policy(verified).build().unwrap();
            let mut good = Good::signed_for(broker, signed, Method::GET, HARD_QUERY, None);
            let request = good.request.clone();
            let refusal = good.turns_down("signature_differs", &request);
            assert!(refusal.to_string().contains(&format!("(query policy `{signed}`)")), "{refusal}");
            assert!(refusal.to_string().contains(&format!("(query policy {verified})")), "{refusal}");
        }
    }
}

/// A request signed under `signed`, for a broker that takes any policy.
fn for_any(signed: QueryPolicy, path: &str) -> Good {
    Good::signed_for(signed_in().any_query_policy().build().unwrap(), signed, Method::GET, path, None)
}

fn explaining(path: &str, signed: QueryPolicy) -> (Vec<QueryPolicy>, String) {
    let mut good = for_any(signed, path);
    let request = good.request.clone();
    let response = good.send(&request);
    let header = response.headers().get("x-simulator-query-policy");
    let named = header.map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    (good.broker.accepted().last().unwrap().query_policies.clone(), named)
}

#[test]
fn any_policy_is_taken_and_the_one_that_explains_the_signature_is_named() {
    for signed in QueryPolicy::ALL {
        assert_eq!(explaining(HARD_QUERY, signed), (vec![signed], signed.name().to_owned()));
        // Nothing to encode: three policies come to the same, and that is said too.
        let plain = [QueryPolicy::Rfc5849, QueryPolicy::RawPairs, QueryPolicy::DecodedOnce];
        let same = if plain.contains(&signed) { plain.to_vec() } else { vec![signed] };
        assert_eq!(explaining("/portfolio/accounts?page=1", signed).0, same);
        assert_eq!(explaining("/portfolio/accounts", signed), (vec![], String::new()));
    }
}

#[test]
fn a_mismatch_under_any_policy_names_the_nearest() {
    for signed in QueryPolicy::ALL {
        let good = for_any(signed, HARD_QUERY);
        let (expected, text) = (good.base_string.clone(), good.base_string.replacen("GET", "POST", 1));
        let request = good.signing(&text);
        let refusal = good.refuses("signature_differs", &request);
        let said = refusal.to_string();
        assert!(said.contains(&format!("(any query policy; the nearest is {signed})")), "{said}");
        names(&refusal, "the method POST was signed");
        assert_eq!(refusal.expected_base_string.as_deref(), Some(expected.as_str()));
    }
    let good = for_any(QueryPolicy::Omit, HARD_QUERY);
    let request = good.signing("another text");
    let refusal = good.refuses("signature_differs", &request);
    assert!(refusal.to_string().contains("(any query policy) under"), "{refusal}");
    names_nothing(&refusal);
}

#[test]
fn unless_told_a_lenient_broker_takes_any_policy_and_a_strict_one_rfc_5849() {
    let hard = |signed| Good::signed_for(signed_in().build().unwrap(), signed, Method::GET, HARD_QUERY, None);
    for signed in QueryPolicy::ALL {
        leniently(|| hard(signed)).still_taken();
        let mut good = hard(signed);
        let request = good.request.clone();
        assert_eq!(good.send(&request).status().is_success(), signed == QueryPolicy::Rfc5849);
    }
}

/// Which policies mind that the query was rewritten behind the signature.
fn minded(from: &str, to: &str) -> Vec<QueryPolicy> {
    let minds = |policy: &QueryPolicy| {
        let mut good = hard(*policy);
        let url = format!("{BASE}{}", HARD_QUERY.replacen(from, to, 1));
        assert_ne!(url, good.request.uri().to_string(), "nothing was changed");
        let request = good.at(&url);
        if good.send(&request).status().is_success() {
            return false;
        }
        hard(*policy).refuses("signature_differs", &request);
        true
    };
    QueryPolicy::ALL.into_iter().filter(minds).collect()
}

const AS_SENT: [QueryPolicy; 2] = [QueryPolicy::RawPairs, QueryPolicy::InUrl];
const ALL_BUT_OMIT: [QueryPolicy; 4] =
    [QueryPolicy::Rfc5849, QueryPolicy::RawPairs, QueryPolicy::DecodedOnce, QueryPolicy::InUrl];

#[test]
fn another_spelling_of_the_same_query() {
    for (from, to) in
        [("%2C", ","), ("%2C", "%2c"), (",", "%2C"), ("a+b", "a%20b"), ("%20", "+"), ("conids", "%63onids")]
    {
        assert_eq!(minded(from, to), AS_SENT, "{from} to {to}");
    }
    assert_eq!(minded("&flag", "&flag="), AS_SENT);
}

#[test]
fn the_order_of_pairs() {
    assert_eq!(minded("q=a+b&q=a%20c", "q=a%20c&q=a+b"), [QueryPolicy::InUrl]);
    assert_eq!(minded("&q=a+b", "&&q=a+b"), [QueryPolicy::InUrl]);
}

#[test]
fn another_query() {
    for (from, to) in [
        ("84%2C86", "84%2C87"),
        ("fields", "Fields"),
        ("&flag", ""),
        ("&q=a+b", ""),
        ("&flag", "&flag&flag"),
        ("?", "?page=1&"),
        ("a+b", "a%2Bb"),
        ("%2C", "%252C"),
        ("?fields=84%2C86&conids=8314,265598&q=a+b&q=a%20c&flag", ""),
    ] {
        assert_eq!(minded(from, to), ALL_BUT_OMIT, "{from} to {to}");
    }
}

fn signs(policy: QueryPolicy, from: &str, to: &str) -> Refusal {
    let good = hard(policy);
    assert!(good.base_string.contains(from), "{from}: {}", good.base_string);
    let text = good.base_string.replacen(from, to, 1);
    good.misses_signature_over(&text)
}

#[test]
fn mistakes_in_how_the_query_is_signed() {
    for (from, to) in [
        // `+` for a space, or taken as itself.
        ("q%3Da%2520b", "q%3Da%2Bb"),
        ("q%3Da%2520b", "q%3Da%252Bb"),
        ("q%3Da%2520b", "q%3Da%252520b"),
        ("84%252C86", "84%252c86"),
        ("84%252C86", "84%25252C86"),
        ("84%252C86", "84,86"),
        // Sorted as a dictionary would, or with the repeated name dropped, or the pair without `=` left as it is.
        ("q%3Da%2520b%26q%3Da%2520c", "q%3Da%2520c%26q%3Da%2520b"),
        ("q%3Da%2520b%26q%3Da%2520c", "q%3Da%2520c"),
        ("flag%3D", "flag"),
        ("flag%3D%26", ""),
        ("conids", "page%3D1%26conids"),
        ("%26q%3Da%2520b", ""),
    ] {
        signs(QueryPolicy::Rfc5849, from, to);
    }
    signs(QueryPolicy::RawPairs, "84%252C86", "84%2C86");
    signs(QueryPolicy::DecodedOnce, "84%2C86", "84%252C86");
    signs(QueryPolicy::DecodedOnce, "q%3Da%20b", "q%3Da%2Bb");
    signs(QueryPolicy::Omit, "&oauth", "&conids%3D8314%26oauth");
    signs(QueryPolicy::InUrl, "%3Ffields", "?fields");
    signs(QueryPolicy::InUrl, "84%252C86", "84%2C86");
}

#[test]
fn a_query_left_out_or_put_into_the_url_is_named() {
    let good = hard(QueryPolicy::Rfc5849);
    let text = hard(QueryPolicy::Omit).base_string;
    names(&good.misses_signature_over(&text), "the query was not signed");
    let good = hard(QueryPolicy::Rfc5849);
    let text = hard(QueryPolicy::InUrl).base_string;
    names(&good.misses_signature_over(&text), "the query was signed as part of the URL");
}

#[test]
fn another_form() {
    for (policy, minds) in QueryPolicy::ALL.into_iter().zip([true, true, true, false, false]) {
        let form = || Good::of_policy(policy, Method::POST, IMPACT, Some((FORM, "Side=BUY&ConId=8314%2C1&a=x+y")));
        form().still_taken();
        let mut good = form();
        let request = good.mutated(|request| {
            *request.body_mut() = "Side=SEL&ConId=8314%2C1&a=x+y".into();
        });
        if minds {
            good.refuses("signature_differs", &request);
        } else {
            good.takes(&request);
        }
    }
}

#[test]
fn a_form_that_is_not_signed() {
    let good = Good::of_policy(QueryPolicy::Rfc5849, Method::POST, IMPACT, Some((FORM, "Side=BUY")));
    let text = good.base_string.replacen("Side%3DBUY", "", 1);
    let text = text.replacen("&%26", "&", 1).trim_end_matches("%26").to_owned();
    names(&good.misses_signature_over(&text), "the form was not signed");
}

#[test]
fn another_json_body_is_no_deviation_for_it_is_not_signed() {
    let path = "/iserver/account/DU0000001/orders";
    let body = r#"{"orders":[{"conid":8314}]}"#;
    let mut good = Good::of_policy(QueryPolicy::Rfc5849, Method::POST, path, Some(("application/json", body)));
    let request = good.mutated(|request| *request.body_mut() = r#"{"orders":[{"conid":8315}]}"#.into());
    good.takes(&request);
}

#[test]
fn json_passed_off_as_a_form() {
    let good = Good::of_policy(QueryPolicy::Rfc5849, Method::POST, IMPACT, Some((FORM, "Side=BUY")));
    let request = good.mutated(|request| {
        request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    });
    let refusal = good.refuses("signature_differs", &request);
    assert!(!refusal.expected_base_string.as_deref().unwrap().contains("Side"), "{refusal}");
}

#[test]
fn a_broken_escape() {
    for policy in [QueryPolicy::Rfc5849, QueryPolicy::DecodedOnce] {
        let good = hard(policy);
        let request = good.at(&format!("{BASE}{}", HARD_QUERY.replacen("%2C86", "%2", 1)));
        good.refuses("body_malformed", &request);
    }
}
