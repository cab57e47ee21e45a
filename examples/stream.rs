//! A stream: two lines of quotes and the orders, over all gaps. With `reqwest` and `tokio`.
//!
//! ```sh
//! cargo run --example stream --features reqwest,tungstenite,simulator
//! cargo run --example stream --features reqwest,reqwest/rustls,tungstenite,simulator bundle.json   # with the real broker
//! ```

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unreadable_literal,
    reason = "a program says what it does, and conids are names"
)]

use std::error::Error;

use ibkr_oauth::{adapter::reqwest::client_builder, client::Client, session::SessionConfig, stream::Topic};

mod support;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // The bundle is the file on the command line, or of a simulated broker.
    let (ibkr, driver) = Client::start(client_builder().build()?, &support::bundle()?, SessionConfig::default())?;
    tokio::spawn(driver.on_event(|event| eprintln!("   {event}")));

    // Connects when the session is live, asks for each line again in time, comes back after each gap.
    let (stream, driver) = ibkr.stream();
    tokio::spawn(driver);
    let quotes = |conid| Topic::market_data(conid, &["31", "84", "86"]);
    let mut messages = stream.subscribe_all(&[quotes(265598), quotes(8314), Topic::orders()])?;
    let mut events = stream.events();
    for _ in 0..20 {
        tokio::select! {
            Some(message) = messages.next() => println!("{}: {}", message.topic, String::from_utf8_lossy(&message.bytes)),
            Some(event) = events.next() => eprintln!("   {event}"),
        }
    }
    Ok(ibkr.shutdown().await?)
}
