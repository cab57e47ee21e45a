//! Everything that `ibkr-cp-api-client` can do but its login: `runs-cp-api-client PORT ACCOUNT reads|orders`.

use std::{
    env, io,
    sync::Mutex,
    time::{Duration, Instant},
};

use ibkr_cp_api_client::{
    client::IBClientPortal,
    models::{contract::Contract, definitions::AssetClass, order_ticket::OrderTicket},
    websocket::requests::{Subscription, SubscriptionType},
};
use report::{report, report_body};

const CONID: i64 = 265_598;

/// What came by the WebSocket: the client hands it to a function without a context.
static HEARD: Mutex<Vec<String>> = Mutex::new(Vec::new());

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = env::args().collect();
    let port: i32 = arguments[1].parse().expect("a port");
    let client = IBClientPortal::new(port, true, &arguments[2]);
    match arguments[3].as_str() {
        "reads" => {
            reads(&client).await;
            streams(IBClientPortal::new(port, false, &arguments[2])).await;
            // Without TLS in its WebSocket, and with.
            streams(client).await;
        }
        _ => report("place_order", &client.place_order(vec![order(&arguments[2])]).await),
    }
}

async fn reads(client: &IBClientPortal) {
    report("check_auth_status", &client.check_auth_status().await);
    report("tickle", &client.tickle().await);
    report("get_account_ledger", &client.get_account_ledger().await);
    report("get_positions", &client.get_positions(0).await);
    report("search_for_security", &client.search_for_security("BRK B,C/é", false, AssetClass::Stock).await);
    report("get_stocks_by_symbol", &client.get_stocks_by_symbol(vec!["AAPL", "BRK B"]).await);
    report("get_futures_by_symbol", &client.get_futures_by_symbol(vec!["ES", "NQ"]).await);
    let definitions = client.get_security_definition_by_contract_id(vec![CONID]).await;
    report("get_security_definition_by_contract_id", &definitions);
    report("get_contract_detail", &client.get_contract_detail(CONID).await);
    let (month, strike) = (Some("NOV23".to_owned()), Some(185.into()));
    let options = client.get_options(CONID, AssetClass::Option, month, Some("SMART".to_owned()), strike).await;
    report("get_options", &options);
    let history = client.get_market_data_history(CONID, None, "1w", "1d", false, None).await;
    report("get_market_data_history", &history);
    if history.is_err() {
        let url = format!("https://localhost:{}/v1/api/iserver/marketdata/history", client.port);
        let query = [("conid", "265598"), ("period", "1w"), ("bar", "1d"), ("exchange", ""), ("outsideRth", "false")];
        let sent = client.client.get(url).query(&query).query(&[("startTime", "")]).send().await;
        report_body(
            "its request for a history",
            match sent {
                Ok(response) => response.text().await,
                Err(error) => Err(error),
            },
        );
    }
    report("logout", &client.logout().await);
    report("check_auth_status, logged out", &client.check_auth_status().await);
}

/// Connects and subscribes, which it does for ever, until it has heard of each.
async fn streams(mut client: IBClientPortal) {
    let name = if client.listen_ssl { "connect_to_websocket, with TLS" } else { "connect_to_websocket" };
    client.get_session_id().await.expect("a session");
    HEARD.lock().expect("the lock").clear();
    let trades = Subscription { sub_type: SubscriptionType::Trades, exchange: None };
    let subscriptions = vec![Subscription::new_smart_quote_data(Contract::from_con_id(CONID)), trades];
    let heard = async {
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(30) {
            let heard = HEARD.lock().expect("the lock").concat();
            if heard.contains("smd+265598") && heard.contains("\"str\"") {
                return Ok::<_, io::Error>(heard.contains("\"act\"") && heard.contains("\"sts\""));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(io::Error::other(format!("only {:?}", HEARD.lock().expect("the lock"))))
    };
    tokio::select! {
        ended = client.connect_to_websocket(subscriptions, |text| HEARD.lock().expect("the lock").push(text)) => {
            report(name, &ended);
        }
        heard = heard => report(name, &heard),
    }
}

fn order(account: &str) -> OrderTicket {
    OrderTicket {
        acct_id: account.to_owned(),
        conid: CONID,
        order_type: "LMT".to_owned(),
        price: 100,
        side: "BUY".to_owned(),
        tif: "DAY".to_owned(),
        quantity: 1,
        ..OrderTicket::default()
    }
}
