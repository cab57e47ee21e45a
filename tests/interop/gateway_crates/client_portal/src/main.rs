//! What `ibkr_client_portal` is for: `runs-client-portal HOST:PORT ACCOUNT reads|orders|streams`.

use std::{collections::BTreeMap, env, io, time::Duration};

use ibkr_client_portal::{
    client::IBClientPortal,
    model::{
        account::{GetAccountMetadataRequest, GetAccountSummaryRequest, SwitchAccountRequest},
        contract::{GetContractDetailRequest, GetStocksBySymbolRequest, SearchForSecurityRequest},
        definition::{AssetClass, TickType},
        market_data::{GetMarketDataHistoryRequest, GetMarketDataRequest},
        order::{
            CancelOrderRequest, GetOrderStatusRequest, OrderRequest, PlaceOrdersRequest, PlaceOrdersResponse,
            PreviewOrderRequest,
        },
        portfolio::GetPortfolioPositionsRequest,
        streaming::{SubscribeLiveOrderUpdateRequest, SubscribeMarketDataRequest, ToStructuredRequest},
    },
    retry_policies::ExponentialBackoff,
    utils::reply::handle_reply_order_requests,
};
use report::{report, report_body};
use serde_json::json;

const CONID: i64 = 265_598;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = env::args().collect();
    let (host, account) = (&arguments[1], &arguments[2]);
    let client = |with_tls| {
        let retries = ExponentialBackoff::builder().build_with_max_retries(3);
        IBClientPortal::new(account.clone(), host.clone(), with_tls, retries)
    };
    match arguments[3].as_str() {
        "reads" => {
            session(&client(true)).await;
            accounts(&client(true)).await;
            market(&client(true)).await;
            report(
                "connect_to_websocket, with TLS",
                &client(true).connect_to_websocket().await.map(drop).map_err(shown),
            );
            log_out(&client(true)).await;
        }
        "orders" => orders(&client(true)).await,
        // Its WebSocket is without TLS.
        _ => streams(&client(false)).await,
    }
}

async fn session(client: &IBClientPortal) {
    report("tickle", &client.tickle().await);
    report("get_auth_status", &client.get_auth_status().await);
    report("init_brokerage_session", &client.init_brokerage_session().await);
    report("sso_validate", &client.sso_validate().await);
    report("reauthenticate", &client.reauthenticate().await);
}

async fn accounts(client: &IBClientPortal) {
    let account_id = client.account.clone();
    report("get_brokerage_accounts", &client.get_brokerage_accounts().await);
    report("get_portfolio_accounts", &client.get_portfolio_accounts().await);
    report("get_sub_accounts", &client.get_sub_accounts().await);
    let metadata = client.get_account_metadata(GetAccountMetadataRequest { account_id: account_id.clone() }).await;
    report("get_account_metadata", &metadata);
    let summary = client.get_account_summary(GetAccountSummaryRequest { account_id: account_id.clone() }).await;
    report("get_account_summary", &summary);
    report("get_account_ledger", &client.get_account_ledger().await);
    report("switch_account", &client.switch_account(SwitchAccountRequest { account_id: account_id.clone() }).await);
    report("get_account_pnl_partitioned", &client.get_account_pnl_partitioned().await);
    let trades = client.get_account_trades().await;
    report("get_account_trades", &trades);
    if trades.is_err() {
        body("its request for trades", client, "/iserver/account/trades").await;
    }
    let positions = client.get_portfolio_positions(GetPortfolioPositionsRequest { page: 0 }).await;
    report("get_portfolio_positions", &positions);
    if positions.is_err() {
        body("its request for positions", client, &format!("/portfolio/{account_id}/positions/0")).await;
    }
}

async fn market(client: &IBClientPortal) {
    let stocks = GetStocksBySymbolRequest { symbols: vec!["AAPL".to_owned(), "BRK B".to_owned()] };
    report("get_stocks_by_symbol", &client.get_stocks_by_symbol(stocks).await);
    let search =
        SearchForSecurityRequest { symbol: "BRK B,C/é".to_owned(), is_name: false, sec_type: AssetClass::Stock };
    report("search_for_security", &client.search_for_security(search).await);
    report("get_contract_detail", &client.get_contract_detail(GetContractDetailRequest { conid: CONID }).await);
    let fields = Some(vec![TickType::LastPrice, TickType::Symbol]);
    let snapshot = GetMarketDataRequest { conid_list: vec![CONID, 8314], since: None, fields };
    report("get_market_data", &client.get_market_data(snapshot).await);
    let history = GetMarketDataHistoryRequest {
        conid: CONID,
        exchange: None,
        period: "1w".to_owned(),
        bar: Some("1d".to_owned()),
        outside_regular_trading_hours: Some(false),
        start_time: None,
    };
    report("get_market_data_history", &client.get_market_data_history(history).await);
    let account_id = client.account.clone();
    report("preview_order", &client.preview_order(PreviewOrderRequest { account_id, orders: vec![order()] }).await);
}

