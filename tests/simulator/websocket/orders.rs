//! What is heard of orders and trades.

use http::Method;
use serde_json::{Value, json};

use super::{Desk, NOTHING, topics};

fn market_order() -> Value {
    json!({ "conid": 265_598, "orderType": "MKT", "side": "BUY", "quantity": 3, "tif": "DAY" })
}

#[test]
fn an_order_is_told_in_pieces_and_its_execution_twice() {
    let mut desk = Desk::streaming();
    assert_eq!(desk.ask("sor+{}"), NOTHING, "there is no snapshot");
    desk.say("str+{\"realtimeUpdatesOnly\":true}");
    assert_eq!(desk.hear(0), [json!({ "topic": "str", "args": [] })]);
    desk.place(&market_order());
    let told = desk.hear(2);
    assert_eq!(topics(&told), ["sor", "sor", "sor", "sor", "str", "str"]);
    let args = |place: usize| &told[place]["args"][0];
    let fields = |place: usize| args(place).as_object().unwrap().len();
    assert_eq!((fields(0), fields(2)), (1, 3), "its number alone, and what changed");
    assert_eq!(args(1)["timeInForce"], "CLOSE");
    let states: Vec<&Value> = (1..4).map(|place| &args(place)["status"]).collect();
    assert_eq!(states, ["PreSubmitted", "Submitted", "Filled"]);
    assert_eq!(args(4)["execution_id"], args(5)["execution_id"]);
    assert!(args(4)["commission"].is_null() && args(5)["commission"] == "1.0");
    assert!(args(4)["price"].is_string() && args(4)["net_amount"].is_f64(), "{}", args(4));

    desk.place(&json!({ "conid": 265_598, "orderType": "LMT", "price": 1, "side": "SELL", "quantity": 1 }));
    assert_eq!(topics(&desk.hear(2)), ["sor", "sor", "sor"], "one that waits for its price is not filled");
    desk.say("uor+{}");
    desk.say("utr");
    desk.place(&market_order());
    assert_eq!(desk.hear(2), NOTHING);
}

#[test]
fn a_subscription_to_trades_replays_those_of_its_days() {
    let mut desk = Desk::streaming();
    desk.place(&market_order());
    desk.place(&market_order());
    let ids = |desk: &mut Desk, said: &str| -> Vec<String> {
        let told = desk.ask(said);
        assert_eq!(told[0]["args"], json!([]), "the first is empty");
        told[1..].iter().map(|message| message["args"][0]["execution_id"].as_str().unwrap().to_owned()).collect()
    };
    let all = ids(&mut desk, "str+{\"realtimeUpdatesOnly\":false,\"days\":1}");
    assert_eq!(all.len(), 3, "one from before, and two of today");
    assert_eq!(ids(&mut desk, "str+{}"), all, "at each subscription");
    assert_eq!(ids(&mut desk, "str+{\"realtimeUpdatesOnly\":true}").len(), 0);
    desk.socket = None;
    desk.connect();
    desk.hear(1);
    assert_eq!(ids(&mut desk, "str"), all, "on another socket too");
}

#[test]
fn orders_are_filtered_by_their_state() {
    let mut desk = Desk::streaming();
    desk.say("sor+{\"filters\":[\"Filled\",\"Cancelled\"]}");
    desk.place(&market_order());
    let told = desk.hear(2);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["args"][0]["status"], "Filled");
}

#[test]
fn a_filtered_list_of_orders_mutes_them_until_a_list_is_forced() {
    let mut desk = Desk::streaming();
    desk.say("sor+{}");
    let list = |desk: &mut Desk, query: &str| {
        assert_eq!(desk.call(Method::GET, &format!("/iserver/account/orders{query}"), &Value::Null).0, 200);
        desk.place(&market_order());
        desk.hear_topic(2, "sor").len()
    };
    assert_eq!(list(&mut desk, ""), 4);
    assert_eq!(list(&mut desk, "?filters=filled"), 0);
    assert_eq!(list(&mut desk, ""), 0);
    assert_eq!(list(&mut desk, "?force=true"), 4);
}

#[test]
fn an_order_of_another_program_is_heard_of_and_replayed() {
    let mut desk = Desk::streaming();
    desk.say("sor+{}");
    desk.say("str+{\"realtimeUpdatesOnly\":true}");
    desk.hear(0);
    let (now, first) = (desk.now, desk.broker.fill_order(desk.now, 8314, 2));
    let told = desk.hear(2);
    let of = |topic: &'static str| {
        told.iter().filter(move |message| message["topic"] == topic).map(|message| &message["args"][0])
    };
    assert_eq!(of("sor").map(|order| order["orderId"].as_u64()).collect::<Vec<_>>(), [Some(first); 4]);
    assert!(of("str").all(|trade| trade["order_id"] == first && trade["conid"] == 8314 && trade["size"] == 2.0));
    assert_eq!(of("str").count(), 2);
    assert_eq!(desk.broker.fill_order(now, 8314, 2), first + 1);
    desk.hear(2);
    let replayed = desk.ask("str+{\"days\":1}");
    let ids: Vec<u64> = replayed.iter().filter_map(|message| message["args"][0]["order_id"].as_u64()).collect();
    assert_eq!(ids, [first, first + 1]);
}

#[test]
fn subscriptions_die_with_their_socket() {
    let mut desk = Desk::streaming();
    desk.say("sor+{}");
    desk.say("smd+265598+{}");
    desk.broker.close_sockets(Some(1001));
    assert!(matches!(desk.outputs(1).last(), Some(ibkr_oauth::simulator::SocketOutput::Close(Some(1001)))));
    desk.place(&market_order());
    desk.connect();
    assert_eq!(topics(&desk.hear(5)), ["system", "act", "sts"]);
}

#[test]
fn what_happened_while_nobody_polled_is_heard_unless_it_is_more_than_is_remembered() {
    let mut desk = Desk::streaming();
    desk.say("sor+{}");
    for _ in 0..1000 {
        desk.broker.publish("sor", "{\"topic\":\"sor\"}");
    }
    assert_eq!(desk.hear(0).len(), 1000);
    for _ in 0..5000 {
        desk.broker.publish("sor", "{\"topic\":\"sor\"}");
    }
    // Whoever reads so slowly is cut off.
    assert_eq!(desk.outputs(0), [ibkr_oauth::simulator::SocketOutput::Close(None)]);
}
