//! No secret is ever printed by what came after the sign-in: bundles, sessions, their inputs, outputs and events, and
//! those who drive them. And whatever is signed is marked as sensitive.

use std::{
    cell::RefCell,
    fmt::{Debug, Write},
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::fixture::{self, NOW, SECRET, SeededEntropy, TOKEN};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Request, Response, StatusCode, header::AUTHORIZATION};
use ibkr_oauth::{
    AccessToken, Callback, Compete, Consumer, Context, CredentialBundle, Secret, Timestamp, UnlockedToken,
    driver::Driver,
    exchange::ParameterPlacement,
    key::KeyLocation,
    session::{Failure, FailureKind, Input, Output, Session, SessionConfig, SessionEvent, Snapshot, State},
    simulator::{Broker, Fault, test_keys},
    transport::Limits,
};
use serde_json::{Value, json};

const PORTAL: &[u8] = b"MARKER portal key";

/// What must not be seen, in the spellings that a careless print would give it.
struct Markers(Vec<(String, String)>);

impl Markers {
    fn new() -> Self {
        let mut markers = Self(vec![("marker".to_owned(), "MARKER".to_owned())]);
        markers.add("opened secret", &SECRET);
        for pem in [test_keys::SIGNATURE_KEY, test_keys::ENCRYPTION_KEY] {
            let lines = pem.lines().filter(|line| !line.starts_with("-----"));
            // The first line is the same for every key of this size.
            markers.0.extend(lines.skip(1).map(|line| ("private key".to_owned(), line.to_owned())));
        }
        markers
    }

    fn add(&mut self, name: &str, secret: &[u8]) {
        let first = fixture::hex(secret)[..16.min(2 * secret.len())].to_owned();
        if self.0.iter().any(|(_, known)| *known == first) {
            return;
        }
        let decimal = format!("{secret:?}");
        let mut spellings = vec![
            first.clone(),
            first.to_uppercase(),
            STANDARD.encode(secret).chars().take(12).collect(),
            decimal[1..decimal.len() - 1].to_owned(),
        ];
        spellings.extend(String::from_utf8(secret.to_vec()));
        self.0.extend(spellings.into_iter().map(|text| (name.to_owned(), text)));
    }

    #[track_caller]
    fn absent_from(&self, what: &str, text: &str) {
        for (name, marker) in &self.0 {
            assert!(!text.contains(marker.as_str()), "{what} shows the {name}: {text:.2000}");
        }
    }

    #[track_caller]
    fn check(&self, what: &str, value: &impl Debug) {
        self.absent_from(what, &format!("{value:?}"));
        self.absent_from(what, &format!("{value:#?}"));
    }

