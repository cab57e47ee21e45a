//! Every way to sign makes the signature that the plain `QueryPolicy::base_string` leads to, whatever the request.

use crate::authorization_header::AuthorizationHeader;
use crate::cases::cases;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use http::{Request, header, request::Parts};
use ibkr_oauth::{Consumer, Context, Entropy, EntropyError, Error, QueryPolicy, Secret, Signer, Timestamp};
use proptest::prelude::*;
use sha2::Sha256;

const LIVE_SESSION_TOKEN: &[u8; 20] = b"live session token!!";

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
    Signer::from_stored(&consumer, token, &Secret::from(LIVE_SESSION_TOKEN.as_slice())).unwrap()
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
    /// By the plain base string, an HMAC and a header that are put together here.
    fn plain(&self) -> Outcome {
        let digits = format!("{:032x}", u128::from_be_bytes(self.nonce));
        // What cannot be signed is refused in the same words.
        self.signer.sign_with(self.parts, self.form, &digits, NOW.as_secs())?;
        let consumer = self.signer.consumer();
        let timestamp = NOW.as_secs().to_string();
        let mut parameters = vec![
            ("oauth_consumer_key", consumer.consumer_key()),
            ("oauth_nonce", digits.as_str()),
            ("oauth_signature_method", "HMAC-SHA256"),
            ("oauth_timestamp", timestamp.as_str()),
            ("oauth_token", self.signer.access_token()),
        ];
        let (method, uri) = (&self.parts.method, &self.parts.uri);
        let base_string = consumer.query_policy().base_string(method, uri, &parameters, self.form).unwrap();
        let key = Hmac::<Sha256>::new_from_slice(LIVE_SESSION_TOKEN).unwrap();
        let signature = STANDARD.encode(key.chain_update(&base_string).finalize().into_bytes());
        parameters.insert(2, ("oauth_signature", &signature));
        Ok(AuthorizationHeader::new(Some(consumer.realm()), &parameters).to_string().into_bytes())
    }

    fn sign_with(&self) -> Outcome {
        let digits = format!("{:032x}", u128::from_be_bytes(self.nonce));
        let signature = self.signer.sign_with(self.parts, self.form, &digits, NOW.as_secs())?;
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

    fn check(&self) {
        let text = |outcome: Outcome| match outcome {
            Ok(header) => String::from_utf8(header).unwrap(),
            Err(error) => error.to_string(),
        };
        let expected = text(self.plain());
        assert_eq!(text(self.sign()), expected);
        assert_eq!(text(self.sign_with()), expected);
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
    #![proptest_config(cases(200))]

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
