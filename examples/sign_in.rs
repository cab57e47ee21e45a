//! The whole protocol in one run, with no network and no credentials: the simulator plays the broker and the user.
//!
//! ```sh
//! cargo run --example sign_in --features simulator
//! ```

#![allow(clippy::disallowed_methods, reason = "a program asks the clock, which the library never does")]

use std::{error::Error, time::SystemTime};

use bytes::Bytes;
use http::{Method, Request, Response, header};
use ibkr_oauth::{
    Callback, Compete, Context, Exchange, OsEntropy, Timestamp,
    simulator::{Broker, test_keys},
};

fn now() -> Timestamp {
    Timestamp::from(SystemTime::now())
}

/// What stands in for the network, and for the user at the browser.
struct World {
    broker: Broker,
    entropy: OsEntropy,
}

impl World {
    /// A new context for each call: the time now, and the operating system's random numbers.
    fn context(&mut self) -> Context<'_> {
        Context::new(now(), &mut self.entropy)
    }

    /// In your program this is your HTTP client.
    fn transmit(&mut self, request: &Request<Bytes>) -> Response<Bytes> {
        let response = self.broker.handle(&mut Context::new(now(), &mut self.entropy), request);
        println!("   {} {} -> {}", request.method(), request.uri(), response.status());
        response
    }

    fn complete<T>(&mut self, exchange: Exchange<T>) -> Result<T, ibkr_oauth::Error> {
        let response = self.transmit(exchange.request());
        exchange.complete(response)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut world = World { broker: Broker::default(), entropy: OsEntropy };
    // Who we are: consumer key, two RSA keys, and the Diffie-Hellman group, as registered with the broker.
    let consumer = test_keys::consumer()?;

    println!("1. Ask for a request token, signed with our RSA key.");
    let exchange = consumer.request_token(&mut world.context(), Callback::OutOfBand)?;
    let consent = world.complete(exchange)?;

    println!("2. Send the user's browser to the consent page; it comes back with a verifier.");
    println!("   GET {}", consent.url());
    let callback = world.broker.consent(&mut Context::new(now(), &mut OsEntropy), consent.url())?;
    println!("   -> {callback}");
    let verifier = consent.verifier(&callback)?;

    println!(
        "3. Turn the verifier into an access token, which does not expire, and open its secret with our other key."
    );
    let exchange = verifier.access_token(&consumer, &mut world.context())?;
    let access_token = world.complete(exchange)?;
    let unlocked = consumer.unlock(&mut world.context(), &access_token)?;
    println!("   paper account: {:?}", access_token.is_paper());

    println!("4. Negotiate the live session token by Diffie-Hellman. It signs all that follows, for about a day.");
    let exchange = unlocked.live_session_token(&consumer, &mut world.context())?;
    let live_session_token = world.complete(exchange)?;
    println!("   proved by the broker; expires at {}", live_session_token.expires_at().ok_or("no expiry")?);
    let signer = live_session_token.signer();

    println!("5. Open the brokerage session, without which there are no orders and no market data.");
    let exchange = signer.brokerage().open(&mut world.context(), Compete::Take)?;
    let status = world.complete(exchange)?;
    println!("   ready: {}", status.is_ready());

    println!("6. Sign requests: a GET with a comma, a space and a repeated name in its query.");
    let url = consumer.endpoints().url("/iserver/secdef/search?conids=265598,8314&symbol=BRK%20B&symbol=AAPL")?;
    let mut request =
        Request::builder().uri(url).header(header::USER_AGENT, consumer.user_agent()).body(Bytes::new())?;
    signer.sign(&mut world.context(), &mut request)?;
    let response = world.transmit(&request);
    println!("   {}", String::from_utf8_lossy(response.body()));

    println!("   And a POST of a form, whose fields are signed too.");
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(consumer.endpoints().url("/accounts/DU0000001/order_impact")?)
        .header(header::USER_AGENT, consumer.user_agent())
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Bytes::from_static(b"ContractId=8314&Side=BUY&Quantity=100"))?;
    signer.sign_form(&mut world.context(), &mut request)?;
    let response = world.transmit(&request);
    println!("   {}", String::from_utf8_lossy(response.body()));

    println!("7. Keep the session alive: once a minute.");
    let exchange = signer.brokerage().tickle(&mut world.context())?;
    let tickle = world.complete(exchange)?;
    println!("   brokerage session ready: {}", tickle.brokerage().is_some_and(ibkr_oauth::BrokerageStatus::is_ready));

    println!("8. Log out.");
    let exchange = signer.brokerage().logout(&mut world.context())?;
    let logout = world.complete(exchange)?;
    println!("   ended: {}", logout.status);
    Ok(())
}
