//! The shortest way: sign in, send one signed request, log out. Blocking, with `ureq`.
//!
//! ```sh
//! cargo run --example ureq_request --features ureq,simulator
//! cargo run --example ureq_request --features ureq,ureq/rustls,simulator bundle.json   # with the real broker
//! ```

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program asks the clock, which the library never does"
)]

mod loopback;

use std::{error::Error, time::SystemTime};

use http::Request;
use ibkr_oauth::{
    Context, OsEntropy, Timestamp,
    adapter::ureq::{send, sign_and_send},
};

fn main() -> Result<(), Box<dyn Error>> {
    // Your own agent, with your proxy and your TLS; keep one for all requests.
    let agent: ureq::Agent = ureq::Agent::config_builder().proxy(None).build().into();
    // Who we are, and what the portal gave us: from a bundle, or of a simulated broker.
    let (consumer, access_token) = loopback::credentials()?;

    // Time and random numbers come in with each call; the library has none of its own.
    let mut entropy = OsEntropy;
    let mut cx = Context::new(Timestamp::from(SystemTime::now()), &mut entropy);

    // 1. Open the access token's secret with our key, and negotiate the live session token: about a day of signatures.
    let exchange = consumer.unlock(&mut cx, &access_token)?.live_session_token(&consumer, &mut cx)?;
    let signer = send(&agent, exchange)?.signer();

    // 2. Any request of yours: `sign_and_send` adds `Authorization`, and what else the broker demands.
    let url = consumer.endpoints().url("/portfolio/accounts")?;
    let mut cx = Context::new(Timestamp::from(SystemTime::now()), &mut entropy);
    let response = sign_and_send(&agent, &signer, &mut cx, Request::get(url).body("")?)?;
    println!("{} {}", response.status(), String::from_utf8_lossy(response.body()));

    // 3. Log out. A status that says no is an error here, with what the broker said and what to try.
    let logout = send(&agent, signer.brokerage().logout(&mut cx)?)?;
    println!("logged out: {}", logout.status);
    Ok(())
}
