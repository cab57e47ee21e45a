//! A signature explained, and base strings of other clients compared with it.

use crate::fixture::{self, NOW, SeededEntropy, TOKEN};
use http::{Method, Request, Uri, request::Parts};
use ibkr_oauth::{
    Context, QueryPolicy,
    diagnose::{Comparison, Explanation, Origin, Place, Slip, compare},
    oauth1::{self, percent_encode},
};

const URL: &str = "https://api.ibkr.com/v1/api/x";
/// Query pairs with all that encoders differ about.
const QUERY: &str = "symbol=BRK%20B&conids=1%2C2&name=it%27s&flag=&tag=~a&a=2&a=1";
const OAUTH: [(&str, &str); 5] = [
    ("oauth_consumer_key", "MYCONSKEY"),
    ("oauth_nonce", "7d8f3e4a"),
    ("oauth_signature_method", "HMAC-SHA256"),
    ("oauth_timestamp", "1700000000"),
    ("oauth_token", TOKEN),
];

fn uri(text: &str) -> Uri {
    text.parse().unwrap()
}

fn base(url: &str, oauth: &[(&str, &str)], policy: QueryPolicy) -> String {
    policy.base_string(&Method::GET, &uri(url), oauth, None).unwrap()
}

fn ours() -> String {
    base(&format!("{URL}?{QUERY}"), &OAUTH, QueryPolicy::Rfc5849)
}

/// The base string of a client that sorts and encodes its pairs in its own way.
fn by_hand(url: &str, pairs: &[(String, String)], encode: impl Fn(&str) -> String) -> String {
    let joined: Vec<String> = pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    format!("GET&{}&{}", percent_encode(url.as_bytes()), percent_encode(joined.join("&").as_bytes()))
}

/// The right pairs in the right order.
fn pairs() -> Vec<(String, String)> {
    let query = oauth1::query_parameters(QUERY).map(|parameter| {
        (String::from_utf8_lossy(&parameter.name).into(), String::from_utf8_lossy(&parameter.value).into())
    });
    let oauth = OAUTH.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let mut all: Vec<(String, String)> = query.chain(oauth).collect();
    all.sort();
    all
}

fn rfc(text: &str) -> String {
    percent_encode(text.as_bytes())
}

#[track_caller]
fn finds(found: &str, slip: Slip, place: &str) -> Comparison {
    let comparison = compare(&ours(), found);
    let first = comparison.differences().first().unwrap_or_else(|| panic!("no difference:\n{}\n{found}", ours()));
    assert_eq!((first.slip, first.place.to_string().as_str()), (slip, place), "{comparison}");
    assert_eq!(comparison.likely_cause(), Some(slip));
    let shown = format!("{comparison} {comparison:?} {}", serde_json::to_string(&comparison).unwrap());
    assert!(!shown.contains(TOKEN) && !shown.contains("MYCONSKEY"), "{shown}");
    assert!(comparison.to_string().contains(slip.remedy()));
    comparison
}

#[test]
fn the_same_is_the_same() {
    let comparison = compare(&ours(), &by_hand(URL, &pairs(), rfc));
    assert!(comparison.is_same() && comparison.position().is_none(), "{comparison}");
    assert_eq!(comparison.to_string(), "the base strings are the same");
    assert!(compare(&ours(), &format!("{}\n", ours())).is_same(), "a line break was pasted too");
}

#[test]
fn method_and_url() {
    let with_url = |url: &str| by_hand(url, &pairs(), rfc);
    finds(&ours().replacen("GET", "POST", 1), Slip::Method, "method");
    finds(&ours().replacen("GET", "get", 1), Slip::MethodCase, "method");
    finds(&with_url("http://api.ibkr.com/v1/api/x"), Slip::Scheme, "URL");
    let comparison = finds(&with_url("https://1.api.ibkr.com/v1/api/x"), Slip::Host, "URL");
    assert_eq!(comparison.position(), Some("GET&https%3A%2F%2F".len()));
    assert_eq!(comparison.differences()[0].expected.as_deref(), Some(URL));
    finds(&with_url("https://API.ibkr.com/v1/api/x"), Slip::HostCase, "URL");
    finds(&with_url("https://api.ibkr.com:443/v1/api/x"), Slip::DefaultPort, "URL");
    finds(&with_url("https://api.ibkr.com:8443/v1/api/x"), Slip::Port, "URL");
    finds(&with_url("https://api.ibkr.com/x"), Slip::Path, "URL");
    finds(&with_url("https://api.ibkr.com/v1/api/x/"), Slip::TrailingSlash, "URL");
    finds(&with_url("https://api.ibkr.com//v1/api/x"), Slip::DoubleSlash, "URL");
    finds(&with_url(&percent_encode(URL.as_bytes())), Slip::DoubleEncoding, "URL");
    finds(&ours().replacen(&percent_encode(URL.as_bytes()), URL, 1), Slip::SingleEncoding, "URL");
    finds(&ours().replacen("%3A%2F%2F", "%3a%2f%2f", 1), Slip::LowerCaseEscapes, "URL");
}

