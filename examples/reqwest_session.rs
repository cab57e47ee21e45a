//! A session that a task keeps alive, while other tasks send requests: what a web service or a bot looks like. With
//! `reqwest` and `tokio`.
//!
//! ```sh
//! cargo run --example reqwest_session --features reqwest,simulator
//! cargo run --example reqwest_session --features reqwest,reqwest/rustls,simulator bundle.json   # with the real broker
//! ```

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program asks the clock, which the library never does"
)]

mod loopback;

use std::{
    error::Error,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{Request, Response};
use ibkr_oauth::{
    Context, OsEntropy, Timestamp,
    adapter::reqwest::{client_builder, drive, sign_and_send},
    driver::{Driver, SessionHandle},
    session::{Advice, Report, Session, SessionConfig},
};

fn now() -> Timestamp {
    Timestamp::from(SystemTime::now())
}

/// A call of your own. If the broker refuses the token, the session negotiates the next, and we try again with that.
async fn get(client: &reqwest::Client, handle: &SessionHandle, path: &str) -> Result<Response<Bytes>, Box<dyn Error>> {
    let mut attempt = 1;
    loop {
        // Waits until the session is live.
        let signer = handle.ready(Duration::from_secs(60)).await?;
        let request = Request::get(signer.consumer().endpoints().url(path)?).body("")?;
        let (at, uri) = (now(), request.uri().clone());
        let response = sign_and_send(client, &signer, &mut Context::new(at, &mut OsEntropy), request)?.await?;
        // The session hears of it, and knows whether to send it again does any good, and any harm.
        let report = Report::new(signer.token_id(), at, &http::Method::GET, &uri, &response).attempt(attempt);
        let advice = match handle.report(&report) {
            Advice::AwaitSession(ticket) => handle.resolve(ticket).await,
            advice => advice,
        };
        match advice {
            Advice::Resend if attempt < 3 => {
                // A server that is down gets no better by being asked at once, nor without end.
                tokio::time::sleep(Duration::from_secs(attempt.into())).await;
                attempt += 1;
            }
            _ => return Ok(response),
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    // This builder makes clients that follow no redirect and send nothing twice.
    let client = client_builder().no_proxy().build()?;
    // Who we are, and what the portal gave us: from a bundle, or of a simulated broker.
    let (consumer, access_token) = loopback::credentials()?;
    let token = consumer.unlock(&mut Context::new(now(), &mut OsEntropy), &access_token)?;

    // One task drives the session: it signs in, opens the brokerage session, tickles each minute, renews the token.
    let driver = Driver::new(Session::new(consumer, token, SessionConfig::default()), OsEntropy);
    let handle = driver.handle();
    let driving = tokio::spawn({
        let client = client.clone();
        async move { drive(&client, driver, tokio::time::sleep, |event| println!("   {event:?}")).await }
    });

    // All others hold a handle, which may be cloned and sent around.
    for path in ["/portfolio/accounts", "/marketdata/snapshot?conids=265598"] {
        let response = get(&client, &handle, path).await?;
        println!("{path}: {} {}", response.status(), String::from_utf8_lossy(response.body()));
    }

    // Logs out, and ends the task.
    handle.shutdown();
    driving.await?;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(run())
}
