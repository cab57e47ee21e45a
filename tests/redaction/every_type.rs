//! No public type is forgotten where it is tested that none prints a secret: each is listed here as searched, or with
//! the reason why it has nothing to hide. A new one fails until it is.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    fs,
    path::Path,
};

use crate::fixture::{self, NOW, SeededEntropy};
use bytes::Bytes;
use http::Response;
use ibkr_oauth::{
    Consent, Context, Secret, UnlockedToken,
    local::reading,
    session::{ExchangeId, Failure, FailureKind, Input, Output, Report, Session, SessionConfig},
    simulator::test_keys,
};

/// Values of these types are searched for secrets, here or in the other files of this folder.
const SEARCHED: [&str; 48] = [
    "AccessToken",
    "Broker",
    "BrokerBuilder",
    "Brokerage",
    "Call",
    "Client",
    "ClientDriver",
    "Consent",
    "Consumer",
    "Content",
    "ConsumerBuilder",
    "CredentialBundle",
    "Driver",
    "TokenId",
    "Error",
    "Exchange",
    "Explanation",
    "Exponent",
    "Finding",
    "InProcess",
    "Input",
    "RsaKey",
    "LiveSessionToken",
    "Message",
    "Output",
    "ParameterPlacement",
    "PendingResponse",
    "RsaPublicKey",
    "Refusal",
    "Report",
    "RequestSignature",
    "Response",
    "Secret",
    "Session",
    "SessionEvent",
    "SessionHandle",
    "SessionView",
    "SignatureIssue",
    "Signer",
    "SigningInput",
    "Snapshot",
    "Step",
    "Stream",
    "StreamEvent",
    "Tickle",
    "UnlockedToken",
    "Unsigned",
    "Verifier",
];

/// What has nothing to hide, and why. Enums whose variants carry nothing are not listed.
const HARMLESS: [(&str, &str); 39] = [
    ("AcceptedRequest", "what a request said in the open, and its path"),
    ("Advice", "a moment, flags and numbers"),
    ("Admission", "a moment"),
    ("BrokerError", "a text about the simulator's settings"),
    ("BrokerageStatus", "flags, and the broker's reason for one"),
    ("CallPolicy", "durations, numbers and flags"),
    ("Callback", "the consumer's own URL"),
    ("Cause", "a name, and what the broker's words say"),
    ("Connection", "whether it is over"),
    ("Context", "shows the moment only"),
    ("Counts", "numbers"),
    ("DhGroup", "public numbers, of which two lengths are shown"),
    ("Endpoints", "URLs without user names"),
    ("EntropyError", "the text of whoever implements `Entropy`"),
    ("Events", "shows a number, and counts"),
    ("ExchangeId", "a number"),
    ("Failure", "the text of whoever sends; the adapters' has no query"),
    ("Fault", "what a test makes up"),
    ("HyperTransport", "shows nothing"),
    ("KeyLocation", "the name of a file or a variable, which a key is not taken for"),
    ("Limits", "a duration and a number"),
    ("Logout", "flags"),
    ("OsEntropy", "holds nothing"),
    ("Pacer", "limits and a moment; no paths"),
    ("PacingConfig", "a duration and a number"),
    ("Readme", "holds nothing"),
    ("SeededEntropy", "for tests only"),
    ("SessionConfig", "durations and flags"),
    ("Socket", "shows topics, which the client names"),
    ("SocketMessage", "shows a length"),
    ("SocketOutput", "shows a length, or a code"),
    ("StreamConfig", "numbers"),
    ("StreamHandle", "shows counts"),
    ("Subscription", "shows a number, and counts"),
    ("SystemContext", "holds nothing"),
    ("Ticket", "flags and numbers"),
    ("Timestamp", "a number"),
    ("Topic", "the application's own words, made to be shown"),
    ("UriError", "words of this crate"),
];

/// The public types of the sources, each with whether it can carry something. `unreachable_pub` sees to it that what is
/// `pub` in them is public.
fn public_types(folder: &Path, into: &mut BTreeMap<String, bool>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with("src/bin") {
                public_types(&path, into);
            }
            continue;
        }
        let source = fs::read_to_string(&path).unwrap();
        for (at, _) in source.match_indices("pub ") {
            let declaration = &source[at + 4..];
            let Some((kind, rest)) = declaration.split_once(' ') else { continue };
            if !["struct", "enum", "union"].contains(&kind) || !source[..at].ends_with(['\n', ' ']) {
                continue;
            }
            let name: String = rest.chars().take_while(|char| char.is_alphanumeric() || *char == '_').collect();
            into.insert(name, kind != "enum" || carries_something(rest));
        }
    }
}

/// Whether a variant of the enum whose name starts the text has fields.
fn carries_something(text: &str) -> bool {
    let body = text.split_once('{').unwrap().1;
    let lines = body.lines().take_while(|line| *line != "}");
    lines
        .map(str::trim)
        .filter(|line| !line.starts_with("//") && !line.starts_with('#'))
        .any(|line| line.contains(['(', '{']))
}

#[test]
fn every_public_type_is_searched_or_harmless() {
    let mut types = BTreeMap::new();
    public_types(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut types);
    assert!(types.len() > 80, "the sources have {} public types", types.len());
    let carrying: BTreeSet<&str> =
        types.iter().filter(|(_, carries)| **carries).map(|(name, _)| name.as_str()).collect();
    let listed: BTreeSet<&str> = SEARCHED.into_iter().chain(HARMLESS.iter().map(|(name, _)| *name)).collect();
    assert_eq!(listed.len(), SEARCHED.len() + HARMLESS.len(), "a type is listed twice");
    let forgotten: Vec<_> = carrying.difference(&listed).collect();
    assert!(forgotten.is_empty(), "show that these print no secret, or why they cannot: {forgotten:?}");
    let gone: Vec<_> = listed.difference(&carrying).collect();
    assert!(gone.is_empty(), "these are listed, and are no public types that carry something: {gone:?}");
}

