//! What is reported of the WebSocket: with the simulator in this process, with each of its faults, and where what comes is
//! anything at all. Time is the simulator's.

use std::time::Duration;

use ibkr_oauth::{
    Compete, Context, Secret, Signer, Timestamp,
    bytes::Bytes,
    diagnose::Cause,
    http::{Response, StatusCode},
    session::{Failure as SendFailure, FailureKind},
    simulator::{Broker, Fault, SeededEntropy, test_keys},
};
use proptest::prelude::*;

use super::{
    finding::{self, Circumstances},
    in_process,
    listening::{Close, Listening, Next},
};
use crate::failure::Failure;

const DIRECT: Circumstances<'static> = Circumstances { proxy: None, has_brokerage_session: true };
/// The longest that it may take: the user is waited for, then a sign of life, then the broker's close.
const LONGEST: Duration = Duration::from_secs(10 + 12 + 2);

struct Simulated {
    broker: Broker,
    signer: Signer,
    now: Timestamp,
    entropy: SeededEntropy,
}

impl Simulated {
    fn new() -> Self {
        let (mut broker, now, mut entropy) =
            (Broker::default(), Timestamp::from_secs(1_800_000_000), SeededEntropy::new(21));
        let signer = test_keys::sign_in(&mut broker, &mut Context::new(now, &mut entropy)).unwrap().signer();
        Self { broker, signer, now, entropy }
    }

    fn with_brokerage_session() -> Self {
        let mut simulated = Self::new();
        let cx = &mut Context::new(simulated.now, &mut simulated.entropy);
        let exchange = simulated.signer.brokerage().open(cx, Compete::Yield).unwrap();
        let response = simulated.broker.handle(cx, exchange.request());
        assert!(exchange.complete(response).unwrap().is_ready());
        simulated
    }

    /// Opens the WebSocket as the program does. Returns what is reported, and how long it took.
    fn probe(&mut self, circumstances: Circumstances<'_>) -> (Finding, Duration) {
        let cx = &mut Context::new(self.now, &mut self.entropy);
        let exchange = self.signer.brokerage().tickle(cx).unwrap();
        let response = self.broker.handle(cx, exchange.request());
        let tickle = exchange.complete(response).unwrap();
        let upgrade = self.signer.brokerage().web_socket(cx, &tickle).unwrap();
        let mut listening = Listening::for_a_sign_of_life(tickle.session().unwrap().clone());
        let began = self.now;
        let response = in_process::listen(&mut self.broker, &mut self.now, &mut self.entropy, &upgrade, &mut listening);
        let finding = match response {
            Some(response) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                finding::of_connection(&listening.seen, circumstances)
            }
            Some(response) => Err(finding::of_refusal(&response, circumstances)),
            None => Err(finding::of_failure(&SendFailure::new(FailureKind::TimedOut, ""), circumstances)),
        };
        (finding, self.now.saturating_duration_since(began))
    }
}

type Finding = Result<String, Failure>;

/// Whether the finding is an error with these parts.
#[track_caller]
fn assert_error(finding: &Finding, message: &str, advice: &str, cause: Option<Cause>) {
    let Err(failure) = finding else { panic!("{finding:?}") };
    assert!(failure.what().contains(message), "{failure:?}");
    assert!(failure.remedy().contains(advice), "{failure:?}");
    assert_eq!(failure.cause(), cause, "{failure:?}");
}

const ALL_IS_WELL: &str = "opens, says that the user is authenticated, and answers `tic`";

#[test]
fn it_opens_subscribes_to_nothing_and_takes_no_longer_than_a_greeting() {
    let mut simulated = Simulated::with_brokerage_session();
    let (finding, took) = simulated.probe(DIRECT);
    assert_eq!(finding, Ok(ALL_IS_WELL.to_owned()));
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert!(simulated.broker.refusals().is_empty());
}

