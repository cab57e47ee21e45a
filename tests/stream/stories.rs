//! One story for each way in which streams were seen to fail, and for each rule of the broker's.

use std::time::Duration;

use ibkr_oauth::{
    http::header::{COOKIE, USER_AGENT},
    session::{SessionConfig, State},
    stream::{Input, StreamConfig, StreamEvent, Topic},
};

use crate::world::World;

const LINE: &str = r#"smd+265598+{"fields":["31"]}"#;

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[test]
fn it_opens_with_the_session_of_a_fresh_tickle_and_subscribes_when_the_broker_is_ready() {
    let world = World::ready(&[LINE, "sor", "str", "spl", "ssd+DU1", "ntf"]);
    let (at, request) = &world.opens[0];
    assert_eq!(request.uri().scheme_str(), Some("wss"));
    assert!(request.uri().query().unwrap().starts_with("oauth_token="));
    let session = world.session.view().last_tickle().unwrap().session().unwrap();
    let cookie = format!("api={}", str::from_utf8(session.expose()).unwrap());
    assert_eq!(request.headers()[COOKIE], cookie.as_str());
    assert!(request.headers().contains_key(USER_AGENT));
    assert!(at.saturating_duration_since(world.start) < seconds(10));
    assert_eq!((world.server.early, world.opens.len()), (0, 1));
    let mut texts = world.server.texts();
    texts.retain(|text| *text != "tic");
    assert_eq!(texts, [LINE, "sor+{}", "spl+{}", "ssd+DU1+{}", "str+{}"]);
    assert_eq!(world.count("subscribed"), 6);
    assert_eq!(world.of("ssd+DU1").len(), 1, "rows without a topic are the only summary's");
    assert_eq!(world.of("act").len(), 1, "what comes by itself is handed on");
}

