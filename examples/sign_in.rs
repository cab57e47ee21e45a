//! The whole protocol in one run, with no network and no credentials: the simulator plays the broker and the user.
//!
//! ```sh
//! cargo run --example sign_in --features simulator
//! ```

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program asks the clock, which the library never does"
)]

use std::{error::Error, time::SystemTime};

use bytes::Bytes;
use http::{Method, Request, Response, header};
use ibkr_oauth::{
    BrokerageStatus, Callback, Compete, Context, Exchange, OsEntropy, Timestamp,
    simulator::{Broker, test_keys},
};

/// What each call may know of the outside world: the time now, and the operating system's random numbers.
fn context(entropy: &mut OsEntropy) -> Context<'_> {
    Context::new(Timestamp::from(SystemTime::now()), entropy)
}

/// What stands in for the network; in your program this is your HTTP client.
fn transmit(broker: &mut Broker, request: &Request<Bytes>) -> Response<Bytes> {
    let response = broker.handle(&mut context(&mut OsEntropy), request);
    println!("   {} {} -> {}", request.method(), request.uri(), response.status());
    response
}

fn complete<T>(broker: &mut Broker, exchange: Exchange<T>) -> Result<T, ibkr_oauth::Error> {
    let response = transmit(broker, exchange.request());
    exchange.complete(response)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut broker = Broker::default();
    let entropy = &mut OsEntropy;
    // Who we are: consumer key, two RSA keys, and the Diffie-Hellman group, as registered with the broker.
    let consumer = test_keys::consumer()?;

    println!("1. Ask for a request token, signed with our RSA key.");
    let exchange = consumer.request_token(&mut context(entropy), Callback::OutOfBand)?;
    let consent = complete(&mut broker, exchange)?;

    println!("2. Send the user's browser to the consent page; it comes back with a verifier.");
    println!("   GET {}", consent.url());
    let callback = broker.consent(&mut context(entropy), consent.url())?;
    println!("   -> {callback}");
    let verifier = consent.verifier(&callback)?;

    println!("3. Turn the verifier into an access token, which does not expire; open its secret with our other key.");
    let exchange = verifier.access_token(&consumer, &mut context(entropy))?;
    let access_token = complete(&mut broker, exchange)?;
    let unlocked = consumer.unlock(&mut context(entropy), &access_token)?;
    println!("   paper account: {:?}", access_token.is_paper());

    println!("4. Negotiate the live session token by Diffie-Hellman. It signs all that follows, for about a day.");
    let exchange = unlocked.live_session_token(&consumer, &mut context(entropy))?;
    let live_session_token = complete(&mut broker, exchange)?;
    println!("   proved by the broker; expires at {}", live_session_token.expires_at().ok_or("no expiry")?);
    let signer = live_session_token.signer();

    println!("5. Open the brokerage session, without which there are no orders and no market data.");
    let exchange = signer.brokerage().open(&mut context(entropy), Compete::Take)?;
    let status = complete(&mut broker, exchange)?;
    println!("   ready: {}", status.is_ready());

    println!("6. Sign requests: a GET with a comma, a space and a repeated name in its query.");
    let url = consumer.endpoints().url("/iserver/secdef/search?conids=265598,8314&symbol=BRK%20B&symbol=AAPL")?;
    let mut request =
        Request::builder().uri(url).header(header::USER_AGENT, consumer.user_agent()).body(Bytes::new())?;
    signer.sign(&mut context(entropy), &mut request)?;
    let response = transmit(&mut broker, &request);
    println!("   {}", String::from_utf8_lossy(response.body()));

    println!("   And a POST of a form, whose fields are signed too.");
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(consumer.endpoints().url("/accounts/DU0000001/order_impact")?)
        .header(header::USER_AGENT, consumer.user_agent())
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Bytes::from_static(b"ContractId=8314&Side=BUY&Quantity=100"))?;
    signer.sign_form(&mut context(entropy), &mut request)?;
    let response = transmit(&mut broker, &request);
    println!("   {}", String::from_utf8_lossy(response.body()));

    println!("7. Keep the session alive: once a minute.");
    let exchange = signer.brokerage().tickle(&mut context(entropy))?;
    let tickle = complete(&mut broker, exchange)?;
    println!("   brokerage session ready: {}", tickle.brokerage().is_some_and(BrokerageStatus::is_ready));

    println!("8. Log out.");
    let exchange = signer.brokerage().logout(&mut context(entropy))?;
    let logout = complete(&mut broker, exchange)?;
    println!("   ended: {}", logout.status);
    Ok(())
}
