//! Every way to sign makes the signature that the plain `oauth1::base_string` leads to, whatever the request.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

use http::{Request, header, request::Parts};
use ibkr_oauth::{
    Consumer, Context, Entropy, EntropyError, Error, Scratch, Secret, Signer, Timestamp, oauth1::QueryPolicy,
};
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

/// The first is that of the base URL.
const ORIGINS: [&str; 4] =
    ["https://api.ibkr.com", "https://API.ibkr.com:443", "http://api.ibkr.com:443", "http://[2001:DB8::A]:5000"];

struct Fixed([u8; 16]);

impl Entropy for Fixed {
    fn fill(&mut self, destination: &mut [u8]) -> Result<(), EntropyError> {
        destination.copy_from_slice(&self.0);
        Ok(())
    }
}

fn signer(policy: QueryPolicy, consumer_key: &str, token: &str) -> Signer {
    let mut consumer = Consumer::builder(consumer_key).query_policy(policy);
    for origin in ORIGINS {
        consumer = consumer.allow_host(origin);
    }
    let consumer = consumer.build().unwrap();
    Signer::from_stored(&consumer, token, &Secret::from(b"live session token!!".as_slice())).unwrap()
}

fn parts(method: &str, url: &str, is_form: bool) -> Parts {
    let media_type = if is_form { "application/x-www-form-urlencoded" } else { "application/json" };
    Request::builder().method(method).uri(url).header(header::CONTENT_TYPE, media_type).body(()).unwrap().into_parts().0
}

/// One request and one nonce, signed in every way that there is.
struct Case<'a> {
    signer: &'a Signer,
    parts: &'a Parts,
    form: Option<&'a [u8]>,
    nonce: [u8; 16],
}

/// The header that a way to sign led to.
type Outcome = Result<Vec<u8>, Error>;

impl Case<'_> {
    fn plain(&self) -> Outcome {
        let digits = format!("{:032x}", u128::from_be_bytes(self.nonce));
        let signature = self.signer.reproduce(self.parts, self.form, &digits, NOW.as_secs())?;
        Ok(signature.authorization.as_bytes().to_vec())
    }

    fn sign(&self) -> Outcome {
        let mut request = Request::from_parts(self.parts.clone(), self.form.unwrap_or_default());
        let mut entropy = Fixed(self.nonce);
        let mut cx = Context::new(NOW, &mut entropy);
        let outcome = match self.form {
            None => self.signer.sign(&mut cx, &mut request),
            Some(_) => self.signer.sign_form(&mut cx, &mut request),
        };
        let authorization = request.headers_mut().remove(header::AUTHORIZATION);
        assert_eq!(authorization.is_some(), outcome.is_ok());
        assert_eq!(request.headers(), &self.parts.headers);
        outcome.map(|_| authorization.unwrap().as_bytes().to_vec())
    }

    fn write_header(&self) -> Outcome {
        let mut scratch = Scratch::new();
        let mut entropy = Fixed(self.nonce);
        let outcome =
            self.signer.write_header(&mut Context::new(NOW, &mut entropy), self.parts, self.form, &mut scratch);
        assert_eq!(scratch.header().is_empty(), outcome.is_err());
        outcome.map(|_| scratch.header().to_vec())
    }

    fn prepare(&self) -> Outcome {
        let prepared = self.signer.prepare(self.parts)?;
        let mut entropy = Fixed(self.nonce);
        let mut request = Request::from_parts(self.parts.clone(), ());
        prepared.sign(&mut Context::new(NOW, &mut entropy), &mut request)?;
        Ok(request.headers()[header::AUTHORIZATION].as_bytes().to_vec())
    }

    fn check(&self) {
        let text = |outcome: Outcome| match outcome {
            Ok(header) => String::from_utf8(header).unwrap(),
            Err(error) => error.to_string(),
        };
        let expected = text(self.plain());
        assert_eq!(text(self.sign()), expected);
        assert_eq!(text(self.write_header()), expected);
        if self.form.is_none() {
            assert_eq!(text(self.prepare()), expected);
        }
    }
}

/// Names that sort around `oauth_…`, and ones that are it in disguise.
fn neighbours() -> impl Strategy<Value = String> {
    let prefix = prop::sample::select(vec!["oauth", "OAUTH_", "oaut", "o", "p", "oautg", "oauti", "%6Fauth"]);
    let rest = "(|[-.0-9A-Z_a-z~+!]|%5E|%5F|%60|%2C|%FF)[a-z]{0,2}";
    (prefix, rest).prop_map(|(prefix, rest)| prefix.to_owned() + &rest)
}

fn accepted_neighbours() -> impl Strategy<Value = String> {
    neighbours().prop_filter("it could start with `oauth_`", |name| !name.contains('_') && !name.contains("%5F"))
}