#[test]
fn the_query() {
    let without: Vec<_> = pairs().into_iter().filter(|(name, _)| name.starts_with("oauth_")).collect();
    let comparison = finds(&by_hand(URL, &without, rfc), Slip::QueryMissing, "parameters");
    assert_eq!(comparison.differences().len(), 1, "one cause, not one for each parameter: {comparison}");
    let comparison = finds(&by_hand(&format!("{URL}?{QUERY}"), &without, rfc), Slip::QueryInUrl, "URL");
    assert_eq!(comparison.differences().len(), 1, "{comparison}");
    let url = format!("{URL}?{QUERY}");
    let in_url = base(&url, &OAUTH, QueryPolicy::InUrl);
    assert_eq!(compare(&in_url, &ours()).likely_cause(), Some(Slip::QueryNotInUrl));
    let once = base(&url, &OAUTH, QueryPolicy::DecodedOnce);
    assert_eq!(compare(&ours(), &once).likely_cause(), Some(Slip::SingleEncoding));
    assert_eq!(compare(&once, &ours()).likely_cause(), Some(Slip::DoubleEncoding));
    assert_eq!(compare(&ours(), &base(&url, &OAUTH, QueryPolicy::Omit)).likely_cause(), Some(Slip::QueryMissing));
}

#[test]
fn parameters_too_many_and_too_few() {
    let with = |name: &str, value: &str| {
        let mut all = pairs();
        all.push((name.to_owned(), value.to_owned()));
        all.sort();
        by_hand(URL, &all, rfc)
    };
    finds(&with("realm", "limited_poa"), Slip::RealmIncluded, "`realm`");
    let comparison = finds(&with("oauth_signature", "MARKER"), Slip::SignatureIncluded, "`oauth_signature`");
    assert!(!comparison.to_string().contains("MARKER"), "{comparison}");
    finds(&with("oauth_version", "1.0"), Slip::VersionAdded, "`oauth_version`");
    finds(&with("other", "1"), Slip::ParameterAdded, "`other`");
    finds(&with("a", "1"), Slip::ParameterDoubled, "`a`");
    let lost = |drop: (&str, &str)| {
        by_hand(
            URL,
            &pairs().into_iter().filter(|pair| (pair.0.as_str(), pair.1.as_str()) != drop).collect::<Vec<_>>(),
            rfc,
        )
    };
    finds(&lost(("a", "1")), Slip::DuplicateLost, "`a`");
    finds(&lost(("symbol", "BRK B")), Slip::ParameterMissing, "`symbol`");
    finds(&lost(("oauth_token", TOKEN)), Slip::ParameterMissing, "`oauth_token`");
    finds(&ours().replacen("flag%3D%26", "flag%26", 1), Slip::EqualsSignMissing, "`flag`");
}

#[test]
fn encoders() {
    let with = |encode: &dyn Fn(&str) -> String| by_hand(URL, &pairs(), encode);
    finds(&with(&|text| rfc(text).replace("%20", "+")), Slip::PlusForSpace, "`symbol`");
    finds(&with(&|text| rfc(&rfc(text))), Slip::DoubleEncoding, "`conids`");
    finds(&with(&|text| rfc(text).replace("%27", "'")), Slip::ReservedNotEncoded, "`name`");
    finds(&with(&|text| rfc(text).replace('~', "%7E")), Slip::UnreservedEncoded, "`tag`");
    finds(&with(&|text| rfc(text).replace("%2C", "%2c")), Slip::LowerCaseEscapes, "`conids`");
    finds(&ours().replace("%26", "%2526").replace("%3D", "%253D"), Slip::DoubleEncoding, "parameters");
    finds(&ours().replace("%3D", "%3d"), Slip::LowerCaseEscapes, "parameters");
    finds(&ours().replace("%26", "&").replace("%3D", "="), Slip::SingleEncoding, "parameters");
    finds(&ours().replace("%2520", "%20"), Slip::SingleEncoding, "`symbol`");
}

