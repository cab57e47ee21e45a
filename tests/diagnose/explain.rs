//! A signature explained, and base strings of other clients compared with it.

use crate::authorization_header::AuthorizationHeader;
use crate::fixture::{self, NOW, SeededEntropy, TOKEN};
use crate::form_pairs::form_pairs;
use http::{Method, Request, Uri, request::Parts};
use ibkr_oauth::{
    Context, QueryPolicy,
    diagnose::{Explanation, SignatureIssue},
    oauth1::percent_encode,
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

fn explained(url: &str, policy: QueryPolicy) -> Explanation {
    let header = AuthorizationHeader::new(Some("limited_poa"), &OAUTH).to_string();
    Explanation::from_signed(&Method::GET, &uri(url), &header, None, policy).unwrap()
}

fn explanation() -> Explanation {
    explained(&format!("{URL}?{QUERY}"), QueryPolicy::Rfc5849)
}

fn ours() -> String {
    explanation().base_string().to_owned()
}

fn json(explanation: &Explanation) -> serde_json::Value {
    serde_json::to_value(explanation).unwrap()
}

/// The base string of a client that sorts and encodes its pairs in its own way.
fn by_hand(url: &str, pairs: &[(String, String)], encode: impl Fn(&str) -> String) -> String {
    let joined: Vec<String> = pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    format!("GET&{}&{}", percent_encode(url.as_bytes()), percent_encode(joined.join("&").as_bytes()))
}

/// The right pairs in the right order.
fn pairs() -> Vec<(String, String)> {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let query = form_pairs(QUERY).into_iter().map(|(name, value)| (text(name), text(value)));
    let oauth = OAUTH.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let mut all: Vec<(String, String)> = query.chain(oauth).collect();
    all.sort();
    all
}

fn rfc(text: &str) -> String {
    percent_encode(text.as_bytes())
}

#[track_caller]
fn finds(found: &str, what: &str) -> Vec<SignatureIssue> {
    finds_in(&explanation(), found, what)
}

#[track_caller]
fn finds_in(explanation: &Explanation, found: &str, what: &str) -> Vec<SignatureIssue> {
    let issues = explanation.compare(found);
    let first = issues.first().unwrap_or_else(|| panic!("no difference:\n{}\n{found}", explanation.base_string()));
    assert!(first.what.contains(what) && !first.hint.is_empty(), "{what}: {issues:#?}\n{found}");
    let shown = format!("{issues:?} {first} {}", serde_json::to_string(&issues).unwrap());
    assert!(!shown.contains(TOKEN) && !shown.contains("MYCONSKEY"), "{shown}");
    issues
}

#[test]
fn the_same_is_the_same() {
    assert_eq!(explanation().compare(&by_hand(URL, &pairs(), rfc)), []);
    assert_eq!(explanation().compare(&format!("{}\n", ours())), [], "a line break was pasted too");
}

#[test]
fn method_and_url() {
    let with_url = |url: &str| by_hand(url, &pairs(), rfc);
    finds(&ours().replacen("GET", "POST", 1), "the method POST was signed, and GET is sent");
    finds(&ours().replacen("GET", "get", 1), "the method was signed in lower case");
    finds(&with_url("http://api.ibkr.com/v1/api/x"), "another scheme");
    let issues = finds(&with_url("https://1.api.ibkr.com/v1/api/x"), "another URL was signed");
    assert!(issues[0].what.ends_with(&format!(": `https://1.api.ibkr.com/v1/api/x`, not `{URL}`")), "{issues:?}");
    finds(&with_url("https://API.ibkr.com/v1/api/x"), "another URL was signed");
    finds(&with_url("https://api.ibkr.com:443/v1/api/x"), "the port that its scheme has anyway");
    finds(&with_url("https://api.ibkr.com:8443/v1/api/x"), "another URL was signed");
    finds(&with_url("https://api.ibkr.com/x"), "without `/v1/api`");
    finds(&with_url("https://api.ibkr.com/v1/api/x/"), "a slash at its end");
    finds(&with_url("https://api.ibkr.com//v1/api/x"), "another URL was signed");
    finds(&with_url(&percent_encode(URL.as_bytes())), "one encoding too many");
    finds(&ours().replacen(&percent_encode(URL.as_bytes()), URL, 1), "not percent-encoded as a whole");
    finds(&ours().replacen("%3A%2F%2F", "%3a%2f%2f", 1), "encoded otherwise");
}

#[test]
fn the_query() {
    let without: Vec<_> = pairs().into_iter().filter(|(name, _)| name.starts_with("oauth_")).collect();
    let url = format!("{URL}?{QUERY}");
    let issues = finds(&by_hand(URL, &without, rfc), "the query was not signed (query policy `omit`)");
    assert_eq!(issues.len(), 1, "one cause, not one for each parameter: {issues:?}");
    let issues = finds(&by_hand(&url, &without, rfc), "the query was signed as part of the URL");
    assert_eq!(issues.len(), 1, "{issues:?}");
    finds_in(&explained(&url, QueryPolicy::InUrl), &ours(), "the query was signed as RFC 5849 has it");
    let once = explained(&url, QueryPolicy::DecodedOnce);
    finds(once.base_string(), "without being encoded by themselves (query policy `decoded-once`)");
    finds_in(&once, &ours(), "the query was signed as RFC 5849 has it");
    // Beside something else, so that no one mistake explains it all.
    let lower = |text: String| text.replacen("GET", "get", 1);
    let issues = finds(&lower(by_hand(URL, &without, rfc)), "the method get was signed");
    assert!(issues[1].what.contains("the parameters of query and form were not signed"), "{issues:?}");
    assert_eq!(issues.len(), 2, "{issues:?}");
    let issues = finds(&lower(by_hand(&url, &without, rfc)), "the method get was signed");
    assert!(issues[1].what.contains("the query was signed as part of the URL"), "{issues:?}");
}

#[test]
fn parameters_too_many_and_too_few() {
    let with = |name: &str, value: &str| {
        let mut all = pairs();
        all.push((name.to_owned(), value.to_owned()));
        all.sort();
        by_hand(URL, &all, rfc)
    };
    finds(&with("realm", "limited_poa"), "`realm` was signed");
    finds(&with("realm", "another"), "`realm` was signed");
    let issues = finds(&with("oauth_signature", "MARKER"), "`oauth_signature` was signed");
    assert!(!format!("{issues:?}").contains("MARKER"), "{issues:?}");
    finds(&with("oauth_version", "1.0"), "`oauth_version` was signed, and is not sent");
    finds(&with("diffie_hellman_challenge", "2"), "`diffie_hellman_challenge` was signed, and is not in the header");
    finds(&with("other", "1"), "`other` was signed, and is not sent");
    finds(&with("a", "1"), "`a` was signed 3 times, and is sent 2 times");
    let lost = |drop: (&str, &str)| {
        by_hand(
            URL,
            &pairs().into_iter().filter(|pair| (pair.0.as_str(), pair.1.as_str()) != drop).collect::<Vec<_>>(),
            rfc,
        )
    };
    finds(&lost(("a", "1")), "`a` was signed 1 times, and is sent 2 times");
    finds(&lost(("symbol", "BRK B")), "`symbol` was not signed");
    finds(&lost(("oauth_token", TOKEN)), "`oauth_token` was not signed");
    finds(&ours().replacen("flag%3D%26", "flag%26", 1), "`flag`: lost the `=`");
}

#[test]
fn pairs_signed_twice_and_forms() {
    let url = format!("{URL}?{QUERY}");
    finds(&base(&format!("{url}&{QUERY}"), &OAUTH, QueryPolicy::Rfc5849), "parameters were signed twice");
    let header = AuthorizationHeader::new(None, &OAUTH).to_string();
    let policy = QueryPolicy::Rfc5849;
    let form = |form: &str| policy.base_string(&Method::POST, &uri(&url), &OAUTH, Some(form.as_bytes())).unwrap();
    let sent = "side=BUY&note=a+b";
    let explanation =
        Explanation::from_signed(&Method::POST, &uri(&url), &header, Some(sent.as_bytes()), policy).unwrap();
    assert_eq!(explanation.base_string(), form(sent));
    finds_in(&explanation, &form(""), "the form was not signed");
    finds_in(&explanation, &form(&format!("{sent}&{sent}")), "parameters were signed twice");
    finds_in(&explanation, &form("side=BUY&note=a%2Bb"), "a `+` that means a space was signed as a plus sign");
    let neither = base(URL, &OAUTH, policy).replacen("GET", "POST", 1);
    finds_in(&explanation, &neither, "the query was not signed");
}

#[test]
fn charsets() {
    let explained = |query: &str| explained(&format!("{URL}?{query}"), QueryPolicy::Rfc5849);
    let theirs = |query: &str| base(&format!("{URL}?{query}"), &OAUTH, QueryPolicy::Rfc5849);
    let what = "text was signed in another charset than it was sent in";
    finds_in(&explained("a=Z%C3%BCrich"), &theirs("a=Z%FCrich"), what);
    finds_in(&explained("a=Z%C3%BCrich"), &theirs("a=Z%C3%83%C2%BCrich"), what);
    finds_in(&explained("a=Z%FCrich"), &theirs("a=Z%EF%BF%BDrich"), what);
}

/// What encodes a name or value, and what is said of it.
type Encoder<'a> = (&'a dyn Fn(&str) -> String, &'a str);

#[test]
fn encoders() {
    let with = |encode: &dyn Fn(&str) -> String| by_hand(URL, &pairs(), encode);
    let plus = finds(&with(&|text| rfc(text).replace("%20", "+")), "spaces were signed as `+`");
    assert!(plus[0].what.ends_with(": `symbol=BRK+B`, not `symbol=BRK%20B`"), "{plus:?}");
    finds(&with(&|text| rfc(&rfc(text))), "one encoding too many");
    finds(&with(&|text| rfc(text).replace("%27", "'")), "`'`, `(`, `)` or `*` was signed without being encoded");
    finds(&with(&|text| rfc(text).replace('~', "%7E")), "`~` was signed encoded");
    finds(&with(&|text| rfc(text).replace("%2C", "%2c")), "lower-case digits");
    finds(&ours().replace("%3D", "%3d"), "lower-case digits");
    finds(&ours().replace("%26", "&").replace("%3D", "="), "one encoding too many");
    // Each by itself, where it is not the only mistake.
    let encoders: [Encoder<'_>; 5] = [
        (&|text: &str| rfc(text).replace("%20", "+"), "`symbol`: spaces were signed as `+`"),
        (&|text: &str| rfc(&rfc(text)), "`conids`: something was signed with one encoding too many"),
        (
            &|text: &str| rfc(text).replace("%27", "'"),
            "`name`: `!`, `'`, `(`, `)` or `*` was signed without being encoded",
        ),
        (&|text: &str| rfc(text).replace('~', "%7E"), "`tag`: `~` was signed encoded"),
        (&|text: &str| rfc(text).replace("%2C", "%2c"), "`conids`: escapes were signed with lower-case digits"),
    ];
    for (encode, what) in encoders {
        let issues = explanation().compare(&with(encode).replacen("GET", "PUT", 1));
        assert!(issues.iter().any(|issue| issue.what.starts_with(what)), "{what}: {issues:#?}");
    }
}

#[test]
fn order_and_attempts() {
    let mut by_name: Vec<_> = pairs();
    by_name.reverse();
    finds(&by_hand(URL, &by_name, rfc), "the parameters were signed in another order");
    let mut duplicates = pairs();
    duplicates.swap(0, 1);
    finds(&by_hand(URL, &duplicates, rfc), "the parameters were signed in another order");
    let as_sent: Vec<String> = QUERY.split('&').map(str::to_owned).collect();
    let oauth: Vec<String> = OAUTH.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let joined = [oauth, as_sent].concat().join("&");
    let text = format!("GET&{}&{}", percent_encode(URL.as_bytes()), percent_encode(joined.as_bytes()));
    finds(&text, "the parameters were signed in another order");
    let mut milliseconds = OAUTH;
    milliseconds[3].1 = "1700000000123";
    let url = format!("{URL}?{QUERY}");
    finds(&base(&url, &milliseconds, QueryPolicy::Rfc5849), "the timestamp is in milliseconds");
    let mut later = OAUTH;
    (later[1].1, later[3].1) = ("other", "1700000009");
    let issues = finds(&base(&url, &later, QueryPolicy::Rfc5849), "these are two attempts");
    assert_eq!(issues.len(), 1, "{issues:?}");
    // The cause comes before what two attempts always have otherwise.
    let issues = finds(&base(URL, &later, QueryPolicy::Rfc5849), "the query was not signed");
    assert!(issues[1].what.contains("two attempts"), "{issues:?}");
    let mut other = OAUTH;
    other[4].1 = "25ebcc75204da80b73f4";
    finds(&base(&url, &other, QueryPolicy::Rfc5849), "`oauth_token`: another text was signed than is sent");
}

#[test]
fn what_stands_before_the_method_is_noticed_and_never_shown() {
    let secret = "4766f306ad7408bbdaa1950cf4f337101555d0fa42ab904871e2fe57e365b272";
    let issues = finds(&format!("{secret}{}", ours()), "something precedes the base string");
    assert!(!format!("{issues:?}").contains(&secret[..8]), "{issues:?}");
    // A text without a method at the end of its first part may be a secret as a whole.
    for text in [secret, &format!("{secret}&a"), &format!("{secret}&a&b"), "", "&", "&&", "GET"] {
        let issues = finds(text, "no base string");
        assert!(!format!("{issues:?}").contains(&secret[..8]), "{issues:?}");
    }
}

/// In time that grows with the length: if it grew with its square, this would take minutes.
#[test]
fn twenty_thousand_parameters() {
    let query = |value: &str| (0..20_000).map(|at| format!("p{at}={value}")).collect::<Vec<_>>().join("&");
    let sent = uri(URL);
    let header = AuthorizationHeader::new(None, &OAUTH).to_string();
    let form = query("a%20b");
    let explanation =
        Explanation::from_signed(&Method::POST, &sent, &header, Some(form.as_bytes()), QueryPolicy::Rfc5849).unwrap();
    let theirs = QueryPolicy::Rfc5849.base_string(&Method::PUT, &sent, &OAUTH, Some(query("b").as_bytes())).unwrap();
    let issues = explanation.compare(&theirs);
    assert!(issues[0].what.contains("PUT") && issues.len() == 22, "{issues:#?}");
    assert_eq!(issues[21].what, "19980 more parameters differ");
    assert!(explanation.to_string().len() > form.len());
}

fn parts(url: &str) -> Parts {
    Request::get(url).body(()).unwrap().into_parts().0
}

#[test]
fn a_signer_s_request_is_explained_step_by_step() {
    let consumer = fixture::consumer_builder().build().unwrap();
    let signer = fixture::signer(&consumer);
    let parts = parts(&format!("{URL}?{QUERY}"));
    let explanation = Explanation::for_request(&signer, &parts, None, "7d8f3e4a", 1_700_000_000).unwrap();
    let reproduced = signer.sign_with(&parts, None, "7d8f3e4a", 1_700_000_000).unwrap();
    assert_eq!(explanation.base_string(), reproduced.base_string);
    assert!(explanation.issues().is_empty());
    let json = json(&explanation);
    assert_eq!(json["secret_prepended"], false);
    let parameters = json["parameters"].as_array().unwrap();
    let symbol = serde_json::json!({
        "source": "query",
        "name": "symbol",
        "value": "BRK B",
        "encoded_once": "symbol=BRK%20B",
        "in_base_string": "symbol%3DBRK%2520B",
    });
    assert_eq!(parameters[0], symbol);
    let named = |name: &str| parameters.iter().find(|parameter| parameter["name"] == name).unwrap();
    assert!(named("realm")["in_base_string"].is_null() && named("oauth_signature")["in_base_string"].is_null());
    assert_eq!(named("oauth_consumer_key")["value"], "SIM…");
    let shown = format!("{explanation} {explanation:?} {}", serde_json::to_string(&explanation).unwrap());
    for hidden in [TOKEN, "SIMULATOR", &reproduced.signature[..12], &percent_encode(reproduced.signature.as_bytes())] {
        assert!(!shown.contains(hidden), "{hidden} is shown: {shown}");
    }
    for visible in ["symbol%3DBRK%2520B", "realm=\"limited_poa\"", "oauth_nonce%3D7d8f3e4a", "rfc5849"] {
        assert!(shown.contains(visible), "{visible} is not shown: {explanation}");
    }
    assert_eq!(explanation.compare(&reproduced.base_string), []);
}

#[test]
fn each_policy_is_explained_as_it_signs() {
    for policy in QueryPolicy::ALL {
        let consumer = fixture::consumer_builder().query_policy(policy).build().unwrap();
        let parts = parts(&format!("{URL}?symbol=BRK%20B&flag&names=a,b+c&token=x%2Cy"));
        let explanation = Explanation::for_request(&fixture::signer(&consumer), &parts, None, "n", 1).unwrap();
        assert!(explanation.to_string().contains(policy.name()));
        let json = json(&explanation);
        let in_base_string = |index: usize| json["parameters"][index]["in_base_string"].as_str();
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
    let explanation = Explanation::for_request(&fixture::signer(&consumer), &parts, Some(b"a=x+y&b"), "n", 1).unwrap();
    let parameters = &json(&explanation)["parameters"];
    assert_eq!((&parameters[0]["source"], &parameters[0]["value"]), (&"form".into(), &"x y".into()));
    assert_eq!(parameters[1]["in_base_string"], "b%3D");
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
        Explanation::from_signed(request.method(), request.uri(), header, None, QueryPolicy::Rfc5849).unwrap()
    };
    let explanation = explain(header);
    assert!(json(&explanation)["secret_prepended"] == true && explanation.issues().is_empty());
    let secret = fixture::hex(&fixture::SECRET);
    assert_eq!(format!("{secret}{}", explanation.base_string()), signed);
    assert_eq!(explanation.compare(&signed), []);
    let finds = |found: &str, what: &str| {
        let issues = explanation.compare(found);
        assert!(issues[0].what.contains(what) && issues.len() == 1, "{issues:?}");
        assert!(!format!("{issues:?}").to_lowercase().contains(&secret[..8]), "{issues:?}");
    };
    finds(explanation.base_string(), "the opened secret does not precede");
    finds(&signed.replace(&secret, &secret.to_uppercase()), "upper-case hexadecimal");
    finds(&signed.replace(&secret, &"ü".repeat(9)), "not in hexadecimal");
    let challenge = header.split("diffie_hellman_challenge=").nth(1).unwrap().split('"').nth(1).unwrap();
    let outside = header.replace(&format!("diffie_hellman_challenge=\"{challenge}\", "), "");
    assert!(explain(&outside).issues()[0].what.contains("the header lacks `diffie_hellman_challenge`"), "{outside}");
    let issues = explain(&outside).compare(&signed);
    assert!(issues[0].what.contains("`diffie_hellman_challenge` was signed, and is not in the header"), "{issues:?}");
    let text = explanation.to_string();
    assert!(text.contains("[the opened secret in hexadecimal]POST&https%3A%2F%2Fapi.ibkr.com"), "{text}");
    assert!(!text.contains(&secret[..16]));
    // The header's own name may have been copied too.
    assert_eq!(explain(&format!("Authorization: {header}")).base_string(), explanation.base_string());
}

#[test]
fn another_client_s_header_is_read_whatever_is_wrong_with_it() {
    let explain =
        |header: &str| Explanation::from_signed(&Method::GET, &uri(URL), header, None, QueryPolicy::Rfc5849).unwrap();
    let good = |signature: &str| {
        format!(
            "OAuth realm=\"limited_poa\", oauth_consumer_key=\"MYCONSKEY\", oauth_nonce=\"1\", \
             oauth_signature_method=\"HMAC-SHA256\", oauth_timestamp=\"1700000000\", oauth_signature=\"{signature}\""
        )
    };
    for (header, what) in [
        (good("ab%2Bc%3D"), None),
        (good("ab+c="), Some("`oauth_signature` is not percent-encoded in the header")),
        (good("ab%252Bc%253D"), Some("`oauth_signature` is percent-encoded twice in the header")),
        (good("a").replace("realm=\"limited_poa\"", "realm=limited_poa"), Some("no quotes around it")),
        (good("a").replace("1700000000", "1700000000123"), Some("milliseconds")),
        (good("a") + ", oauth_version=\"1.0\"", Some("`oauth_version` is sent")),
        (good("a") + ", oauth_nonce=\"2\"", Some("twice")),
        (good("a").replace("oauth_nonce=\"1\", ", ""), Some("the header lacks `oauth_nonce`")),
        (good("a").replace("HMAC-SHA256", "RSA-SHA256"), Some("`oauth_signature_method` is not the one")),
        (good(&("AAAA".repeat(10) + "AAA%3D")), None),
        (good(&("AAAA".repeat(85) + "AA%3D%3D")), Some("the length of an RSA signature")),
    ] {
        let explanation = explain(&header);
        let first = explanation.issues().first().map(|issue| issue.what.as_str());
        assert_eq!(first.is_some(), what.is_some(), "{header}: {first:?}");
        assert!(first.unwrap_or_default().contains(what.unwrap_or_default()), "{header}: {first:?}");
        assert!(explanation.issues().iter().all(|issue| explanation.to_string().contains(&issue.hint)));
    }
    let shown = explain(&good("ab%2Bc%3D"));
    let json = json(&shown);
    let masked = json["header"].as_str().unwrap();
    assert!(
        masked.starts_with("OAuth realm=\"limited_poa\", oauth_consumer_key=\"") && masked.contains("1700000000"),
        "{masked}"
    );
    assert!(!masked.contains("MYCONSKEY") && !masked.contains("ab%2Bc"), "{masked}");
    for header in ["", "Bearer x", "OAuth", "OAuth realm", "OAuth \u{1b}[31m"] {
        let error = Explanation::from_signed(&Method::GET, &uri(URL), header, None, QueryPolicy::Omit).unwrap_err();
        assert_eq!(error.kind(), ibkr_oauth::ErrorKind::Config, "{header}");
    }
    let garbled = explain("OAuth a=\"\u{1b}[31m\u{202e}\", b=\"%1b\"");
    assert!(!garbled.to_string().replace('\n', "").contains(char::is_control), "{garbled}");
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(first: String, second: String, header: String) {
        let explanation = explanation();
        let _ = explanation.compare(&first);
        let _ = explanation.compare(&format!("GET&{second}&{first}"));
        let _ = explanation.compare(&format!("{}{second}", explanation.base_string()));
        let header = format!("OAuth {header}");
        if let Ok(it) = Explanation::from_signed(&Method::GET, &uri(URL), &header, None, QueryPolicy::Rfc5849) {
            let _ = it.to_string();
        }
    }

    #[test]
    fn what_differs_is_never_called_the_same(at in 0_usize..300, byte in b'0'..b'z') {
        let mut bytes = ours().into_bytes();
        let at = at % bytes.len();
        let before = std::mem::replace(&mut bytes[at], byte);
        let found = String::from_utf8(bytes).unwrap();
        proptest::prop_assert_eq!(explanation().compare(&found).is_empty(), before == byte);
    }
}