fn pairs() -> impl Strategy<Value = String> {
    let text = "([A-Za-z0-9._~!$'()*+,;:@/?%-]|%[0-9A-Fa-f]{2}){0,10}";
    let pair = prop_oneof![
        2 => accepted_neighbours(),
        2 => (accepted_neighbours(), text).prop_map(|(name, value)| format!("{name}={value}")),
        6 => (text, text).prop_map(|(name, value)| format!("{name}={value}")),
        1 => (text, text, text).prop_map(|(name, start, end)| format!("{name}={start}={end}")),
        1 => text,
        3 => "[ab]=?[01,]?",
        1 => Just(String::new()),
    ];
    prop::collection::vec(pair, 0..100).prop_map(|pairs| pairs.join("&"))
}

fn urls() -> impl Strategy<Value = String> {
    let origin = prop::sample::select(&ORIGINS[..]);
    let path = "(/([A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2}){0,8}){0,4}";
    (origin, path, prop::option::of(pairs())).prop_map(|(origin, path, query)| match query {
        Some(query) => format!("{origin}{path}?{query}"),
        None => format!("{origin}{path}"),
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_way_to_sign_is_the_plain_way(
        method in "GET|POST|DELETE|X-PURGE",
        url in urls(),
        form in prop::option::of(prop_oneof![pairs().prop_map(String::into_bytes), any::<Vec<u8>>()]),
        consumer_key in "[!-~]{1,12}",
        token in "[ -~]{0,24}",
        nonce: [u8; 16],
    ) {
        let parts = parts(&method, &url, form.is_some());
        for policy in QueryPolicy::ALL {
            let signer = signer(policy, &consumer_key, &token);
            Case { signer: &signer, parts: &parts, form: form.as_deref(), nonce }.check();
        }
    }

    #[test]
    fn names_like_the_protocols_own_are_sorted_or_refused(names in prop::collection::vec(neighbours(), 1..4)) {
        let url = format!("https://api.ibkr.com/v1/api/tickle?{}", names.join("=1&"));
        let form = names.join("&");
        for policy in QueryPolicy::ALL {
            let signer = signer(policy, "TESTCONS", "token");
            for (url, form) in [(url.as_str(), None), ("https://api.ibkr.com/", Some(form.as_bytes()))] {
                let case = Case { signer: &signer, parts: &parts("GET", url, form.is_some()), form, nonce: [7; 16] };
                case.check();
                let is_refused = names.iter().any(|name| {
                    percent_encoding::percent_decode_str(name).take(6).eq(*b"oauth_")
                });
                prop_assert_eq!(case.sign().is_err(), is_refused);
            }
        }
    }
}

#[test]
fn a_prepared_request_signs_no_other() {
    let signer = signer(QueryPolicy::Rfc5849, "TESTCONS", "token");
    let url = "https://api.ibkr.com/v1/api/iserver/account/orders?force=true";
    let prepared = signer.prepare(&parts("GET", url, false)).unwrap();
    let mut entropy = Fixed([1; 16]);
    let mut cx = Context::new(NOW, &mut entropy);
    for (method, url, is_form) in [
        ("POST", url, false),
        ("GET", "https://api.ibkr.com/v1/api/iserver/account/orders?force=false", false),
        ("GET", "https://api.ibkr.com/v1/api/iserver/account/orders", false),
        ("GET", "https://1.api.ibkr.com/v1/api/iserver/account/orders?force=true", false),
        ("GET", url, true),
    ] {
        let mut request = Request::from_parts(parts(method, url, is_form), ());
        prepared.sign(&mut cx, &mut request).unwrap_err();
        assert!(!request.headers().contains_key(header::AUTHORIZATION), "{method} {url} {is_form}");
    }
    let mut request = Request::from_parts(parts("GET", url, false), ());
    assert_eq!(prepared.sign(&mut cx, &mut request).unwrap(), signer.epoch());
    prepared.sign(&mut cx, &mut request).expect_err("it is signed already");
}

/// A pool of scratches shrinks by what `Debug` says of them.
#[test]
fn memory_is_shown_even_where_it_holds_what_is_not_signed() {
    let (signer, mut scratch) = (signer(QueryPolicy::Omit, "C", "t"), Scratch::new());
    assert_eq!(format!("{scratch:?}"), "Scratch { capacity: 0, .. }");
    let form = format!("a={}", "x".repeat(100_000));
    let parts = parts("POST", "https://api.ibkr.com/v1/api/a", true);
    let mut entropy = Fixed([7; 16]);
    signer.write_header(&mut Context::new(NOW, &mut entropy), &parts, Some(form.as_bytes()), &mut scratch).unwrap();
    let shown = format!("{scratch:?}");
    let capacity = shown.strip_prefix("Scratch { capacity: ").and_then(|rest| rest.strip_suffix(", .. }"));
    assert!(capacity.unwrap().parse::<usize>().unwrap() >= form.len(), "{shown}");
}
