//! Each fault that the broker and the network are known for.

use crate::simulation::Simulation;
use ibkr_oauth::{
    ErrorKind, Stage,
    session::{FailureKind, SessionConfig, SessionEvent, State},
    simulator::{Broker, Fault},
};

use super::{HANDSHAKE, OPEN, TICKLE, config, count_events, count_sent, given_up, hours, live_world, paths, seconds};
use crate::machine::{Machine, READY, tickle};

/// A fault that passes, and how many handshakes it takes until all is well where it hits the handshake, the opening, or
/// a tickle.
fn passing() -> Vec<(&'static str, Fault, [u64; 3])> {
    vec![
        ("lost request", Fault::drop_request(), [1, 1, 1]),
        // The broker made a token that the session never saw.
        ("lost reply", Fault::drop_response(), [2, 1, 1]),
        ("token expired", Fault::expire_live_session_token(), [1, 2, 2]),
        ("401", Fault::problem(401, "Access token expired"), [1, 2, 2]),
        ("401, empty", Fault::status(401).with_body("", ""), [1, 2, 2]),
        ("403", Fault::status(403).with_body("text/html", "<h1>Unavailable</h1>"), [1, 1, 1]),
        ("408", Fault::status(408), [1, 1, 1]),
        ("410", Fault::status(410), [1, 2, 2]),
        ("429", Fault::status(429), [1, 1, 1]),
        ("429, and a box", Fault::penalty_box(seconds(600)), [1, 1, 1]),
        ("500", Fault::status(500), [1, 1, 1]),
        ("500, HTML", Fault::status(500).with_body("text/html", "<h1>Unavailable</h1>"), [1, 1, 1]),
        ("502", Fault::status(502).with_body("text/html", "<h1>Unavailable</h1>"), [1, 1, 1]),
        ("503, empty", Fault::status(503).with_body("", ""), [1, 1, 1]),
        (
            "503, string",
            Fault::status(503).with_body("application/json", r#"{"error":"no","statusCode":"503"}"#),
            [1, 1, 1],
        ),
        ("200, HTML", Fault::status(200).with_body("text/html", "<h1>Unavailable</h1>"), [1, 1, 1]),
        ("200, empty", Fault::status(200).with_body("", ""), [1, 1, 1]),
        ("200, error", Fault::status(200).with_body("application/json", r#"{"error":"not now"}"#), [1, 1, 1]),
        ("200, array", Fault::status(200).with_body("application/json", "[]"), [1, 1, 1]),
        ("302", Fault::status(302).with_body("", ""), [1, 1, 1]),
        ("100", Fault::status(100).with_body("", ""), [1, 1, 1]),
        ("999", Fault::status(999).with_body("", ""), [1, 1, 1]),
        ("not authenticated", Fault::not_authenticated(), [1, 1, 1]),
        ("competing", Fault::competing(), [1, 1, 1]),
    ]
}

#[test]
fn what_passes_is_healed_wherever_it_hits() {
    for (name, fault, handshakes) in passing() {
        for (path, handshakes) in [HANDSHAKE, OPEN, TICKLE].into_iter().zip(handshakes) {
            let mut simulation = Simulation::new(3, SessionConfig::default());
            simulation.broker().inject(fault.clone().at(path));
            simulation.run_for(seconds(1900));
            assert_eq!(simulation.session().view().state(), State::Live, "{name} at {path}");
            assert_eq!(simulation.broker().live_session_tokens_issued(), handshakes, "{name} at {path}");
            assert_eq!(simulation.stalls(), 0, "{name} at {path}");
            let nonces: std::collections::HashSet<_> = simulation.sent().iter().map(|sent| &sent.nonce).collect();
            assert_eq!(nonces.len(), simulation.sent().len(), "each attempt is a new signature");
        }
    }
}

#[test]
fn every_failure_of_the_connection_is_tried_again() {
    let kinds = [
        (FailureKind::NotSent, ErrorKind::Unavailable),
        (FailureKind::MaybeSent, ErrorKind::Unavailable),
        (FailureKind::TimedOut, ErrorKind::Unavailable),
        (FailureKind::TooLarge, ErrorKind::Malformed),
        (FailureKind::Refused, ErrorKind::Unavailable),
    ];
    for (kind, expected) in kinds {
        let mut machine = Machine::new(SessionConfig::default());
        machine.drain();
        machine.fail(kind);
        let Some(SessionEvent::Failed { error, retry_at }) = machine.events.first() else { panic!("{kind:?}") };
        assert_eq!((error.kind(), error.stage()), (expected, Stage::LiveSessionToken));
        assert_eq!(error.may_have_been_sent(), kind != FailureKind::NotSent);
        assert!(*retry_at > machine.now);
        machine.wait();
        machine.answer();
        assert_eq!(machine.state(), State::Opening);
    }
}

#[test]
fn who_never_answers_is_given_up_at_the_time_that_was_named() {
    let mut machine = Machine::new(SessionConfig::default());
    machine.drain();
    let (_, give_up_at) = machine.request.unwrap();
    assert_eq!(give_up_at, machine.now.saturating_add(seconds(30)));
    assert_eq!(machine.deadline.unwrap(), give_up_at);
    machine.wait();
    assert_eq!(machine.state(), State::BackingOff);
}

#[test]
fn a_tickle_is_tried_twice_before_the_session_backs_off() {
    let mut machine = Machine::live(SessionConfig::default());
    machine.wait();
    machine.fail(FailureKind::MaybeSent);
    assert_eq!(machine.state(), State::Live);
    machine.wait();
    machine.fail(FailureKind::MaybeSent);
    assert_eq!(machine.state(), State::BackingOff);
    assert!(machine.session.view().signer().is_some());
    machine.wait();
    // Only a tickle that agrees makes it live.
    assert_eq!((machine.state(), machine.path()), (State::BackingOff, TICKLE));
    machine.reply(200, tickle(READY));
    assert_eq!(machine.state(), State::Live);
    assert_eq!(machine.deadline.unwrap(), machine.now.saturating_add(seconds(60)));
}

#[test]
fn no_outage_ends_the_session_and_no_minute_is_without_a_tickle() {
    let mut simulation = live_world(SessionConfig::default());
    simulation.network().refused = 1000;
    simulation.run_for(hours(30));
    let attempts = simulation.sent().len();
    // A tickle each minute, and some more: nothing of it is sent.
    assert!((30 * 60..=30 * 90).contains(&attempts), "{attempts}");
    let gaps: Vec<_> =
        simulation.sent().windows(2).map(|pair| pair[1].at.saturating_duration_since(pair[0].at).as_secs()).collect();
    assert!(gaps.iter().max() <= Some(&60), "{:?}", gaps.iter().max());
    simulation.network().refused = 0;
    // The token has expired, and an attempt that was not sent is repeated after five minutes at the latest.
    simulation.run_for(seconds(301));
    assert_eq!(simulation.session().view().state(), State::Live);
}

#[test]
fn refusals_of_the_handshake_are_told_apart_and_bounded() {
    // What the broker says in words that only a person can answer is believed half a minute after the start.
    let cases = [
        ("invalid-consumer".parse::<Fault>().unwrap().at(HANDSHAKE), "weekend reset", 6..=7),
        ("no-access-secret".parse::<Fault>().unwrap(), "generate a new access token in the portal", 6..=7),
        ("lst-failed".parse::<Fault>().unwrap(), "check that the signature key", 6..=7),
        (Fault::status(401).with_body("", "").at(HANDSHAKE), "check that the signature key", 9..=9),
    ];
    for (fault, remedy, attempts) in cases {
        let mut simulation = Simulation::new(1, SessionConfig::default());
        simulation.broker().inject(fault.times(100));
        simulation.run_for(hours(24));
        assert!(simulation.is_finished(), "{remedy}");
        assert!(attempts.contains(&simulation.sent().len()), "{remedy}: {}", simulation.sent().len());
        let error = given_up(&simulation).unwrap();
        assert_eq!((error.kind(), error.stage()), (ErrorKind::Rejected, Stage::LiveSessionToken));
        assert!(error.remedy().contains(remedy), "{}", error.remedy());
        assert!(simulation.session().view().signer().is_none());
        assert_eq!(simulation.session().view().last_error().unwrap().remedy(), error.remedy());
    }
}

#[test]
fn a_status_without_known_words_never_ends_a_session() {
    for status in [403, 404] {
        let mut simulation = Simulation::new(1, SessionConfig::default());
        simulation
            .broker()
            .inject(Fault::status(status).with_body("text/html", "<h1>Unavailable</h1>").at(HANDSHAKE).times(100_000));
        simulation.run_for(hours(24));
        assert!(!simulation.is_finished(), "{status}");
        // Ten or so in the first half hour, then two to four an hour.
        assert!((50..=100).contains(&simulation.sent().len()), "{status}: {}", simulation.sent().len());
    }
}

#[test]
fn a_proof_that_never_matches_ends_it_and_signs_nothing() {
    let mut simulation = Simulation::new(1, SessionConfig::default());
    simulation.broker().inject("wrong-proof".parse::<Fault>().unwrap().times(100));
    simulation.run_for(hours(24));
    assert_eq!(given_up(&simulation).unwrap().kind(), ErrorKind::Unverified);
    assert!(paths(&simulation).iter().all(|path| *path == HANDSHAKE));
}

#[test]
fn a_token_that_is_always_refused_costs_few_handshakes() {
    // One that was never live ends.
    let mut simulation = Simulation::new(1, SessionConfig::default());
    simulation.broker().inject(Fault::status(401).at(OPEN).times(1000));
    simulation.run_for(hours(24));
    let handshakes = simulation.broker().live_session_tokens_issued();
    assert!((5..=9).contains(&handshakes), "{handshakes}");
    assert_eq!(given_up(&simulation).unwrap().kind(), ErrorKind::Rejected);

    // One that was goes on, ever more slowly.
    let mut simulation = Simulation::new(1, SessionConfig::default());
    simulation.broker().inject(Fault::status(401).at(TICKLE).times(100_000));
    simulation.run_for(hours(24));
    let handshakes = simulation.broker().live_session_tokens_issued();
    assert!(!simulation.is_finished() && (40..=100).contains(&handshakes), "{handshakes}");
}

#[test]
fn gone_is_answered_by_one_handshake_and_then_by_an_event() {
    let host_gone = |event: &SessionEvent| matches!(event, SessionEvent::HostGone);
    let mut machine = Machine::live(SessionConfig::default());
    machine.wait();
    machine.reply(410, "gone");
    // A token that is refused so soon makes the next handshake wait.
    machine.wait();
    assert_eq!((machine.handshakes(), machine.count(host_gone)), (2, 0));
    machine.answer();
    while machine.state() != State::Opening {
        machine.wait();
    }
    assert_eq!(machine.path(), OPEN);
    machine.reply(410, "gone");
    assert_eq!((machine.handshakes(), machine.count(host_gone)), (2, 1));
    assert_eq!(machine.state(), State::BackingOff);
    assert!(machine.session.view().signer().is_some(), "the old one signs until there is another");

    let mut simulation = Simulation::new(1, SessionConfig::default());
    simulation.broker().inject(Fault::status(410).at(OPEN).times(1000));
    simulation.run_for(hours(24));
    assert_eq!(count_events(&simulation, host_gone), 1);
    assert!(simulation.is_finished());
}

#[test]
fn a_401_before_does_not_make_the_first_410_a_second() {
    let mut machine = Machine::live(SessionConfig::default());
    machine.wait();
    machine.reply(401, "");
    machine.answer();
    machine.reply(410, "");
    assert_eq!(machine.count(|event| matches!(event, SessionEvent::HostGone)), 0);
}

#[test]
fn a_broker_that_asks_to_wait_is_left_alone_so_long() {
    let mut simulation = Simulation::new(1, SessionConfig::default());
    simulation
        .broker()
        .inject(Fault::status(200).with_body("application/json", r#"{"wait":40000}"#).at("/iserver/auth/ssodh/init"));
    simulation.run_for(hours(1));
    let times: Vec<_> = simulation.sent().iter().filter(|sent| sent.path.ends_with(OPEN)).map(|sent| sent.at).collect();
    assert_eq!(times.len(), 2);
    assert!(times[1].saturating_duration_since(times[0]) >= seconds(40));

    // One that says so for ever, with no time at all, is asked ever more rarely.
    let mut simulation = Simulation::new(1, SessionConfig::default());
    simulation.broker().inject(
        Fault::status(200).with_body("application/json", r#"{"wait":0}"#).at("/iserver/auth/ssodh/init").times(100_000),
    );
    simulation.run_for(hours(24));
    assert!(count_sent(&simulation, OPEN) < 1200, "{}", count_sent(&simulation, OPEN));
}

#[test]
fn five_hundreds_may_name_their_time_too() {
    let mut machine = Machine::new(SessionConfig::default());
    machine.drain();
    machine.reply_with(503, "", &[("retry-after", "600")]);
    assert!(machine.deadline.unwrap() >= machine.now.saturating_add(seconds(600)));
    machine.wait();
    assert_eq!(machine.handshakes(), 2);
}

#[test]
fn maintenance_is_sat_out() {
    let from = ibkr_oauth::Timestamp::from_secs(1_700_000_000 + 3600);
    let broker = Broker::builder().strict().maintenance(from, from.saturating_add(hours(6)));
    let mut simulation = Simulation::with_broker(1, SessionConfig::default(), broker);
    simulation.run_for(hours(7));
    // A tickle each minute, and a few more.
    assert!(simulation.sent().len() < 62 + 6 * 70, "{}", simulation.sent().len());
    simulation.run_for(seconds(61));
    assert_eq!(simulation.session().view().state(), State::Live);
    assert_eq!(simulation.broker().live_session_tokens_issued(), 1);
}

#[test]
fn no_entropy_now_and_then_is_borne_and_none_at_all_ends_it() {
    use ibkr_oauth::{
        Context, Entropy, EntropyError,
        session::{Input, Output},
    };

    /// Which draws fail.
    type Fails = fn(u64) -> bool;

    struct Dry(u64, Fails);
    impl Entropy for Dry {
        fn fill(&mut self, destination: &mut [u8]) -> Result<(), EntropyError> {
            self.0 += 1;
            let bytes = self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes();
            destination.iter_mut().zip(bytes.iter().cycle()).for_each(|(to, from)| *to = *from);
            if (self.1)(self.0) { Err(EntropyError::default()) } else { Ok(()) }
        }
    }
    let cases: [(Fails, bool); 2] = [(|n| n % 50 == 0, false), (|_| true, true)];
    for (fails, ends) in cases {
        let mut machine = Machine::new(config(|config| config.brokerage = false));
        let mut entropy = Dry(0, fails);
        let mut finished = false;
        for _ in 0..300 {
            match machine.session.poll_output(&mut Context::new(machine.now, &mut entropy)) {
                Output::Transmit { id, request, .. } => {
                    let response =
                        machine.broker.handle(&mut Context::new(machine.now, &mut machine.entropy), &request);
                    let input = Input::Response { id, response };
                    machine.session.handle_input(&mut Context::new(machine.now, &mut entropy), input);
                }
                Output::Event(event) => machine.events.push(event),
                Output::Timeout { at, .. } => {
                    assert!(at > machine.now);
                    machine.now = at;
                }
                Output::Finished => {
                    finished = true;
                    break;
                }
                _ => {}
            }
        }
        assert_eq!(finished, ends);
        let gave_up = |event: &SessionEvent| matches!(event, SessionEvent::GaveUp { error } if error.kind() == ErrorKind::Entropy);
        assert_eq!(machine.count(gave_up), usize::from(ends));
        assert_eq!(machine.session.view().signer().is_some(), !ends);
    }
}