#[test]
fn the_flags_come_in_pieces_and_at_the_top() {
    let mut world = World::new(1);
    world.server.behaviour.sts_in_pieces = true;
    world.subscribe(LINE);
    world.run(30);
    assert!(world.stream.is_ready());
    assert_eq!(world.server.early, 0);

    let mut world = World::new(1);
    world.server.behaviour.no_sts = true;
    world.subscribe(LINE);
    world.run(14);
    assert!(!world.stream.is_ready());
    world.server.say(r#"{"topic":"sts","authenticated":true}"#);
    world.carry();
    world.run(1);
    assert!(world.stream.is_ready());
    assert_eq!(world.sent("smd"), 1);
}

#[test]
fn a_broker_that_never_says_that_it_is_ready_is_left_after_ten_seconds() {
    let mut world = World::new(1);
    world.server.behaviour.no_sts = true;
    world.subscribe(LINE);
    world.run(3600);
    assert_eq!((world.sent("smd"), world.count("ready")), (0, 0));
    let opens = world.opens.len();
    assert!((40..80).contains(&opens), "{opens} attempts in an hour");
    assert_eq!(world.count("disconnected"), opens - usize::from(world.server.is_connected()));
}

#[test]
fn bytes_and_text_are_alike_and_what_is_not_utf8_is_read_and_counted() {
    let mut world = World::ready(&["sor"]);
    world.clear();
    world.server.say(b"{\"topic\":\"sor\",\"args\":[{\"text\":\"\x99 100\"}]}".as_slice());
    world.server.say("{}");
    world.server.say("not json");
    world.server.say("[1,2]");
    world.server.say(r#"{"topic":"new","later":{"keys":[1]}}"#);
    world.carry();
    world.run(1);
    assert_eq!(world.of("sor"), ["{\"topic\":\"sor\",\"args\":[{\"text\":\"\u{fffd} 100\"}]}"]);
    assert_eq!(world.of(""), ["[1,2]"]);
    assert_eq!(world.of("new").len(), 1);
    let counts = world.stream.counts();
    assert_eq!((counts.not_utf8, counts.unreadable), (1, 1));
    assert_eq!(world.names(), ["unreadable"]);
}

#[test]
fn unreadable_frames_are_spoken_of_once_a_minute() {
    let mut world = World::ready(&[]);
    world.clear();
    for _ in 0..500 {
        world.server.say("?");
        world.carry();
        world.run(1);
    }
    world.run(70);
    assert!((8..=10).contains(&world.count("unreadable")), "{:?}", world.names());
    let frames = world.events.iter().map(|(_, event)| match event {
        StreamEvent::Unreadable { frames } => *frames,
        _ => 0,
    });
    assert_eq!(frames.sum::<u64>(), 500);
}

#[test]
fn the_beat_is_kept_and_four_answers_to_it_are_nobodys_business() {
    let mut world = World::ready(&[]);
    world.clear();
    world.run(600);
    assert_eq!(world.sent("tic"), 20);
    assert!(world.server.longest_beat <= seconds(60));
    assert!(world.messages.is_empty() && world.events.is_empty());
}

#[test]
fn waiting_for_session_is_answered_once_in_a_connection() {
    let mut world = World::new(1);
    world.server.behaviour.wants_session = true;
    world.subscribe(LINE);
    world.run(20);
    assert!(world.stream.is_ready());
    let session = world.session.view().last_tickle().unwrap().session().unwrap();
    let frame = format!(r#"{{"session":"{}"}}"#, str::from_utf8(session.expose()).unwrap());
    assert_eq!(world.sent[0].1, frame);
    world.server.say(r#"{"message":"waiting for session"}"#);
    world.carry();
    world.run(5);
    assert_eq!(world.sent("{\"session\""), 1);
}

#[test]
fn a_session_frame_that_came_too_late_does_no_harm() {
    let mut world = World::new(1);
    world.server.behaviour.wants_session = true;
    world.server.behaviour.unknown_session_topic = true;
    world.subscribe(LINE);
    world.run(20);
    assert!(world.stream.is_ready());
    assert_eq!(world.names(), ["ready", "subscribed"]);
    world.server.say(r#"{"error":"Topic unknown xyz","code":1}"#);
    world.server.say(r#"{"error":"something else","code":9}"#);
    world.carry();
    world.run(1);
    assert_eq!(world.count("error"), 1);
}

#[test]
fn a_stale_session_is_followed_by_another_tickle() {
    let mut world = World::new(1);
    world.server.behaviour.closes = Some(1000);
    world.subscribe(LINE);
    world.run(3600);
    let opens = world.opens.len();
    assert!((50..90).contains(&opens), "{opens} attempts in an hour");
    // Each has a tickle of its own: so many there were, but no more than the session allows itself.
    let tickles = world.broker.accepted().filter(|request| request.path() == "/tickle").count();
    assert!(tickles >= opens, "{tickles} tickles, {opens} openings");
    assert!(tickles <= 60 + 20, "{tickles} tickles");
    world.server.behaviour.closes = None;
    world.run(130);
    assert!(world.stream.is_ready());
}

#[test]
fn an_upgrade_that_is_refused_is_tried_again_more_and_more_seldom() {
    let mut world = World::new(1);
    world.server.behaviour.refuses = Some(403);
    world.run(3600);
    assert!((50..90).contains(&world.opens.len()), "{}", world.opens.len());
    let StreamEvent::Disconnected { error, since: None, .. } = &world.events[0].1 else { panic!("{:?}", world.events) };
    assert!(error.to_string().contains("403"), "{error}");
    let gaps: Vec<_> = world.opens.windows(2).map(|pair| pair[1].0.saturating_duration_since(pair[0].0)).collect();
    assert!(gaps[0] < seconds(10) && gaps.last().unwrap() > &seconds(25), "{gaps:?}");
}

#[test]
fn a_line_is_asked_for_again_before_the_broker_ends_it() {
    let mut world = World::ready(&[LINE, "sor"]);
    world.clear();
    for _ in 0..360 {
        world.happen("smd+265598");
        world.run(10);
    }
    assert_eq!(world.server.lapsed, Vec::<String>::new());
    assert!((7..=14).contains(&world.sent("smd")), "{}", world.sent("smd"));
    assert_eq!(world.sent("umd"), 0);
    assert_eq!(world.sent("sor"), 0);
    assert_eq!(world.names(), Vec::<&str>::new());
    assert!(world.unaccounted(Duration::ZERO).is_empty());
}

#[test]
fn a_hundred_lines_are_renewed_one_by_one() {
    let mut world = World::new(1);
    for conid in 0..100 {
        world.stream.subscribe(&Topic::market_data(conid, &["31"])).unwrap();
    }
    assert!(world.stream.subscribe(&Topic::market_data(100, &["31"])).unwrap_err().remedy().contains("StreamConfig"));
    world.run(30);
    assert_eq!(world.count("subscribed"), 100);
    let first = world.sent.iter().filter(|(_, text)| text.starts_with("smd")).map(|(at, _)| *at);
    let (from, to) = (first.clone().min().unwrap(), first.max().unwrap());
    assert!(to.saturating_duration_since(from) < seconds(5));
    world.clear();
    // All day long, a third of a second at a time.
    for _ in 0..3600 {
        for conid in 0..100 {
            if conid % 10 == world.elapsed() % 10 {
                world.happen(&format!("smd+{conid}"));
            }
        }
        world.run(1);
    }
    assert_eq!(world.server.lapsed, Vec::<String>::new());
    assert_eq!(world.server.most_lines, 100);
    let most = |window: u64| {
        let times: Vec<_> = world.sent.iter().map(|(at, _)| at.as_millis()).collect();
        times.iter().map(|at| times.iter().filter(|other| **other >= *at && **other < *at + window).count()).max()
    };
    assert!(most(10_000).unwrap() < 20, "{:?} in ten seconds", most(10_000));
    assert!(world.events.is_empty(), "{:?}", world.names());
}

#[test]
fn a_socket_that_says_nothing_is_left_after_25_seconds() {
    let mut world = World::ready(&[LINE, "sor"]);
    world.run(100);
    world.clear();
    world.server.behaviour.frozen = true;
    world.run(40);
    let (at, StreamEvent::Disconnected { since: Some(since), .. }) = &world.events[0] else {
        panic!("{:?}", world.events)
    };
    let (at, since) = (*at, *since);
    assert_eq!(at.saturating_duration_since(since), seconds(25));
    world.server.behaviour.frozen = false;
    world.run(120);
    assert!(world.stream.is_ready());
    let gaps = world
        .events
        .iter()
        .filter(|(_, event)| matches!(event, StreamEvent::Subscribed { gap: Some(gap), .. } if *gap <= since));
    assert_eq!(gaps.count(), 2, "{:?}", world.events);
}

#[test]
fn without_heartbeats_messages_are_life_enough() {
    let mut world = World::ready(&[LINE]);
    world.server.behaviour.heartbeats = false;
    world.clear();
    for _ in 0..100 {
        world.happen("smd+265598");
        world.run(15);
    }
    assert_eq!(world.names(), Vec::<&str>::new());
}

#[test]
fn after_a_gap_all_comes_again_and_is_said_to_have_been_away() {
    let mut world = World::ready(&[LINE, "sor", "str", "spl", "sld+DU1", "sbd+DU1+265598"]);
    world.run(100);
    world.clear();
    world.server.cut(Some(1006));
    world.carry();
    for _ in 0..20 {
        world.happen("sor");
        world.happen("str");
        world.happen("smd+265598");
        world.run(1);
    }
    assert!(world.stream.is_ready());
    assert_eq!(world.count("disconnected"), 1);
    let mut named: Vec<&str> = Vec::new();
    for (_, event) in &world.events {
        if let StreamEvent::Subscribed { topic, gap: Some(_) } = event {
            named.push(topic.name());
            assert!(event.to_string().contains("lost since"), "{event}");
        }
    }
    named.sort_unstable();
    assert_eq!(named, ["sbd+DU1+265598", "sld+DU1", "smd+265598", "sor", "spl", "str"]);
    assert!(world.unaccounted(seconds(60)).is_empty(), "{:?}", world.unaccounted(seconds(60)));
    assert_eq!(world.numbers("str").len(), 20, "trades are told again");
}

#[test]
fn subscriptions_before_the_broker_is_ready_are_kept_until_it_is() {
    let mut world = World::new(1);
    world.server.behaviour.settling = 8;
    world.subscribe(LINE);
    world.run(8);
    world.subscribe("sor");
    assert!(!world.stream.is_ready());
    world.run(12);
    assert_eq!((world.server.early, world.count("subscribed")), (0, 2));
}

#[test]
fn a_moment_without_authentication_costs_no_connection_but_all_is_asked_for_again() {
    let mut world = World::ready(&[LINE, "sor", "str"]);
    world.clear();
    let before = world.tickles_asked;
    world.server.sts(r#"{"authenticated":false}"#);
    world.server.forget();
    world.carry();
    world.run(1);
    world.server.sts(r#"{"authenticated":true}"#);
    world.carry();
    world.run(10);
    assert_eq!((world.opens.len(), world.count("disconnected")), (0, 0));
    assert_eq!(world.tickles_asked, before + 1);
    assert_eq!((world.sent("smd"), world.sent("sor"), world.sent("str")), (1, 1, 1));
    assert!(world.events.iter().all(|(_, event)| matches!(event, StreamEvent::Subscribed { gap: Some(_), .. })));
    assert_eq!(world.events.len(), 3);
}

#[test]
fn the_noise_of_the_night_is_no_loss() {
    let mut world = World::ready(&[LINE]);
    world.clear();
    for _ in 0..50 {
        world.server.sts(r#"{"competing":false}"#);
        world.server.sts(r#"{"message":""}"#);
        world.server.sts(r#"{"authenticated":true}"#);
    }
    world.carry();
    world.run(60);
    assert!(world.events.is_empty());
    assert_eq!(world.sent("smd"), 0);
}

#[test]
fn authentication_that_does_not_come_back_ends_the_connection() {
    let mut world = World::ready(&[LINE]);
    world.clear();
    world.server.sts(r#"{"authenticated":false,"fail":"gone"}"#);
    world.carry();
    world.run(15);
    let StreamEvent::Disconnected { error, since: Some(_), .. } = &world.events[0].1 else { panic!() };
    assert!(error.to_string().contains("gone"), "{error}");
    world.run(10);
    assert!(world.stream.is_ready());
}

#[test]
fn a_competing_login_is_not_fought() {
    let mut world = World::ready(&[LINE, "sor"]);
    world.clear();
    world.broker.start_competing_session();
    world.server.sts(r#"{"authenticated":false,"competing":true,"fail":"another login"}"#);
    world.server.forget();
    world.carry();
    for _ in 0..600 {
        world.happen("sor");
        world.run(5);
    }
    assert_eq!(world.state(), State::Displaced);
    assert!(world.opens.is_empty(), "the session is not ready");
    assert_eq!(world.count("disconnected"), 1);
    assert_eq!(world.broker.brokerage_sessions_opened(), 1);
    world.broker.end_competing_session();
    world.run(1200);
    assert!(world.stream.is_ready());
    assert!(world.unaccounted(seconds(60)).is_empty());
}

#[test]
fn a_brokerage_session_that_is_lost_without_a_word_is_noticed_by_the_tickle() {
    let mut world = World::ready(&[LINE, "sor"]);
    world.run(120);
    world.clear();
    world.broker.end_brokerage_session();
    world.server.forget();
    for _ in 0..100 {
        world.happen("sor");
        world.run(1);
    }
    assert!(world.stream.is_ready());
    assert_eq!(world.opens.len(), 1, "{:?}", world.events);
    assert_eq!(world.count("disconnected"), 1);
}

#[test]
fn a_new_live_session_token_is_followed() {
    let mut world = World::with(1, SessionConfig::default(), StreamConfig::default(), |broker| broker);
    world.subscribe("sor");
    world.run(3600);
    world.clear();
    for _ in 0..24 {
        world.happen("sor");
        world.run(3600);
    }
    assert!(world.stream.is_ready());
    assert!(world.count("renewing") >= 1, "{:?}", world.events);
    assert_eq!(world.count("disconnected"), 0, "{:?}", world.events);
    assert_eq!(world.opens.len(), world.count("renewing"));
}

#[test]
fn refusals_name_the_topic_and_are_tried_again_more_and_more_seldom() {
    let mut world = World::new(1);
    world.server.behaviour.refused = ["smd+265598".to_owned(), "sor".to_owned()].into();
    world.subscribe(LINE);
    world.subscribe("sor");
    world.run(3600);
    let refused = |world: &World, name: &str| {
        let of = |event: &StreamEvent| matches!(event, StreamEvent::Refused { topic, .. } if **topic == *name);
        world.events.iter().filter(|(_, event)| of(event)).count()
    };
    assert_eq!(refused(&world, "smd+265598"), 1);
    assert!((10..20).contains(&world.sent("smd")), "{}", world.sent("smd"));
    assert!((10..20).contains(&world.sent("sor")), "{}", world.sent("sor"));
    assert_eq!(world.count("subscribed"), 0);
    world.server.behaviour.refused.clear();
    world.run(310);
    assert_eq!(world.count("subscribed"), 2);
    let StreamEvent::Refused { error, .. } =
        &world.events.iter().find(|(_, event)| event.name() == "refused").unwrap().1
    else {
        panic!()
    };
    assert!(error.detail().unwrap().contains("Missing iserver bridge"), "{error:?}");
}

#[test]
fn what_is_not_answered_is_asked_for_twice_and_then_said() {
    let mut world = World::new(1);
    world.server.behaviour.silent = ["spl".to_owned()].into();
    world.subscribe("spl");
    world.run(40);
    assert_eq!(world.names(), ["ready", "unconfirmed"]);
    assert_eq!(world.sent("spl"), 2);
    world.server.behaviour.silent.clear();
    world.run(60);
    assert_eq!(world.names(), ["ready", "unconfirmed", "subscribed"]);
}

#[test]
fn a_line_that_is_quiet_for_five_minutes_is_asked_for_once_and_said_once() {
    let mut world = World::ready(&[LINE, r#"smd+8314+{"fields":["31"]}"#]);
    world.run(60);
    world.server.behaviour.silent = ["smd+265598".to_owned()].into();
    world.clear();
    for _ in 0..360 {
        world.happen("smd+265598");
        world.happen("smd+8314");
        world.run(10);
    }
    assert_eq!(world.names(), ["quiet"]);
    let (at, StreamEvent::Quiet { topic, since }) = &world.events[0] else { panic!() };
    assert_eq!((&**topic, at.saturating_duration_since(*since)), ("smd+265598", seconds(300)));
    assert!(world.unaccounted(seconds(300)).is_empty());
    world.server.behaviour.silent.clear();
    for _ in 0..10 {
        world.happen("smd+265598");
        world.run(10);
    }
    world.server.behaviour.silent = ["smd+265598".to_owned()].into();
    world.run(400);
    assert_eq!(world.count("quiet"), 3, "each line once more: {:?}", world.events);
}

#[test]
fn a_silent_night_is_said_once_for_each_line() {
    let mut world = World::ready(&[LINE]);
    world.clear();
    world.run(8 * 3600);
    assert_eq!(world.names(), ["quiet"]);
    assert_eq!(world.server.lapsed, Vec::<String>::new());
}

#[test]
fn subscriptions_are_counted_and_their_fields_joined() {
    let mut world = World::ready(&[LINE, LINE]);
    assert_eq!(world.sent("smd"), 1);
    world.subscribe(r#"smd+265598+{"fields":["84"]}"#);
    world.run(1);
    assert_eq!(world.sent.last().unwrap().1, r#"smd+265598+{"fields":["31","84"]}"#);
    world.unsubscribe(LINE);
    world.unsubscribe(LINE);
    world.run(1);
    assert_eq!(world.sent("umd"), 0);
    world.unsubscribe(LINE);
    world.unsubscribe(LINE);
    world.run(1);
    assert_eq!(world.sent("umd+265598+{}"), 1);
    assert!(!world.server.knows("smd+265598"));
    world.subscribe("sor");
    assert!(world.stream.subscribe(&r#"sor+{"filters":["Submitted"]}"#.parse().unwrap()).is_err());
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
    let mut world = World::ready(&topics);
    world.clear();
    for topic in topics {
        world.unsubscribe(topic);
    }
    world.run(2);
    let mut sent: Vec<&str> = world.sent.iter().map(|(_, text)| text.as_str()).filter(|text| *text != "tic").collect();
    sent.sort_unstable();
    assert_eq!(sent, ["ubd+DU1", "ubd+DU2", "uld+DU1+{}", "umh+1", "uor+{}", "upl+{}", "usd+DU1+{}", "utr"]);
    assert!(world.messages.is_empty() && world.events.is_empty(), "no answer is waited for, and none handed on");
}

#[test]
fn five_histories_at_once_each_until_it_is_given_back() {
    let mut world = World::new(1);
    for conid in 0..5 {
        world.subscribe(&format!("smh+{conid}"));
    }
    assert!(world.stream.subscribe(&"smh+5".parse().unwrap()).is_err());
    world.run(20);
    for turn in 0..20 {
        world.unsubscribe(&format!("smh+{turn}"));
        world.subscribe(&format!("smh+{}", turn + 5));
        world.run(1);
    }
    assert_eq!(world.server.most_histories, 5);
    assert_eq!(world.sent("umh"), 20);
    // One that is no more wanted before it comes is given back when it does.
    world.unsubscribe("smh+20");
    world.subscribe("smh+99");
    world.unsubscribe("smh+99");
    world.run(5);
    let asked = world.sent("smh+99");
    assert_eq!(world.sent("umh"), 21 + asked);
    // What has come does not come again.
    world.clear();
    world.cut();
    world.run(60);
    assert!(world.stream.is_ready());
    assert_eq!(world.sent("smh"), 0);
}

#[test]
fn a_line_is_known_without_its_exchange() {
    let mut world = World::new(1);
    world.server.behaviour.drops_exchange = true;
    world.subscribe(r#"smd+265598@SMART+{"fields":["31"]}"#);
    world.run(20);
    assert_eq!(world.of("smd+265598@SMART").len(), 1);
    world.happen("smd+265598@SMART");
    world.run(1);
    assert_eq!(world.of("smd+265598@SMART").len(), 2);
    assert_eq!(world.names(), ["ready", "subscribed"]);
}

#[test]
fn orders_are_unmuted_at_each_subscription() {
    let mut world = World::new(1);
    world.server.behaviour.mute = true;
    world.subscribe("sor");
    world.run(20);
    assert_eq!(world.requests.len(), 1);
    assert_eq!(world.requests[0].1, "/v1/api/iserver/account/orders?force=true");
    world.happen("sor");
    world.run(1);
    assert_eq!(world.of("sor").len(), 1);
    world.cut();
    world.run(60);
    assert_eq!(world.requests.len(), 2);
}

#[test]
fn marker_and_delta_frames_of_orders_are_handed_on_in_their_order() {
    let mut world = World::ready(&["sor"]);
    world.clear();
    let frames = [
        r#"{"topic":"sor","args":[{"orderId":7}]}"#,
        r#"{"topic":"sor","args":[{"orderId":7,"status":"PreSubmitted"}]}"#,
        r#"{"topic":"sor","args":[{"orderId":7,"status":"Filled"}]}"#,
    ];
    for frame in frames.iter().cycle().take(6) {
        world.server.say(*frame);
    }
    world.carry();
    world.run(1);
    assert_eq!(world.of("sor"), [frames, frames].concat());
}

#[test]
fn a_burst_of_three_hundred_is_handed_on_whole() {
    let mut world = World::ready(&["str"]);
    world.clear();
    for _ in 0..300 {
        world.happen("str");
    }
    world.run(1);
    assert_eq!(world.numbers("str").len(), 300);
}

#[test]
fn a_machine_that_slept_starts_anew() {
    let mut world = World::ready(&[LINE]);
    world.clear();
    // For two hours nobody looks, and the connection is gone by then.
    world.server.disconnect();
    world.now = world.now.saturating_add(seconds(7200));
    world.run(60);
    assert_eq!(world.count("disconnected"), 1);
    assert!(world.stream.is_ready());
}

#[test]
fn a_penalty_box_is_waited_out() {
    let mut world = World::ready(&[LINE]);
    world.broker.start_penalty_box(world.now, seconds(600));
    world.run(70);
    world.clear();
    world.cut();
    world.run(400);
    assert!(world.opens.is_empty());
    world.run(900);
    assert!(world.stream.is_ready());
}

#[test]
fn it_ends_with_the_session_and_when_it_is_told_to() {
    let mut world = World::ready(&[LINE]);
    world.input(Input::Shutdown);
    assert!(world.is_finished && !world.server.is_connected());
    assert_eq!(world.events.last().unwrap().1.name(), "closed");

    let mut world = World::ready(&[LINE]);
    let mut entropy = ibkr_oauth::simulator::SeededEntropy::new(3);
    let cx = &mut ibkr_oauth::Context::new(world.now, &mut entropy);
    world.session.handle_input(cx, ibkr_oauth::session::Input::Shutdown);
    world.run(10);
    assert!(world.is_finished && !world.server.is_connected());
}

#[test]
fn without_a_brokerage_session_the_users_name_is_enough() {
    let mut config = SessionConfig::default();
    config.brokerage = false;
    let mut world = World::with(1, config, StreamConfig::default(), |broker| broker);
    world.server.behaviour.no_sts = true;
    world.subscribe("spl");
    world.run(90);
    assert!(world.stream.is_ready());
    assert_eq!(world.sent("spl"), 1);
}

#[test]
fn what_comes_of_an_old_connection_and_too_late_does_nothing() {
    let mut world = World::ready(&[LINE]);
    world.input(Input::Shutdown);
    world.clear();
    for input in [Input::Opened, Input::Frame("{}".into()), Input::Closed(Some(1000)), Input::Shutdown, Input::Timeout]
    {
        world.input(input);
    }
    assert!(world.events.is_empty() && world.messages.is_empty());
}