#[test]
fn each_fault_is_reported_as_what_it_is() {
    for (name, _) in Fault::names().filter(|(name, _)| name.starts_with("ws-")) {
        let mut simulated = Simulated::with_brokerage_session();
        simulated.broker.inject(name.parse().unwrap());
        let (finding, took) = simulated.probe(DIRECT);
        assert!(took <= LONGEST, "{name}: {took:?}");
        match name {
            "ws-close" => {
                let message = "before the user is said to be authenticated, the broker closes it with code 1000";
                assert_error(&finding, message, "ask IBKR", None);
            }
            "ws-stale-session" => {
                let expected = format!("{ALL_IS_WELL}; the cookie alone was not enough, it asked for the session");
                assert_eq!(finding, Ok(expected.clone()), "{name}");
            }
            "ws-no-status" => assert_error(&finding, "not say in 10 s that the user is auth", "run this again", None),
            _ => assert_eq!(finding, Ok(ALL_IS_WELL.to_owned()), "{name}"),
        }
        // The fault is over.
        assert_eq!(simulated.probe(DIRECT).0, Ok(ALL_IS_WELL.to_owned()), "{name}");
    }
}

#[test]
fn without_a_brokerage_session_it_opens_and_that_is_not_its_fault() {
    let absent = Circumstances { has_brokerage_session: false, ..DIRECT };
    let message = "opens; it says that the user is authenticated as soon as there is a brokerage session";
    let mut simulated = Simulated::new();
    assert_eq!(simulated.probe(absent).0, Ok(message.to_owned()));
    simulated.broker.start_competing_session();
    assert_eq!(simulated.probe(absent).0, Ok(message.to_owned()));
}

#[test]
fn a_brokerage_session_that_is_lost_meanwhile_is_reported() {
    let mut simulated = Simulated::new();
    let (finding, took) = simulated.probe(DIRECT);
    assert_error(&finding, "not say in 10 s that the user is authenticated", "run this again", None);
    assert!(took <= Duration::from_secs(12), "{took:?}");
    let mut simulated = Simulated::with_brokerage_session();
    simulated.broker.start_competing_session();
    let (finding, _) = simulated.probe(DIRECT);
    assert_error(&finding, "competing: true", "log out", Some(Cause::CompetingSession));
}

#[test]
fn a_refused_upgrade_says_who_must_act() {
    let proxy = Circumstances { proxy: Some("http://proxy.example:3128"), ..DIRECT };
    for (status, advice, through_proxy, cause) in [
        (200, "a proxy or firewall in between", "have the proxy http://proxy.example:3128 let", None),
        (204, "a proxy or firewall in between", "have the proxy http://proxy.example:3128 let", None),
        (302, "a proxy or firewall in between", "the proxy http://proxy.example:3128", None),
        (400, "a proxy or firewall in between", "the proxy http://proxy.example:3128", None),
        (401, "negotiate a new live session token", "negotiate", Some(Cause::NotAuthenticated)),
        (403, "ask IBKR", "the proxy http://proxy.example:3128", Some(Cause::UserAgentMissingOrAccessDenied)),
        (404, "check `base_url`", "check `base_url`", Some(Cause::NotFound)),
        (426, "a proxy or firewall in between", "the proxy http://proxy.example:3128", None),
        (429, "10 to 15 minutes", "10 to 15 minutes", Some(Cause::RateLimited)),
        (501, "a proxy or firewall in between", "the proxy http://proxy.example:3128", None),
        (503, "wait", "wait", Some(Cause::BackendUnavailable)),
    ] {
        for (circumstances, advice) in [(DIRECT, advice), (proxy, through_proxy)] {
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            let failure = finding::of_refusal(&response, circumstances);
            let known = failure.cause();
            // Where an intermediary answers, its status means little.
            assert_error(&Err(failure), &status.to_string(), advice, cause.or(known));
        }
    }
    // By the simulator, whose words are shown.
    let mut simulated = Simulated::with_brokerage_session();
    simulated.broker.inject(Fault::problem(403, "no market data for this user").at("/ws"));
    assert_error(
        &simulated.probe(DIRECT).0,
        "refused (403 Forbidden): Forbidden: no market data for this user",
        "ask IBKR",
        Some(Cause::UserAgentMissingOrAccessDenied),
    );
    simulated.broker.inject(Fault::drop_response().at("/ws"));
    assert_error(&simulated.probe(DIRECT).0, "the upgrade is not answered", "Upgrade: websocket", None);
}

