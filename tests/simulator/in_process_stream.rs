//! A client's stream over the broker in process, without a socket.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use ibkr_oauth::{
    client::Client,
    session::SessionConfig,
    simulator::{Broker, Fault, InProcess, test_keys},
    stream::{StreamEvent, Topic},
    transport::AsyncTransport,
};
use serde_json::{Value, json};

use super::websocket::START;

const HOUR: Duration = Duration::from_secs(3600);

/// Runs `play` with a client of a broker that sends on a line every ten seconds.
fn with_client(play: &impl AsyncFn(&InProcess, &Client<InProcess>)) {
    let broker = Broker::builder().market_data_period(Duration::from_secs(10)).build().unwrap();
    let network = InProcess::new(broker, ibkr_oauth::Timestamp::from_millis(START));
    let bundle = network.broker(test_keys::bundle).unwrap();
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
        let (client, driver) = Client::start(network.clone(), &bundle, SessionConfig::default()).unwrap();
        tokio::spawn(driver);
        client.ready().await.unwrap();
        play(&network, &client).await;
    });
}

#[test]
fn a_line_lives_beyond_its_ten_minutes_and_an_order_is_heard_of() {
    with_client(&async |network, client| {
        let (stream, driver) = client.stream();
        tokio::spawn(driver);
        let line = Topic::market_data(265_598, &["31", "84"]);
        let mut messages = stream.subscribe(&line).unwrap();
        let mut orders = stream.subscribe(&Topic::orders()).unwrap();
        let end = network.now().saturating_add(HOUR);
        let (mut count, mut newest) = (0, 0);
        while network.now() < end {
            let message = messages.next().await.expect("the stream lives");
            let message: Value = serde_json::from_slice(&message.bytes).unwrap();
            let updated = message["_updated"].as_u64().unwrap();
            assert!(
                updated > newest && (newest == 0 || updated - newest <= 11_000),
                "a gap from {newest} to {updated}"
            );
            newest = updated;
            count += 1;
        }
        assert!((360..380).contains(&count), "{count} messages in an hour of one each ten seconds");
        assert_eq!(network.broker(|broker, _| broker.sockets_opened()), 1);

        let order = json!({ "orders": [{ "conid": 265_598, "orderType": "MKT", "side": "BUY", "quantity": 1 }] });
        client.post_json("/iserver/account/DU0000001/orders", &order).await.unwrap();
        let message: Value = serde_json::from_slice(&orders.next().await.unwrap().bytes).unwrap();
        assert_eq!(message["args"][0]["orderId"], 1);
    });
}

#[test]
fn it_lives_over_the_expiry_of_the_live_session_token() {
    with_client(&async |network, client| {
        network.sleep(21 * HOUR).await;
        let (stream, driver) = client.stream();
        tokio::spawn(driver);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (mut events, list) = (stream.events(), Arc::clone(&seen));
        tokio::spawn(async move {
            while let Some(event) = events.next().await {
                list.lock().unwrap().push(event);
            }
        });
        let mut messages = stream.subscribe(&Topic::market_data(265_598, &["31", "84"])).unwrap();
        let end = network.now().saturating_add(3 * HOUR);
        let (mut newest, mut gaps) = (0, Vec::new());
        while network.now() < end {
            let message = messages.next().await.expect("the stream lives");
            let updated = serde_json::from_slice::<Value>(&message.bytes).unwrap()["_updated"].as_u64().unwrap();
            if newest > 0 && updated > newest + 10_000 {
                gaps.push((newest, updated));
            }
            newest = updated;
        }
        assert_eq!(network.broker(|broker, _| broker.live_session_tokens_issued()), 2);
        let sockets = network.broker(|broker, _| broker.sockets_opened());
        assert_eq!(sockets, 2, "a connection for each token");
        let seen = seen.lock().unwrap();
        let names: Vec<&str> = seen.iter().map(StreamEvent::name).filter(|name| *name != "quiet").collect();
        assert_eq!(names, ["ready", "subscribed", "renewing", "ready", "subscribed"]);
        let StreamEvent::Subscribed { gap: Some(since), .. } = seen.last().unwrap() else { panic!("{seen:?}") };
        for (from, to) in gaps {
            assert!(from <= since.as_millis() && since.as_millis() <= to && to < from + 30_000, "{from} to {to}");
        }
    });
}

#[test]
fn it_comes_back_after_closes_and_cuts_in_whatever_frames() {
    with_client(&async |network, client| {
        let (stream, driver) = client.stream();
        tokio::spawn(driver);
        let mut messages = stream.subscribe(&Topic::market_data(265_598, &["31"])).unwrap();
        messages.next().await.unwrap();
        for (number, fault) in
            ["ws-fragments", "ws-binary", "ws-status-in-pieces", "ws-stale-session"].into_iter().enumerate()
        {
            network.broker(|broker, _| {
                broker.inject(fault.parse::<Fault>().unwrap());
                broker.close_sockets(number.is_multiple_of(2).then_some(1001));
            });
            let opened = network.broker(|broker, _| broker.sockets_opened());
            while network.broker(|broker, _| broker.sockets_opened()) == opened {
                messages.next().await.expect("the stream lives");
            }
            let message = messages.next().await.unwrap();
            assert_eq!(serde_json::from_slice::<Value>(&message.bytes).unwrap()["conid"], 265_598, "{fault:?}");
        }
    });
}
