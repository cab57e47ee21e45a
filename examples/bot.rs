//! A bot: quotes, an order, and a session that keeps itself alive meanwhile. With `reqwest` and `tokio`.
//!
//! ```sh
//! cargo run --example bot --features reqwest,simulator
//! cargo run --example bot --features reqwest,reqwest/rustls,simulator bundle.json   # with the real broker
//! ```
//! **It sends an order**, to a paper account only: the simulator's, or yours of that number.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unreadable_literal,
    reason = "a program says what it does, and conids are names"
)]

use std::error::Error;

use ibkr_oauth::{adapter::reqwest::client_builder, client::Client, session::SessionConfig};
use serde_json::json;

mod support;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // From the file on the command line, or of a simulated broker.
    let bundle = support::bundle()?;
    let (ibkr, driver) = Client::start(client_builder().build()?, &bundle, SessionConfig::default())?;
    // Signs in, opens the brokerage session, tickles each minute, renews the token; each event is a sentence.
    tokio::spawn(driver.on_event(|event| eprintln!("   {event}")));
    ibkr.ready().await?;

    println!("{}", ibkr.get("/iserver/marketdata/snapshot?conids=265598&fields=31,84").await?.text()?);

    let order = json!({"orders": [{"conid": 265598, "orderType": "MKT", "side": "BUY", "quantity": 1, "tif": "DAY"}]});
    match ibkr.post_json("/iserver/account/DU0000001/orders", &order).await {
        // It was not sent twice: ask what became of it.
        Err(error) if error.may_have_been_sent() => println!("{}", ibkr.get("/iserver/account/orders").await?.text()?),
        placed => println!("{}", placed?.error_for_status()?.text()?),
    }

    Ok(ibkr.shutdown().await?)
}