/// Has these messages come, each at its second, and the end at the last second, if the broker makes one.
fn play(messages: &[(u64, &str)], end: Option<(u64, Close)>) -> (Listening, Duration, Vec<String>) {
    let mut listening = Listening::for_a_sign_of_life(Secret::from("5e551017"));
    let (mut at, mut sent, mut left) = (Duration::ZERO, Vec::new(), messages.iter().peekable());
    loop {
        assert!(sent.len() < 10, "it sends without end: {sent:?}");
        while let Some((second, message)) = left.next_if(|(second, _)| Duration::from_secs(*second) <= at) {
            listening.hear(Duration::from_secs(*second), true, Bytes::copy_from_slice(message.as_bytes()));
        }
        if let Some((second, close)) = end.filter(|(second, _)| Duration::from_secs(*second) <= at) {
            listening.end(Duration::from_secs(second), close);
        }
        match listening.next(at) {
            Next::Send(text) => sent.push(String::from_utf8(text.expose().to_vec()).unwrap()),
            Next::Close => sent.push("close".to_owned()),
            Next::Wait(until) => {
                let next = left.peek().map(|(second, _)| *second).into_iter().chain(end.map(|(second, _)| second));
                let next = next.map(Duration::from_secs).filter(|next| *next > at).min();
                assert!(until > at, "it spins at {at:?}");
                at = next.map_or(until, |next| next.min(until));
            }
            Next::Done => return (listening, at, sent),
        }
    }
}

const READY: &str = r#"{"topic":"sts","args":{"authenticated":true,"competing":false}}"#;
const WAITING: &str = r#"{"message":"waiting for session"}"#;
const TIC: &str = r#"{"topic":"tic","alive":true}"#;

