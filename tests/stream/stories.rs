//! What else there is to a stream, beside the rows of the fact sheet: its rules, and the ways in which others were seen to fail.

use std::time::Duration;

use ibkr_oauth::{
    bytes::Bytes,
    http::{
        Request,
        header::{COOKIE, USER_AGENT},
    },
    session::{SessionConfig, State},
    simulator::Fault,
    stream::{Input, StreamConfig, StreamEvent, Topic},
};

use crate::{simulated::Simulated, simulation::Simulation};

pub(crate) const LINE: &str = r#"smd+265598+{"fields":["31"]}"#;

pub(crate) fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[test]
fn it_opens_with_the_session_of_a_fresh_tickle_and_subscribes_when_the_broker_is_ready() {
    let mut simulation = Simulation::ready(&[LINE, "sor", "str", "spl", "ssd+DU1", "ntf"]);
    let (at, request) = &simulation.opens[0];
    assert_eq!(request.uri().scheme_str(), Some("wss"));
    assert!(request.uri().query().unwrap().starts_with("oauth_token="));
    let session = simulation.session.view().last_tickle().unwrap().session().unwrap();
    let cookie = format!("api={}", str::from_utf8(session.expose()).unwrap());
    assert_eq!(request.headers()[COOKIE], cookie.as_str());
    assert!(request.headers().contains_key(USER_AGENT));
    assert!(at.saturating_duration_since(simulation.start) < seconds(10));
    assert_eq!((simulation.refusals().len(), simulation.opens.len()), (0, 1));
    let mut texts: Vec<&str> = simulation.sent.iter().map(|(_, text)| text.as_str()).collect();
    texts.retain(|text| *text != "tic");
    assert_eq!(texts, [LINE, "sor+{}", "spl+{}", "ssd+DU1+{}", "str+{}"]);
    assert_eq!(simulation.count("subscribed"), 6);
    assert_eq!(simulation.of("act").len(), 1, "what comes by itself is handed on");
    simulation.clear();
    simulation.publish("ssd+DU1", r#"{"result":[{"key":"AccountCode","severity":0,"timestamp":1}]}"#);
    simulation.run(0);
    simulation.run(1);
    assert_eq!(simulation.of("ssd+DU1").len(), 1, "rows without a topic are the only summary's");
}

#[test]
fn a_broker_that_never_says_that_it_is_ready_is_left_after_ten_seconds() {
    let mut simulation = Simulation::faulty("ws-no-status", 10_000);
    simulation.subscribe(LINE);
    simulation.run(3600);
    assert_eq!((simulation.sent("smd"), simulation.count("ready")), (0, 0));
    let opens = simulation.opens.len();
    assert!((40..80).contains(&opens), "{opens} attempts in an hour");
    assert_eq!(simulation.count("disconnected"), opens - usize::from(simulation.is_open()));
}

#[test]
fn unreadable_frames_are_spoken_of_once_a_minute() {
    let mut simulation = Simulation::ready(&[]);
    simulation.clear();
    for _ in 0..500 {
        simulation.publish("ntf", "?");
        simulation.run(1);
    }
    simulation.run(70);
    assert!((8..=10).contains(&simulation.count("unreadable")), "{:?}", simulation.names());
    let frames = simulation.events.iter().map(|(_, event)| match event {
        StreamEvent::Unreadable { frames } => *frames,
        _ => 0,
    });
    assert_eq!(frames.sum::<u64>(), 500);
}

#[test]
fn an_upgrade_that_is_refused_is_tried_again_more_and_more_seldom() {
    let mut simulation = Simulation::new(1);
    simulation.broker.inject(Fault::status(403).at("/ws").times(10_000));
    simulation.run(3600);
    assert!((50..90).contains(&simulation.opens.len()), "{}", simulation.opens.len());
    let StreamEvent::Disconnected { error, since: None, .. } = &simulation.events[0].1 else {
        panic!("{:?}", simulation.events)
    };
    assert!(error.to_string().contains("403"), "{error}");
    let gaps: Vec<_> = simulation.opens.windows(2).map(|pair| pair[1].0.saturating_duration_since(pair[0].0)).collect();
    assert!(gaps[0] < seconds(10) && gaps.last().unwrap() > &seconds(25), "{gaps:?}");
}

#[test]
fn an_upgrade_that_is_not_answered_is_given_up_after_half_a_minute() {
    let mut simulation = Simulation::new(1);
    simulation.broker.inject(Fault::drop_response().at("/ws"));
    simulation.subscribe(LINE);
    simulation.run(29);
    assert!(simulation.events.is_empty() && simulation.opens.len() == 1);
    simulation.run(30);
    assert_eq!(simulation.names(), ["disconnected", "ready", "subscribed"]);
}

#[test]
fn a_hundred_lines_are_renewed_one_by_one() {
    let mut simulation = Simulation::new(1);
    for conid in 0..100 {
        simulation.stream.subscribe(&Topic::market_data(conid, &["31"])).unwrap();
    }
    assert!(
        simulation.stream.subscribe(&Topic::market_data(100, &["31"])).unwrap_err().remedy().contains("StreamConfig")
    );
    simulation.run(30);
    assert_eq!(simulation.count("subscribed"), 100);
    let first = simulation.sent.iter().filter(|(_, text)| text.starts_with("smd")).map(|(at, _)| *at);
    let (from, to) = (first.clone().min().unwrap(), first.max().unwrap());
    assert!(to.saturating_duration_since(from) < seconds(5));
    simulation.clear();
    // For an hour, a tenth of them each second.
    for _ in 0..3600 {
        for conid in 0..100 {
            if conid % 10 == simulation.elapsed() % 10 {
                simulation.happen(&format!("smd+{conid}"));
            }
        }
        simulation.run(1);
    }
    assert!(simulation.unaccounted(Duration::ZERO).is_empty(), "none of them ended");
    let most = |window: u64| {
        let times: Vec<_> = simulation.sent.iter().map(|(at, _)| at.as_millis()).collect();
        times.iter().map(|at| times.iter().filter(|other| **other >= *at && **other < *at + window).count()).max()
    };
    assert!(most(10_000).unwrap() < 20, "{:?} in ten seconds", most(10_000));
    assert!(simulation.events.is_empty(), "{:?}", simulation.names());
    assert_eq!(simulation.refusals(), [""; 0]);
}

#[test]
fn the_noise_of_the_night_is_no_loss() {
    let mut simulation = Simulation::ready(&[LINE]);
    simulation.clear();
    for _ in 0..50 {
        for flags in [r#"{"competing":false}"#, r#"{"message":""}"#, r#"{"authenticated":true}"#] {
            simulation.publish("sts", format!(r#"{{"topic":"sts","args":{flags}}}"#));
        }
    }
    simulation.run(60);
    assert!(simulation.events.is_empty());
    assert_eq!(simulation.sent("smd"), 0);
}

#[test]
fn authentication_that_does_not_come_back_ends_the_connection() {
    let mut simulation = Simulation::ready(&[LINE]);
    simulation.clear();
    simulation.publish("sts", r#"{"topic":"sts","args":{"authenticated":false,"fail":"gone"}}"#);
    simulation.run(15);
    let StreamEvent::Disconnected { error, since: Some(_), .. } = &simulation.events[0].1 else { panic!() };
    assert!(error.to_string().contains("gone"), "{error}");
    simulation.run(10);
    assert!(simulation.stream.is_ready());
}

#[test]
fn a_competing_login_is_not_fought() {
    let mut simulation = Simulation::ready(&[LINE, "sor"]);
    simulation.clear();
    simulation.broker.start_competing_session();
    for _ in 0..600 {
        simulation.fill();
        simulation.run(5);
    }
    assert_eq!(simulation.state(), State::Displaced);
    assert!(simulation.opens.is_empty(), "the session is not ready");
    assert_eq!(simulation.count("disconnected"), 1);
    assert_eq!(simulation.broker.brokerage_sessions_opened(), 1);
    simulation.broker.end_competing_session();
    simulation.run(1200);
    assert!(simulation.stream.is_ready());
    simulation.happened.retain(|happening| happening.topic == "sor");
    assert!(simulation.unaccounted(seconds(60)).is_empty());
}

#[test]
fn a_brokerage_session_that_is_lost_without_a_word_is_noticed_by_the_tickle() {
    let mut simulation = Simulation::ready(&[LINE, "sor"]);
    simulation.run(120);
    simulation.clear();
    simulation.broker.silence("sts");
    simulation.broker.end_brokerage_session();
    for _ in 0..100 {
        simulation.fill();
        simulation.run(1);
    }
    assert!(simulation.stream.is_ready());
    assert_eq!(simulation.opens.len(), 1, "{:?}", simulation.events);
    assert_eq!(simulation.count("disconnected"), 1);
    simulation.happened.retain(|happening| happening.topic == "sor");
    assert!(simulation.unaccounted(seconds(100)).is_empty());
}

#[test]
fn a_new_live_session_token_is_followed() {
    let mut simulation = Simulation::new(1);
    simulation.subscribe("sor");
    simulation.run(3600);
    simulation.clear();
    for _ in 0..24 {
        simulation.happen("sor");
        simulation.run(3600);
    }
    assert!(simulation.stream.is_ready());
    assert!(simulation.count("renewing") >= 1, "{:?}", simulation.events);
    assert_eq!(simulation.count("disconnected"), 0, "{:?}", simulation.events);
    assert_eq!(simulation.opens.len(), simulation.count("renewing"));
    assert!(simulation.unaccounted(seconds(0)).is_empty());
}

#[test]
fn refusals_name_the_topic_and_are_tried_again_more_and_more_seldom() {
    let mut simulation = Simulation::new(1);
    let topics = ["ssd+U7", "sbd+U7+1"];
    for topic in topics {
        simulation.subscribe(topic);
    }
    simulation.run(3600);
    for topic in topics {
        let of = |event: &StreamEvent| matches!(event, StreamEvent::Refused { topic: named, .. } if **named == *topic);
        assert_eq!(simulation.events.iter().filter(|(_, event)| of(event)).count(), 1, "{topic}");
        assert!((10..20).contains(&simulation.sent(topic)), "{topic}: {}", simulation.sent(topic));
    }
    assert_eq!(simulation.count("subscribed"), 0);
    let StreamEvent::Refused { error, .. } =
        &simulation.events.iter().find(|(_, event)| event.name() == "refused").unwrap().1
    else {
        panic!()
    };
    assert!(error.detail().unwrap().contains("unknown account"), "{error:?}");
}

#[test]
fn what_is_not_answered_is_asked_for_twice_and_then_said() {
    let mut simulation = Simulation::faulty("ws-lost-subscriptions", 1);
    simulation.subscribe("spl");
    simulation.run(40);
    assert_eq!(simulation.names(), ["ready", "unconfirmed"]);
    assert_eq!(simulation.sent("spl"), 2);
    simulation.run(60);
    assert_eq!(simulation.names(), ["ready", "unconfirmed", "subscribed"]);
}

#[test]
fn a_line_that_is_quiet_for_five_minutes_is_asked_for_once_and_said_once() {
    let mut simulation = Simulation::ready(&[LINE, r#"smd+8314+{"fields":["31"]}"#]);
    simulation.run(60);
    simulation.clear();
    for _ in 0..360 {
        simulation.broker.silence("smd+265598");
        simulation.happen_unless_silent("smd+265598", true);
        simulation.happen("smd+8314");
        simulation.run(10);
    }
    assert_eq!(simulation.names(), ["quiet"]);
    let (at, StreamEvent::Quiet { topic, since }) = &simulation.events[0] else { panic!() };
    assert_eq!((&**topic, at.saturating_duration_since(*since)), ("smd+265598", seconds(300)));
    assert!(simulation.unaccounted(seconds(300)).is_empty());
    for _ in 0..60 {
        simulation.happen("smd+265598");
        simulation.run(10);
    }
    simulation.broker.silence("smd+265598");
    simulation.run(400);
    assert_eq!(simulation.count("quiet"), 3, "each line once more: {:?}", simulation.events);
}

#[test]
fn a_silent_night_is_said_once_for_each_line() {
    let mut simulation = Simulation::ready(&[LINE]);
    simulation.clear();
    simulation.run(8 * 3600);
    assert_eq!(simulation.names(), ["quiet"]);
    simulation.happen("smd+265598");
    simulation.run(1);
    assert!(simulation.unaccounted(seconds(0)).is_empty(), "it lives all the same");
}

#[test]
fn subscriptions_are_counted_and_their_fields_joined() {
    let mut simulation = Simulation::ready(&[LINE, LINE]);
    assert_eq!(simulation.sent("smd"), 1);
    simulation.subscribe(r#"smd+265598+{"fields":["84"]}"#);
    simulation.run(1);
    assert_eq!(simulation.sent.last().unwrap().1, r#"smd+265598+{"fields":["31","84"]}"#);
    assert!(simulation.of("smd+265598").last().unwrap().contains("\"84\":"), "the broker brings both");
    simulation.unsubscribe(LINE);
    simulation.unsubscribe(LINE);
    simulation.run(1);
    assert_eq!(simulation.sent("umd"), 0);
    simulation.unsubscribe(LINE);
    simulation.unsubscribe(LINE);
    simulation.run(1);
    assert_eq!(simulation.sent("umd+265598+{}"), 1);
    simulation.clear();
    simulation.happen("smd+265598");
    simulation.run(1);
    assert!(simulation.messages.is_empty(), "the broker has ended it");
    simulation.subscribe("sor");
    assert!(simulation.stream.subscribe(&r#"sor+{"filters":["Submitted"]}"#.parse().unwrap()).is_err());
}

#[test]
fn five_histories_at_once_each_until_it_is_given_back() {
    let mut simulation = Simulation::new(1);
    for conid in 0..5 {
        simulation.subscribe(&format!("smh+{conid}"));
    }
    assert!(simulation.stream.subscribe(&"smh+5".parse().unwrap()).is_err());
    simulation.run(20);
    for turn in 0..20 {
        simulation.unsubscribe(&format!("smh+{turn}"));
        simulation.subscribe(&format!("smh+{}", turn + 5));
        simulation.run(1);
    }
    assert_eq!(simulation.sent("umh"), 20);
    // One that is no more wanted before it comes is given back when it does.
    simulation.unsubscribe("smh+20");
    simulation.subscribe("smh+99");
    simulation.unsubscribe("smh+99");
    simulation.run(5);
    let asked = simulation.sent("smh+99");
    assert_eq!(simulation.sent("umh"), 21 + asked);
    assert_eq!(simulation.refusals(), [""; 0], "never more than five, and each by its number");
    // What has come does not come again.
    simulation.clear();
    simulation.cut();
    simulation.run(60);
    assert!(simulation.stream.is_ready());
    assert_eq!(simulation.sent("smh"), 0);
}

#[test]
fn a_line_is_known_without_its_exchange() {
    let mut simulation = Simulation::ready(&[r#"smd+265598@SMART+{"fields":["31"]}"#]);
    assert_eq!(simulation.of("smd+265598@SMART").len(), 1);
    simulation.publish("smd+265598@SMART", r#"{"topic":"smd+265598","31":"1.5"}"#);
    simulation.run(1);
    assert_eq!(simulation.of("smd+265598@SMART").len(), 2);
    assert_eq!(simulation.names(), ["ready", "subscribed"]);
}

#[test]
fn orders_are_unmuted_at_each_subscription() {
    let mut simulation = Simulation::new(1);
    // Somebody has asked for a filtered list.
    let mute = |simulation: &mut Simulation<Simulated>| {
        let url = "https://api.ibkr.com/v1/api/iserver/account/orders?filters=Submitted";
        assert_eq!(simulation.call(Request::get(url).body(Bytes::new()).unwrap()), 200);
    };
    simulation.run(5);
    mute(&mut simulation);
    simulation.subscribe("sor");
    simulation.run(20);
    assert_eq!(simulation.requests.len(), 1);
    assert_eq!(simulation.requests[0].1, "/v1/api/iserver/account/orders?force=true");
    simulation.fill();
    simulation.run(1);
    assert_eq!(simulation.of("sor").len(), 4);
    mute(&mut simulation);
    simulation.cut();
    simulation.run(60);
    assert_eq!(simulation.requests.len(), 2);
    simulation.fill();
    simulation.run(1);
    assert_eq!(simulation.of("sor").len(), 8);
}

#[test]
fn a_machine_that_slept_starts_anew() {
    let mut simulation = Simulation::ready(&[LINE]);
    simulation.clear();
    // For two hours nobody looks, and the connection is gone by then.
    simulation.control(r#"{"action": "silence-sockets"}"#);
    simulation.now = simulation.now.saturating_add(seconds(7200));
    simulation.run(60);
    assert_eq!(simulation.count("disconnected"), 1);
    assert!(simulation.stream.is_ready());
}

#[test]
fn a_penalty_box_is_waited_out() {
    let mut simulation = Simulation::ready(&[LINE]);
    simulation.control(r#"{"action": "penalty-box"}"#);
    simulation.run(70);
    simulation.clear();
    simulation.cut();
    simulation.run(400);
    assert!(simulation.opens.is_empty());
    simulation.run(900);
    assert!(simulation.stream.is_ready());
}

#[test]
fn it_ends_with_the_session_and_when_it_is_told_to() {
    let mut simulation = Simulation::ready(&[LINE]);
    simulation.input(Input::Shutdown);
    assert!(simulation.is_finished && !simulation.is_open());
    assert_eq!(simulation.events.last().unwrap().1.name(), "closed");

    let mut simulation = Simulation::ready(&[LINE]);
    simulation.end_session();
    simulation.run(10);
    assert!(simulation.is_finished && !simulation.is_open());
}

#[test]
fn without_a_brokerage_session_the_users_name_is_enough() {
    let mut config = SessionConfig::default();
    config.brokerage = false;
    let mut simulation: Simulation<Simulated> =
        Simulation::configured(1, config, StreamConfig::default(), |broker| broker);
    simulation.subscribe("spl");
    simulation.run(90);
    assert!(simulation.stream.is_ready());
    assert_eq!(simulation.sent("spl"), 1);
    assert_eq!(simulation.broker.brokerage_sessions_opened(), 0);
    assert_eq!(simulation.names(), ["ready", "subscribed"]);
}

#[test]
fn what_comes_of_an_old_connection_and_too_late_does_nothing() {
    let mut simulation = Simulation::ready(&[LINE]);
    simulation.input(Input::Shutdown);
    simulation.clear();
    for input in [Input::Opened, Input::Frame("{}".into()), Input::Closed(Some(1000)), Input::Shutdown, Input::Timeout]
    {
        simulation.input(input);
    }
    assert!(simulation.events.is_empty() && simulation.messages.is_empty());
}
