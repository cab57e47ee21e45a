//! What users of this protocol suffer, each recreated: does the message name the cause?
use crate::authorization_header::AuthorizationHeader;
use crate::{
    findings::Findings,
    fixture::{self, NOW, SeededEntropy, TOKEN},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Method, Request, Response, header};
use ibkr_oauth::{
    Compete, Consumer, Context, CredentialBundle, Endpoints, Error, ErrorKind, QueryPolicy, Secret, Stage, Timestamp,
    dh::DhGroup,
    diagnose::{Cause, Explanation, Severity, clock_skew},
    key::{KeyLocation, RsaKey},
    oauth1::{self, percent_encode},
    simulator::{Broker, Fault, test_keys},
};

const URL: &str = "https://api.ibkr.com/v1/api/iserver/secdef/search";

fn consumer() -> Consumer {
    fixture::consumer_builder().build().unwrap()
}

/// Asks a broker for a live session token.
fn negotiate(broker: &mut Broker, consumer: &Consumer, now: Timestamp) -> Error {
    let mut rng = SeededEntropy(1);
    let exchange = fixture::unlocked().live_session_token(consumer, &mut Context::new(now, &mut rng)).unwrap();
    let response = broker.handle(&mut Context::new(now, &mut SeededEntropy(2)), exchange.request());
    exchange.complete(response).unwrap_err()
}

/// A secret as the portal shows it.
fn secret() -> String {
    let mut rng = SeededEntropy(5);
    let token =
        test_keys::access_token(&mut Broker::builder().strict().build().unwrap(), &mut Context::new(NOW, &mut rng))
            .unwrap();
    STANDARD.encode(token.encrypted_secret())
}

fn bundle(change: impl FnOnce(&mut serde_json::Value)) -> CredentialBundle {
    let mut value = serde_json::json!({
        "consumer_key": test_keys::CONSUMER_KEY,
        "base_url": "http://127.0.0.1:8080/v1/api",
        "access_token": TOKEN,
        "access_token_secret": secret(),
        "signature_key": test_keys::SIGNATURE_KEY,
        "encryption_key": test_keys::ENCRYPTION_KEY,
        "dh_params": test_keys::DH_PARAMETERS,
    });
    change(&mut value);
    CredentialBundle::from_json(&value.to_string()).unwrap()
}

/// The severity of all findings, and the worst of them with its remedy.
fn examined(bundle: &CredentialBundle) -> (Severity, String) {
    let findings = Findings::of(bundle);
    (findings.severity(), findings.worst().to_string())
}

fn base_string(query: &str, oauth: &[(&str, &str)]) -> String {
    let uri = format!("{URL}?{query}").parse().unwrap();
    oauth1::base_string(&Method::GET, &uri, oauth, None).unwrap()
}

/// What another client makes of pairs that it has encoded in its own way.
fn theirs(joined: &str) -> String {
    format!("GET&{}&{}", percent_encode(URL.as_bytes()), percent_encode(joined.as_bytes()))
}

/// The right way to sign a request with this query and these OAuth parameters.
fn right(query: &str, oauth: &[(&str, &str)]) -> Explanation {
    let header = AuthorizationHeader::new(Some("r"), oauth).to_string();
    let uri = format!("{URL}?{query}").parse().unwrap();
    Explanation::from_signed(&Method::GET, &uri, &header, None, QueryPolicy::Rfc5849).unwrap()
}

#[track_caller]
fn assert_issue(right: &Explanation, found: &str, what: &str) {
    let issues = right.compare(found);
    let first = issues.first().unwrap_or_else(|| panic!("nothing differs: {found}"));
    assert!(first.what.contains(what), "{what}: {issues:#?}\n{}\n{found}", right.base_string());
}

/// What is wrong with a header.
#[track_caller]
fn assert_header_issue(request: &Request<Bytes>, header: &str, what: &str) {
    let explanation = explain(request, header);
    assert!(matches!(explanation.issues(), [issue] if issue.what.contains(what)), "{:?}", explanation.issues());
}

#[test]
fn pain_01_invalid_consumer_is_told_from_wrong_credentials() {
    let mut broker = fixture::broker_builder().active(false).build().unwrap();
    let error = negotiate(&mut broker, &consumer(), NOW);
    assert_eq!(error.cause(), Some(Cause::ConsumerNotActiveOrUnknown));
    assert_eq!(error.kind(), ErrorKind::Rejected);
    assert!(error.detail().unwrap().contains("invalid consumer"), "{error}");
    assert!(
        error.remedy().contains("not yet active") && error.remedy().contains("weekend reset"),
        "{}",
        error.remedy()
    );
    // What `doctor --offline` then says of waiting has its test in the program.
    assert_eq!(examined(&bundle(|_| ())).0, Severity::Ok);
}

