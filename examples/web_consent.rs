//! A web application that acts for other users (a *third party*): redirect, callback, stored access token.
//!
//! ```sh
//! cargo run --example web_consent --features ureq,simulator
//! ```
//!
//! The handlers are for your web framework to call; `main` plays the browser. With a bundle as the argument, you do.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program asks the clock, which the library never does"
)]

mod support;

use std::{collections::HashMap, error::Error, io, time::SystemTime};

use ibkr_oauth::{AccessToken, Callback, Consent, Consumer, Context, OsEntropy, Timestamp, http::Uri};
use ureq::Agent;

/// Time and random numbers come in with each call; the library has none of its own.
fn at_once<T>(work: impl FnOnce(&mut Context<'_>) -> T) -> T {
    work(&mut Context::new(Timestamp::from(SystemTime::now()), &mut OsEntropy))
}

/// Your application, with the two things that it must remember.
struct Application {
    agent: Agent,
    consumer: Consumer,
    /// By the browser's cookie, for minutes: consents that were asked for.
    asked: HashMap<&'static str, String>,
    /// By your user, for years: access tokens. Encrypt them at rest.
    tokens: HashMap<&'static str, String>,
}

impl Application {
    /// `GET /connect`: asks the broker for a request token, and redirects the browser to the consent page.
    fn connect(&mut self, cookie: &'static str) -> Result<Uri, Box<dyn Error>> {
        // `oob`: the broker sends the user to the callback address that is registered for the consumer.
        let consent = at_once(|cx| self.consumer.request_token(cx, Callback::OutOfBand))?.send(&self.agent)?;
        self.asked.insert(cookie, serde_json::to_string(&consent)?);
        Ok(consent.url().clone())
    }

    /// `GET /callback?oauth_token=…&oauth_verifier=…`: the user comes back.
    fn callback(&mut self, cookie: &'static str, user: &'static str, url: &str) -> Result<(), Box<dyn Error>> {
        // Only the browser that was sent may come back, and only once.
        let asked = self.asked.remove(cookie).ok_or("nobody was sent to the broker from this browser")?;
        let consent: Consent = serde_json::from_str(&asked)?;
        // Checks that the callback belongs to this consent; says so too if the user declined.
        let verifier = consent.verifier(url)?;
        let token = at_once(|cx| verifier.access_token(&self.consumer, cx))?.send(&self.agent)?;
        self.tokens.insert(user, serde_json::to_string(&token)?);
        Ok(())
    }

    /// Days later: the stored token is all that is needed to act for the user.
    fn sign_in(&self, user: &str) -> Result<(), Box<dyn Error>> {
        let token: AccessToken = serde_json::from_str(self.tokens.get(user).ok_or("no consent yet")?)?;
        let unlocked = at_once(|cx| self.consumer.unlock(cx, &token))?;
        let exchange = at_once(|cx| unlocked.live_session_token(&self.consumer, cx))?;
        let expires_at = exchange.send(&self.agent)?.expires_at().ok_or("the broker names no expiry")?;
        println!("signed in for {user} (paper account: {:?}) until {expires_at}", token.is_paper());
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let simulator = support::Simulator::start()?;
    let bundle = support::named_bundle()?;
    let consumer = bundle.as_ref().map_or_else(|| simulator.consumer(), |bundle| Ok(bundle.consumer()?))?;
    let agent = Agent::config_builder().proxy(None).build().into();
    let mut application = Application { agent, consumer, asked: HashMap::new(), tokens: HashMap::new() };

    let page = application.connect("cookie-1")?;
    println!("the browser is sent to {page}");
    let callback = if bundle.is_none() { simulator.consent(&page)? } else { io::read_to_string(io::stdin())? };
    println!("and comes back at {}", callback.trim());
    application.callback("cookie-1", "alice", callback.trim())?;
    application.sign_in("alice")
}