#[test]
fn order_and_attempts() {
    let mut by_name: Vec<_> = pairs();
    by_name.reverse();
    finds(&by_hand(URL, &by_name, rfc), Slip::Order, "parameters");
    let mut duplicates = pairs();
    duplicates.swap(0, 1);
    finds(&by_hand(URL, &duplicates, rfc), Slip::Order, "parameters");
    let mut milliseconds = OAUTH;
    milliseconds[3].1 = "1700000000123";
    let url = format!("{URL}?{QUERY}");
    finds(&base(&url, &milliseconds, QueryPolicy::Rfc5849), Slip::MillisecondsTimestamp, "`oauth_timestamp`");
    let mut later = OAUTH;
    (later[1].1, later[3].1) = ("other", "1700000009");
    let comparison = compare(&ours(), &base(&url, &later, QueryPolicy::Rfc5849));
    assert!(comparison.differences().iter().all(|difference| difference.slip == Slip::AnotherAttempt), "{comparison}");
    // The cause comes before what two attempts always have otherwise.
    let comparison = compare(&ours(), &base(URL, &later, QueryPolicy::Rfc5849));
    assert_eq!(comparison.likely_cause(), Some(Slip::QueryMissing), "{comparison}");
    let mut other = OAUTH;
    other[4].1 = "25ebcc75204da80b73f4";
    finds(&base(&url, &other, QueryPolicy::Rfc5849), Slip::Value, "`oauth_token`");
}

#[test]
fn what_stands_before_the_method_is_noticed_and_never_shown() {
    let secret = "4766f306ad7408bbdaa1950cf4f337101555d0fa42ab904871e2fe57e365b272";
    let prepended = |secret: &str| format!("{secret}{}", ours());
    let check = |expected: &str, found: &str, slip: Slip| {
        let comparison = compare(expected, found);
        let first = &comparison.differences()[0];
        assert_eq!((first.slip, &first.place), (slip, &Place::Prepend), "{comparison}");
        let shown = format!("{comparison} {comparison:?} {}", serde_json::to_string(&comparison).unwrap());
        assert!(!shown.to_lowercase().contains(&secret[..8]), "{shown}");
    };
    check(&ours(), &prepended(secret), Slip::SecretPrepended);
    check(&prepended(secret), &ours(), Slip::SecretNotPrepended);
    check(&prepended(secret), &prepended(&secret.to_uppercase()), Slip::SecretInUpperCase);
    check(&prepended(secret), &prepended(&secret.replace('4', "5")), Slip::SecretDiffers);
    assert!(compare(&prepended(secret), &prepended(secret)).is_same());
    // A text without a method at the end of its first part may be a secret as a whole.
    for text in [secret, &format!("{secret}&a"), &format!("{secret}&a&b"), "", "&", "&&", "GET"] {
        let comparison = compare(&ours(), text);
        let shown = format!("{comparison} {comparison:?}");
        assert!(!comparison.is_same() && !shown.contains(&secret[..8]), "{shown}");
    }
    assert_eq!(compare(&ours(), secret).likely_cause(), Some(Slip::NotABaseString));
}

fn parts(url: &str) -> Parts {
    Request::get(url).body(()).unwrap().into_parts().0
}