#[test]
fn what_the_broker_says_and_does_not_say_is_told_apart() {
    let of = |messages: &[(u64, &str)], end: Option<(u64, Close)>| {
        let (listening, took, sent) = play(messages, end);
        assert!(took <= LONGEST, "{took:?}");
        (finding::of_connection(&listening.seen, DIRECT), sent)
    };
    let (finding, sent) = of(&[(0, READY), (0, TIC)], None);
    assert_eq!((finding, sent), (Ok(ALL_IS_WELL.to_owned()), vec!["tic".to_owned(), "close".to_owned()]));
    // A heartbeat is as good.
    let (finding, _) = of(&[(0, READY), (9, r#"{"topic":"system","hb":1}"#)], None);
    assert_eq!(finding, Ok("opens, says that the user is authenticated, and beats".to_owned()));
    // At night it says so for a moment.
    let lost = r#"{"topic":"sts","args":{"authenticated":false}}"#;
    let (finding, _) = of(&[(0, lost), (2, READY), (2, TIC)], None);
    assert_eq!(finding, Ok(ALL_IS_WELL.to_owned()));

    let (finding, sent) = of(&[], None);
    assert_error(&finding, "nothing comes in 10 s", "a proxy or firewall in between", None);
    assert_eq!(sent, ["close"]);
    let (finding, _) = of(&[(0, READY)], None);
    assert_error(&finding, "then is silent", "pass on what comes", None);
    let (finding, _) = of(&[(0, READY)], Some((4, Close::NoFrame)));
    assert_error(&finding, "and then the connection is cut", "in between", None);
    let (finding, sent) = of(&[(0, WAITING)], Some((1, Close::Code(1000))));
    let message = "waits for the session; that of the tickle is not taken: the broker closes it with code 1000";
    assert_error(&finding, message, "run this again", Some(Cause::NotAuthenticated));
    assert_eq!(sent, [r#"{"session":"5e551017"}"#]);
    let (finding, sent) = of(&[(0, WAITING), (1, WAITING), (2, WAITING)], None);
    assert_error(&finding, "not taken: it stays silent", "run this again", Some(Cause::NotAuthenticated));
    assert_eq!(sent, [r#"{"session":"5e551017"}"#, "close"]);
    for message in [r#"{"error":"not authenticated"}"#, r#"{"topic":"sor","error":"not authenticated"}"#] {
        let (finding, _) = of(&[(0, message)], None);
        assert_error(&finding, "says: not authenticated", "", Some(Cause::NotAuthenticated));
    }
    // What it says of an answer that it no longer waits for is nothing.
    let unknown = r#"{"error":"Topic unknown {session}","code":1}"#;
    let (finding, _) = of(&[(0, WAITING), (0, unknown), (1, READY), (1, TIC)], None);
    assert!(finding.is_ok(), "{finding:?}");
    let (finding, _) = of(&[], Some((0, Close::NoCode)));
    assert_error(&finding, "the broker closes it without a code", "ask IBKR", None);
    let (finding, _) = of(&[(0, r#"{"topic":"act","args":{}}"#)], None);
    assert_error(&finding, "does not say in 10 s", "--record", None);
    let fail = r#"{"topic":"sts","args":{"authenticated":false,"fail":"Force compete login required"}}"#;
    let (finding, _) = of(&[(0, fail)], None);
    assert_error(&finding, "Force compete login required", "", Some(Cause::ForceCompeteRequired));
}

fn any_message() -> impl Strategy<Value = String> {
    let known = [READY, WAITING, TIC, "{}", "", "[1]", r#"{"error":"no"}"#, r#"{"topic":"system","hb":1}"#];
    let topic = prop_oneof![Just("sts"), Just("tic"), Just("system"), Just("act"), Just("x")];
    let made =
        (topic, "[a-z]{0,9}", any::<Option<bool>>(), any::<bool>()).prop_map(|(topic, name, flag, is_at_top)| {
            let flags =
                serde_json::json!({ "authenticated": flag, "competing": name == "a", "alive": flag, "fail": name });
            if is_at_top {
                return serde_json::json!({ "topic": topic, "authenticated": flag, name: 1 }).to_string();
            }
            serde_json::json!({ "topic": topic, "args": flags }).to_string()
        });
    prop_oneof![prop::sample::select(known.to_vec()).prop_map(str::to_owned), made, ".{0,30}"]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_comes_it_ends_in_time_and_says_at_most_three_things(
        messages in prop::collection::vec((0u64..30, any_message()), 0..40),
        end in any::<Option<(u8, u16)>>(),
        many in any::<bool>(),
    ) {
        let mut messages: Vec<(u64, &str)> = messages.iter().map(|(at, message)| (*at, message.as_str())).collect();
        messages.sort_by_key(|(at, _)| *at);
        // A flood, of which not all is kept.
        let flood = messages.first().copied().filter(|_| many);
        let messages: Vec<(u64, &str)> = flood.into_iter().cycle().take(if many { 200 } else { 0 }).chain(messages).collect();
        let end = end.map(|(second, code)| (u64::from(second % 40), Close::Code(code)));
        let (listening, took, sent) = play(&messages, end);
        prop_assert!(took <= LONGEST, "{took:?}");
        for (text, most) in [("tic", 1), (r#"{"session":"5e551017"}"#, 1), ("close", 1)] {
            prop_assert!(sent.iter().filter(|sent| *sent == text).count() <= most);
        }
        prop_assert!(sent.len() <= 3 && listening.seen.messages.len() <= 60);
        let heard = listening.seen.messages.len() + usize::try_from(listening.seen.more).unwrap();
        prop_assert!(heard <= messages.len());
        for has_brokerage_session in [true, false] {
            let shown = format!("{:?}", finding::of_connection(&listening.seen, Circumstances { has_brokerage_session, ..DIRECT }));
            prop_assert!(!shown.contains("5e551017"), "{shown}");
        }
    }
}
