//! No secret is ever printed: not by `Debug`, not by `Display`, not by an error, whatever the broker answers.

use std::fmt::{Debug, Display};

use crate::fixture::{self, NOW, SeededEntropy, TOKEN, reply};
use crate::steps::Step;
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};
use bytes::Bytes;
use http::{Request, header};
use ibkr_oauth::{
    AccessToken, Callback, Compete, Consumer, Context, Entropy, EntropyError, Error, Secret, Signer, UnlockedToken,
    dh::{DhGroup, Exponent},
    exchange::ParameterPlacement,
    key::{RsaKey, SigningKey},
    simulator::{Broker, Fault, test_keys},
};

const PORTAL: &[u8] = b"MARKER portal key";
const SESSION: &str = "0123456789abcdefMARKERcookie0000";
const EXPONENT: [u8; 32] = *b"the client's secret exponent....";

/// Every spelling of a secret that a careless print might show.
fn spellings(secret: &[u8]) -> Vec<String> {
    let hex = |separator: &str| secret.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(separator);
    let (dense, decimal) = (hex(""), format!("{secret:?}"));
    let mut all = vec![
        dense.to_uppercase(),
        dense.clone(),
        hex(":"),
        hex(", "),
        STANDARD_NO_PAD.encode(secret),
        // As `Debug` of a slice or a list shows it, without the brackets.
        decimal[1..decimal.len() - 1].to_owned(),
        dense.trim_start_matches('0').to_owned(),
    ];
    all.extend(String::from_utf8(secret.to_vec()));
    // A half is as bad: an abbreviated print shows the beginning.
    all.extend([dense[..16].to_owned(), STANDARD.encode(secret)[..12].to_owned()]);
    all
}

/// All secrets of this file's world, each with its name.
struct Markers(Vec<(String, String)>);

impl Markers {
    fn new() -> Self {
        let mut markers = Self(Vec::new());
        markers.add("opened secret", &fixture::SECRET);
        markers.add("live session token", &fixture::LIVE);
        markers.add("exponent", &EXPONENT);
        markers.add("session cookie", SESSION.as_bytes());
        markers.add("portal key", PORTAL);
        markers.0.push(("MARKER".to_owned(), "MARKER".to_owned()));
        for pem in [test_keys::SIGNATURE_KEY, test_keys::ENCRYPTION_KEY] {
            let lines = pem.lines().filter(|line| !line.starts_with("-----"));
            // The first line is the same for every key of this size.
            markers.0.extend(lines.skip(1).map(|line| ("private key".to_owned(), line.to_owned())));
        }
        markers
    }

    fn add(&mut self, name: &str, secret: &[u8]) {
        self.0.extend(spellings(secret).into_iter().map(|text| (name.to_owned(), text)));
    }

    #[track_caller]
    fn absent_from(&self, what: &str, text: &str) {
        for (name, marker) in &self.0 {
            assert!(!text.contains(marker.as_str()), "{what} shows the {name}: {text}");
        }
    }

    #[track_caller]
    fn check(&self, what: &str, value: &impl Debug) {
        self.absent_from(what, &format!("{value:?}"));
        self.absent_from(what, &format!("{value:#?}"));
    }

    #[track_caller]
    fn check_error(&self, error: &Error) {
        self.check("an error", error);
        self.check_displayed("an error", error);
        self.absent_from("a remedy", error.remedy());
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            self.absent_from("a cause", &format!("{cause} {cause:?}"));
            source = cause.source();
        }
    }

    #[track_caller]
    fn check_displayed(&self, what: &str, value: &impl Display) {
        self.absent_from(what, &value.to_string());
        self.absent_from(what, &format!("{value:#}"));
    }
}