#[test]
fn a_signer_s_request_is_explained_step_by_step() {
    let consumer = fixture::consumer_builder().build().unwrap();
    let signer = fixture::signer(&consumer);
    let parts = parts(&format!("{URL}?{QUERY}"));
    let explanation = Explanation::of_request(&signer, &parts, None, "7d8f3e4a", 1_700_000_000).unwrap();
    let reproduced = signer.sign_with(&parts, None, "7d8f3e4a", 1_700_000_000).unwrap();
    assert_eq!(explanation.base_string(), reproduced.base_string);
    assert!(!explanation.is_secret_prepended() && explanation.slips().is_empty());
    let symbol = &explanation.parameters()[0];
    assert_eq!((symbol.origin, symbol.name.as_str(), symbol.value.as_str()), (Origin::Query, "symbol", "BRK B"));
    assert_eq!(symbol.encoded_once, "symbol=BRK%20B");
    assert_eq!(symbol.in_base_string.as_deref(), Some("symbol%3DBRK%2520B"));
    let named = |name: &str| explanation.parameters().iter().find(|parameter| parameter.name == name).unwrap();
    assert_eq!(named("realm").in_base_string, None);
    assert_eq!(named("oauth_signature").in_base_string, None);
    assert_eq!(named("oauth_consumer_key").value, "SIM…");
    let shown = format!("{explanation} {explanation:?} {}", serde_json::to_string(&explanation).unwrap());
    for hidden in [TOKEN, "SIMULATOR", &reproduced.signature[..12], &percent_encode(reproduced.signature.as_bytes())] {
        assert!(!shown.contains(hidden), "{hidden} is shown: {shown}");
    }
    for visible in ["symbol%3DBRK%2520B", "realm=\"limited_poa\"", "oauth_nonce%3D7d8f3e4a", "rfc5849"] {
        assert!(shown.contains(visible), "{visible} is not shown: {explanation}");
    }
    assert!(explanation.compare(&reproduced.base_string).is_same());
}

#[test]
fn each_policy_is_explained_as_it_signs() {
    for policy in QueryPolicy::ALL {
        let consumer = fixture::consumer_builder().query_policy(policy).build().unwrap();
        let parts = parts(&format!("{URL}?symbol=BRK%20B&flag&names=a,b+c&token=x%2Cy"));
        let explanation = Explanation::of_request(&fixture::signer(&consumer), &parts, None, "n", 1).unwrap();
        assert!(explanation.to_string().contains(policy.name()));
        let in_base_string = |index: usize| explanation.parameters()[index].in_base_string.as_deref();
        let expected = match policy {
            QueryPolicy::Rfc5849 => ["symbol%3DBRK%2520B", "flag%3D", "names%3Da%252Cb%2520c", "token%3D[hidden]"],
            QueryPolicy::DecodedOnce => ["symbol%3DBRK%20B", "flag%3D", "names%3Da%2Cb%20c", "token%3D[hidden]"],
            QueryPolicy::RawPairs => ["symbol%3DBRK%2520B", "flag", "names%3Da%2Cb%2Bc", "token%3D[hidden]"],
            _ => {
                assert!((0..4).all(|index| in_base_string(index).is_none()), "{policy}");
                continue;
            }
        };
        for (index, text) in expected.into_iter().enumerate() {
            assert_eq!(in_base_string(index), Some(text), "{policy}");
            let pairs = explanation.base_string().rsplit('&').next().unwrap();
            let shown = text.trim_end_matches("[hidden]");
            assert!(pairs.split("%26").any(|pair| pair.starts_with(shown)), "{policy}: {explanation}");
        }
    }
}

#[test]
fn a_form_is_explained_too() {
    let consumer = fixture::consumer_builder().build().unwrap();
    let request = Request::post(URL).header("content-type", "application/x-www-form-urlencoded").body(()).unwrap();
    let parts = request.into_parts().0;
    let explanation = Explanation::of_request(&fixture::signer(&consumer), &parts, Some(b"a=x+y&b"), "n", 1).unwrap();
    assert_eq!(explanation.parameters()[0].origin, Origin::Form);
    assert_eq!(explanation.parameters()[0].value, "x y");
    assert_eq!(explanation.parameters()[1].in_base_string.as_deref(), Some("b%3D"));
}

#[test]
fn the_sign_in_is_explained_with_its_secret_masked() {
    let consumer = fixture::consumer_builder().build().unwrap();
    let mut rng = SeededEntropy(1);
    let token = fixture::unlocked();
    let unsigned = token.prepare_live_session_token(&consumer, &mut Context::new(NOW, &mut rng)).unwrap();
    let signed = String::from_utf8(unsigned.input().expose_message().to_vec()).unwrap();
    let mut rng = SeededEntropy(1);
    let exchange = token.live_session_token(&consumer, &mut Context::new(NOW, &mut rng)).unwrap();
    let request = exchange.request();
    let header = request.headers()["authorization"].to_str().unwrap();
    let explain = |header: &str| {
        Explanation::of_signed(request.method(), request.uri(), header, None, QueryPolicy::Rfc5849).unwrap()
    };
    let explanation = explain(header);
    assert!(explanation.is_secret_prepended() && explanation.slips().is_empty());
    let secret = fixture::hex(&fixture::SECRET);
    assert_eq!(format!("{secret}{}", explanation.base_string()), signed);
    assert!(explanation.compare(&signed).is_same(), "{}", explanation.compare(&signed));
    let bare = explanation.compare(explanation.base_string());
    assert_eq!(bare.likely_cause(), Some(Slip::SecretNotPrepended));
    let upper = signed.replace(&secret, &secret.to_uppercase());
    assert_eq!(explanation.compare(&upper).likely_cause(), Some(Slip::SecretInUpperCase));
    let text = explanation.to_string();
    assert!(text.contains("[the opened secret in hexadecimal]POST&https%3A%2F%2Fapi.ibkr.com"), "{text}");
    assert!(!text.contains(&secret[..16]));
    // The header's own name may have been copied too.
    assert_eq!(explain(&format!("Authorization: {header}")).base_string(), explanation.base_string());
}

