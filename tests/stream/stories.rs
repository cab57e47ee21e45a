//! One story for each way in which streams were seen to fail, and for each rule of the broker's.

use std::time::Duration;

use ibkr_oauth::{
    http::header::{COOKIE, USER_AGENT},
    session::{SessionConfig, State},
    stream::{Input, StreamConfig, StreamEvent, Topic},
};

use crate::simulation::Simulation;

const LINE: &str = r#"smd+265598+{"fields":["31"]}"#;

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[test]
fn it_opens_with_the_session_of_a_fresh_tickle_and_subscribes_when_the_broker_is_ready() {
    let simulation = Simulation::ready(&[LINE, "sor", "str", "spl", "ssd+DU1", "ntf"]);
    let (at, request) = &simulation.opens[0];
    assert_eq!(request.uri().scheme_str(), Some("wss"));
    assert!(request.uri().query().unwrap().starts_with("oauth_token="));
    let session = simulation.session.view().last_tickle().unwrap().session().unwrap();
    let cookie = format!("api={}", str::from_utf8(session.expose()).unwrap());
    assert_eq!(request.headers()[COOKIE], cookie.as_str());
    assert!(request.headers().contains_key(USER_AGENT));
    assert!(at.saturating_duration_since(simulation.start) < seconds(10));
    assert_eq!((simulation.server.early, simulation.opens.len()), (0, 1));
    let mut texts = simulation.server.texts();
    texts.retain(|text| *text != "tic");
    assert_eq!(texts, [LINE, "sor+{}", "spl+{}", "ssd+DU1+{}", "str+{}"]);
    assert_eq!(simulation.count("subscribed"), 6);
    assert_eq!(simulation.of("ssd+DU1").len(), 1, "rows without a topic are the only summary's");
    assert_eq!(simulation.of("act").len(), 1, "what comes by itself is handed on");
}