#[test]
fn the_search_itself_finds_a_secret_in_every_spelling() {
    let markers = Markers::new();
    let found = |text: String| std::panic::catch_unwind(|| markers.absent_from("it", &text)).is_err();
    assert!(found(format!("a {} b", STANDARD.encode(fixture::LIVE))));
    assert!(found(fixture::hex(&fixture::SECRET).to_uppercase()));
    assert!(found(format!("{:?}", fixture::SECRET)));
    assert!(found(format!("{EXPONENT:02x?}")));
    assert!(found(String::from_utf8_lossy(PORTAL).into_owned()));
    assert!(found(test_keys::SIGNATURE_KEY.to_owned()));
    assert!(!found("Secret([redacted], 32 bytes)".to_owned()));
}

/// Gives out the exponent first.
struct Rigged(Option<[u8; 32]>, SeededEntropy);

impl Entropy for Rigged {
    fn fill(&mut self, destination: &mut [u8]) -> Result<(), EntropyError> {
        match self.0.take_if(|exponent| exponent.len() == destination.len()) {
            Some(exponent) => destination.copy_from_slice(&exponent),
            None => self.1.fill(destination)?,
        }
        Ok(())
    }
}

fn consumer() -> Consumer {
    let placement = ParameterPlacement::JsonBody { portal: Some(Secret::from(PORTAL)) };
    fixture::consumer_builder().parameter_placement(placement).build().unwrap()
}

fn keys_show_none(markers: &Markers, read: impl Fn(&str) -> Result<RsaKey, Error>) {
    for pem in [test_keys::SIGNATURE_KEY, test_keys::ENCRYPTION_KEY] {
        let key = read(pem).unwrap();
        markers.check("RsaKey", &key);
        markers.check("RsaPublicKey", &key.public_key());
        let key: std::sync::Arc<dyn SigningKey> = std::sync::Arc::new(key);
        markers.check("dyn SigningKey", &key);
        // Damaged on the way: the error must not repeat what it was given.
        let text = pem.replace("-----END", "!!-----END");
        let cut = &pem[..pem.len() / 2];
        let one_line = pem.replace('\n', "?");
        // Three digits of its numbers are others.
        let wrong = pem.replacen('k', "l", 3);
        for damaged in [&text, cut, &one_line, &wrong, &pem.replace("PRIVATE", "PUBLIC"), &pem.replace('A', "ä")] {
            if let Err(error) = read(damaged) {
                markers.check("why a key is not read", &error);
                markers.check_displayed("why a key is not read", &error);
                markers.check_error(&error);
            }
            if let Err(error) = DhGroup::read(damaged) {
                markers.check_error(&error);
            }
        }
    }
}

#[test]
fn keys_and_consumers_show_none() {
    let markers = Markers::new();
    keys_show_none(&markers, RsaKey::from_pem);
    #[cfg(feature = "aws-lc-rs")]
    keys_show_none(&markers, |text| RsaKey::read_with_aws_lc(text, None));
    markers.check("Consumer", &consumer());
    markers.check("ConsumerBuilder", &fixture::consumer_builder());
    markers.check("ParameterPlacement", &ParameterPlacement::JsonBody { portal: Some(Secret::from(PORTAL)) });
    markers.check("Secret", &Secret::from(fixture::SECRET.as_slice()));
}

