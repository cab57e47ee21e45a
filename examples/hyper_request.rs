//! Sign in and send one signed request with `hyper`, by the client of `hyper-util`.
//!
//! ```sh
//! cargo run --example hyper_request --features hyper,simulator
//! ```
//!
//! It speaks plain HTTP, as the simulator does. For the real broker take a connector with TLS, such as that of
//! `hyper-rustls`.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program asks the clock, which the library never does"
)]

mod support;

use std::{error::Error, time::SystemTime};

use http::Request;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use ibkr_oauth::{Context, OsEntropy, Timestamp, adapter::hyper::HyperTransport};
use tokio::time::sleep;

fn now() -> Timestamp {
    Timestamp::from(SystemTime::now())
}

async fn run() -> Result<(), Box<dyn Error>> {
    // Your own client, with your own connector.
    let client = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
    // hyper has no timer, so it is given one.
    let transport = HyperTransport::new(client, sleep);
    // Who we are, and what the portal gave us: from a bundle, or of a simulated broker.
    let (consumer, access_token) = support::credentials()?;

    // A context is a moment, so that none can be kept over an `await`: make one for each step.
    let unlocked = consumer.unlock(&mut Context::new(now(), &mut OsEntropy), &access_token)?;
    let exchange = unlocked.live_session_token(&consumer, &mut Context::new(now(), &mut OsEntropy))?;
    let signer = exchange.send_async(&transport).await?.signer();

    // The signature is made at once, and the future that is left sends the request.
    let url = consumer.endpoints().url("/portfolio/accounts")?;
    let request = Request::get(url).body("")?;
    let reply = signer.send_async(&transport, &mut Context::new(now(), &mut OsEntropy), request)?;
    let response = reply.await?;
    println!("{} {}", response.status(), String::from_utf8_lossy(response.body()));

    let exchange = signer.brokerage().logout(&mut Context::new(now(), &mut OsEntropy))?;
    println!("logged out: {}", exchange.send_async(&transport).await?.status);
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run())
}