    #[track_caller]
    fn check_error(&self, what: &str, error: &(dyn std::error::Error + 'static)) {
        let mut cause = Some(error);
        while let Some(error) = cause {
            self.absent_from(what, &format!("{error} {error:#} {error:?} {error:#?}"));
            cause = error.source();
        }
    }
}

fn session(consumer: &Consumer) -> Session {
    Session::new(consumer.clone(), fixture::unlocked(), SessionConfig::default())
}

/// Everything that went in and out of a session, as `Debug` shows it, and the secrets that came up meanwhile.
struct Run {
    outputs: String,
    inputs: String,
    requests: Vec<Request<Bytes>>,
    markers: Markers,
    session: Session,
    broker: Broker,
}

fn run(session: Session, mut broker: Broker, faults: Vec<Fault>, hours: u64) -> Run {
    for fault in faults {
        broker.inject(fault);
    }
    let (mut outputs, mut inputs, mut requests) = (String::new(), String::new(), Vec::new());
    let (mut session, mut markers, mut rng) = (session, Markers::new(), SeededEntropy(1));
    let mut now = NOW;
    let end = Timestamp::from_secs(NOW.as_secs() + hours * 3600);
    loop {
        let output = session.poll_output(&mut Context::new(now, &mut rng));
        writeln!(outputs, "{output:?} {output:#?}").unwrap();
        if let Some(snapshot) = session.snapshot() {
            let written = serde_json::to_value(snapshot.expose_secrets()).unwrap();
            let token = STANDARD.decode(written["live_session_token"].as_str().unwrap()).unwrap();
            markers.add("live session token", &token);
            markers.check("Snapshot", &snapshot);
        }
        markers.check("Session", &session);
        markers.check("SessionView", session.view());
        let input = match output {
            Output::Transmit { id, request, .. } => {
                let response = broker.handle(&mut Context::new(now, &mut rng), &request);
                if let Ok(Value::Object(reply)) = serde_json::from_slice(response.body())
                    && let Some(cookie) = reply.get("session").and_then(Value::as_str)
                {
                    markers.add("session cookie", cookie.as_bytes());
                }
                requests.push(request);
                Input::Response { id, response }
            }
            Output::Timeout { at, .. } => {
                now = at;
                if now < end { Input::Timeout } else { Input::Shutdown }
            }
            Output::Event(SessionEvent::GaveUp { error } | SessionEvent::Failed { error, .. }) => {
                markers.check_error("the error of an event", &error);
                markers.absent_from("a remedy", error.remedy());
                continue;
            }
            Output::Finished => break,
            _ => continue,
        };
        writeln!(inputs, "{input:?}").unwrap();
        session.handle_input(&mut Context::new(now, &mut rng), input);
    }
    Run { outputs, inputs, requests, markers, session, broker }
}

fn faults() -> Vec<Fault> {
    vec![
        Fault::status(503).at("/oauth/live_session_token"),
        "wrong-proof".parse::<Fault>().unwrap(),
        Fault::set_field("session", r#""MARKER cookie""#).at("/tickle").after(3),
        Fault::problem(401, "Access token expired").at("/tickle").after(9),
        Fault::status(429).at("/tickle").after(20),
        Fault::status(500).with_body("text/html", "<h1>Unavailable</h1>").at("/tickle").after(30).times(3),
        Fault::status(410).at("/tickle").after(60),
        Fault::competing().at("/tickle").after(90),
    ]
}

fn broker() -> Broker {
    Broker::builder().strict().access_token(TOKEN, SECRET).build().unwrap()
}

#[test]
fn a_session_shows_none() {
    let consumer = fixture::consumer_builder().build().unwrap();
    let run = run(session(&consumer), broker(), faults(), 30);
    assert!(run.requests.len() > 500, "{} requests", run.requests.len());
    assert_eq!(run.session.view().state(), State::Closed);
    run.markers.absent_from("what came out", &run.outputs);
    run.markers.check("Broker", &run.broker);
    for request in &run.requests {
        assert!(request.headers()[AUTHORIZATION].is_sensitive(), "{request:?}");
    }
}

/// An application that logs what it hands to the session.
#[test]
fn the_inputs_of_a_session_show_none() {
    let consumer = fixture::consumer_builder().build().unwrap();
    let run = run(session(&consumer), broker(), Vec::new(), 1);
    run.markers.absent_from("what went in", &run.inputs);
}

/// Without the header, the body is what must not be seen.
#[test]
fn a_signature_in_a_body_is_not_shown() {
    let placement = ParameterPlacement::JsonBody { portal: Some(Secret::from(PORTAL)) };
    let consumer = fixture::consumer_builder().parameter_placement(placement).build().unwrap();
    let run = run(session(&consumer), broker(), Vec::new(), 1);
    assert!(!run.outputs.contains("oauth_signature"), "{:.2000}", run.outputs);
}

#[test]
fn a_signature_s_input_shows_none() {
    let group = ibkr_oauth::dh::DhGroup::modp_2048();
    let consumer = Consumer::builder(test_keys::CONSUMER_KEY).dh_params(group).build().unwrap();
    let markers = Markers::new();
    let mut rng = SeededEntropy(1);
    let mut session = session(&consumer);
    let output = session.poll_output(&mut Context::new(NOW, &mut rng));
    markers.check("Output::Sign", &output);
    let Output::Sign { id, input, .. } = output else { panic!("{output:?}") };
    markers.check("SigningInput", &input);
    let hex = fixture::hex(&SECRET);
    assert!(input.expose_message().starts_with(hex.as_bytes()), "it holds the secret");
    let failure = Failure::new(FailureKind::Refused, "no");
    session.handle_input(&mut Context::new(NOW, &mut rng), Input::Failed { id, failure });
    for _ in 0..4 {
        markers.check("what comes of it", &session.poll_output(&mut Context::new(NOW, &mut rng)));
    }
}

#[test]
fn those_who_drive_a_session_show_none() {
    let consumer = fixture::consumer_builder().build().unwrap();
    let broker = broker();
    let mut markers = Markers::new();
    let driver = Driver::new(session(&consumer), SeededEntropy(2));
    let handle = driver.handle();
    markers.check("Driver", &driver);
    markers.check("SessionHandle", &handle);
    let outside = RefCell::new((broker, SeededEntropy(1), String::new(), Vec::new()));
    let transport = |request: Request<Bytes>, _: Limits| {
        let (broker, rng, shown, cookies) = &mut *outside.borrow_mut();
        write!(shown, "{request:?}").unwrap();
        // The driver reads a clock of its own.
        let now = Timestamp::from(std::time::SystemTime::now());
        let response = broker.handle(&mut Context::new(now, rng), &request);
        if let Ok(reply) = serde_json::from_slice::<Value>(response.body()) {
            cookies.extend(reply["session"].as_str().map(str::to_owned));
        }
        if request.uri().path().ends_with("/ssodh/init") {
            handle.shutdown();
        }
        Ok(response)
    };
    driver.run_blocking(&transport, |event| {
        markers.check("SessionEvent", &event);
        if let SessionEvent::GaveUp { error } = &event {
            panic!("{error:?}");
        }
    });
    let (_, _, shown, cookies) = outside.into_inner();
    for cookie in &cookies {
        markers.add("cookie", cookie.as_bytes());
    }
    markers.absent_from("what was sent", &shown);
    markers.check("SessionHandle", &handle);
    markers.check("the handle's view", &handle.view());
    markers.check_error("what is said at the end", &handle.ready_blocking(std::time::Duration::ZERO).unwrap_err());
}

#[test]
fn snapshots_and_what_is_wrong_with_them_show_none() {
    let markers = Markers::new();
    let good = json!({
        "version": 1, "consumer_key": test_keys::CONSUMER_KEY, "access_token": TOKEN,
        "live_session_token": STANDARD.encode(b"MARKER session token"), "expires_at": (NOW.as_secs() + 60) * 1000,
        "timestamp_floor": 1, "clock_correction": 0,
    });
    let read = |value: &Value| serde_json::from_str::<Snapshot>(&value.to_string());
    let snapshot = read(&good).unwrap();
    markers.check("Snapshot", &snapshot);
    for (field, value) in [
        ("version", json!(2)),
        ("live_session_token", json!("MARKER")),
        ("live_session_token", json!(STANDARD.encode(b"MARKER"))),
        ("consumer_key", json!(["MARKER"])),
        ("expires_at", json!(-1)),
    ] {
        let mut bad = good.clone();
        bad[field] = value;
        let error = read(&bad).unwrap_err();
        markers.check_error("what is said of a snapshot", &error);
    }
    let consumer = Consumer::builder("OTHER").build().unwrap();
    let config = SessionConfig::default();
    let error = Session::resume(consumer, fixture::unlocked(), config.clone(), snapshot, NOW).unwrap_err();
    markers.check_error("what is said of a foreign snapshot", &error);
    let consumer = fixture::consumer_builder().build().unwrap();
    let session = Session::resume(consumer, fixture::unlocked(), config, read(&good).unwrap(), NOW).unwrap();
    markers.check("a resumed session", &session);
}

#[test]
fn bundles_show_none() {
    let markers = Markers::new();
    let text = |signature: &str, dh: &str| {
        json!({
            "consumer_key": test_keys::CONSUMER_KEY,
            "access_token": "MARKERtoken",
            "access_token_secret": STANDARD.encode(b"MARKER") + "MARKER",
            "signature_key": signature,
            "encryption_key": {"file": "a.pem", "passphrase": {"env": "B"}},
            "dh_params": dh,
        })
        .to_string()
    };
    let good = text(test_keys::SIGNATURE_KEY, test_keys::DH_PARAMETERS);
    let bundle = CredentialBundle::from_json(&good).unwrap();
    markers.check("CredentialBundle", &bundle);
    markers.check_error("an unresolved bundle", &bundle.consumer().unwrap_err());
    markers.check_error("its token", &bundle.access_token().unwrap_err());
    let resolve = |answer: &str| {
        let answer = Secret::from(answer.as_bytes());
        bundle.clone().resolve(|_: &KeyLocation| Ok::<_, std::io::Error>(answer.clone())).unwrap()
    };
    let public = ibkr_oauth::key::RsaKey::from_pem(test_keys::SIGNATURE_KEY).unwrap().public_key().to_pem();
    for answer in ["MARKER", &public, &test_keys::ENCRYPTION_KEY[..900], "-----BEGIN MARKER-----"] {
        let resolved = resolve(answer);
        markers.check("a resolved bundle", &resolved);
        let error = resolved.consumer().unwrap_err();
        markers.check_error("a bundle with a bad key", &error);
        markers.absent_from("a remedy", error.remedy());
    }
    for (signature, dh) in [("MARKER", "MARKER"), (&test_keys::SIGNATURE_KEY.replace('\n', "!"), "ff:MARKER")] {
        match CredentialBundle::from_json(&text(signature, dh)) {
            Ok(bundle) => markers.check_error("a bundle", &bundle.consumer().unwrap_err()),
            Err(error) => markers.check_error("a bundle", &error),
        }
    }
    // Cut anywhere, as by a full disk.
    for length in (0..good.len()).step_by(7) {
        let error = CredentialBundle::from_json(&good[..length]).unwrap_err();
        markers.check_error("a cut bundle", &error);
    }
}

/// Whatever adds an `Authorization` marks it, so that `http`'s own `Debug` and clients' logs leave it out.
#[test]
fn each_authorization_is_sensitive() {
    let consumer = fixture::consumer_builder().build().unwrap();
    let signer = fixture::signer(&consumer);
    let mut rng = SeededEntropy(1);
    let mut cx = Context::new(NOW, &mut rng);
    let brokerage = signer.brokerage();
    let mut requests = vec![
        consumer.request_token(&mut cx, Callback::OutOfBand).unwrap().into_parts().0,
        fixture::verifier().access_token(&consumer, &mut cx).unwrap().into_parts().0,
        fixture::unlocked().live_session_token(&consumer, &mut cx).unwrap().into_parts().0,
        brokerage.open(&mut cx, Compete::Take).unwrap().into_parts().0,
        brokerage.status(&mut cx).unwrap().into_parts().0,
        brokerage.tickle(&mut cx).unwrap().into_parts().0,
        brokerage.logout(&mut cx).unwrap().into_parts().0,
    ];
    let url = "https://api.ibkr.com/v1/api/portfolio/accounts";
    let mut plain = Request::get(url).body(Bytes::new()).unwrap();
    signer.sign(&mut cx, &mut plain).unwrap();
    let form = Request::post(url).header("content-type", "application/x-www-form-urlencoded");
    let mut form = form.body(Bytes::from("a=1")).unwrap();
    signer.sign_form(&mut cx, &mut form).unwrap();
    let (mut parts, body) = Request::get(url).body(Bytes::new()).unwrap().into_parts();
    signer.sign_parts(&mut cx, &mut parts, None).unwrap();
    requests.extend([plain, form, Request::from_parts(parts, body)]);
    for request in requests {
        assert!(request.headers()[AUTHORIZATION].is_sensitive(), "{request:?}");
        assert!(!format!("{request:?}").contains("oauth_"), "{request:?}");
    }
    let (parts, ()) = Request::get(url).body(()).unwrap().into_parts();
    assert!(signer.sign_with(&parts, None, "n", 1).unwrap().authorization.is_sensitive());

    let placement = ParameterPlacement::JsonBody { portal: Some(Secret::from(PORTAL)) };
    let consumer = fixture::consumer_builder().parameter_placement(placement).build().unwrap();
    let exchange = consumer.request_token(&mut cx, Callback::OutOfBand).unwrap();
    assert!(exchange.request().headers()["portal"].is_sensitive());
    assert!(!format!("{exchange:?}").contains("oauth_signature"));
}

/// A panic's message is a print like any other. These are the calls that might be made wrongly.
#[test]
fn panics_show_none() {
    let markers = Markers::new();
    let said = |call: &dyn Fn()| match catch_unwind(AssertUnwindSafe(call)) {
        Ok(()) => String::new(),
        Err(panic) => match panic.downcast::<String>() {
            Ok(text) => *text,
            Err(panic) => panic.downcast::<&str>().map(|text| (*text).to_owned()).unwrap_or_default(),
        },
    };
    let secret = Secret::from(SECRET.as_slice());
    let token = AccessToken::from_parts("t", &STANDARD.encode(SECRET)).unwrap();
    let calls: [&dyn Fn(); 4] = [
        &|| assert_eq!(secret, Secret::from(PORTAL)),
        &|| [Err::<(), _>(secret.clone())].into_iter().for_each(Result::unwrap),
        &|| assert_eq!(token, AccessToken::from_parts("u", "AAAA").unwrap()),
        &|| {
            let error = UnlockedToken::from_plaintext(TOKEN, secret.clone()).live_session_token(
                &Consumer::builder("A").build().unwrap(),
                &mut Context::new(NOW, &mut SeededEntropy(1)),
            );
            error.map(drop).unwrap();
        },
    ];
    for call in calls {
        let said = said(call);
        assert!(!said.is_empty(), "it panics");
        markers.absent_from("a panic", &said);
    }
    let response = Response::builder().status(StatusCode::OK).body(Bytes::from("MARKER {")).unwrap();
    let consumer = fixture::consumer_builder().build().unwrap();
    let exchange =
        fixture::signer(&consumer).brokerage().tickle(&mut Context::new(NOW, &mut SeededEntropy(1))).unwrap();
    markers.check_error("a damaged reply", &exchange.complete(response).unwrap_err());
}
