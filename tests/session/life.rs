//! From the handshake to the logout, when nothing goes wrong.

use crate::simulation::Simulation;
use ibkr_oauth::{
    Context,
    bytes::Bytes,
    http,
    session::{Input, OnShutdown, SessionConfig, SessionEvent, State},
    simulator::Broker,
};

use super::{
    HANDSHAKE, LOGOUT, OPEN, STATUS, TICKLE, config, count_events, count_sent, hours, live_world, live_world_with,
    paths, seconds,
};
use crate::machine::{LOST, Machine, READY, UNSETTLED, tickle};

#[test]
fn a_day_has_its_steps_in_order() {
    let broker = Broker::builder().strict().settling(seconds(5));
    let mut simulation = Simulation::with_broker(1, SessionConfig::default(), broker);
    simulation.run_for(hours(1));
    assert_eq!(paths(&simulation)[..6], [HANDSHAKE, OPEN, STATUS, STATUS, STATUS, TICKLE]);
    assert!(paths(&simulation)[5..].iter().all(|path| *path == TICKLE));
    simulation.handle_input(Input::Shutdown);
    simulation.run_for(seconds(10));
    assert!(simulation.is_finished());
    assert_eq!(paths(&simulation).last(), Some(&LOGOUT));
    assert!(matches!(simulation.events().last(), Some((_, SessionEvent::StateChanged { to: State::Closed, .. }))));
    assert_eq!(count_events(&simulation, |event| matches!(event, SessionEvent::Closed { logged_out: true })), 1);
    assert!(simulation.broker().refusals().is_empty());
    assert_eq!(simulation.stalls(), 0);
}

#[test]
fn a_tickle_goes_out_each_minute_and_five_seconds_after_a_failure() {
    let mut machine = Machine::live(SessionConfig::default());
    for status in [200, 200, 503, 200, 200] {
        machine.wait();
        assert_eq!(machine.path(), TICKLE);
        machine.reply(status, tickle(READY));
    }
    let times: Vec<_> = machine.sent.iter().skip(2).map(|(at, _)| at.as_secs() - 1_700_000_000).collect();
    // The first confirms the opening.
    assert_eq!(times, [5, 65, 125, 130, 190]);
    assert_eq!(machine.deadline, Some(machine.now.saturating_add(seconds(60))));
}