async fn log_out(client: &IBClientPortal) {
    let result = client.logout().await;
    report("logout", &result);
    if result.is_err() {
        let sent = client.client.post(client.get_url("/logout")).header("content-length", "0").send().await;
        report_body(
            "its request to log out",
            match sent {
                Ok(response) => response.text().await.map_err(shown),
                Err(error) => Err(shown(error)),
            },
        );
    }
    report("get_auth_status, logged out", &client.get_auth_status().await);
}

/// An order, whose prompts are confirmed; the list of orders, its status, and its end.
async fn orders(client: &IBClientPortal) {
    let account_id = client.account.clone();
    report("get_brokerage_accounts", &client.get_brokerage_accounts().await);
    let request = PlaceOrdersRequest { account_id: account_id.clone(), orders: vec![order()] };
    let placed = client.place_orders(request).await;
    report("place_orders", &placed);
    let Ok(placed @ PlaceOrdersResponse::Ok(_)) = placed else { return };
    let order_id = handle_reply_order_requests(client.clone(), placed, 3).await.map_err(shown);
    report("place_order_reply", &order_id);
    report("get_live_orders", &client.get_live_orders().await);
    let Ok(order_id) = order_id else { return };
    report("get_order_status", &client.get_order_status(GetOrderStatusRequest { order_id: order_id.clone() }).await);
    report("cancel_order", &client.cancel_order(CancelOrderRequest { account_id, order_id }).await);
}

/// Subscribes to a market data line and to orders, places one, and hears of all: what it takes a message of each topic for.
async fn streams(client: &IBClientPortal) {
    let heard = tokio::time::timeout(Duration::from_secs(30), async {
        let (sender, receiver) = client.connect_to_websocket().await.map_err(shown)?;
        let line =
            SubscribeMarketDataRequest { conid: CONID.to_string(), fields: vec!["31".to_owned(), "84".to_owned()] };
        sender.send_streaming_structured_data_request(line.to_structured_request()).await.map_err(shown)?;
        let orders = SubscribeLiveOrderUpdateRequest {}.to_structured_request();
        sender.send_streaming_structured_data_request(orders).await.map_err(shown)?;
        sender.send_keep_alive_message().await.map_err(shown)?;
        client.get_brokerage_accounts().await.map_err(shown)?;
        let request = PlaceOrdersRequest { account_id: client.account.clone(), orders: vec![order()] };
        client.place_orders(request).await.map_err(shown)?;
        let mut heard = BTreeMap::new();
        while !["system", "act", "sts", "tic", "smd+265598", "sor"].iter().all(|topic| heard.contains_key(*topic)) {
            let message = format!("{:?}", receiver.receive().await.map_err(shown)?);
            let topic = message.split("topic: \"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
            heard.insert(topic.to_owned(), message.split('(').next().unwrap_or_default().to_owned());
        }
        sender.close().await.map_err(shown)?;
        Ok::<_, io::Error>(heard)
    });
    report("connect_to_websocket", &heard.await.unwrap_or_else(|late| Err(shown(late))));
}

/// What the gateway answers to the same request.
async fn body(name: &str, client: &IBClientPortal, path: &str) {
    let sent = client.client.get(client.get_url(path)).header("content-length", "0").send().await;
    report_body(
        name,
        match sent {
            Ok(response) => response.text().await.map_err(shown),
            Err(error) => Err(shown(error)),
        },
    );
}

fn order() -> OrderRequest {
    let order = json!({
        "conid": CONID,
        "orderType": "LMT",
        "outsideRTH": false,
        "price": 99.99,
        "side": "BUY",
        "tif": "DAY",
        "quantity": 1,
    });
    serde_json::from_value(order).expect("an order as the client writes one")
}

fn shown(error: impl std::fmt::Debug) -> io::Error {
    io::Error::other(format!("{error:?}"))
}