#[test]
fn another_client_s_header_is_read_whatever_is_wrong_with_it() {
    let explain =
        |header: &str| Explanation::of_signed(&Method::GET, &uri(URL), header, None, QueryPolicy::Rfc5849).unwrap();
    let good = |signature: &str| {
        format!(
            "OAuth realm=\"limited_poa\", oauth_consumer_key=\"MYCONSKEY\", oauth_nonce=\"1\", \
             oauth_signature_method=\"HMAC-SHA256\", oauth_timestamp=\"1700000000\", oauth_signature=\"{signature}\""
        )
    };
    for (header, slip) in [
        (good("ab%2Bc%3D"), None),
        (good("ab+c="), Some(Slip::SignatureNotEncoded)),
        (good("ab%252Bc%253D"), Some(Slip::SignatureEncodedTwice)),
        (good("a").replace("realm=\"limited_poa\"", "realm=limited_poa"), Some(Slip::HeaderValueUnquoted)),
        (good("a").replace("1700000000", "1700000000123"), Some(Slip::MillisecondsTimestamp)),
        (good("a") + ", oauth_version=\"1.0\"", Some(Slip::VersionAdded)),
        (good("a") + ", oauth_nonce=\"2\"", Some(Slip::HeaderParameterRepeated)),
        (good("a").replace("oauth_nonce=\"1\", ", ""), Some(Slip::HeaderParameterMissing)),
    ] {
        let explanation = explain(&header);
        assert_eq!(explanation.slips().first().copied(), slip, "{header}");
        if let Some(slip) = slip {
            assert!(explanation.to_string().contains(slip.remedy()));
        }
    }
    let shown = explain(&good("ab%2Bc%3D"));
    let masked = shown.masked_header();
    assert!(
        masked.starts_with("OAuth realm=\"limited_poa\", oauth_consumer_key=\"") && masked.contains("1700000000"),
        "{masked}"
    );
    assert!(!masked.contains("MYCONSKEY") && !masked.contains("ab%2Bc"), "{masked}");
    for header in ["", "Bearer x", "OAuth", "OAuth realm", "OAuth \u{1b}[31m"] {
        let error = Explanation::of_signed(&Method::GET, &uri(URL), header, None, QueryPolicy::Omit).unwrap_err();
        assert_eq!(error.kind(), ibkr_oauth::ErrorKind::Config, "{header}");
    }
    let garbled = explain("OAuth a=\"\u{1b}[31m\u{202e}\", b=\"%1b\"");
    assert!(!garbled.to_string().replace('\n', "").contains(char::is_control), "{garbled}");
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(expected: String, found: String, header: String) {
        let _ = compare(&expected, &found).to_string();
        let _ = compare(&ours(), &format!("GET&{found}&{expected}")).to_string();
        let _ = compare(&ours(), &format!("{}{found}", ours())).to_string();
        if let Ok(it) = Explanation::of_signed(&Method::GET, &uri(URL), &format!("OAuth {header}"), None, QueryPolicy::Rfc5849) {
            let _ = it.to_string();
        }
    }

    #[test]
    fn what_differs_is_never_called_the_same(at in 0_usize..300, byte in b'0'..b'z') {
        let mut bytes = ours().into_bytes();
        let at = at % bytes.len();
        let before = std::mem::replace(&mut bytes[at], byte);
        let found = String::from_utf8(bytes).unwrap();
        proptest::prop_assert_eq!(compare(&ours(), &found).is_same(), before == byte);
    }
}
