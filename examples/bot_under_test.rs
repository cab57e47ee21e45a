//! A bot under test: thirty hours of its life in under a second, with no socket and on a virtual clock.
//!
//! ```sh
//! cargo run --example bot_under_test --features simulator
//! ```
//! In these hours a token expires, the brokerage session is lost, and the response to an order is lost too.

#![allow(
    clippy::print_stdout,
    clippy::unreadable_literal,
    reason = "a program says what it does, and conids are names"
)]

use std::{error::Error as StdError, time::Duration};

use ibkr_oauth::{
    CredentialBundle, Error, Timestamp,
    client::Client,
    session::SessionConfig,
    simulator::{Broker, Fault, InProcess, test_keys},
    transport::AsyncTransport,
};
use serde_json::json;

const ORDERS: &str = "/iserver/account/DU0000001/orders";
const HOUR: Duration = Duration::from_secs(3600);

/// The bot, as it runs in production: it knows nothing of the simulator.
async fn bot<T: AsyncTransport + Clone + 'static>(
    transport: T,
    bundle: &CredentialBundle,
    hours: u32,
) -> Result<(), Error> {
    let (ibkr, driver) = Client::start(transport.clone(), bundle, SessionConfig::default())?;
    tokio::spawn(driver);
    ibkr.ready().await?;
    for hour in 0..hours {
        transport.sleep(HOUR).await;
        ibkr.get("/portfolio/accounts").await?.error_for_status()?;
        let order = json!({"orders": [{"conid": 265598, "cOID": hour, "side": "BUY", "quantity": 1}]});
        match ibkr.post_json(ORDERS, &order).await {
            // It may have been executed: a bot looks for it before it sends it again.
            Err(error) if error.may_have_been_sent() => println!("hour {hour}: {error}"),
            placed => drop(placed?.error_for_status()?),
        }
    }
    ibkr.shutdown().await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn StdError>> {
    let network = InProcess::new(Broker::default(), Timestamp::from_secs(1_700_000_000));
    let bundle = network.broker(test_keys::bundle)?;
    network.broker(|broker, _| {
        broker.inject(Fault::drop_response().at(ORDERS).after(3));
        broker.inject(Fault::expire_live_session_token().at("/tickle").after(120));
        broker.inject(Fault::not_authenticated().at("/tickle").after(800));
    });
    bot(network.clone(), &bundle, 30).await?;
    network.broker(|broker, _| {
        let placed = broker.accepted().filter(|request| request.path == ORDERS).count();
        println!("{placed} orders in 30 hours, with {} sign-ins", broker.live_session_tokens_issued());
        assert_eq!((placed, broker.live_session_tokens_issued()), (30, 3));
    });
    Ok(())
}