#[test]
fn the_flags_come_in_pieces_and_at_the_top() {
    let mut simulation = Simulation::new(1);
    simulation.server.behaviour.sts_in_pieces = true;
    simulation.subscribe(LINE);
    simulation.run(30);
    assert!(simulation.stream.is_ready());
    assert_eq!(simulation.server.early, 0);

    let mut simulation = Simulation::new(1);
    simulation.server.behaviour.no_sts = true;
    simulation.subscribe(LINE);
    simulation.run(14);
    assert!(!simulation.stream.is_ready());
    simulation.server.say(r#"{"topic":"sts","authenticated":true}"#);
    simulation.carry();
    simulation.run(1);
    assert!(simulation.stream.is_ready());
    assert_eq!(simulation.sent("smd"), 1);
}

#[test]
fn a_broker_that_never_says_that_it_is_ready_is_left_after_ten_seconds() {
    let mut simulation = Simulation::new(1);
    simulation.server.behaviour.no_sts = true;
    simulation.subscribe(LINE);
    simulation.run(3600);
    assert_eq!((simulation.sent("smd"), simulation.count("ready")), (0, 0));
    let opens = simulation.opens.len();
    assert!((40..80).contains(&opens), "{opens} attempts in an hour");
    assert_eq!(simulation.count("disconnected"), opens - usize::from(simulation.server.is_connected()));
}

#[test]
fn bytes_and_text_are_alike_and_what_is_not_utf8_is_read_and_counted() {
    let mut simulation = Simulation::ready(&["sor"]);
    simulation.clear();
    simulation.server.say(b"{\"topic\":\"sor\",\"args\":[{\"text\":\"\x99 100\"}]}".as_slice());
    simulation.server.say("{}");
    simulation.server.say("not json");
    simulation.server.say("[1,2]");
    simulation.server.say(r#"{"topic":"new","later":{"keys":[1]}}"#);
    simulation.carry();
    simulation.run(1);
    assert_eq!(simulation.of("sor"), ["{\"topic\":\"sor\",\"args\":[{\"text\":\"\u{fffd} 100\"}]}"]);
    assert_eq!(simulation.of(""), ["[1,2]"]);
    assert_eq!(simulation.of("new").len(), 1);
    let counts = simulation.stream.counts();
    assert_eq!((counts.not_utf8, counts.unreadable), (1, 1));
    assert_eq!(simulation.names(), ["unreadable"]);
}

#[test]
fn unreadable_frames_are_spoken_of_once_a_minute() {
    let mut simulation = Simulation::ready(&[]);
    simulation.clear();
    for _ in 0..500 {
        simulation.server.say("?");
        simulation.carry();
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
fn the_beat_is_kept_and_four_answers_to_it_are_nobodys_business() {
    let mut simulation = Simulation::ready(&[]);
    simulation.clear();
    simulation.run(600);
    assert_eq!(simulation.sent("tic"), 20);
    assert!(simulation.server.longest_beat <= seconds(60));
    assert!(simulation.messages.is_empty() && simulation.events.is_empty());
}

#[test]
fn waiting_for_session_is_answered_once_in_a_connection() {
    let mut simulation = Simulation::new(1);
    simulation.server.behaviour.wants_session = true;
    simulation.subscribe(LINE);
    simulation.run(20);
    assert!(simulation.stream.is_ready());
    let session = simulation.session.view().last_tickle().unwrap().session().unwrap();
    let frame = format!(r#"{{"session":"{}"}}"#, str::from_utf8(session.expose()).unwrap());
    assert_eq!(simulation.sent[0].1, frame);
    simulation.server.say(r#"{"message":"waiting for session"}"#);
    simulation.carry();
    simulation.run(5);
    assert_eq!(simulation.sent("{\"session\""), 1);
}

#[test]
fn a_session_frame_that_came_too_late_does_no_harm() {
    let mut simulation = Simulation::new(1);
    simulation.server.behaviour.wants_session = true;
    simulation.server.behaviour.unknown_session_topic = true;
    simulation.subscribe(LINE);
    simulation.run(20);
    assert!(simulation.stream.is_ready());
    assert_eq!(simulation.names(), ["ready", "subscribed"]);
    simulation.server.say(r#"{"error":"Topic unknown xyz","code":1}"#);
    simulation.server.say(r#"{"error":"something else","code":9}"#);
    simulation.carry();
    simulation.run(1);
    assert_eq!(simulation.count("error"), 1);
}

#[test]
fn a_stale_session_is_followed_by_another_tickle() {
    let mut simulation = Simulation::new(1);
    simulation.server.behaviour.closes = Some(1000);
    simulation.subscribe(LINE);
    simulation.run(3600);
    let opens = simulation.opens.len();
    assert!((50..90).contains(&opens), "{opens} attempts in an hour");
    // Each has a tickle of its own: so many there were, but no more than the session allows itself.
    let tickles = simulation.broker.accepted().filter(|request| request.path() == "/tickle").count();
    assert!(tickles >= opens, "{tickles} tickles, {opens} openings");
    assert!(tickles <= 60 + 20, "{tickles} tickles");
    simulation.server.behaviour.closes = None;
    simulation.run(130);
    assert!(simulation.stream.is_ready());
}

#[test]
fn an_upgrade_that_is_refused_is_tried_again_more_and_more_seldom() {
    let mut simulation = Simulation::new(1);
    simulation.server.behaviour.refuses = Some(403);
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
fn a_line_is_asked_for_again_before_the_broker_ends_it() {
    let mut simulation = Simulation::ready(&[LINE, "sor"]);
    simulation.clear();
    for _ in 0..360 {
        simulation.happen("smd+265598");
        simulation.run(10);
    }
    assert_eq!(simulation.server.lapsed, Vec::<String>::new());
    assert!((7..=14).contains(&simulation.sent("smd")), "{}", simulation.sent("smd"));
    assert_eq!(simulation.sent("umd"), 0);
    assert_eq!(simulation.sent("sor"), 0);
    assert_eq!(simulation.names(), Vec::<&str>::new());
    assert!(simulation.unaccounted(Duration::ZERO).is_empty());
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
    // All day long, a third of a second at a time.
    for _ in 0..3600 {
        for conid in 0..100 {
            if conid % 10 == simulation.elapsed() % 10 {
                simulation.happen(&format!("smd+{conid}"));
            }
        }
        simulation.run(1);
    }
    assert_eq!(simulation.server.lapsed, Vec::<String>::new());
    assert_eq!(simulation.server.most_lines, 100);
    let most = |window: u64| {
        let times: Vec<_> = simulation.sent.iter().map(|(at, _)| at.as_millis()).collect();
        times.iter().map(|at| times.iter().filter(|other| **other >= *at && **other < *at + window).count()).max()
    };
    assert!(most(10_000).unwrap() < 20, "{:?} in ten seconds", most(10_000));
    assert!(simulation.events.is_empty(), "{:?}", simulation.names());
}

#[test]
fn a_socket_that_says_nothing_is_left_after_25_seconds() {
    let mut simulation = Simulation::ready(&[LINE, "sor"]);
    simulation.run(100);
    simulation.clear();
    simulation.server.behaviour.frozen = true;
    simulation.run(40);
    let (at, StreamEvent::Disconnected { since: Some(since), .. }) = &simulation.events[0] else {
        panic!("{:?}", simulation.events)
    };
    let (at, since) = (*at, *since);
    assert_eq!(at.saturating_duration_since(since), seconds(25));
    simulation.server.behaviour.frozen = false;
    simulation.run(120);
    assert!(simulation.stream.is_ready());
    let gaps = simulation
        .events
        .iter()
        .filter(|(_, event)| matches!(event, StreamEvent::Subscribed { gap: Some(gap), .. } if *gap <= since));
    assert_eq!(gaps.count(), 2, "{:?}", simulation.events);
}

#[test]
fn without_heartbeats_messages_are_life_enough() {
    let mut simulation = Simulation::ready(&[LINE]);
    simulation.server.behaviour.heartbeats = false;
    simulation.clear();
    for _ in 0..100 {
        simulation.happen("smd+265598");
        simulation.run(15);
    }
    assert_eq!(simulation.names(), Vec::<&str>::new());
}

#[test]
fn after_a_gap_all_comes_again_and_is_said_to_have_been_away() {
    let mut simulation = Simulation::ready(&[LINE, "sor", "str", "spl", "sld+DU1", "sbd+DU1+265598"]);
    simulation.run(100);
    simulation.clear();
    simulation.server.cut(Some(1006));
    simulation.carry();
    for _ in 0..20 {
        simulation.happen("sor");
        simulation.happen("str");
        simulation.happen("smd+265598");
        simulation.run(1);
    }
    assert!(simulation.stream.is_ready());
    assert_eq!(simulation.count("disconnected"), 1);
    let mut named: Vec<&str> = Vec::new();
    for (_, event) in &simulation.events {
        if let StreamEvent::Subscribed { topic, gap: Some(_) } = event {
            named.push(topic.name());
            assert!(event.to_string().contains("lost since"), "{event}");
        }
    }
    named.sort_unstable();
    assert_eq!(named, ["sbd+DU1+265598", "sld+DU1", "smd+265598", "sor", "spl", "str"]);
    assert!(simulation.unaccounted(seconds(60)).is_empty(), "{:?}", simulation.unaccounted(seconds(60)));
    assert_eq!(simulation.numbers("str").len(), 20, "trades are told again");
}

#[test]
fn subscriptions_before_the_broker_is_ready_are_kept_until_it_is() {
    let mut simulation = Simulation::new(1);
    simulation.server.behaviour.settling = 8;
    simulation.subscribe(LINE);
    simulation.run(8);
    simulation.subscribe("sor");
    assert!(!simulation.stream.is_ready());
    simulation.run(12);
    assert_eq!((simulation.server.early, simulation.count("subscribed")), (0, 2));
}

#[test]
fn a_moment_without_authentication_costs_no_connection_but_all_is_asked_for_again() {
    let mut simulation = Simulation::ready(&[LINE, "sor", "str"]);
    simulation.clear();
    let before = simulation.tickles_asked;
    simulation.server.sts(r#"{"authenticated":false}"#);
    simulation.server.forget();
    simulation.carry();
    simulation.run(1);
    simulation.server.sts(r#"{"authenticated":true}"#);
    simulation.carry();
    simulation.run(10);
    assert_eq!((simulation.opens.len(), simulation.count("disconnected")), (0, 0));
    assert_eq!(simulation.tickles_asked, before + 1);
    assert_eq!((simulation.sent("smd"), simulation.sent("sor"), simulation.sent("str")), (1, 1, 1));
    assert!(simulation.events.iter().all(|(_, event)| matches!(event, StreamEvent::Subscribed { gap: Some(_), .. })));
    assert_eq!(simulation.events.len(), 3);
}

#[test]
fn the_noise_of_the_night_is_no_loss() {
    let mut simulation = Simulation::ready(&[LINE]);
    simulation.clear();
    for _ in 0..50 {
        simulation.server.sts(r#"{"competing":false}"#);
        simulation.server.sts(r#"{"message":""}"#);
        simulation.server.sts(r#"{"authenticated":true}"#);
    }
    simulation.carry();
    simulation.run(60);
    assert!(simulation.events.is_empty());
    assert_eq!(simulation.sent("smd"), 0);
}

#[test]
fn authentication_that_does_not_come_back_ends_the_connection() {
    let mut simulation = Simulation::ready(&[LINE]);
    simulation.clear();
    simulation.server.sts(r#"{"authenticated":false,"fail":"gone"}"#);
    simulation.carry();
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
    simulation.server.sts(r#"{"authenticated":false,"competing":true,"fail":"another login"}"#);
    simulation.server.forget();
    simulation.carry();
    for _ in 0..600 {
        simulation.happen("sor");
        simulation.run(5);
    }
    assert_eq!(simulation.state(), State::Displaced);
    assert!(simulation.opens.is_empty(), "the session is not ready");
    assert_eq!(simulation.count("disconnected"), 1);
    assert_eq!(simulation.broker.brokerage_sessions_opened(), 1);
    simulation.broker.end_competing_session();
    simulation.run(1200);
    assert!(simulation.stream.is_ready());
    assert!(simulation.unaccounted(seconds(60)).is_empty());
}

#[test]
fn a_brokerage_session_that_is_lost_without_a_word_is_noticed_by_the_tickle() {
    let mut simulation = Simulation::ready(&[LINE, "sor"]);
    simulation.run(120);
    simulation.clear();
    simulation.broker.end_brokerage_session();
    simulation.server.forget();
    for _ in 0..100 {
        simulation.happen("sor");
        simulation.run(1);
    }
    assert!(simulation.stream.is_ready());
    assert_eq!(simulation.opens.len(), 1, "{:?}", simulation.events);
    assert_eq!(simulation.count("disconnected"), 1);
}

#[test]
fn a_new_live_session_token_is_followed() {
    let mut simulation = Simulation::with(1, SessionConfig::default(), StreamConfig::default(), |broker| broker);
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
}

#[test]
fn refusals_name_the_topic_and_are_tried_again_more_and_more_seldom() {
    let mut simulation = Simulation::new(1);
    simulation.server.behaviour.refused = ["smd+265598".to_owned(), "sor".to_owned()].into();
    simulation.subscribe(LINE);
    simulation.subscribe("sor");
    simulation.run(3600);
    let refused = |simulation: &Simulation, name: &str| {
        let of = |event: &StreamEvent| matches!(event, StreamEvent::Refused { topic, .. } if **topic == *name);
        simulation.events.iter().filter(|(_, event)| of(event)).count()
    };
    assert_eq!(refused(&simulation, "smd+265598"), 1);
    assert!((10..20).contains(&simulation.sent("smd")), "{}", simulation.sent("smd"));
    assert!((10..20).contains(&simulation.sent("sor")), "{}", simulation.sent("sor"));
    assert_eq!(simulation.count("subscribed"), 0);
    simulation.server.behaviour.refused.clear();
    simulation.run(310);
    assert_eq!(simulation.count("subscribed"), 2);
    let StreamEvent::Refused { error, .. } =
        &simulation.events.iter().find(|(_, event)| event.name() == "refused").unwrap().1
    else {
        panic!()
    };
    assert!(error.detail().unwrap().contains("Missing iserver bridge"), "{error:?}");
}

#[test]
fn what_is_not_answered_is_asked_for_twice_and_then_said() {
    let mut simulation = Simulation::new(1);
    simulation.server.behaviour.silent = ["spl".to_owned()].into();
    simulation.subscribe("spl");
    simulation.run(40);
    assert_eq!(simulation.names(), ["ready", "unconfirmed"]);
    assert_eq!(simulation.sent("spl"), 2);
    simulation.server.behaviour.silent.clear();
    simulation.run(60);
    assert_eq!(simulation.names(), ["ready", "unconfirmed", "subscribed"]);
}

#[test]
fn a_line_that_is_quiet_for_five_minutes_is_asked_for_once_and_said_once() {
    let mut simulation = Simulation::ready(&[LINE, r#"smd+8314+{"fields":["31"]}"#]);
    simulation.run(60);
    simulation.server.behaviour.silent = ["smd+265598".to_owned()].into();
    simulation.clear();
    for _ in 0..360 {
        simulation.happen("smd+265598");
        simulation.happen("smd+8314");
        simulation.run(10);
    }
    assert_eq!(simulation.names(), ["quiet"]);
    let (at, StreamEvent::Quiet { topic, since }) = &simulation.events[0] else { panic!() };
    assert_eq!((&**topic, at.saturating_duration_since(*since)), ("smd+265598", seconds(300)));
    assert!(simulation.unaccounted(seconds(300)).is_empty());
    simulation.server.behaviour.silent.clear();
    for _ in 0..10 {
        simulation.happen("smd+265598");
        simulation.run(10);
    }
    simulation.server.behaviour.silent = ["smd+265598".to_owned()].into();
    simulation.run(400);
    assert_eq!(simulation.count("quiet"), 3, "each line once more: {:?}", simulation.events);
}

#[test]
fn a_silent_night_is_said_once_for_each_line() {
    let mut simulation = Simulation::ready(&[LINE]);
    simulation.clear();
    simulation.run(8 * 3600);
    assert_eq!(simulation.names(), ["quiet"]);
    assert_eq!(simulation.server.lapsed, Vec::<String>::new());
}

#[test]
fn subscriptions_are_counted_and_their_fields_joined() {
    let mut simulation = Simulation::ready(&[LINE, LINE]);
    assert_eq!(simulation.sent("smd"), 1);
    simulation.subscribe(r#"smd+265598+{"fields":["84"]}"#);
    simulation.run(1);
    assert_eq!(simulation.sent.last().unwrap().1, r#"smd+265598+{"fields":["31","84"]}"#);
    simulation.unsubscribe(LINE);
    simulation.unsubscribe(LINE);
    simulation.run(1);
    assert_eq!(simulation.sent("umd"), 0);
    simulation.unsubscribe(LINE);
    simulation.unsubscribe(LINE);
    simulation.run(1);
    assert_eq!(simulation.sent("umd+265598+{}"), 1);
    assert!(!simulation.server.knows("smd+265598"));
    simulation.subscribe("sor");
    assert!(simulation.stream.subscribe(&r#"sor+{"filters":["Submitted"]}"#.parse().unwrap()).is_err());
}

#[test]
fn each_topic_is_ended_in_its_own_way() {
    let topics = [
        "sor",
        "str",
        "spl",
        "ssd+DU1",
        "sld+DU1",
        "sbd+DU1+1",
        "sbd+DU1+2",
        "sbd+DU2+1",
        "ntf",
        "smh+7+{\"period\":\"1d\"}",
    ];
    let mut simulation = Simulation::ready(&topics);
    simulation.clear();
    for topic in topics {
        simulation.unsubscribe(topic);
    }
    simulation.run(2);
    let mut sent: Vec<&str> =
        simulation.sent.iter().map(|(_, text)| text.as_str()).filter(|text| *text != "tic").collect();
    sent.sort_unstable();
    assert_eq!(sent, ["ubd+DU1", "ubd+DU2", "uld+DU1+{}", "umh+1", "uor+{}", "upl+{}", "usd+DU1+{}", "utr"]);
    assert!(
        simulation.messages.is_empty() && simulation.events.is_empty(),
        "no answer is waited for, and none handed on"
    );
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
    assert_eq!(simulation.server.most_histories, 5);
    assert_eq!(simulation.sent("umh"), 20);
    // One that is no more wanted before it comes is given back when it does.
    simulation.unsubscribe("smh+20");
    simulation.subscribe("smh+99");
    simulation.unsubscribe("smh+99");
    simulation.run(5);
    let asked = simulation.sent("smh+99");
    assert_eq!(simulation.sent("umh"), 21 + asked);
    // What has come does not come again.
    simulation.clear();
    simulation.cut();
    simulation.run(60);
    assert!(simulation.stream.is_ready());
    assert_eq!(simulation.sent("smh"), 0);
}

#[test]
fn a_line_is_known_without_its_exchange() {
    let mut simulation = Simulation::new(1);
    simulation.server.behaviour.drops_exchange = true;
    simulation.subscribe(r#"smd+265598@SMART+{"fields":["31"]}"#);
    simulation.run(20);
    assert_eq!(simulation.of("smd+265598@SMART").len(), 1);
    simulation.happen("smd+265598@SMART");
    simulation.run(1);
    assert_eq!(simulation.of("smd+265598@SMART").len(), 2);
    assert_eq!(simulation.names(), ["ready", "subscribed"]);
}

#[test]
fn orders_are_unmuted_at_each_subscription() {
    let mut simulation = Simulation::new(1);
    simulation.server.behaviour.mute = true;
    simulation.subscribe("sor");
    simulation.run(20);
    assert_eq!(simulation.requests.len(), 1);
    assert_eq!(simulation.requests[0].1, "/v1/api/iserver/account/orders?force=true");
    simulation.happen("sor");
    simulation.run(1);
    assert_eq!(simulation.of("sor").len(), 1);
    simulation.cut();
    simulation.run(60);
    assert_eq!(simulation.requests.len(), 2);
}

#[test]
fn marker_and_delta_frames_of_orders_are_handed_on_in_their_order() {
    let mut simulation = Simulation::ready(&["sor"]);
    simulation.clear();
    let frames = [
        r#"{"topic":"sor","args":[{"orderId":7}]}"#,
        r#"{"topic":"sor","args":[{"orderId":7,"status":"PreSubmitted"}]}"#,
        r#"{"topic":"sor","args":[{"orderId":7,"status":"Filled"}]}"#,
    ];
    for frame in frames.iter().cycle().take(6) {
        simulation.server.say(*frame);
    }
    simulation.carry();
    simulation.run(1);
    assert_eq!(simulation.of("sor"), [frames, frames].concat());
}

#[test]
fn a_burst_of_three_hundred_is_handed_on_whole() {
    let mut simulation = Simulation::ready(&["str"]);
    simulation.clear();
    for _ in 0..300 {
        simulation.happen("str");
    }
    simulation.run(1);
    assert_eq!(simulation.numbers("str").len(), 300);
}

#[test]
fn a_machine_that_slept_starts_anew() {
    let mut simulation = Simulation::ready(&[LINE]);
    simulation.clear();
    // For two hours nobody looks, and the connection is gone by then.
    simulation.server.disconnect();
    simulation.now = simulation.now.saturating_add(seconds(7200));
    simulation.run(60);
    assert_eq!(simulation.count("disconnected"), 1);
    assert!(simulation.stream.is_ready());
}

#[test]
fn a_penalty_box_is_waited_out() {
    let mut simulation = Simulation::ready(&[LINE]);
    simulation.broker.start_penalty_box(simulation.now, seconds(600));
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
    assert!(simulation.is_finished && !simulation.server.is_connected());
    assert_eq!(simulation.events.last().unwrap().1.name(), "closed");

    let mut simulation = Simulation::ready(&[LINE]);
    let mut entropy = ibkr_oauth::simulator::SeededEntropy::new(3);
    let cx = &mut ibkr_oauth::Context::new(simulation.now, &mut entropy);
    simulation.session.handle_input(cx, ibkr_oauth::session::Input::Shutdown);
    simulation.run(10);
    assert!(simulation.is_finished && !simulation.server.is_connected());
}

#[test]
fn without_a_brokerage_session_the_users_name_is_enough() {
    let mut config = SessionConfig::default();
    config.brokerage = false;
    let mut simulation = Simulation::with(1, config, StreamConfig::default(), |broker| broker);
    simulation.server.behaviour.no_sts = true;
    simulation.subscribe("spl");
    simulation.run(90);
    assert!(simulation.stream.is_ready());
    assert_eq!(simulation.sent("spl"), 1);
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