#[track_caller]
fn hidden(what: &str, value: &impl Debug) {
    for text in [format!("{value:?}"), format!("{value:#?}")] {
        for secret in
            ["MARKER", "oauth_signature=", &fixture::hex(&fixture::LIVE)[..16], &fixture::hex(&fixture::SECRET)[..16]]
        {
            assert!(!text.contains(secret), "{what} shows {secret}: {text}");
        }
    }
}

#[test]
fn what_comes_of_the_browser_shows_none() {
    let stored = r#"{"request_token":"t","url":"https://h/MARKER?oauth_token=t"}"#;
    let consent: Consent = serde_json::from_str(stored).unwrap();
    hidden("Consent", &consent);
    let verifier = consent.verifier("https://h/MARKER?oauth_token=t&oauth_verifier=MARKER").unwrap();
    hidden("Verifier", &verifier);
    hidden("what is wrong with a callback", &consent.verifier("https://h/?oauth_token=MARKER").unwrap_err());
}

#[test]
fn what_goes_into_a_session_and_comes_out_shows_none() {
    let token = UnlockedToken::from_plaintext("t", Secret::from(fixture::SECRET.as_slice()));
    let consumer = test_keys::consumer().unwrap();
    let consumer_of_report = consumer.clone();
    let mut session = Session::new(consumer, token, SessionConfig::default());
    let mut rng = SeededEntropy(1);
    let output = loop {
        let output = session.poll_output(&mut Context::new(NOW, &mut rng));
        hidden("Output", &output);
        if matches!(output, Output::Transmit { .. }) {
            break output;
        }
    };
    let Output::Transmit { id, .. } = output else { panic!("{output:?}") };
    let id: ExchangeId = id;
    let response = Response::builder().header("set-cookie", "MARKER").body(Bytes::from("MARKER")).unwrap();
    let uri = "https://api.ibkr.com/v1/api/MARKER?MARKER".parse().unwrap();
    let token_id =
        ibkr_oauth::Signer::from_stored(&consumer_of_report, "token", &vec![7; 20].into()).unwrap().token_id();
    let report = Report::new(token_id, NOW, &http::Method::GET, &uri, &response);
    hidden("Report", &report);
    hidden("Input", &Input::Reported(report));
    hidden("Input", &Input::Response { id, response });
    hidden("Input", &Input::Signed { id, signature: b"MARKER".to_vec() });
    let failure = Failure::new(FailureKind::TimedOut, "no");
    hidden("Input", &Input::Failed { id, failure });
}

#[cfg(feature = "getrandom")]
#[test]
fn what_a_call_shows_is_none_of_it() {
    use http::Request;
    use ibkr_oauth::{
        call::{Call, CallPolicy, Step},
        client::Client,
        simulator::{Broker, InProcess},
    };

    let network = InProcess::new(Broker::builder().strict().build().unwrap(), NOW);
    let bundle = network.broker(test_keys::bundle).unwrap();
    let (client, driver) = Client::start(network.clone(), &bundle, SessionConfig::default()).unwrap();
    let parts: [&dyn Debug; 3] = [&network, &client, &driver];
    for shown in parts {
        hidden("a client", &shown);
    }
    let (response, view) = tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
        tokio::spawn(driver);
        client.ready().await.unwrap();
        (client.get("/trsrv/stocks?symbols=MARKER").await.unwrap(), client.handle().view())
    });
    assert!(format!("{:?}", response.clone().into_inner()).contains("MARKER"));
    hidden("Response", &response);
    let request = Request::post("https://api.ibkr.com/v1/api/MARKER?MARKER").header("cookie", "MARKER");
    let request = request.body(Bytes::from("MARKER")).unwrap();
    let mut call = Call::new(request, CallPolicy::default(), NOW);
    let mut rng = SeededEntropy(2);
    hidden("Call", &call);
    let step = call.poll(&mut Context::new(NOW, &mut rng), &view);
    assert!(matches!(step, Step::Send { .. }), "{step:?}");
    hidden("Step", &step);
    let response = Response::builder().status(503).header("set-cookie", "MARKER").body(Bytes::from("MARKER")).unwrap();
    call.handle_result(&mut Context::new(NOW, &mut rng), Ok(response));
    hidden("Call", &call);
    let step = call.poll(&mut Context::new(NOW, &mut rng), &view);
    let Step::Report(_) = &step else { panic!("{step:?}") };
    let step = call.poll(&mut Context::new(NOW, &mut rng), &view);
    hidden("Step", &step);
    let Step::Done(Ok(response)) = step else { panic!("{step:?}") };
    assert_eq!(response.body(), "MARKER");
}

#[test]
fn what_is_read_shows_none() {
    let path = std::env::temp_dir().join(format!("ibkr-oauth-redaction-{}", std::process::id()));
    fs::write(&path, "MARKER").unwrap();
    let content = reading::file(&path);
    fs::remove_file(&path).unwrap();
    let content = content.unwrap();
    assert_eq!(content.text().unwrap(), "MARKER");
    hidden("Content", &content);
}