#[test]
fn the_steps_of_the_sign_in_show_none() {
    let mut markers = Markers::new();
    let (consumer, group) = (consumer(), DhGroup::read(test_keys::DH_PARAMETERS).unwrap());
    let mut rng = Rigged(Some(EXPONENT), SeededEntropy(1));
    let token = UnlockedToken::from_plaintext(TOKEN, Secret::from(fixture::SECRET.as_slice()));
    markers.check("UnlockedToken", &token);

    let unsigned = token.prepare_live_session_token(&consumer, &mut Context::new(NOW, &mut rng)).unwrap();
    markers.check("Unsigned", &unsigned);
    markers.check("SigningInput", unsigned.input());
    assert!(unsigned.input().expose_message().windows(8).any(|part| part == b"POST&htt"), "it holds the message");

    let mut rng = Rigged(Some(EXPONENT), SeededEntropy(1));
    let exchange = token.live_session_token(&consumer, &mut Context::new(NOW, &mut rng)).unwrap();
    markers.check("Exchange", &exchange);
    markers.check("Request", exchange.request());
    let mut broker = fixture::broker_builder().build().unwrap();
    let response = broker.handle(&mut Context::new(NOW, &mut SeededEntropy(2)), exchange.request());
    let number: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
    let exponent = Exponent::generate(&mut Rigged(Some(EXPONENT), SeededEntropy(1))).unwrap();
    markers.check("Exponent", &exponent);
    let shared = exponent.shared_secret(number["diffie_hellman_response"].as_str().unwrap(), &group).unwrap();
    markers.add("shared secret", shared.expose());
    let (_, pending) = exchange.into_parts();
    markers.check("PendingResponse", &pending);
    let live = pending.complete(response).unwrap();
    assert_eq!(ibkr_oauth::dh::live_session_token(&shared, &Secret::from(fixture::SECRET.as_slice())), *live.secret());
    markers.add("negotiated token", live.secret().expose());
    markers.check("LiveSessionToken", &live);
    markers.check("Signer", &live.signer());
    markers.check("Brokerage", &live.signer().brokerage());
    markers.check("TokenId", &live.signer().token_id());
    markers.check("Broker", &broker);

    let stored = AccessToken::from_parts("t", &STANDARD.encode([b"MARKER".as_slice(); 50].concat())).unwrap();
    markers.check("AccessToken", &stored);
}