#[test]
fn an_early_no_bridge_is_waited_out() {
    let mut machine = Machine::new(SessionConfig::default());
    machine.drain();
    machine.answer();
    machine.reply(200, UNSETTLED);
    for _ in 0..5 {
        assert_eq!(machine.state(), State::Settling);
        assert_eq!(machine.session.awaited(), None);
        machine.wait();
        machine.reply(400, r#"{"error":"Bad Request: no bridge","statusCode":400}"#);
    }
    machine.wait();
    machine.reply(200, READY);
    assert_eq!(machine.state(), State::Live);
    assert_eq!(machine.count(|event| matches!(event, SessionEvent::Failed { .. })), 0);
}

#[test]
fn what_never_settles_is_opened_anew_ever_more_slowly() {
    let broker = Broker::builder().strict().settling(hours(1000));
    let mut simulation = Simulation::with_broker(1, SessionConfig::default(), broker);
    simulation.run_for(hours(24));
    let opened = count_sent(&simulation, OPEN);
    // Ten or so in the first half hour, then one each quarter to half an hour.
    assert!((50..=80).contains(&opened), "{opened}");
    assert!(!simulation.is_finished());
    assert_eq!(simulation.broker().live_session_tokens_issued(), 2);
}

#[test]
fn a_session_that_fails_is_not_ready() {
    let mut machine = Machine::new(SessionConfig::default());
    machine.drain();
    machine.answer();
    machine.reply(200, r#"{"authenticated":true,"connected":true,"fail":"no such user"}"#);
    let said = |event: &SessionEvent| matches!(event, SessionEvent::Failed { error, .. } if error.detail() == Some("no such user"));
    assert_eq!((machine.state(), machine.count(said)), (State::BackingOff, 1));
}

#[test]
fn a_lost_brokerage_session_is_opened_again_with_the_same_token() {
    let mut machine = Machine::live(SessionConfig::default());
    machine.pass(1900);
    machine.tell(Input::Timeout);
    machine.reply(200, tickle(LOST));
    assert_eq!((machine.state(), machine.path()), (State::Opening, OPEN));
    machine.reply(200, READY);
    assert_eq!((machine.state(), machine.handshakes()), (State::Live, 1));
}

#[test]
fn who_only_reads_opens_nothing() {
    let mut simulation = live_world(config(|config| config.brokerage = false));
    simulation.run_for(hours(2));
    assert_eq!(paths(&simulation)[0], HANDSHAKE);
    assert!(paths(&simulation)[1..].iter().all(|path| *path == TICKLE));
    assert!((118..=120).contains(&count_sent(&simulation, TICKLE)));
    assert_eq!(simulation.session().view().state(), State::Live);
}

#[test]
fn the_token_is_renewed_before_it_expires_while_the_old_one_signs() {
    let mut machine = Machine::live(SessionConfig::default());
    let old = machine.session.view().signer().unwrap().clone();
    machine.pass(23 * 3600 + 55 * 60 - 590);
    machine.tell(Input::Timeout);
    assert_eq!((machine.state(), machine.path()), (State::Renewing, HANDSHAKE));
    assert_eq!(machine.session.view().token_id(), Some(old.token_id()));

    // The application goes on with the old one.
    let mut request = http::Request::get("https://api.ibkr.com/v1/api/portfolio/accounts")
        .header("user-agent", "test")
        .body(Bytes::new())
        .unwrap();
    let signer = machine.session.view().signer().unwrap().clone();
    let mut cx = Context::new(machine.now, &mut machine.entropy);
    signer.sign(&mut cx, &mut request).unwrap();
    assert_eq!(machine.broker.handle(&mut cx, &request).status(), 200);

    machine.answer();
    assert_eq!(machine.state(), State::Live);
    assert_ne!(machine.session.view().token_id(), Some(old.token_id()));
    // Whether the brokerage session outlived its token is asked at once.
    assert_eq!(machine.path(), TICKLE);
    assert_eq!(machine.transitions().last().unwrap().0, State::Renewing);
}

#[test]
fn renewals_are_spread_over_the_jitter_and_never_late() {
    let mut renewals = Vec::new();
    // Tickles are not looked at: a few will do.
    let config = config(|config| (config.brokerage, config.tickle_interval) = (false, hours(1)));
    for seed in 0..40 {
        let mut simulation = Simulation::new(seed, config.clone());
        simulation.run_for(hours(24));
        let renewed_at = simulation.sent().iter().filter(|sent| sent.path.ends_with(HANDSHAKE)).nth(1).unwrap().at;
        renewals.push((1_700_000_000 + 23 * 3600 + 55 * 60) - renewed_at.as_secs());
        assert_eq!(count_events(&simulation, |event| matches!(event, SessionEvent::Failed { .. })), 0);
    }
    assert!(renewals.iter().all(|early| (599..=902).contains(early)), "{renewals:?}");
    assert!(renewals.iter().max().unwrap() - renewals.iter().min().unwrap() > 200, "{renewals:?}");
}

#[test]
fn a_margin_longer_than_the_tokens_life_does_not_renew_without_end() {
    let mut simulation = live_world(config(|config| config.renewal_margin = hours(1000)));
    simulation.run_for(hours(23));
    assert!((2..=3).contains(&simulation.broker().live_session_tokens_issued()));
}

#[test]
fn a_failed_renewal_is_repeated_and_the_session_stays_live() {
    let mut machine = Machine::live(SessionConfig::default());
    machine.pass(23 * 3600 + 55 * 60 - 590);
    machine.tell(Input::Timeout);
    let mut attempts = 0;
    let token_id = machine.session.view().token_id();
    while !matches!(machine.state(), State::Negotiating | State::BackingOff) && attempts < 100 {
        match machine.state() {
            State::Renewing => {
                attempts += 1;
                machine.reply(401, "");
            }
            State::Live if machine.request.unwrap().1 > machine.now && machine.path() == TICKLE => {
                machine.reply(200, tickle(READY));
                machine.wait();
            }
            _ => machine.wait(),
        }
    }
    // Ten minutes of a wait that doubles, whatever the tickles between say.
    assert!((5..=20).contains(&attempts), "{attempts}");
    // The old token has expired, and signs all the same until there is another.
    assert_eq!(machine.session.view().token_id(), token_id);
    while machine.path() != HANDSHAKE || machine.state() != State::Negotiating {
        machine.wait();
        if machine.path() == TICKLE {
            machine.reply(503, "");
        }
    }
    machine.answer();
    assert_eq!(machine.state(), State::Opening);
}

#[test]
fn a_token_without_expiration_counts_for_a_day() {
    let mut machine = Machine::new(SessionConfig::default());
    machine.broker.inject("no-expiration".parse().unwrap());
    machine.drain();
    machine.answer();
    let expires_at = machine.events.iter().find_map(|event| match event {
        SessionEvent::Negotiated { expires_at, .. } => Some(*expires_at),
        _ => None,
    });
    assert_eq!(expires_at, Some(machine.now.saturating_add(hours(24))));
}

#[test]
fn who_leaves_the_session_open_sends_nothing() {
    let mut simulation = live_world(config(|config| config.on_shutdown = OnShutdown::LeaveOpen));
    let sent = simulation.sent().len();
    simulation.handle_input(Input::Shutdown);
    assert!(simulation.is_finished());
    assert_eq!(simulation.sent().len(), sent);
    assert_eq!(count_events(&simulation, |event| matches!(event, SessionEvent::Closed { logged_out: false })), 1);
    assert!(simulation.session().snapshot().is_some());
    assert!(simulation.session().view().signer().is_none());
}

#[test]
fn a_logout_leaves_nothing_to_hand_over() {
    let mut simulation = live_world(SessionConfig::default());
    simulation.handle_input(Input::Shutdown);
    simulation.run_for(seconds(5));
    assert!(simulation.is_finished());
    assert!(simulation.session().snapshot().is_none());
}

#[test]
fn the_end_waits_at_most_five_seconds_for_each_answer() {
    for shut_down_in in [State::Negotiating, State::Opening, State::Live] {
        let mut machine = match shut_down_in {
            State::Live => Machine::live(SessionConfig::default()),
            _ => Machine::new(SessionConfig::default()),
        };
        machine.drain();
        match shut_down_in {
            State::Opening => machine.answer(),
            State::Live => machine.wait(),
            _ => {}
        }
        let asked = machine.now;
        for _ in 0..2 {
            machine.tell(Input::Shutdown);
        }
        while machine.deadline.is_some() {
            machine.wait();
        }
        let took = machine.now.saturating_duration_since(asked);
        assert!(took <= seconds(10), "{shut_down_in}: {took:?}");
        assert_eq!(machine.state(), State::Closed);
        assert_eq!(machine.count(|event| matches!(event, SessionEvent::Closed { logged_out: false })), 1);
        assert_eq!(machine.paths().contains(&LOGOUT), shut_down_in != State::Negotiating);
    }
}

#[test]
fn a_handshake_that_comes_back_after_the_wish_to_end_is_logged_out() {
    let mut machine = Machine::new(SessionConfig::default());
    machine.drain();
    machine.tell(Input::Shutdown);
    machine.answer();
    assert_eq!(machine.paths(), [HANDSHAKE, LOGOUT]);
    machine.answer();
    assert_eq!(machine.count(|event| matches!(event, SessionEvent::Closed { logged_out: true })), 1);
}

#[test]
fn a_token_that_expires_during_the_logout_does_not_stir_it() {
    let mut machine = Machine::live(SessionConfig::default());
    machine.pass(23 * 3600 + 55 * 60 - 2);
    machine.handle(Input::Shutdown);
    machine.drain();
    assert_eq!(machine.path(), LOGOUT);
    machine.pass(3);
    machine.drain();
    assert!(machine.session.awaited().is_some());
    machine.wait();
    assert_eq!(machine.state(), State::Closed);
}

#[test]
fn the_daily_reset_is_healed_without_a_handshake() {
    let broker = Broker::builder().strict().daily_reset(-5 * 3600);
    let mut simulation = live_world_with(SessionConfig::default(), broker);
    simulation.run_for(hours(23));
    let lost =
        |event: &SessionEvent| matches!(event, SessionEvent::StateChanged { from: State::Live, to: State::Opening });
    assert_eq!(count_events(&simulation, lost), 1);
    assert_eq!(simulation.session().view().state(), State::Live);
    assert_eq!(simulation.broker().live_session_tokens_issued(), 1);
    assert_eq!(simulation.broker().brokerage_sessions_opened(), 2);
}

#[test]
fn a_week_with_a_fault_each_hour_ends_live() {
    use ibkr_oauth::simulator::Fault;

    // In a release build it takes a fraction of a second: nothing here depends on it.
    let mut simulation = Simulation::new(7, SessionConfig::default());
    for hour in 1..7 * 24 {
        simulation.after(hours(hour), move |simulation| {
            let fault = match hour % 12 {
                0 => Fault::drop_response(),
                1 => Fault::drop_request(),
                2 => Fault::expire_live_session_token(),
                3 => Fault::status(503).with_body("", "").times(3),
                4 => Fault::status(500).with_body("text/html", "<h1>Unavailable</h1>"),
                5 => Fault::status(410),
                6 => Fault::penalty_box(seconds(600)),
                7 => Fault::not_authenticated().at(TICKLE),
                8 => Fault::problem(401, "Access token expired"),
                9 => Fault::status(200).with_body("text/html", "<h1>Unavailable</h1>").times(2),
                10 => Fault::status(408),
                _ => return simulation.broker().start_competing_session(),
            };
            if hour % 12 == 0 {
                simulation.broker().end_competing_session();
            }
            simulation.broker().inject(fault);
        });
    }
    simulation.after(hours(7 * 24 - 1), |simulation| simulation.broker().end_competing_session());
    simulation.run_for(hours(7 * 24));
    let handshakes = simulation.broker().live_session_tokens_issued();
    println!("a week with a fault each hour: {handshakes} handshakes, {} requests", simulation.sent().len());
    assert_eq!(simulation.session().view().state(), State::Live);
    // One a day, and one for each refusal of the token.
    assert!((7..=60).contains(&handshakes), "{handshakes}");
    assert_eq!(simulation.stalls(), 0);
    assert!(simulation.longest_drain() < 10);
}