#[test]
fn pain_02_no_access_secret_key_found() {
    let mut broker = Broker::builder().strict().access_token("another", fixture::SECRET).build().unwrap();
    let error = negotiate(&mut broker, &consumer(), NOW);
    assert_eq!(error.cause(), Some(Cause::AccessTokenSecretMissing), "{error:?}");
    assert!(error.remedy().contains("generate a new access token"), "{}", error.remedy());
}

#[test]
fn pain_03_failed_to_generate_sso_dh_token() {
    let consumer = consumer();
    let mut rng = SeededEntropy(1);
    let exchange =
        fixture::signer(&consumer).brokerage().open(&mut Context::new(NOW, &mut rng), Compete::Yield).unwrap();
    let error = exchange.complete(fixture::reply(500, r#"{"error":"failed to generate sso dh token"}"#)).unwrap_err();
    assert_eq!((error.cause(), error.stage()), (Some(Cause::BrokerageNotEntitled), Stage::OpenBrokerage));
    assert_ne!(error.kind(), ErrorKind::Rejected, "not a matter of the credentials");
    assert!(error.remedy().contains("may not trade"), "{}", error.remedy());
}

#[test]
fn pain_04_keys_that_were_mangled_on_their_way() {
    let pem = test_keys::SIGNATURE_KEY;
    let fingerprint = RsaKey::from_pem(pem).unwrap().public_key().fingerprint();
    for mangled in [
        pem.replace('\n', "\r\n"),
        format!("\u{feff}{pem}"),
        pem.replace('\n', "\n\n"),
        pem.replace('\n', "\r"),
        pem.replace('\n', "\n  "),
    ] {
        let key = RsaKey::from_pem(&mangled).unwrap();
        assert_eq!(key.public_key().fingerprint(), fingerprint);
        assert!(!key.public_key().to_pem().contains('\r'), "written anew in the form that the portal takes");
        let findings = Findings::of(&bundle(|fields| fields["signature_key"] = mangled.into()));
        assert_eq!(findings.severity(), Severity::Ok, "{findings}");
        assert!(findings.to_string().contains(&fingerprint), "to compare with the portal: {findings}");
    }
}

#[test]
fn pain_05_an_access_token_secret_that_a_shell_cut() {
    let cut = secret()[..129].to_owned();
    let broken = bundle(|fields| fields["access_token_secret"] = cut.clone().into());
    let (verdict, advice) = examined(&broken);
    assert_eq!(verdict, Severity::Error);
    assert!(advice.contains("129 characters of 344") && advice.contains("cut"), "{advice}");
    assert!(!advice.contains(&cut[..8]), "{advice}");
    let error = broken.access_token().unwrap_err();
    let text = format!("{error} {}", error.remedy());
    for words in ["`access_token_secret`", "129 characters", "344 characters"] {
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn pain_06_diffie_hellman_parameters_in_every_form() {
    let file =
        |name: &str| std::fs::read_to_string(format!("{}/tests/data/keys/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let group = DhGroup::read(file("dh.pem")).unwrap();
    let pasted = file("dh_text.txt");
    for form in [file("dh.pem"), pasted, file("dh_with_text.pem"), file("dh.pem").replace('\n', "\\n")] {
        assert_eq!(DhGroup::read(&form).unwrap(), group);
    }
    // `openssl dhparam -outform PEM 2048 -out dhparam.pem` leaves an empty file behind.
    let (verdict, advice) = examined(&bundle(|fields| fields["dh_params"] = "".into()));
    assert_eq!(verdict, Severity::Error);
    assert!(advice.contains("the text is empty") && advice.contains("dhparam -out dhparam.pem 2048"), "{advice}");
}

#[test]
fn pain_07_diffie_hellman_parameters_that_read_as_negative() {
    let der: String = test_keys::DH_PARAMETERS.lines().filter(|line| !line.starts_with('-')).collect();
    let mut der = STANDARD.decode(der).unwrap();
    // Takes the sign byte out of the prime, and corrects the lengths.
    assert_eq!(der[4..9], [2, 0x82, 1, 1, 0]);
    der.remove(8);
    (der[7], der[3]) = (0, der[3] - 1);
    let (verdict, advice) = examined(&bundle(|fields| fields["dh_params"] = STANDARD.encode(&der).into()));
    assert_eq!(verdict, Severity::Error);
    assert!(advice.contains("negative number") && advice.contains("every signature would fail"), "{advice}");
    assert!(advice.contains("dhparam"), "{advice}");
}

#[test]
fn pain_08_keys_that_are_no_files() {
    let pem = test_keys::SIGNATURE_KEY;
    let fingerprint = RsaKey::from_pem(pem).unwrap().public_key().fingerprint();
    for text in
        [pem.to_owned(), pem.replace('\n', "\\n"), STANDARD.encode(pem), format!("\"{}\"", pem.replace('\n', "\\n"))]
    {
        assert_eq!(RsaKey::from_pem(&text).unwrap().public_key().fingerprint(), fingerprint);
    }
    let named = bundle(|fields| fields["signature_key"] = serde_json::json!({ "env": "IBKR_SIGNATURE_KEY" }));
    let resolved = named.clone().resolve(|location| match location {
        KeyLocation::Env(_) => Ok(Secret::from(pem.as_bytes())),
        _ => Err("no files here"),
    });
    assert_eq!(examined(&resolved.unwrap()).0, Severity::Ok);
    let error = named.resolve(|_| Err::<Secret, _>("not set")).unwrap_err().to_string();
    assert!(error.contains("`signature_key`") && error.contains("`IBKR_SIGNATURE_KEY`"), "{error}");
}

#[test]
fn pain_12_swapped_keys_look_like_a_signing_bug() {
    let swapped = bundle(|fields| {
        fields["signature_key"] = test_keys::ENCRYPTION_KEY.into();
        fields["encryption_key"] = test_keys::SIGNATURE_KEY.into();
    });
    let (verdict, advice) = examined(&swapped);
    assert_eq!(verdict, Severity::Error);
    assert!(advice.contains("the two keys are swapped"), "{advice}");
    // Without an findings: the broker refuses, or the secret does not open.
    let consumer = swapped.consumer().unwrap().with_endpoints(Endpoints::default());
    let mut rng = SeededEntropy(1);
    let token = swapped.access_token().unwrap().unwrap();
    let error = match consumer.unlock(&mut Context::new(NOW, &mut rng), &token) {
        Err(error) => error,
        Ok(unlocked) => {
            let exchange = unlocked.live_session_token(&consumer, &mut Context::new(NOW, &mut rng)).unwrap();
            let mut broker = fixture::broker_builder().build().unwrap();
            let response = broker.handle(&mut Context::new(NOW, &mut SeededEntropy(2)), exchange.request());
            exchange.complete(response).unwrap_err()
        }
    };
    assert!(error.remedy().contains("swapped") || error.remedy().contains("not the signature key"), "{error:?}");
}

#[test]
fn pain_13_no_bridge() {
    let consumer = consumer();
    let mut broker = fixture::broker_builder().brokerage_session(false).build().unwrap();
    let signer = fixture::signer(&consumer);
    let mut request = Request::get("https://api.ibkr.com/v1/api/iserver/accounts")
        .header(header::USER_AGENT, "test")
        .body(Bytes::new())
        .unwrap();
    let mut rng = SeededEntropy(1);
    signer.sign(&mut Context::new(NOW, &mut rng), &mut request).unwrap();
    let response = broker.handle(&mut Context::new(NOW, &mut SeededEntropy(2)), &request);
    let error = Error::from_response(&response).unwrap();
    assert_eq!(error.cause(), Some(Cause::NoBrokerageSession), "{:?}", broker.refusals());
    for words in ["open the brokerage session first", "right after it was opened, wait"] {
        assert!(error.remedy().contains(words), "{}", error.remedy());
    }
    let error = Error::from_response(&fixture::reply(400, r#"{"error":"Init session first"}"#)).unwrap();
    assert_eq!(error.cause(), Some(Cause::NoBrokerageSession));
}

/// The header of a request for a live session token.
fn sign_in_request() -> Request<Bytes> {
    let mut rng = SeededEntropy(1);
    fixture::unlocked().live_session_token(&consumer(), &mut Context::new(NOW, &mut rng)).unwrap().into_parts().0
}

fn header_of(request: &Request<Bytes>) -> &str {
    request.headers()[header::AUTHORIZATION].to_str().unwrap()
}

fn explain(request: &Request<Bytes>, header: &str) -> Explanation {
    Explanation::from_signed(request.method(), request.uri(), header, None, QueryPolicy::Rfc5849).unwrap()
}

#[test]
fn pain_25_rsa_sha256_is_missing_elsewhere() {
    let request = sign_in_request();
    assert!(header_of(&request).contains("oauth_signature_method=\"RSA-SHA256\""));
    let header = header_of(&request).replace("RSA-SHA256", "RSA-SHA1");
    assert_header_issue(&request, &header, "`oauth_signature_method` is not the one");
    let mut wrong = request.clone();
    wrong.headers_mut().insert(header::AUTHORIZATION, header.parse().unwrap());
    let mut broker = fixture::broker_builder().build().unwrap();
    let response = broker.handle(&mut Context::new(NOW, &mut SeededEntropy(2)), &wrong);
    assert_eq!(broker.refusals()[0].reason, "signature_method_differs");
    let error = Error::from_response(&response).unwrap();
    assert_eq!(error.cause(), Some(Cause::SignatureMethodRefused));
    assert!(error.remedy().contains("RSA-SHA256"), "{}", error.remedy());
}

#[test]
fn pain_26_a_signature_that_is_not_percent_encoded() {
    let request = sign_in_request();
    let read: AuthorizationHeader = header_of(&request).parse().unwrap();
    let signature = read.get("oauth_signature").unwrap();
    assert!(signature.contains(['+', '/', '=']), "one that needs to be encoded: {signature}");
    assert!(explain(&request, header_of(&request)).issues().is_empty());
    let encoded = percent_encode(signature.as_bytes());
    let bare = header_of(&request).replace(&encoded, signature);
    assert_header_issue(&request, &bare, "`oauth_signature` is not percent-encoded in the header");
    let twice = header_of(&request).replace(&encoded, &percent_encode(encoded.as_bytes()));
    assert_header_issue(&request, &twice, "percent-encoded twice");
}

#[test]
fn pain_27_duplicated_parameters_are_lost_or_doubled() {
    let ours = right("a=1&a=2&b=3", &[]);
    assert_issue(&ours, &theirs("a=2&b=3"), "`a` was signed 1 times, and is sent 2 times");
    assert_issue(&ours, &theirs("a=1&a=2&b=3&b=3"), "`b` was signed 2 times, and is sent 1 times");
    assert_issue(&ours, &theirs("a=1&a=1&a=2&a=2&b=3&b=3"), "signed twice");
    assert_issue(&ours, &theirs("a=2&a=1&b=3"), "another order");
    assert_eq!(ours.compare(&theirs("a=1&a=2&b=3")), []);
}

#[test]
fn pain_28_plus_tilde_star_and_quote() {
    for (query, found, what) in [
        ("q=a%20b", "q=a+b", "spaces were signed as `+`"),
        ("q=a+b", "q=a%2Bb", "a `+` that means a space was signed as a plus sign"),
        ("q=~", "q=%7E", "`~` was signed encoded"),
        ("q=*", "q=*", "`*` was signed without being encoded"),
        ("q=it's", "q=it's", "`'`, `(`, `)` or `*` was signed without being encoded"),
        ("q=%2F", "q=%2f", "lower-case digits"),
        ("q=1,2", "q=1,2", "signed as they are sent, encoded once"),
        ("q=1,2", "q=1%252C2", "one encoding too many"),
    ] {
        assert_issue(&right(query, &[]), &theirs(found), what);
    }
}

#[test]
fn pain_29_spaces_and_semicolons_in_the_path_and_a_callback_encoded_twice() {
    let of = |path: &str| {
        let uri = oauth1::parse_uri(&format!("https://api.ibkr.com/v1/{path}"))?;
        Ok::<_, oauth1::UriError>(
            Explanation::from_signed(&Method::GET, &uri, "OAuth realm=\"r\"", None, QueryPolicy::Rfc5849).unwrap(),
        )
    };
    let by_hand = |path: &str| format!("GET&{}&", percent_encode(format!("https://api.ibkr.com/v1/{path}").as_bytes()));
    assert_eq!(of("a%20b").unwrap().compare(&by_hand("a%20b")), []);
    assert_eq!(of("a;b=1").unwrap().compare(&by_hand("a;b=1")), []);
    assert_issue(&of("a%20b").unwrap(), &by_hand("a+b"), "spaces were signed as `+`");
    assert_issue(&of("a%20b").unwrap(), &by_hand("a b"), "without the escapes in its path");
    assert_issue(&of("a%20b").unwrap(), &by_hand("a%2520b"), "one encoding too many");
    assert_issue(&of("a;b=1").unwrap(), &by_hand("a"), "another URL was signed");
    assert_eq!(of("a b").err().unwrap().to_string(), "the URL is not a valid one");
    let callback = [("oauth_callback", "https://example.com/cb?a=1")];
    let encoded = percent_encode(callback[0].1.as_bytes());
    let twice = base_string("", &[("oauth_callback", &encoded)]);
    assert_issue(&right("", &callback), &twice, "one encoding too many");
}

#[test]
fn pain_30_no_equals_sign_an_empty_value_and_array_keys() {
    let ours = right("flag&empty=&list[]=1&list[]=2", &[]);
    assert_eq!(ours.compare(&theirs("empty=&flag=&list%5B%5D=1&list%5B%5D=2")), []);
    assert_issue(&ours, &theirs("empty=&flag&list%5B%5D=1&list%5B%5D=2"), "`flag`: lost the `=`");
    assert_issue(&ours, &theirs("flag=&list%5B%5D=1&list%5B%5D=2"), "`empty` was not signed");
    assert_issue(&ours, &theirs("empty=&flag=&list[]=1&list[]=2"), "without being encoded by themselves");
    assert_issue(&ours, &theirs("empty=&flag=&list%5B%5D=2"), "was signed 1 times, and is sent 2 times");
}

#[test]
fn pain_31_a_json_body_that_is_signed() {
    let signer = fixture::signer(&consumer());
    let request = Request::post(URL).header(header::CONTENT_TYPE, "application/json").body(()).unwrap();
    let (parts, ()) = request.into_parts();
    let ours = signer.sign_with(&parts, None, "n", 1).unwrap().base_string;
    assert!(!ours.contains("conid"), "JSON is not signed");
    let wrong = format!("{ours}%26%257B%2522conid%2522%253A1%257D%3D");
    let issues = Explanation::for_request(&signer, &parts, None, "n", 1).unwrap().compare(&wrong);
    assert!(matches!(&issues[..], [issue] if issue.what.contains("was signed, and is not sent")), "{issues:?}");
    assert_eq!(issues[0].hint, "sign only what is sent in the query, in a form or in the header");
    // Forms are known by their media type, whatever stands behind it.
    let form = "application/x-www-form-urlencoded; charset=UTF-8";
    let mut request = Request::post(URL).header(header::CONTENT_TYPE, form).body("a=1").unwrap();
    let mut rng = SeededEntropy(1);
    let error = signer.sign(&mut Context::new(NOW, &mut rng), &mut request).unwrap_err();
    assert!(error.to_string().contains("the body is a form") && error.remedy().contains("sign_form"), "{error}");
}

#[test]
fn pain_32_bytes_printed_as_text() {
    let oauth = [("oauth_nonce", "abc"), ("oauth_token", TOKEN)];
    let printed = [("oauth_nonce", "b'abc'"), ("oauth_token", TOKEN)];
    assert_issue(&right("a=1", &oauth), &base_string("a=1", &printed), "written as Python prints bytes");
    let request = sign_in_request();
    let read: AuthorizationHeader = header_of(&request).parse().unwrap();
    let encoded = percent_encode(read.get("oauth_signature").unwrap().as_bytes());
    let header = header_of(&request).replace(&encoded, &format!("b%27{encoded}%27"));
    assert_header_issue(&request, &header, "Python prints bytes");
    // What is no UTF-8 is signed byte for byte.
    assert_eq!(right("a=%FF", &[]).compare(&theirs("a=%FF")), []);
}

#[test]
fn pain_33_a_clock_that_is_off() {
    let mut broker = fixture::broker_builder().build().unwrap();
    broker.inject(Fault::clock_step(1200));
    let mut rng = SeededEntropy(1);
    let exchange = fixture::unlocked().live_session_token(&consumer(), &mut Context::new(NOW, &mut rng)).unwrap();
    let response: Response<Bytes> = broker.handle(&mut Context::new(NOW, &mut SeededEntropy(2)), exchange.request());
    assert_eq!(clock_skew(response.headers(), NOW, NOW), Some(1200), "reported whatever the reply");
    let error = exchange.complete(response).unwrap_err();
    assert_eq!(error.cause(), Some(Cause::TimestampRefused), "{:?}", broker.refusals());
    assert!(error.remedy().contains("set the clock"), "{}", error.remedy());
    let milliseconds = header_of(&sign_in_request()).replace("1700000000", "1700000000000");
    assert_header_issue(&sign_in_request(), &milliseconds, "milliseconds");
}