#[test]
fn signed_requests_show_neither_signature_nor_cookie() {
    let markers = Markers::new();
    let consumer = fixture::consumer_builder().build().unwrap();
    let signer = fixture::signer(&consumer);
    let mut rng = SeededEntropy(1);
    let mut cx = Context::new(NOW, &mut rng);
    let mut request = Request::get("https://api.ibkr.com/v1/api/tickle").body(Bytes::new()).unwrap();
    signer.sign(&mut cx, &mut request).unwrap();
    markers.check("a signed request", &request);
    assert!(!format!("{request:?}").contains("oauth_signature"), "{request:?}");
    request.headers_mut().remove(header::AUTHORIZATION);
    let signature = signer.sign_with(&request.into_parts().0, None, "n", 1).unwrap();
    markers.check("RequestSignature", &signature);

    let exchange = signer.brokerage().tickle(&mut cx).unwrap();
    let tickle = exchange.complete(reply(200, format!(r#"{{"session":"{SESSION}"}}"#))).unwrap();
    assert_eq!(tickle.session().unwrap().expose(), SESSION.as_bytes());
    markers.check("Tickle", &tickle);
    let upgrade = signer.brokerage().web_socket(&mut cx, &tickle).unwrap();
    markers.check("the upgrade", &upgrade);
    assert_eq!(upgrade.headers()[header::COOKIE], format!("api={SESSION}"));
    let exchange = signer.brokerage().tickle(&mut cx).unwrap();
    let hostile = exchange.complete(reply(200, r#"{"session":"MARKER\r\nX-Injected: 1"}"#)).unwrap();
    markers.check_error(&signer.brokerage().web_socket(&mut cx, &hostile).unwrap_err());
}

#[test]
fn the_errors_of_our_own_arguments_show_none() {
    let markers = Markers::new();
    let encoded = |secret: &[u8]| STANDARD.encode(secret);
    let consumer = fixture::consumer_builder().build().unwrap();
    for secret in [&encoded(&fixture::SECRET)[..43], &format!("!{}", encoded(&fixture::SECRET)), "MARKER", "MARKER ü"]
    {
        markers.check_error(&AccessToken::from_parts("t", secret).unwrap_err());
    }
    let short = AccessToken::from_parts("t", &encoded(&fixture::SECRET)).unwrap();
    markers.check_error(&consumer.unlock(&mut Context::new(NOW, &mut SeededEntropy(1)), &short).unwrap_err());
    let foreign = AccessToken::from_parts("t", &encoded(&[0x4d; 256])).unwrap();
    if let Err(error) = consumer.unlock(&mut Context::new(NOW, &mut SeededEntropy(1)), &foreign) {
        markers.check_error(&error);
    }
    for live in [encoded(&fixture::LIVE).as_bytes(), b"MARKER", &fixture::LIVE[..19]] {
        markers.check_error(&Signer::from_stored(&consumer, TOKEN, &Secret::from(live)).unwrap_err());
    }
    let placement = ParameterPlacement::JsonBody { portal: Some(Secret::from(b"MARKER\n".as_slice())) };
    let consumer = fixture::consumer_builder().parameter_placement(placement).build().unwrap();
    let mut rng = SeededEntropy(1);
    let mut cx = Context::new(NOW, &mut rng);
    markers.check_error(&consumer.request_token(&mut cx, Callback::OutOfBand).unwrap_err());
    let stored = r#"{"oauth_token":"t","oauth_token_secret":"MARKER!"}"#;
    let error = serde_json::from_str::<AccessToken>(stored).unwrap_err();
    markers.check("a stored token", &error);
    markers.check_displayed("a stored token", &error);
}

#[test]
fn the_errors_of_every_fault_show_none() {
    let markers = Markers::new();
    let consumer = fixture::consumer_builder().build().unwrap();
    for fault in [
        Fault::status(503).with_body("", ""),
        Fault::status(500).with_body("text/html", "<h1>Unavailable</h1>"),
        Fault::problem(401, "Access token expired"),
        Fault::status(200).with_body("application/json", r#"{"error":"bad"}"#),
        "invalid-consumer".parse::<Fault>().unwrap(),
        "no-access-secret".parse::<Fault>().unwrap(),
        "lst-failed".parse::<Fault>().unwrap(),
        "wrong-proof".parse::<Fault>().unwrap(),
        Fault::drop_field("live_session_token_signature"),
        Fault::set_field("diffie_hellman_response", "1"),
        Fault::status(429),
        Fault::status(410),
    ] {
        let mut broker = fixture::broker_builder().build().unwrap();
        broker.inject(fault);
        let mut rng = Rigged(Some(EXPONENT), SeededEntropy(1));
        let exchange = fixture::unlocked().live_session_token(&consumer, &mut Context::new(NOW, &mut rng)).unwrap();
        let response = broker.handle(&mut Context::new(NOW, &mut SeededEntropy(2)), exchange.request());
        markers.check_error(&exchange.complete(response).unwrap_err());
    }
}

#[test]
fn the_errors_of_damaged_replies_show_none() {
    let markers = Markers::new();
    let consumer = fixture::consumer_builder().build().unwrap();
    let good = format!(r#"{{"session":"{SESSION}","userId":1,"ssoExpires":2,"collission":false}}"#);
    for length in 0..good.len() {
        markers
            .check_error(&Step::Tickle.fail(&consumer, reply(200, Bytes::copy_from_slice(&good.as_bytes()[..length]))));
    }
    for (from, to) in [("1", "\"MARKER\""), ("2", "[]"), ("false", "0"), (":2", "2"), ("\"session\"", "session")] {
        let bad = good.replacen(from, to, 1);
        if let Err(error) = Step::Tickle.read(&consumer, reply(200, bad)) {
            markers.check_error(&error);
        }
    }
    for (prefix, suffix) in [("\u{feff}", ""), ("garbage ", ""), ("", "}"), ("[", ""), ("data: ", "\n\n"), ("(", ")")] {
        let body = format!("{prefix}{good}{suffix}");
        markers.check_error(&Step::Tickle.fail(&consumer, reply(200, body)));
    }
}

/// A reply that was meant to be a good one, but came with a bad status, without its start, or in another form.
#[test]
fn the_errors_of_misplaced_replies_show_none() {
    let markers = Markers::new();
    let consumer = fixture::consumer_builder().build().unwrap();
    let good = format!(r#"{{"session":"{SESSION}","userId":1,"iserver":{{"authStatus":{{"authenticated":false}}}}}}"#);
    let form = format!("oauth_token=t&oauth_token_secret={SESSION}");
    for status in [302, 401, 404, 500, 503] {
        for body in [&good, &format!("[{good}]"), &good[..good.len() - 1], &good[1..], &form] {
            let body = Bytes::copy_from_slice(body.as_bytes());
            markers.check_error(&Error::from_response(&reply(status, body.clone())).unwrap());
            markers.check_error(&Step::Tickle.fail(&consumer, reply(status, body)));
        }
    }
    let last = format!(r#"{{"userId":1,"session":"{SESSION}"}}"#);
    for start in 1..good.len() {
        markers.check_error(&Step::Tickle.fail(&consumer, reply(200, good[start..].to_owned())));
    }
    for start in 1..last.find(SESSION).unwrap() {
        markers.check_error(&Step::Tickle.fail(&consumer, reply(200, last[start..].to_owned())));
    }
    markers.check_error(&Step::AccessToken.fail(&consumer, reply(200, form)));
}

/// What the broker's log says of wrong requests names everything but the secrets.
#[test]
fn the_simulator_s_refusals_show_none() {
    let markers = Markers::new();
    let consumer = fixture::consumer_builder().build().unwrap();
    let mut broker = fixture::broker_builder().build().unwrap();
    let mut rng = Rigged(Some(EXPONENT), SeededEntropy(1));
    let other = UnlockedToken::from_plaintext(TOKEN, Secret::from(b"another".as_slice()));
    let exchange = other.live_session_token(&consumer, &mut Context::new(NOW, &mut rng)).unwrap();
    broker.handle(&mut Context::new(NOW, &mut SeededEntropy(2)), exchange.request());
    let signer = Signer::from_stored(&consumer, TOKEN, &Secret::from([7; 20].as_slice())).unwrap();
    let exchange = signer.brokerage().open(&mut Context::new(NOW, &mut SeededEntropy(3)), Compete::Take).unwrap();
    broker.handle(&mut Context::new(NOW, &mut SeededEntropy(2)), exchange.request());
    assert_eq!(broker.refusals().len(), 2);
    for refusal in broker.refusals() {
        markers.check("Refusal", refusal);
        markers.check_displayed("Refusal", refusal);
    }
    markers.check("Broker", &broker);
    markers.check("BrokerBuilder", &Broker::builder().strict().access_token(TOKEN, fixture::SECRET));
}

#[test]
fn what_signs_and_what_is_on_its_way_shows_none() {
    let markers = Markers::new();
    let signer = fixture::signer(&consumer());
    let (mut parts, ()) = Request::get("https://api.ibkr.com/v1/api/portfolio/accounts").body(()).unwrap().into_parts();
    let mut rng = SeededEntropy(1);
    let mut cx = Context::new(NOW, &mut rng);
    markers.check("a context", &cx);
    assert!(format!("{cx:?}").contains("now"), "{cx:?}");
    signer.sign_parts(&mut cx, &mut parts, None).unwrap();
    let header = parts.headers[header::AUTHORIZATION].to_str().unwrap().to_owned();
    let (_, signature) = header.split_once("oauth_signature=\"").unwrap();
    assert!(!format!("{parts:?}").contains(&signature[..20]), "{parts:?}");

    // Whoever has it, the request token and the consumer's key gets the access token.
    let stored = r#"{"request_token":"request0","url":"https://h/?oauth_token=request0"}"#;
    let consent: ibkr_oauth::Consent = serde_json::from_str(stored).unwrap();
    let verifier = consent.verifier_from_code("MARKER code").unwrap();
    markers.check("a verifier", &verifier);
    assert!(format!("{verifier:?}").contains("request0"), "{verifier:?}");
}
